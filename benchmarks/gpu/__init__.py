"""Every engine that uses a GPU, in every precision and batch, by one command."""

from __future__ import annotations
