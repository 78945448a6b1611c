"""The parent's end of a worker: starts the process, asks it one thing at a time, and ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ...runtime.errors import BenchmarkError
from ...runtime.manifest import from_json, to_json
from .protocol import Request

Reply = TypeVar("Reply")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What the libraries behind NumPy and PyTorch read when they are loaded."""


class WorkerError(BenchmarkError):
    """A worker could not do what it was asked; `kind` is the class name of its own error."""

    def __init__(self, sentence: str, kind: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class WorkerProcess:
    """A worker with `threads` CPU threads, in `folder` (so that what a library leaves behind goes with it)."""

    def __init__(self, folder: Path, threads: int) -> None:
        # Not a pipe: one that nobody reads would stop a library that prints a lot.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ostrack_edge.benchmarks.fps.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=folder,
            env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
            encoding="utf-8",
        )

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def ask(self, request: Request, kind: type[Reply], tick: Callable[[int], None] = lambda done: None) -> Reply:
        """The reply to one request; `tick` hears of the frames done meanwhile. Raises WorkerError."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"request": type(request).__name__, "body": to_json(request)}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        for line in stdout:
            message = json.loads(line)
            if "tick" in message:
                tick(message["tick"])
            elif "error" in message:
                raise WorkerError(message["error"], message["type"])
            else:
                return from_json(kind, message["reply"], kind.__name__)
        raise self._ended()

    def close(self) -> None:
        """End the process at once; it keeps nothing that needs an orderly end."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # a request that it did not live to read
                    continue
        self._process.wait()
        self._stderr.close()

    def _ended(self) -> WorkerError:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if code == -9:
            how += ", as when memory runs out"
        self._stderr.seek(0)
        lines = [line for line in self._stderr.read().decode(errors="replace").splitlines() if line.strip()]
        last = f": {lines[-1].strip()}" if lines else ""
        return WorkerError(f"its process ended with {how}{last}", "WorkerError")
