"""What participants' clients say of their machines, told to a Worker. See control.py."""

from __future__ import annotations

from msgspec import Struct

from sfu.control_values import Command


class FramesReport(Struct, frozen=True, kw_only=True):
    """What a client made of one video Subscription since its last report."""

    subscription: str
    decoded: int
    dropped: int
    freezes: int
    frozen_s: float


class ReportReception(Command, frozen=True, kw_only=True):
    """What the participant at the other end of this Transport says of what it receives. `overused`: its machine cannot
    keep up. What is said of Subscriptions that have ended is too late, and not heard. Reply: Done."""

    transport: str
    overused: bool
    frames: list[FramesReport]


class SetTrackStrained(Command, frozen=True, kw_only=True):
    """Its publisher's encoder says that it cannot keep up, or does again. Reply: Done."""

    track: str
    strained: bool
