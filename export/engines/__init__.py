"""Engines of TensorRT and TensorRT for RTX from the graphs of a bundle, and what the builder made of them."""
