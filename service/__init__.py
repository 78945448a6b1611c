"""The tracker on real footage: the loop, what it draws and writes, and the command `ostrack-track`."""
