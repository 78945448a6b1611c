"""Result files: written as each benchmark's evaluation wants them, read whoever wrote them; numpy alone.

`write_results` writes Tracks in a ResultFormat, `write_vot_runs` runs from anchors; `open_results` finds anybody's
files in a folder or zip and reads those of a sequence, `read_vot_runs` what the VOT toolkit left.
"""

from .reading import Results, open_results, pixel_origin
from .text import parse_boxes, parse_seconds
from .track import Track, check_track
from .vot import read_vot_runs, write_vot_runs
from .writing import ResultFormat, write_results

__all__ = [
    "ResultFormat",
    "Results",
    "Track",
    "check_track",
    "open_results",
    "parse_boxes",
    "parse_seconds",
    "pixel_origin",
    "read_vot_runs",
    "write_results",
    "write_vot_runs",
]
