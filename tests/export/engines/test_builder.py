"""That a build which fails leaves nothing that hangs the next one or the interpreter's end, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ostrack_edge.runtime.bundle import Bundle
from ostrack_edge.runtime.manifest import GraphRole, Precision

SCRIPT = """
import sys
from pathlib import Path
from ostrack_edge.export.engines.builder import BuildOptions, build_engine
from ostrack_edge.export.engines.flavours import load_library
from ostrack_edge.runtime.errors import ExportError
from ostrack_edge.runtime.manifest import Flavour

library, kept = load_library(Flavour.RTX), []
broken, sound = map(Path, sys.argv[1:])
for _ in range(3):
    try:
        build_engine(library, broken, "sm86", 1, BuildOptions(), lambda step: None)
    except ExportError as error:
        kept.append(error)  # with its traceback, as whoever handles it may keep it
    else:
        raise SystemExit("the broken graph was built")
    print(len(build_engine(library, sound, "sm86", 1, BuildOptions(), lambda step: None).data) > 0)
    try:
        build_engine(library, sound, "sm99", 1, BuildOptions(), lambda step: None)
    except ExportError as error:
        kept.append(error)
    else:
        raise SystemExit("an unknown capability was built for")
"""


@pytest.mark.parametrize("content", [b"", b"\x08\x0a no graph"])
def test_a_failed_build_hangs_neither_the_next_one_nor_the_end(content: bytes, bare: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(bare)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    sound = bundle.path(bundle.manifest.graph(GraphRole.TEMPLATE, Precision.FP32))
    command = [sys.executable, "-c", SCRIPT, str(broken), str(sound)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n" * 3), done.stderr
