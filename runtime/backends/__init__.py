"""Engines behind one small Protocol; one file per kind of engine."""

from __future__ import annotations

from .base import Backend, SearchResult, TargetFeatures
from .select import BACKENDS, Choice, load_backend

__all__ = ["BACKENDS", "Backend", "Choice", "SearchResult", "TargetFeatures", "load_backend"]
