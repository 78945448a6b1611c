"""A workspace's list of trackers."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import BenchmarkError
from ...runtime.files import check_place, whole_or_nothing

FILE_NAME = "trackers.ini"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class TrackerEntry:
    """identifier: letters, digits, - and _; label: for tables; command: what starts the tracker; timeout: seconds that
    it may take for its first answer, loading included."""

    identifier: str
    label: str
    command: tuple[str, ...]
    timeout: int = 120

    @property
    def text(self) -> str:
        """The section of trackers.ini, where a % is written twice."""
        values = {
            "label": self.label,
            "protocol": "trax",
            "command": shlex.join(self.command),
            "timeout": str(self.timeout),
        }
        lines = [f"{key} = {value.replace('%', '%%')}\n" for key, value in values.items()]
        return f"[{self.identifier}]\n" + "".join(lines)


def bundle_command(bundle: Path, backend: str, precision: str | None, threads: int | None) -> tuple[str, ...]:
    """The command line that serves a bundle in this environment: absolute, as the toolkit starts it elsewhere."""
    command = [sys.executable, "-m", "ostrack_edge.benchmarks.vot_toolkit", "track", str(bundle.resolve())]
    command += ["--backend", backend]
    command += ["--precision", precision] if precision else []
    return (*command, "--threads", str(threads)) if threads else tuple(command)


def register(workspace: Path, entry: TrackerEntry) -> bool:
    """Add a tracker to `workspace`/trackers.ini; what is there stays. Returns False where it was there already.

    Raises BenchmarkError for an identifier that the toolkit does not take, for one that another tracker has, and for a
    file that is no list of trackers; OutputError, OSError.
    """
    if not _IDENTIFIER.fullmatch(entry.identifier):
        raise BenchmarkError(f"{entry.identifier!r} is no name for the VOT toolkit; use letters, digits, - and _")
    path = workspace / FILE_NAME
    check_place(path)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    known, wanted = _parsed(before, str(path)), _parsed(entry.text, "the new section")
    if known.has_section(entry.identifier):
        if dict(known[entry.identifier]) == dict(wanted[entry.identifier]):
            return False
        raise BenchmarkError(
            f"{path} has another tracker {entry.identifier}; give this one another name, or take that section out"
        )
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    with whole_or_nothing(path) as partial:
        partial.write_text(f"{before}{gap}{entry.text}", encoding="utf-8")
    return True


def _parsed(text: str, where: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
        for section in parser.sections():
            dict(parser[section])
    except configparser.Error as error:
        raise BenchmarkError(f"{where} is no list of trackers: {' '.join(str(error).split())}") from None
    return parser
