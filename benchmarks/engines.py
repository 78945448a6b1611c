"""The engines that a benchmark can choose from: the runtime's, and the emulation of a GPU's precisions.

The emulation runs only where it is named: it measures accuracy, and its speed means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..runtime.bundle import Bundle
from ..runtime.errors import BackendError, BundleError
from ..runtime.extras import installed
from ..runtime.manifest import Precision

if TYPE_CHECKING:
    from ..runtime.backends import Backend, Choice

EMULATED = "emulated"


def engines(bundle: Bundle) -> list[Choice]:
    """Every engine, with whether it can run the bundle here, and in which precisions."""
    from ..runtime.backends.select import Choice, available

    found = available(bundle)
    missing = [package for package in ("onnx", "onnxruntime") if not installed(package)]
    if missing:
        reason = f"the package {missing[0]} is not installed; add it with: pip install 'ostrack-edge[export]'"
        return [*found, Choice(EMULATED, False, reason)]
    from ..export.precision.backend import precisions

    has = precisions(bundle)
    reason = "usable" if has else "the bundle has neither fp16 nor int8 graphs for GPUs"
    return [*found, Choice(EMULATED, bool(has), reason, has)]


def choose_engines(
    bundle: Bundle, names: Sequence[str], precisions: Sequence[Precision]
) -> list[tuple[str, Precision]]:
    """Engines and the precisions that each is to run the bundle in.

    names: none for every engine of the runtime that can run here; precisions: none for all that an engine can.
    Raises BackendError for an engine that is named and cannot run, or where none runs the bundle; BundleError for a
    precision that no chosen engine runs.
    """
    choices = {choice.name: choice for choice in engines(bundle)}
    for name in names:
        check_engine(bundle, choices, name)
    chosen = [choices[n] for n in dict.fromkeys(names)] or [
        c for c in choices.values() if c.usable and c.name != EMULATED
    ]
    if not chosen:
        reasons = "; ".join(f"{c.name}: {c.reason}" for c in choices.values())
        raise BackendError(f"no backend can run {bundle.folder} here: {reasons}")
    found = [(c.name, p) for c in chosen for p in c.precisions if not precisions or p in precisions]
    for precision in precisions:
        if precision not in {p for _, p in found}:
            has = "; ".join(f"{c.name}: {', '.join(map(str, c.precisions)) or 'none'}" for c in chosen)
            raise BundleError(
                f"{bundle.folder} does not run in {precision} here ({has}); build it with: ostrack-export build "
                f"--precision {precision}, or name another --backend (known are: {', '.join(choices)})"
            )
    return found


def check_engine(bundle: Bundle, choices: dict[str, Choice], name: str) -> None:
    """Raises BackendError where the engine is unknown or cannot run the bundle here."""
    if name not in choices:
        raise BackendError(f"there is no backend {name!r}; known are: {', '.join(choices)}")
    if not choices[name].usable:
        raise BackendError(f"the backend {name} cannot run {bundle.folder} here: {choices[name].reason}")


def load_engine(bundle: Bundle, name: str, precision: Precision, threads: int | None) -> Backend:
    """The engine, ready to run. Raises as loading it does."""
    if name == EMULATED:
        from ..export.precision.backend import EmulatedBackend

        return EmulatedBackend(bundle, precision, threads)
    from ..runtime.backends import load_backend

    return load_backend(bundle, name, precision=precision, threads=threads)
