"""Log lines for people, on stderr. Only a command line calls this: a library leaves logging to its user."""

from __future__ import annotations

import logging
import os
import sys


def log_to_stderr(verbose: bool = False) -> None:
    """From now on what the package has to say goes to stderr, a line each; with a time unless systemd's journal adds
    one itself."""
    handler = logging.StreamHandler(sys.stderr)
    in_journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if in_journal else "%(asctime)s %(levelname)s %(message)s"
    handler.setFormatter(logging.Formatter(form, "%H:%M:%S"))
    root = logging.getLogger("ostrack_edge")
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
