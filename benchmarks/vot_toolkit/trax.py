"""Messages of the TraX protocol: a line each, `@@TRAX:kind "argument" "key=value"`.

Čehovin, "TraX: The visual Tracking eXchange protocol and library", Neurocomputing, 2017. In version 4 `initialize`
brings the target's region and the `frame` after it the image, and an empty one takes the target away; until version 3
`initialize` brought both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...runtime.errors import BenchmarkError

VERSION = 4

_PREFIX = "@@TRAX:"
_ARGUMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_NAMED = re.compile(r"([A-Za-z0-9._]{1,64})=(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Message:
    """kind: hello, initialize, frame, state or quit; arguments: in order; properties: the named ones."""

    kind: str
    arguments: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


def parse_message(line: str) -> Message | None:
    """The message of a line; None for a line that is none, such as what a tracker prints. Raises BenchmarkError for one
    that cannot be read."""
    if not line.startswith(_PREFIX):
        return None
    kind, _, rest = line[len(_PREFIX) :].rstrip().partition(" ")
    arguments, properties, at = [], {}, 0
    while at < len(rest):
        found = _ARGUMENT.match(rest, at)
        if found is None:
            raise BenchmarkError(f"a TraX message cannot be read, its quotes do not match: {line.strip()[:80]!r}")
        at = found.end()
        quoted, bare = found.groups()
        value = _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], quoted) if bare is None else bare
        named = _NAMED.fullmatch(value)
        if named:
            properties[named[1]] = named[2]
        else:
            arguments.append(value)
    return Message(kind, tuple(arguments), properties)


def format_message(message: Message) -> str:
    """The line of a message, with its end."""
    values = [*message.arguments, *(f"{key}={value}" for key, value in message.properties.items())]
    return " ".join([_PREFIX + message.kind, *map(_quoted, values)]) + "\n"


def region(values: Sequence[float]) -> str:
    """A rectangle x, y, width, height as TraX writes it."""
    return ",".join(f"{value:.4f}" for value in values)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
