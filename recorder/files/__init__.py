"""Shells around PyAV and the disk: frames at session times become files."""
