"""How calibration footage is named on a command line, and how much of it is taken."""

from __future__ import annotations

SPECS = "VIDEO or FOLDER with its truth beside it, VIDEO@X,Y,W,H or FOLDER@X,Y,W,H, or a data set such as got10k:PATH"

LIMIT = 256
"""Search regions to collect, if nothing else is said."""

LEAST_SEEN, LEAST_HELD_BACK = 16, 4
"""Fewer search regions say nothing about a range, or about what calibration did."""
