"""Several processes that share a list of tasks; one that dies costs its own task and no other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..fps.process import THREAD_VARIABLES
from .worker import Done, Failed, Task, Tick, work


@dataclass(frozen=True)
class Failure:
    """A task without a result, and why."""

    task: Task
    sentence: str


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    told: int = 0


@dataclass
class _Run:
    """The tasks that are left, what failed, and whether the rest is still worth trying."""

    left: list[Task]
    advance: Callable[[int], None]
    begin: Callable[[str], None]
    failures: list[Failure] = field(default_factory=list)
    stopped: bool = False


def run_tasks(
    tasks: Sequence[Task],
    jobs: int,
    threads: int,
    advance: Callable[[int], None] = lambda frames: None,
    begin: Callable[[str], None] = lambda name: None,
) -> list[Failure]:
    """Do all tasks in `jobs` processes of `threads` CPU threads each; give those that failed.

    advance: hears of frames done; begin: of each task begun, by name. After a failure that the others would share, such
    as a full disk, the rest is left alone. The processes are gone when this returns or raises.
    """
    run = _Run(list(reversed(tasks)), advance, begin)
    workers: list[_Worker] = []
    try:
        for _ in range(min(jobs, len(tasks))):
            workers.append(_start(threads))
            _give(workers[-1], run)
        while busy := [w for w in workers if w.task is not None]:
            for pipe in wait([w.pipe for w in busy]):
                worker = next(w for w in busy if w.pipe is pipe)
                _hear(worker, run)
                if worker.task is None and not worker.process.is_alive() and run.left and not run.stopped:
                    workers[workers.index(worker)] = worker = _start(threads)
                if worker.task is None:
                    _give(worker, run)
    finally:
        for worker in workers:
            _end(worker)
    return run.failures


def _hear(worker: _Worker, run: _Run) -> None:
    """One message of a worker that has a task, or its death."""
    task = worker.task
    assert task is not None
    try:
        message = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        message = Failed(_death(worker.process.exitcode or 0))
    if isinstance(message, Tick):
        run.advance(message.frames - worker.told)
        worker.told = message.frames
        return
    # A failed task is over too, as far as the time that is left is concerned.
    run.advance(task.frames - worker.told)
    worker.task = None
    if isinstance(message, Failed):
        run.failures.append(Failure(task, message.sentence))
        run.stopped = run.stopped or message.fatal
    else:
        assert isinstance(message, Done)


def _give(worker: _Worker, run: _Run) -> None:
    if not run.left or run.stopped:
        return
    worker.task, worker.told = run.left.pop(), 0
    run.begin(worker.task.name)
    try:
        worker.pipe.send(worker.task)
    except (BrokenPipeError, ConnectionResetError):
        # It died meanwhile: `_hear` finds the end of the pipe and books it.
        return


def _start(threads: int) -> _Worker:
    # Not forked: a fork would share the threads' locks of whatever this process has loaded.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, threads), daemon=True)
    with _environment(dict.fromkeys(THREAD_VARIABLES, str(threads))):
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set while a process is started, as libraries read them when they are loaded."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _end(worker: _Worker) -> None:
    """At once: what is not written yet would be half a sequence."""
    worker.pipe.close()
    worker.process.kill()
    worker.process.join()
    worker.process.close()


def _death(code: int) -> str:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"its process ended with {how}" + (", as when memory runs out" if code == -9 else "")
