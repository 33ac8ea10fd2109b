"""Bots with generated media, and `sfu demo`, which lets them talk to each other and judges the call."""

from signaling.demo.command import add_arguments, run

__all__ = ["add_arguments", "run"]
