"""The bundles that a session may track with: named when it is started, and never by whoever looks at a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..runtime.backends import Backend, load_backend
from ..runtime.backends.select import available
from ..runtime.bundle import Bundle
from ..runtime.errors import BackendError, InputError
from ..runtime.manifest import Precision


@dataclass(frozen=True)
class BundleChoice:
    """A bundle under the name that it is switched to by."""

    name: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> BundleChoice:
        """From `NAME=FOLDER`, or `FOLDER`, whose last part is its name. Raises InputError for an empty part."""
        name, equals, folder = text.partition("=")
        path = Path(folder if equals else text)
        name = name if equals else path.resolve().name
        if not name.strip() or not str(path).strip():
            raise InputError(f"--bundle {text!r} is neither a folder nor NAME=FOLDER")
        return cls(name.strip(), path)


class LoadedBundle(NamedTuple):
    """An engine that is ready, and what it is."""

    name: str
    backend: Backend
    precision: str
    trained: bool


class BundleShelf:
    """Loads the chosen bundles; `backend`, `threads`: as `Tracker.load` takes them; precision: of the first one."""

    def __init__(
        self,
        choices: Sequence[BundleChoice],
        backend: str = "auto",
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        """Raises InputError where two have one name or there is none, BundleError where one cannot be read."""
        self._folders = {choice.name: choice.folder for choice in choices}
        if len(self._folders) < max(1, len(choices)):
            raise InputError("give at least one bundle, and each a name of its own: --bundle NAME=FOLDER")
        self._backend = backend
        self._threads = threads
        self._precision = precision
        self._precisions = {name: self._runnable(folder) for name, folder in self._folders.items()}

    def load_first(self) -> LoadedBundle:
        """The bundle that was named first, in the precision that was asked for. Raises as `load` does."""
        return self.load(next(iter(self._folders)), self._precision)

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The precisions that run here, by the bundles' names."""
        return self._precisions

    def load(self, name: str, precision: str | None = None) -> LoadedBundle:
        """Load a bundle's engine, in its own first precision where none is named.

        Raises InputError for a name or precision that is not among the choices; BundleError, BackendError,
        MissingExtraError where it does not load.
        """
        if name not in self._folders:
            raise InputError(f"there is no bundle {name!r}; known are: {', '.join(self._folders)}")
        if precision is not None and precision not in self._precisions[name]:
            known = ", ".join(self._precisions[name]) or "none"
            raise InputError(f"the bundle {name!r} does not run in {precision!r} here; it does in: {known}")
        bundle = Bundle.open(self._folders[name])
        wanted = None if precision is None else Precision(precision)
        backend = load_backend(bundle, self._backend, precision=wanted, threads=self._threads)
        return LoadedBundle(name, backend, backend.describe().get("precision", ""), bundle.manifest.trained)

    def _runnable(self, folder: Path) -> tuple[str, ...]:
        found = available(Bundle.open(folder))
        if self._backend not in ("auto", *(choice.name for choice in found)):
            known = ", ".join(choice.name for choice in found)
            raise BackendError(f"there is no backend {self._backend!r}; known are: auto, {known}")
        usable = [choice for choice in found if choice.usable and self._backend in ("auto", choice.name)]
        return tuple(dict.fromkeys(str(p) for choice in usable for p in choice.precisions))
