"""Recordings of rooms: which there are, what each takes, and the process that takes it. README.md says more."""
