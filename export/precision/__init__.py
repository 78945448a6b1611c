"""Precision lives in the graph: FP16 types, guards against overflow, and the proof of both on a CPU."""

from __future__ import annotations
