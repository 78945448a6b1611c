"""Every error that ostrack-edge raises on purpose.

OSTrackEdgeError              the root: its text is one sentence for the user, printed without a traceback
├── CheckpointError           a checkpoint that is missing, damaged, hostile, or does not fit the network
├── GeometryError             a network geometry that cannot be built (keep ratio, blocks, sizes, tokens)
├── ExportError               a graph that could not be made, or breaks a promise that exported graphs keep
│   └── VerificationError     the exported graphs do not give what the PyTorch network gives
├── BundleError               a bundle that is missing, damaged, newer than this package, or not writable
├── BackendError              an inference library that is asked for and cannot run the bundle
├── InputError                a frame, a box, or an option of a type, shape or value that cannot be used
├── TrackerStateError         a tracker used before `init`
├── FootageError              video or images that do not open, end early, or cannot be encoded
├── SourceError               a camera or stream that does not open, or has stopped giving frames
├── OutputError               a file that cannot be written where it was asked for
├── BenchmarkError            a measurement that could not be made
├── TrainingError             a training that cannot begin, go on, or has left its rails
└── MissingExtraError         an optional dependency is absent; the sentence holds the pip command
"""


class OSTrackEdgeError(Exception):
    """Root of the tree: `str(error)` says what was wrong, where, and what to do."""


class CheckpointError(OSTrackEdgeError):
    pass


class GeometryError(OSTrackEdgeError, ValueError):
    pass


class ExportError(OSTrackEdgeError):
    pass


class VerificationError(ExportError):
    pass


class BundleError(OSTrackEdgeError):
    pass


class BackendError(OSTrackEdgeError):
    pass


class InputError(OSTrackEdgeError, ValueError):
    pass


class TrackerStateError(OSTrackEdgeError, RuntimeError):
    pass


class FootageError(OSTrackEdgeError):
    pass


class SourceError(OSTrackEdgeError):
    pass


class OutputError(OSTrackEdgeError):
    pass


class BenchmarkError(OSTrackEdgeError):
    pass


class TrainingError(OSTrackEdgeError):
    pass


class MissingExtraError(OSTrackEdgeError, ImportError):
    """`package` is needed for `purpose` and not installed; `extra` of this distribution brings it."""

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed here; "
            f"add it with: pip install 'ostrack-edge[{extra}]'"
        )
        self.package = package
        self.extra = extra
