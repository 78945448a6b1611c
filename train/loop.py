"""The loop: pairs through the trainee, step by step, on one device or several.

Lightning Fabric shares the work out: it launches the processes, wraps the network for DistributedDataParallel, scales
half-precision gradients and moves tensors, and leaves the loop to us; the whole of a Trainer is more than a tracker
needs, DistributedDataParallel alone is less.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
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
from .state import Terms, cut_log, is_sound, load_state, restore, save_state
from .stop import Agreement, leave_signals, stop_signals
from .trainee import Exact, Trainee
from .validate import Scores, validate, validation_pairs

_OFF_RAILS = (
    "{what} at step {step}: training has left its rails; begin a new run with a lower learning rate or in 32-true, "
    f"from the last good {NETWORK} if you like"
)


@dataclass(frozen=True)
class Pace:
    """How often a run speaks, and saves itself; how it loads. log_every: steps; save_every: seconds, rounded up to the
    next line of the log; workers: processes that make pairs; validation: pairs of one validation."""

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

    SIGINT and SIGTERM end it after the step they fall into, several processes after one step more; a second SIGINT
    raises KeyboardInterrupt at once, and what was saved last stays.
    Losses are means over each process's part of a batch, gradients over all parts, as if it had been one: except that
    the head's batch norm takes its statistics from the part alone, and the first process's are kept. Raises
    TrainingError where the loss or a weight is no finite number any more; the last good state stays.
    """
    recipe, how = plan.recipe, plan.recipe.optimisation
    if how.batch % fabric.world_size:
        raise TrainingError(f"a batch of {how.batch} pairs does not divide among {fabric.world_size} processes")
    trainee = Trainee(network, recipe, teacher).train()
    optimizers = make_optimizers(trainee, how, recipe.precision)
    state = load_state(folder)
    first, terms = 0, []
    module, *wrapped = fabric.setup(trainee, *optimizers)
    if state is not None:
        # Only now are the weights on their device, where an optimizer's own numbers have to be.
        restore(state, trainee, optimizers, folder)
        first, terms = state["step"], state["terms"]
        if state["scaler"]:
            fabric.strategy.precision.load_state_dict(state["scaler"])
    if fabric.global_rank == 0:
        cut_log(folder, first)
    crops = crops_for(plan.geometry, teacher.geometry if teacher else None)
    run = _Run(fabric, recipe, trainee, module, wrapped, optimizers, folder, pace, reporter, mixture)
    run.recall(terms)
    with stop_signals() as asked:
        agreement = Agreement(fabric, asked)
        batches = _batches(fabric, recipe, crops, mixture, first, pace.workers)
        for step in range(first, how.steps):
            run.take(step, next(batches))
            # After the last step there is nothing left to stop.
            number = agreement.signal() if step + 1 < how.steps else 0
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
        self._terms: Terms = []
        self._timed = 0
        self._began = self._saved = time.monotonic()

    def recall(self, terms: Terms) -> None:
        """The steps before the stop that the next line of the log tells of."""
        self._terms = [{name: value.to(self._fabric.device) for name, value in step.items()} for step in terms]

    def take(self, step: int, batch: Batch) -> None:
        """One step of the optimizer, and what falls due after it."""
        how = self._recipe.optimisation
        set_rates(self._optimizers, rate_factor(step, how))
        # Drop path draws from torch's own numbers: told by the step, a resumed run draws the same.
        torch.manual_seed((self._recipe.seed * 1_000_003 + step) * 4096 + self._fabric.global_rank)
        kept = eliminations(self._trainee.network.geometry, math.floor(how.epoch_at(step)), self._recipe.elimination)
        terms = self._module(Exact(batch), kept)
        self._fabric.backward(terms["loss"])
        terms["gradient_norm"] = self._clip(how.clip_norm or math.inf)
        for optimizer in self._wrapped:
            optimizer.step()
            optimizer.zero_grad()
        self._terms.append({name: value.detach() for name, value in terms.items()})
        self._timed += 1
        speaks = _speaks(step, self._pace)
        if speaks or step + 1 == how.steps:
            self._log(step + 1, how.steps)
        if self._validation_due(step):
            self._validate(step + 1)
        if speaks:
            self._save_if_due(step + 1)

    def _clip(self, most: float) -> Tensor:
        """Each optimizer's gradients brought to a norm of at most `most`; the norm of all before."""
        norms = []
        for optimizer in self._wrapped:
            norm = self._fabric.clip_gradients(self._module, optimizer, max_norm=most, error_if_nonfinite=False)
            assert isinstance(norm, Tensor)
            norms.append(norm)
        return torch.stack(norms).norm()

    def _save_if_due(self, step: int) -> None:
        due = time.monotonic() - self._saved > self._pace.save_every
        # Broken weights are left to the next line of the log, at which all processes end together.
        if due and self._fabric.global_rank == 0 and is_sound(self._trainee):
            self.save(step)

    def save(self, step: int) -> None:
        """Write state and network; the first process does. Raises TrainingError where they are not worth it."""
        if self._fabric.global_rank == 0:
            if not is_sound(self._trainee):
                raise TrainingError(_OFF_RAILS.format(what="a weight is no finite number", step=step))
            scaler = self._fabric.strategy.precision.state_dict()
            save_network(self._folder / NETWORK, self._trainee.network)
            save_state(self._folder, self._trainee, self._optimizers, scaler, self._terms, step)
            self._saved = time.monotonic()

    def _log(self, step: int, steps: int) -> None:
        how = self._recipe.optimisation
        names = list(self._terms[0])
        sums = torch.stack([torch.stack([terms[name].float() for name in names]) for terms in self._terms]).mean(0)
        shared = self._fabric.all_reduce(sums, reduce_op="mean")
        assert isinstance(shared, Tensor)
        means = dict(zip(names, shared.tolist(), strict=True))
        now = time.monotonic()
        speed = self._timed * how.batch / (now - self._began)
        self._terms, self._timed, self._began = [], 0, now
        line = {
            "step": step,
            "epoch": round(how.epoch_at(step), 4),
            **{name: round(value, 5) for name, value in means.items()},
            "learning_rate": how.learning_rate * rate_factor(step - 1, how),
            "pairs_per_second": round(speed, 1),
        }
        if not math.isfinite(line["loss"]):
            raise TrainingError(_OFF_RAILS.format(what=f"the loss is {line['loss']}", step=step))
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
        self._timed, self._began = 0, time.monotonic()

    def _write(self, line: dict[str, Any]) -> None:
        # JSON has no infinity, which a gradient's norm in 16-mixed is now and then.
        finite = {name: value if math.isfinite(value) else None for name, value in line.items()}
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(finite) + "\n")


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
    """A worker has one core."""
    import cv2

    cv2.setNumThreads(0)
    leave_signals()
