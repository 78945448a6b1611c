"""The loop: pairs through the trainee, step by step, on one device or several.

Lightning Fabric shares the work out: it launches the processes, wraps the network for DistributedDataParallel, scales
half-precision gradients and moves tensors, and leaves the loop to us; the whole of a Trainer is more than a tracker
needs, DistributedDataParallel alone is less.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from ..export.load import save_network
from ..export.model import OSTrack
from ..runtime.errors import TrainingError
from ..runtime.network import NetworkGeometry
from .data.mixture import Mixture
from .data.pairs import Batch, Numbers, Pairs, collate
from .distil import Teacher, crops_for
from .optim import make_optimizers, set_rates
from .plan import LOG, NETWORK, Plan
from .recipe import Recipe
from .schedule import eliminations, rate_factor
from .state import cut_log, load_state, restore, save_state
from .trainee import Trainee
from .validate import Scores, validate, validation_pairs


@dataclass(frozen=True)
class Pace:
    """How often a run speaks, and saves itself; how it loads. log_every: steps; save_every: seconds; workers: processes
    that make pairs; validation: pairs of one validation."""

    log_every: int = 50
    save_every: float = 300
    workers: int = 1
    validation: int = 512


class Reporter(Protocol):
    """Told what happens, in the first process only."""

    def step(self, step: int, steps: int, line: dict[str, float]) -> None: ...
    def validated(self, step: int, scores: Scores) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """finished: False where the run was asked to stop; step: steps done; signal: the one that asked."""

    finished: bool
    step: int
    signal: int | None = None


def train(
    fabric: Fabric,
    plan: Plan,
    network: OSTrack,
    mixture: Mixture,
    folder: Path,
    pace: Pace,
    reporter: Reporter,
    teacher: Teacher | None = None,
) -> Outcome:
    """Train `network` as planned, from where `folder` says the run stands; the folder holds network and state after.

    SIGINT and SIGTERM end it after the step they fall into. Raises TrainingError where the loss is no number any more.
    """
    recipe, how = plan.recipe, plan.recipe.optimisation
    if how.batch % fabric.world_size:
        raise TrainingError(f"a batch of {how.batch} pairs does not divide among {fabric.world_size} processes")
    trainee = Trainee(network, recipe, teacher).train()
    optimizers = make_optimizers(trainee, how, recipe.precision)
    state = load_state(folder)
    first = 0
    if state is not None:
        restore(state, trainee, optimizers, folder)
        first = state["step"]
    module, *wrapped = fabric.setup(trainee, *optimizers)
    if state is not None and state["scaler"]:
        fabric.strategy.precision.load_state_dict(state["scaler"])
    if fabric.global_rank == 0:
        cut_log(folder, first)
    crops = crops_for(plan.geometry, teacher.geometry if teacher else None)
    batches = _batches(fabric, recipe, crops, mixture, first, pace.workers)
    run = _Run(fabric, recipe, trainee, module, wrapped, optimizers, folder, pace, reporter, mixture)
    with _stop_signals() as asked:
        for step in range(first, how.steps):
            run.take(step, next(batches))
            # Where several processes have to stop at one step, the first one's word counts, now and then.
            if _speaks(step, pace) or fabric.world_size == 1:
                number = fabric.broadcast(asked[0] if asked else 0)
                if number:
                    run.save(step + 1)
                    return Outcome(False, step + 1, number)
        run.save(how.steps)
    return Outcome(True, how.steps)


class _Run:
    """One process's part of a training."""

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        trainee: Trainee,
        module: Any,
        wrapped: list[Any],
        optimizers: list[torch.optim.Optimizer],
        folder: Path,
        pace: Pace,
        reporter: Reporter,
        mixture: Mixture,
    ) -> None:
        self._fabric, self._recipe, self._trainee, self._module = fabric, recipe, trainee, module
        self._wrapped, self._optimizers = wrapped, optimizers
        self._folder, self._pace, self._reporter = folder, pace, reporter
        self._held = (
            validation_pairs(mixture.validation, trainee.network, recipe.jitter) if mixture.validation else None
        )
        self._terms: list[dict[str, Tensor]] = []
        self._began = self._saved = time.monotonic()

    def take(self, step: int, batch: Batch) -> None:
        """One step of the optimizer, and what falls due after it."""
        how = self._recipe.optimisation
        set_rates(self._optimizers, rate_factor(step, how))
        # Drop path draws from torch's own numbers: told by the step, a resumed run draws the same.
        torch.manual_seed((self._recipe.seed * 1_000_003 + step) * 4096 + self._fabric.global_rank)
        kept = eliminations(self._trainee.network.geometry, math.floor(how.epoch_at(step)), self._recipe.elimination)
        terms = self._module(batch, kept)
        self._fabric.backward(terms["loss"])
        for optimizer in self._wrapped:
            norm = self._fabric.clip_gradients(
                self._module, optimizer, max_norm=how.clip_norm or math.inf, error_if_nonfinite=False
            )
            terms["gradient_norm"] = norm if norm is not None else terms["loss"].new_zeros(())
        for optimizer in self._wrapped:
            optimizer.step()
            optimizer.zero_grad()
        self._terms.append({name: value.detach() for name, value in terms.items()})
        if _speaks(step, self._pace) or step + 1 == how.steps:
            self._log(step + 1, how.steps)
        if self._validation_due(step):
            self._validate(step + 1)
        if self._fabric.global_rank == 0 and time.monotonic() - self._saved > self._pace.save_every:
            self.save(step + 1)

    def save(self, step: int) -> None:
        """Write state and network; the first process does."""
        if self._fabric.global_rank == 0:
            scaler = self._fabric.strategy.precision.state_dict()
            save_network(self._folder / NETWORK, self._trainee.network)
            save_state(self._folder, self._trainee, self._optimizers, scaler, step)
            self._saved = time.monotonic()

    def _log(self, step: int, steps: int) -> None:
        how = self._recipe.optimisation
        names = list(self._terms[0])
        sums = torch.stack([torch.stack([terms[name].float() for name in names]) for terms in self._terms]).mean(0)
        shared = self._fabric.all_reduce(sums, reduce_op="mean")
        assert isinstance(shared, Tensor)
        means = dict(zip(names, shared.tolist(), strict=True))
        now = time.monotonic()
        speed = len(self._terms) * how.batch / (now - self._began)
        self._terms, self._began = [], now
        line = {
            "step": step,
            "epoch": round(how.epoch_at(step), 4),
            **{name: round(value, 5) for name, value in means.items()},
            "learning_rate": how.learning_rate * rate_factor(step - 1, how),
            "pairs_per_second": round(speed, 1),
        }
        if not math.isfinite(line["loss"]):
            raise TrainingError(
                f"the loss is {line['loss']} at step {step}: training has left its rails; resume from the last saved "
                "state with a lower learning rate, or in 32-true"
            )
        if self._fabric.global_rank == 0:
            self._write(line)
            self._reporter.step(step, steps, line)

    def _validation_due(self, step: int) -> bool:
        how = self._recipe.optimisation
        every = self._recipe.validate_every
        turned = math.floor(how.epoch_at(step + 1) / every) > math.floor(how.epoch_at(step) / every)
        return self._held is not None and (turned or step + 1 == how.steps)

    def _validate(self, step: int) -> None:
        if self._fabric.global_rank == 0:
            assert self._held is not None
            scores = validate(self._trainee.network, self._held, self._pace.validation)
            self._write({"step": step, **{f"validation_{name}": value for name, value in asdict(scores).items()}})
            self._reporter.validated(step, scores)
            self._trainee.train()
        self._fabric.barrier()
        self._began = time.monotonic()

    def _write(self, line: dict[str, Any]) -> None:
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def _speaks(step: int, pace: Pace) -> bool:
    return (step + 1) % pace.log_every == 0


def _batches(
    fabric: Fabric, recipe: Recipe, crops: NetworkGeometry, mixture: Mixture, first: int, workers: int
) -> Iterator[Batch]:
    pairs = Pairs(mixture.training, crops, recipe.jitter, recipe.augmentation, recipe.seed)
    loader = DataLoader(
        pairs,
        batch_size=recipe.optimisation.batch // fabric.world_size,
        sampler=Numbers(first, recipe.optimisation.batch, fabric.global_rank, fabric.world_size),
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=4 if workers else None,
        pin_memory=fabric.device.type == "cuda",
        worker_init_fn=_quiet_worker,
    )
    return (fabric.to_device(batch) for batch in loader)


def _quiet_worker(number: int) -> None:
    """A worker has one core, and leaves Ctrl-C to the process that it works for."""
    import cv2

    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that fills when the process is asked to stop."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda n, frame: asked.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
