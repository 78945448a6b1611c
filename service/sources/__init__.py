"""Frames from cameras, streams, files and programs, each kind behind one small Protocol."""
