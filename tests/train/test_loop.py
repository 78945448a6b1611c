"""The loop: it learns, it goes on as if it had never been stopped, and it does not save what is broken."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from ostrack_edge.export import load_network
from ostrack_edge.runtime.errors import TrainingError
from ostrack_edge.train import loop, trainee
from ostrack_edge.train.data.augment import Augmentation
from ostrack_edge.train.data.crops import Jitter
from ostrack_edge.train.data.mixture import open_mixture
from ostrack_edge.train.data.pairs import Batch, Numbers, Pairs, collate
from ostrack_edge.train.initial import fresh_network
from ostrack_edge.train.loop import Outcome
from ostrack_edge.train.losses import tracking_loss
from ostrack_edge.train.optim import make_optimizers, set_rates
from ostrack_edge.train.plan import LOG, NETWORK, STATE, Plan, write_plan
from ostrack_edge.train.recipe import Optimizer, Precision, Warmup
from ostrack_edge.train.schedule import eliminations, rate_factor
from ostrack_edge.train.state import load_state
from ostrack_edge.train.trainee import Trainee
from torch import Tensor

RUNNER = Path(__file__).with_name("runner.py")

Run = Callable[..., Outcome]
Make = Callable[..., Plan]
Start = Callable[..., subprocess.Popen]

# Python 3.12 and later warn of the fork by which workers begin.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def weights_of(folder: Path) -> dict[str, Tensor]:
    state = load_state(folder)
    assert state is not None
    return state["module"]


def log_of(folder: Path) -> list[dict[str, float]]:
    """The lines of the log, without how fast it went."""
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "pairs_per_second"} for line in lines]


def assert_same(folder: Path, other: Path) -> None:
    mine, theirs = load_state(folder), load_state(other)
    assert mine is not None
    assert theirs is not None
    assert mine["step"] == theirs["step"]
    assert mine["module"].keys() == theirs["module"].keys()
    for name, value in mine["module"].items():
        assert torch.equal(value, theirs["module"][name]), name
    for a, b in zip(mine["optimizers"], theirs["optimizers"], strict=True):
        assert a["param_groups"] == b["param_groups"]
        for number, values in a["state"].items():
            assert all(torch.equal(value, b["state"][number][name]) for name, value in values.items())
    assert log_of(folder) == log_of(other)
    assert (folder / NETWORK).read_bytes() == (other / NETWORK).read_bytes()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    """start(folder, plan): a process that trains there, in a group of its own; none outlives the test."""
    begun: list[subprocess.Popen] = []

    def begin(
        folder: Path,
        plan: Plan,
        devices: int = 1,
        workers: int = 0,
        log_every: int = 5,
        save_every: float = 1e9,
        hang: bool = False,
    ) -> subprocess.Popen:
        folder.mkdir(exist_ok=True)
        write_plan(folder, plan)
        command = [
            sys.executable,
            "-u",
            RUNNER,
            folder,
            devices,
            workers,
            log_every,
            save_every,
            *(["hang"] if hang else []),
        ]
        begun.append(
            subprocess.Popen(
                [*map(str, command)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
                start_new_session=True,
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(process: subprocess.Popen, line: str) -> None:
    assert process.stdout is not None
    for said in process.stdout:
        if said.startswith(line):
            return
    raise AssertionError(process.communicate()[1])


def test_it_learns_eight_pairs_by_heart(run: Run, plan: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Eight(Numbers):
        def __iter__(self) -> Iterator[int]:
            while True:
                yield from range(8)

    monkeypatch.setattr(loop, "Numbers", Eight)
    how = plan(batch=8, epochs=30, pairs_per_epoch=40, learning_rate=4e-3, backbone_factor=1.0, drop_path=0,
               clip_norm=0, decay_epoch=22, elimination=Warmup(5, 10), validate_every=100,
               augmentation=Augmentation(), hold_back="")  # fmt: skip
    assert run(how, "run", log_every=10) == Outcome(True, 150)
    lines = log_of(tmp_path / "run")
    assert [line["step"] for line in lines] == list(range(10, 151, 10))
    assert lines[-1]["loss"] < 0.4 * lines[0]["loss"]
    assert lines[-1]["iou"] > 0.8
    # What was saved is a tracker's checkpoint.
    network = load_network(tmp_path / "run" / NETWORK)
    assert network.geometry == how.geometry
    weights = weights_of(tmp_path / "run")
    for name, value in network.state_dict().items():
        assert torch.equal(value, weights[f"network.{name}"])


def test_the_log_tells_the_means(run: Run, plan: Make, tmp_path: Path) -> None:
    how = plan(decay_epoch=2)
    run(how, "each", log_every=1)
    run(how, "five", log_every=5)
    each, five = log_of(tmp_path / "each"), log_of(tmp_path / "five")
    steps = [line for line in each if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 13))
    assert [line["epoch"] for line in steps] == pytest.approx([step / 3 for step in range(1, 13)], abs=1e-4)
    assert [line["learning_rate"] for line in steps] == pytest.approx([1e-3] * 6 + [1e-4] * 6)
    grouped = {line["step"]: line for line in five if "loss" in line}
    assert list(grouped) == [5, 10, 12]
    for last, first in ((5, 0), (10, 5), (12, 10)):
        for name in ("loss", "focal", "giou", "l1", "iou", "guidance", "gradient_norm"):
            mean = sum(line[name] for line in steps[first:last]) / (last - first)
            assert grouped[last][name] == pytest.approx(mean, abs=2e-5)
    # Held back are five frames of one video, looked at after each second epoch.
    held = [line for line in each if "validation_mean_iou" in line]
    assert [(line["step"], line["validation_pairs"]) for line in held] == [(6, 10), (12, 10)]


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("workers", [0, 1])
def test_resuming_is_as_if_it_had_never_stopped(
    run: Run, plan: Make, tmp_path: Path, optimizer: Optimizer, workers: int
) -> None:
    # Stopped in step 7 of 12: between two lines of the log, in the middle of the elimination's warm-up.
    how = plan(optimizer=optimizer, weight_decay=0.01)
    assert run(how, "whole", workers=workers) == Outcome(True, 12)
    assert run(how, "parts", stop_in=6) == Outcome(False, 7, signal.SIGINT)
    assert run(how, "parts", stop_in=1) == Outcome(False, 9, signal.SIGINT)
    with (tmp_path / "parts" / LOG).open("a") as log:
        log.write('{"step": 9, "loss": 1.')
    assert run(how, "parts", workers=workers) == Outcome(True, 12)
    assert_same(tmp_path / "whole", tmp_path / "parts")
    # What is finished stays as it is.
    assert run(how, "parts") == Outcome(True, 12)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_resuming_in_half_precision(run: Run, plan: Make, tmp_path: Path) -> None:
    how = plan(optimizer=Optimizer.MUON, precision=Precision.BF16)
    run(how, "whole")
    run(how, "parts", stop_in=6)
    run(how, "parts")
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_the_seed_is_what_differs(run: Run, plan: Make, tmp_path: Path) -> None:
    run(plan(), "one")
    run(plan(seed=6), "other")
    assert log_of(tmp_path / "one") != log_of(tmp_path / "other")


def test_sigterm_to_the_whole_group(run: Run, start: Start, plan: Make, tmp_path: Path) -> None:
    how = plan(epochs=40, validate_every=1000)
    process = start(tmp_path / "parts", how, workers=1)
    wait_for(process, "step 10")
    os.killpg(process.pid, signal.SIGTERM)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    stopped = re.search(r"Outcome\(finished=False, step=(\d+), signal=15\)", said)
    assert stopped, said + errors
    state = load_state(tmp_path / "parts")
    assert state is not None
    assert state["step"] == int(stopped[1]) < how.recipe.optimisation.steps
    run(how, "parts")
    run(how, "whole")
    assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the second process in /proc")
def test_two_processes_stop_at_one_step(start: Start, plan: Make, tmp_path: Path) -> None:
    # Long before they next speak; the first one only hears of it from the second.
    how = plan(epochs=1000, validate_every=5)
    process = start(tmp_path / "two", how, devices=2, log_every=1000)
    wait_for(process, "validated")
    (second,) = (int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    os.kill(second, signal.SIGTERM)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    stopped = re.findall(r"Outcome\(finished=False, step=(\d+), signal=15\)", said)
    assert len(stopped) == 2, said + errors
    assert stopped[0] == stopped[1]
    state = load_state(tmp_path / "two")
    assert state is not None
    assert state["step"] == int(stopped[0]) < 1000


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_ctrl_c_ends_a_run_whose_data_hang(start: Start, plan: Make, tmp_path: Path, workers: int) -> None:
    process = start(tmp_path / "hung", plan(), workers=workers, hang=True)
    wait_for(process, "hanging")
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    os.killpg(process.pid, signal.SIGINT)
    # Their output ends when the workers have ended too.
    _, errors = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")
    assert not (tmp_path / "hung" / STATE).exists()


def test_sigkill_between_two_saves(run: Run, start: Start, plan: Make, tmp_path: Path) -> None:
    how = plan(epochs=40, validate_every=1000)
    process = start(tmp_path / "parts", how, workers=1, save_every=0.3)
    wait_for(process, "step 10")
    while not (tmp_path / "parts" / STATE).exists():
        time.sleep(0.01)
    wait_for(process, "step")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=300)
    state = load_state(tmp_path / "parts")
    assert state is not None
    assert 0 < state["step"] < how.recipe.optimisation.steps
    assert state["step"] % 5 == 0
    run(how, "parts")
    run(how, "whole")
    assert_same(tmp_path / "whole", tmp_path / "parts")


def two_halves(plan: Plan, steps: int) -> tuple[Trainee, list[list[dict[str, float]]]]:
    """What two processes promise, worked out by one: each half of a batch with its own statistics and drop path, the
    mean of their gradients, the first one's statistics. The trainee after some steps, and the terms of each half."""
    recipe, how = plan.recipe, plan.recipe.optimisation
    mixture = open_mixture(plan.data, plan.hold_back, recipe.max_gap)
    pairs = Pairs(mixture.training, plan.geometry, recipe.jitter, recipe.augmentation, recipe.seed)
    trainee = Trainee(fresh_network(plan.geometry, recipe.seed), recipe).train()
    optimizers = make_optimizers(trainee, how, recipe.precision)
    said = []
    for step in range(steps):
        set_rates(optimizers, rate_factor(step, how))
        kept = eliminations(plan.geometry, math.floor(how.epoch_at(step)), recipe.elimination)
        statistics = {name: value.clone() for name, value in trainee.named_buffers()}
        for rank in (1, 0):
            trainee.load_state_dict(statistics, strict=False)
            half = how.batch // 2
            first = step * how.batch + rank * half
            batch = collate([pairs[number] for number in range(first, first + half)])
            torch.manual_seed((recipe.seed * 1_000_003 + step) * 4096 + rank)
            terms = trainee(batch, kept)
            (terms["loss"] / 2).backward()
            said.append({name: value.item() for name, value in terms.items()})
        for optimizer in optimizers:
            torch.nn.utils.clip_grad_norm_(
                [value for group in optimizer.param_groups for value in group["params"]], how.clip_norm
            )
            optimizer.step()
            optimizer.zero_grad()
    return trainee, [said[i : i + 2] for i in range(0, len(said), 2)]


