"""A report as a JSON file: whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..runtime.files import whole_or_nothing
from ..runtime.manifest import to_json


def write_json(path: Path, report: Any) -> None:
    """Write a dataclass (or a list or dict of them). Raises OutputError; an old file stays until this one is whole."""
    text = json.dumps(to_json(report), indent=2, allow_nan=False) + "\n"
    with whole_or_nothing(path) as partial:
        partial.write_text(text, encoding="utf-8")
