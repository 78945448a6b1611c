"""A bundle as a tracker of the official VOT toolkit, which runs it in a process of its own and speaks TraX with it.

    python -m ostrack_edge.benchmarks.vot_toolkit register BUNDLE --workspace WORKSPACE
    python -m ostrack_edge.benchmarks.vot_toolkit track BUNDLE

`register` adds the tracker to a workspace's trackers.ini; `track` is what the toolkit then starts. The toolkit itself
is not needed here, and may live in another environment: `trax` holds the tracker's side of the protocol.
"""

from .registry import TrackerEntry, register
from .serve import Follower, serve
from .trax import Message, format_message, parse_message

__all__ = ["Follower", "Message", "TrackerEntry", "format_message", "parse_message", "register", "serve"]
