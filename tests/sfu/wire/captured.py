"""The packets in captures/ (its README says how they were made), for the tests of every parser."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sfu.wire.extensions import ExtensionIds

CAPTURES = Path(__file__).parent / "captures"
NAMES = ("chromium-vp8", "chromium-vp8-dependency-descriptor", "chromium-h264")
# Video alone, of one m-line
LAYERED_NAMES = ("chromium-vp9-simulcast", "chromium-vp9-l3t3-key", "chromium-av1-l1t2", "chromium-av1-l3t3")


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    kind: str  # "rtp", "rtcp", "stun" or "dtls"
    sender: str  # "chromium" or "endpoint"
    length: int  # as it was on the wire; `packet` may be cut in its payload
    packet: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    name: str
    payload_types: dict[str, int]  # by codec name, and "rtx"
    extension_ids: ExtensionIds
    rids: dict[int, str]  # by SSRC
    packets: tuple[CapturedPacket, ...]

    def of_kind(self, kind: str) -> list[bytes]:
        return [packet.packet for packet in self.packets if packet.kind == kind]


@cache
def capture(name: str) -> Capture:
    first, *lines = (json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines())
    return Capture(
        name,
        first["payload_types"],
        ExtensionIds.from_uris(first["extensions"]),
        {int(ssrc): rid for ssrc, rid in first["rids"].items()},
        tuple(CapturedPacket(e["kind"], e["from"], e["length"], bytes.fromhex(e["hex"])) for e in lines),
    )


def captures() -> list[Capture]:
    return [capture(name) for name in NAMES]
