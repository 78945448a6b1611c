"""Calibration: crops from footage, and the ranges of activations over them. Needs onnx and ONNX Runtime, not torch."""

from __future__ import annotations
