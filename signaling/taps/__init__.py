"""Taps: one participant's sound or pictures for programs, by WebSocket or a local socket. README.md says more."""