def test_two_processes_share_each_batch(start: Start, plan: Make, tmp_path: Path) -> None:
    how = plan(batch=8, pairs_per_epoch=8, epochs=5, elimination=Warmup(1, 3), optimizer=Optimizer.MUON)
    folder = tmp_path / "two"
    process = start(folder, how, devices=2, workers=1, log_every=2)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Outcome(finished=True, step=5, signal=None)" in said
    assert said.count("step 2\n") == 1, "only the first process speaks"

    expected, terms = two_halves(how, 5)
    found = weights_of(folder)
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found[name], value, atol=2e-5, rtol=1e-3, msg=name)
    first = log_of(folder)[0]
    for name in ("loss", "iou", "guidance"):
        assert first[name] == pytest.approx(sum(half[name] for step in terms[:2] for half in step) / 4, abs=1e-4)


def test_a_batch_that_does_not_divide(run: Run, plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_fabric.Fabric.world_size", 3)
    with pytest.raises(TrainingError, match="a batch of 4 pairs does not divide among 3 processes"):
        run(plan(), "run")


def test_a_loss_that_is_no_number_ends_it(run: Run, plan: Make, tmp_path: Path) -> None:
    # Step 5 of 12 spoils the weights. Saves fall due at each line, but the state after step 3 is the last good one.
    how = plan(validate_every=100)
    run(how, "good", log_every=3, save_every=-1, stop_in=2)
    with pytest.raises(TrainingError, match=r"the loss is nan at step 6: training has left its rails; begin a new"):
        run(how, "spoilt", log_every=3, save_every=-1, spoil_in=4)
    assert_same(tmp_path / "good", tmp_path / "spoilt")


def test_weights_that_break_under_a_sound_loss_are_not_saved(
    run: Run, plan: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = plan(validate_every=100)
    run(how, "good", log_every=3, save_every=-1, stop_in=2)
    forward, taken = Trainee.forward, []

    def break_in_step_6(self: Trainee, batch: Batch, eliminations: dict[int, int]) -> dict[str, Tensor]:
        terms = forward(self, batch, eliminations)
        taken.append(terms)
        if len(taken) == 6:
            # 0, and its gradient is 0 times infinity.
            terms["loss"] = terms["loss"] + sum((value * 0).sqrt().sum() for value in self.parameters())
        return terms

    monkeypatch.setattr(Trainee, "forward", break_in_step_6)
    with pytest.raises(TrainingError, match="the loss is nan at step 9"):
        run(how, "broken", log_every=3, save_every=-1)
    assert (tmp_path / "good" / NETWORK).read_bytes() == (tmp_path / "broken" / NETWORK).read_bytes()
    state = load_state(tmp_path / "broken")
    assert state is not None
    assert state["step"] == 3


def test_broken_weights_are_not_saved_at_a_stop(run: Run, plan: Make, tmp_path: Path) -> None:
    run(plan(), "run", stop_in=2)
    before = {name: (tmp_path / "run" / name).read_bytes() for name in (STATE, NETWORK)}
    with pytest.raises(TrainingError, match="a weight is no finite number at step 6"):
        run(plan(), "run", stop_in=2, spoil_in=2, log_every=1000)
    assert before == {name: (tmp_path / "run" / name).read_bytes() for name in (STATE, NETWORK)}


def test_a_process_that_leaves_its_rails_says_so(start: Start, plan: Make, tmp_path: Path) -> None:
    process = start(tmp_path / "run", plan(learning_rate=1e30, clip_norm=0))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert re.search(r"^error: the loss is nan at step 5: training has left its rails", errors, re.MULTILINE)
    assert not (tmp_path / "run" / STATE).exists()


def test_boxes_stay_exact_in_half_precision(run: Run, plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def remember(maps, box, *rest):
        seen.append(box.clone())
        return tracking_loss(maps, box, *rest)

    monkeypatch.setattr(trainee, "tracking_loss", remember)
    how = plan(precision=Precision.BF16)
    run(how, "run")
    mixture = open_mixture(how.data, how.hold_back, how.recipe.max_gap)
    pairs = Pairs(mixture.training, how.geometry, how.recipe.jitter, how.recipe.augmentation, how.recipe.seed)
    expected = collate([pairs[number] for number in range(48)]).box
    assert torch.equal(torch.cat(seen), expected)


def test_the_elimination_follows_the_epochs(run: Run, plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[dict[int, int]] = []
    forward = Trainee.forward

    def remember(self: Trainee, batch: Batch, eliminations: dict[int, int]) -> dict[str, Tensor]:
        kept.append(dict(eliminations))
        return forward(self, batch, eliminations)

    monkeypatch.setattr(Trainee, "forward", remember)
    run(plan(elimination=Warmup(1, 3), jitter=Jitter(), hold_back=""), "run")
    # Of 16 at a keep ratio of 1, 0.75 (half of the way) and 0.5; three steps an epoch.
    assert kept == [{}] * 6 + [{1: 12}] * 3 + [{1: 8}] * 3


def test_a_stop_in_the_last_step_finds_the_run_finished(run: Run, plan: Make, tmp_path: Path) -> None:
    assert run(plan(), "asked", stop_in=11) == Outcome(True, 12)
    run(plan(), "whole")
    assert_same(tmp_path / "whole", tmp_path / "asked")


def test_a_stop_gives_the_signals_back(run: Run, plan: Make) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    run(plan(), "run", stop_in=1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_damaged_state_is_not_begun_again_unasked(run: Run, plan: Make, tmp_path: Path) -> None:
    how = plan()
    run(how, "run", stop_in=2)
    wide = dataclasses.replace(how, geometry=dataclasses.replace(how.geometry, mlp_width=96))
    with pytest.raises(TrainingError, match="does not fit the plan beside it"):
        run(wide, "run")
    (tmp_path / "run" / STATE).write_bytes(b"PK\x03\x04")
    before = (tmp_path / "run" / LOG).read_text() if (tmp_path / "run" / LOG).exists() else None
    with pytest.raises(TrainingError, match="cannot be read"):
        run(how, "run")
    assert before == ((tmp_path / "run" / LOG).read_text() if (tmp_path / "run" / LOG).exists() else None)
