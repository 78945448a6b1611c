"""The scores that a bundle gives to targets that are there and to places where they are not: what the thresholds of
the states are chosen by. Run as a module it prints the table:

    python -m ostrack_edge.service.targets.choose FOOTAGE... --bundle FOLDER

Each FOOTAGE is a video file, or a folder of images, with its ground truth beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ...datasets.footage import open_footage
from ...datasets.success import iou
from ...runtime.backends import Backend
from ...runtime.errors import InputError
from ...runtime.geometry import Box, crop_window
from .group import TargetGroup
from .plan import Search
from .target import Patch

GOOD = 0.5
"""IoU from which a box counts as on the target."""

_TRIES = 20
"""Random places that are tried for one that does not show the target."""


@dataclass(frozen=True)
class Scores:
    """Scores by what was searched, float64 [n] each.

    on_target: around the true box before, the answer on the target. missed: the same, the answer elsewhere. background:
    a place of the target's own footage that does not show it, without the Hann window, as a lost target is searched.
    stranger: around the target of another footage.
    """

    on_target: np.ndarray
    missed: np.ndarray
    background: np.ndarray
    stranger: np.ndarray


def measure_scores(backend: Backend, footage: Sequence[Path], step: int = 2, seed: int = 0) -> Scores:
    """Scores over every `step`-th frame; at least two footages. Raises FootageError, InputError."""
    if len(footage) < 2:
        raise InputError("give at least two footages: each target is also looked for in another one's pictures")
    group, rng = TargetGroup(backend), np.random.default_rng(seed)
    found: dict[str, list[float]] = {"on_target": [], "missed": [], "background": [], "stranger": []}
    for number, path in enumerate(footage):
        group.add(number, _first_patch(path))
    for number, path in enumerate(footage):
        before: Box | None = None
        for index, (image, truth) in enumerate(_frames(path)):
            if before is not None and index % step == 0:
                answer = group.search(image, {number: _search(before, group, True)})[number]
                kind = "on_target" if iou(answer.box, truth) >= GOOD else "missed"
                found[kind].append(answer.score)
                away = _place_without(truth, image, group.search_factor, rng)
                if away is not None:
                    found["background"].append(group.search(image, {number: _search(away, group, False)})[number].score)
                other = (number + 1 + index % (len(footage) - 1)) % len(footage)
                found["stranger"].append(group.search(image, {other: _search(before, group, True)})[other].score)
            before = truth
    return Scores(**{name: np.array(values) for name, values in found.items()})


def table(scores: Scores) -> Iterator[str]:
    """Lines of text: for each threshold the share of searches that score at least that much."""
    kinds = ("on_target", "missed", "background", "stranger")
    yield "share of searches that score at least ..."
    yield "score      " + "".join(f"{kind.replace('_', ' '):>12}" for kind in kinds)
    for threshold in np.arange(0.05, 1.0, 0.05):
        shares = (_share(getattr(scores, kind), threshold) for kind in kinds)
        yield f"{threshold:5.2f}      " + "".join(f"{share:>12}" for share in shares)
    yield "searches   " + "".join(f"{len(getattr(scores, kind)):>12}" for kind in kinds)


def _share(values: np.ndarray, threshold: float) -> str:
    return f"{float((values >= threshold).mean()):.3f}" if len(values) else "-"


def _search(box: Box, group: TargetGroup, hann: bool) -> Search:
    return Search(box, crop_window(box, group.search_factor), hann)


def _first_patch(path: Path) -> Patch:
    image, truth = next(_frames(path))
    return Patch.cut(image, truth)


def _frames(path: Path) -> Iterator[tuple[np.ndarray, Box]]:
    """The frames whose true box is known."""
    with open_footage(path) as footage:
        if footage.truth is None:
            raise InputError(f"{path} has no ground truth beside it; scores without it say nothing")
        for image, truth in zip(footage, footage.truth, strict=False):
            if np.isfinite(truth).all() and truth.width > 0 and truth.height > 0:
                yield image, truth


def _place_without(truth: Box, image: np.ndarray, factor: float, rng: np.random.Generator) -> Box | None:
    """A box as large as the target whose search region does not touch it; None where none was found."""
    height, width = image.shape[:2]
    for _ in range(_TRIES):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        box = Box(x - truth.width / 2, y - truth.height / 2, truth.width, truth.height)
        window = crop_window(box, factor)
        apart_x = window.x > truth.x + truth.width or window.x + window.side < truth.x
        apart_y = window.y > truth.y + truth.height or window.y + window.side < truth.y
        if apart_x or apart_y:
            return box
    return None


def main() -> None:
    """Print the table, as the arguments say."""
    from ..._command import bundle_or_default, run_app
    from ...runtime.backends import load_backend
    from ...runtime.bundle import Bundle

    app = typer.Typer(add_completion=False)

    @app.command()
    def choose(
        footage: Annotated[list[Path], typer.Argument(metavar="FOOTAGE...")],
        bundle: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
        step: Annotated[int, typer.Option(min=1, help="Take every so many-th frame.")] = 2,
    ) -> None:
        """Scores of targets that are there and of places where they are not, over FOOTAGE with ground truth."""
        backend = load_backend(Bundle.open(bundle_or_default(bundle)))
        for line in table(measure_scores(backend, footage, step)):
            print(line)

    run_app(app)


if __name__ == "__main__":
    main()
