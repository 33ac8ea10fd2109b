"""The two ways in which a request fails by somebody else's doing; any other exception is our bug.

Codes are those of PROTOCOL.md: stable, for programs. Reasons are for people and may change. Which code closes the
connection, and how, is the shell's table, not decided here.
"""

from __future__ import annotations


class _Coded(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class ProtocolError(_Coded):
    """The peer broke the rules; `reason` says which."""


class Refused(_Coded):
    """A fair request that is declined: not permitted, not there, or beyond a limit that `reason` names."""
