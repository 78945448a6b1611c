"""A run's state and log: what is kept, and what a damaged one says."""

from __future__ import annotations

import json
import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from ostrack_edge.runtime.errors import OutputError, TrainingError
from ostrack_edge.train.plan import LOG, STATE
from ostrack_edge.train.state import cut_log, is_sound, load_state, restore, save_state
from torch import nn
from torch.optim import SGD, AdamW


def stepped(seed: int, width: int = 3) -> tuple[nn.Module, AdamW]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width))
    optimizer = AdamW(module.parameters(), lr=0.1)
    module(torch.randn(8, width)).sum().backward()
    optimizer.step()
    return module, optimizer


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    module, optimizer = stepped(0)
    terms = [{"loss": torch.tensor(1.5)}]
    save_state(tmp_path, module, [optimizer], {"scale": 2.0}, terms, 7)
    state = load_state(tmp_path)
    assert state is not None
    assert (state["step"], state["scaler"], state["terms"]) == (7, {"scale": 2.0}, terms)
    other, its = stepped(1)
    restore(state, other, [its], tmp_path)
    for name, value in module.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    for mine, theirs in zip(optimizer.state.values(), its.state.values(), strict=True):
        assert all(torch.equal(mine[key], theirs[key]) for key in ("step", "exp_avg", "exp_avg_sq"))
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_a_state_of_earlier_days_has_no_terms(tmp_path: Path) -> None:
    module, optimizer = stepped(0)
    save_state(tmp_path, module, [optimizer], {}, [], 7)
    state = torch.load(tmp_path / STATE, weights_only=True)
    del state["terms"]
    torch.save(state, tmp_path / STATE)
    found = load_state(tmp_path)
    assert found is not None
    assert found["terms"] == []


class Planted:
    """What a hostile file would have run."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("planted"),)


def test_damaged_and_hostile_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module, optimizer = stepped(0)
    save_state(tmp_path, module, [optimizer], {}, [], 7)
    whole = (tmp_path / STATE).read_bytes()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2], pickle.dumps(Planted())):
        (tmp_path / STATE).write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"state\.pt cannot be read .*; start the run again"):
            load_state(tmp_path)
    torch.save({"step": Planted()}, tmp_path / STATE)
    with pytest.raises(TrainingError, match="cannot be read"):
        load_state(tmp_path)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("change", [{"step": -1}, {"step": "7"}, {"step": torch.tensor(3)}, {"more": 1}])
def test_a_file_that_is_no_state(tmp_path: Path, change: dict) -> None:
    good = {"step": 1, "module": {}, "optimizers": [], "scaler": {}, "terms": []}
    torch.save(good, tmp_path / STATE)
    assert load_state(tmp_path) is not None
    for other in ({**good, **change}, [1, 2], {"net": {}}):
        torch.save(other, tmp_path / STATE)
        with pytest.raises(TrainingError, match="holds no state of a run"):
            load_state(tmp_path)


def test_a_state_of_another_network(tmp_path: Path) -> None:
    module, optimizer = stepped(0)
    save_state(tmp_path, module, [optimizer], {}, [], 7)
    wide, its = stepped(0, width=4)
    cases: list[tuple[torch.nn.Module, list[torch.optim.Optimizer]]]
    cases = [(wide, [its]), (module, []), (module, [SGD(module.parameters(), lr=1), SGD(module.parameters(), lr=1)])]
    for other, optimizers in cases:
        state = load_state(tmp_path)
        assert state is not None
        with pytest.raises(TrainingError, match="does not fit the plan beside it"):
            restore(state, other, optimizers, tmp_path)
    state = load_state(tmp_path)
    assert state is not None
    state["optimizers"] = [{"state": 5, "param_groups": [{}]}]
    with pytest.raises(TrainingError, match="does not fit the plan beside it"):
        restore(state, module, [optimizer], tmp_path)


@contextmanager
def little_room(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    module, optimizer = stepped(0)
    save_state(tmp_path, module, [optimizer], {}, [], 7)
    before = (tmp_path / STATE).read_bytes()
    large, its = stepped(0, width=300)
    with little_room(100_000), pytest.raises(OutputError, match=r"state\.pt cannot be written"):
        save_state(tmp_path, large, [its], {}, [], 8)
    assert (tmp_path / STATE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_soundness(value: float) -> None:
    module, _ = stepped(0)
    assert is_sound(module)
    module.state_dict()["1.running_var"][0] = value
    assert not is_sound(module)


def test_the_log_is_cut_after_the_state(tmp_path: Path) -> None:
    cut_log(tmp_path, 3)
    assert not (tmp_path / LOG).exists()
    lines = [json.dumps({"step": step, "loss": 1 / step}) for step in (2, 4, 4, 6, 8)]
    (tmp_path / LOG).write_text("\n".join(lines) + "\n")
    cut_log(tmp_path, 8)
    assert (tmp_path / LOG).read_text().splitlines() == lines
    cut_log(tmp_path, 5)
    assert (tmp_path / LOG).read_text() == "\n".join(lines[:3]) + "\n"
    cut_log(tmp_path, 0)
    assert (tmp_path / LOG).read_text() == ""


def test_damaged_lines_go_too(tmp_path: Path) -> None:
    good = json.dumps({"step": 2, "loss": "a\u2028b"}, ensure_ascii=False)
    damaged = ['{"loss": 1}', '{"step": "2"}', '{"step": null}', '{"step": NaN}', "[2]", "7", "", "[" * 100_000]
    text = "\n".join([good, *damaged, good, '{"step": 4, "lo']).encode()
    (tmp_path / LOG).write_bytes(text.replace(b"[2]", b"\xff\xfe\x00"))
    cut_log(tmp_path, 10)
    assert (tmp_path / LOG).read_text(encoding="utf-8") == f"{good}\n{good}\n"
