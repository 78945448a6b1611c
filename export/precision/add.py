"""FP16 and INT8 graphs beside a bundle's FP32 ones, and how far they agree with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...calib.crops import CalibrationCrops, read_crops
from ...calib.gather import crops_from_footage
from ...calib.replay import Crops, OwnTemplates
from ...runtime.bundle import Bundle
from ...runtime.errors import VerificationError
from ...runtime.manifest import Calibration, GraphFile, HeldBackAgreement, Precision, Recipe
from ...runtime.selftest import Reference
from ..store import store_pair
from .agree import Answers, Pair, Runner
from .make import Quantiser, make_half, on_a_cpu
from .plan import Calibrating, PrecisionPlan

LEAST_OVERLAP = {Precision.FP16: 0.98, Precision.INT8: 0.5}
"""Mean overlap with FP32's boxes below which a precision is taken to be broken, and is not published. Rounding alone
costs FP16 a fraction of a percent; INT8 is held by `max_drop` where one is given."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class PrecisionFiles:
    """What was added to a bundle."""

    graphs: tuple[GraphFile, ...]
    calibration: Calibration | None
    agreement: tuple[HeldBackAgreement, ...]


def add_precisions(
    bundle: Bundle, full: Pair, answers: Reference, plan: PrecisionPlan, folder: Path, say: Say
) -> PrecisionFiles:
    """Make the plan's precisions from the FP32 pair, and store them in the bundle's subfolder `folder`.

    Each is compared with FP32 on footage that calibration did not see; FP16 without footage on the reference's crops.
    Raises FootageError, ExportError and VerificationError as the parts do, the last also for a precision whose boxes
    are not FP32's.
    """
    batch = bundle.manifest.batch
    own = reference_crops(answers)
    crops: CalibrationCrops | None = None
    if Precision.INT8 in plan.precisions:
        crops = gather_crops(bundle, plan.calibrating, say)
    measured: tuple[Crops, Sequence[int]] = (own, range(len(answers))) if crops is None else (crops, crops.unseen)
    runner = Runner(*measured, batch)
    expected = runner.answers(full)
    graphs: list[GraphFile] = []
    agreement: list[HeldBackAgreement] = []

    def add(pair: Pair, precision: Precision, recipe: Recipe, kept: tuple[str, ...] = ()) -> None:
        say(f"comparing {named(precision, recipe)} with fp32")
        agreement.append(_compare(runner, expected, pair, precision, recipe))
        graphs.extend(store_pair(pair, folder, precision, recipe, kept, counted=full))

    if Precision.FP16 in plan.precisions:
        say("typing the graphs in fp16")
        if crops is None:
            half = make_half(full, own, range(len(answers)), batch)
        else:
            half = make_half(full, crops, crops.seen[:32], batch)
        add(half, Precision.FP16, Recipe.PLAIN)
    if crops is None:
        return PrecisionFiles(tuple(graphs), None, tuple(agreement))
    quantiser = Quantiser(full, crops, batch, plan.calibrating.method, say)
    for recipe in plan.calibrating.recipes:
        say(f"quantising by the recipe {recipe}")
        pair, kept = quantiser.make(recipe, plan.calibrating.max_drop)
        add(pair, Precision.INT8, recipe, kept)
    calibration = Calibration(crops.sha256, len(crops.seen), str(plan.calibrating.method), crops.sources)
    return PrecisionFiles(tuple(graphs), calibration, tuple(agreement))


def gather_crops(bundle: Bundle, calibrating: Calibrating, say: Say) -> CalibrationCrops:
    """The crops of a file, or those that the FP32 tracker cuts from footage. Raises FootageError."""
    manifest, sources = bundle.manifest, calibrating.sources
    if len(sources) == 1 and sources[0].endswith(".npz"):
        return read_crops(Path(sources[0]), manifest.network, manifest.color)

    def progress(done: int, count: int) -> None:
        say(f"collecting calibration crops: {done} of {count}")

    return crops_from_footage(bundle, sources, limit=calibrating.limit, progress=progress)[0]


def reference_crops(answers: Reference) -> Crops:
    """The reference's crops, each with its own template."""
    return OwnTemplates(answers.template, answers.template_box, answers.search)


def named(precision: Precision, recipe: Recipe) -> str:
    """A precision with its recipe, for people."""
    return str(precision) if recipe is Recipe.PLAIN else f"{precision} ({recipe})"


def _compare(runner: Runner, expected: Answers, pair: Pair, precision: Precision, recipe: Recipe) -> HeldBackAgreement:
    found = runner.answers(on_a_cpu(pair, recipe))
    overlap, least = found.mean_iou(expected), LEAST_OVERLAP[precision]
    if not overlap >= least:
        raise VerificationError(
            f"the {named(precision, recipe)} graphs do not give FP32's boxes: their mean overlap is {overlap:.3f} on "
            f"{len(runner)} crops, at least {least:g} is asked for"
        )
    engine = "ONNX Runtime on a CPU" if recipe is Recipe.CPU else "emulated on a CPU"
    return HeldBackAgreement(precision, recipe, len(runner), overlap, found.same_cell(expected), engine)
