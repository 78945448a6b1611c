"""Frames per second of a bundle's engines against PyTorch and against the floor."""
