"""What precisions to build, and how INT8 is to be calibrated."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...calib.clipping import RangeMethod
from ...calib.specs import LIMIT
from ...runtime.errors import InputError
from ...runtime.manifest import Precision, Recipe

INT8_RECIPES = (Recipe.LINEARS, Recipe.CPU)
"""Built unless others are named: the robust one for GPUs, and the one for CPUs."""


@dataclass(frozen=True)
class Calibrating:
    """How the ranges of INT8 graphs are found.

    sources: footage, as `calib.sources` reads it, or one file of crops; recipes: the INT8 graphs to build; method: how
    a range is taken; limit: search regions to collect; max_drop: the most that the mean overlap with FP32's boxes may
    lose, 0..1, Linears being kept in float until it holds; None builds every Linear in INT8. Raises InputError.
    """

    sources: tuple[str, ...] = ()
    recipes: tuple[Recipe, ...] = INT8_RECIPES
    method: RangeMethod = RangeMethod.MSE
    limit: int = LIMIT
    max_drop: float | None = None

    def __post_init__(self) -> None:
        if not self.recipes or Recipe.PLAIN in self.recipes:
            raise InputError("an INT8 graph is built by the recipe linears, attention or cpu; name at least one")
        if self.max_drop is not None and not 0 < self.max_drop < 1:
            raise InputError(f"the largest drop is {self.max_drop}; give a share of the overlap such as 0.01")


@dataclass(frozen=True)
class PrecisionPlan:
    """The precisions of a bundle. FP32 is always there: the others are compared with it. Raises InputError for INT8
    without footage, since ranges of made-up pictures mean nothing."""

    precisions: frozenset[Precision] = frozenset({Precision.FP32})
    calibrating: Calibrating = field(default_factory=Calibrating)

    def __post_init__(self) -> None:
        if Precision.INT8 in self.precisions and not self.calibrating.sources:
            raise InputError(
                "INT8 needs footage to calibrate on: give --calibration VIDEO, FOLDER or a data set, of what the "
                "tracker will see"
            )
        if self.calibrating.sources and Precision.INT8 not in self.precisions:
            raise InputError("--calibration is for INT8; name it too: --precision fp32,fp16,int8")

    @property
    def others(self) -> bool:
        """Whether anything but FP32 is to be built."""
        return bool(self.precisions - {Precision.FP32})
