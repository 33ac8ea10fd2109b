"""What remotes report of Slots: which of it ends in the plane and is polled, and what goes up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfu.core.report_blocks import BLOCK
from sfu.plane.interface import RtcpReceived
from sfu.wire import framing
from sfu.wire.feedback import PictureLossIndication
from sfu.wire.rtcp import (
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    pack_compound,
)
from tests.sfu.plane.test_reports import watched
from tests.support.planes import MakePlane, Scene
from tests.support.rtp import video_slot

SLOT_SSRC = video_slot().ssrc
ABOUT_SLOT = ReportBlock(SLOT_SSRC, 25, -3, 70_000, 90, 0x1234_5678, 0xFFFF_FFFF)
ABOUT_NOTHING = ReportBlock(9, 1, 2, 3, 4, 5, 6)
ROW = (100, 100, *ABOUT_SLOT)


def hear(scene: Scene, compound: bytes) -> None:
    scene.plane.on_datagrams([scene.remotes[100].protect_rtcp(compound)], scene.now)


def rows(scene: Scene) -> list[tuple[float, ...]]:
    polled = scene.plane.poll_reports()
    assert polled.dtype == BLOCK
    return [(transport, slot, *block) for transport, slot, _, *block in polled.tolist()]


# compound → whether the block about the Slot is found, whether Python has to look at it
COMPOUNDS: dict[str, tuple[Sequence[RtcpPacket], bool, bool]] = {
    "a browser's": ([ReceiverReport(1, (ABOUT_SLOT,)), SourceDescription(1, "it")], True, False),
    "about others too": ([ReceiverReport(1, (ABOUT_NOTHING, ABOUT_SLOT))], True, False),
    "about others only": ([ReceiverReport(1, (ABOUT_NOTHING,))], False, True),
    "of a sender": ([SenderReport(1, 2, 3, 4, 5, (ABOUT_SLOT,))], True, True),
    "with a request": ([ReceiverReport(1, (ABOUT_SLOT,)), PictureLossIndication(1, SLOT_SSRC)], True, True),
    "about nothing": ([ReceiverReport(1, ())], False, True),
}


@pytest.mark.parametrize("name", COMPOUNDS)
def test_receivers_reports_about_slots_end_here_and_all_else_goes_up(make_plane: MakePlane, name: str) -> None:
    packets, is_found, goes_up = COMPOUNDS[name]
    scene = watched(make_plane)
    hear(scene, pack_compound(packets))
    assert rows(scene) == ([ROW] if is_found else []) and rows(scene) == []
    assert len(scene.events(RtcpReceived)) == goes_up


def test_the_newest_block_about_each_slot_is_told_with_its_time_by_transport(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    scene.subscribe(90, spec=video_slot(3000))
    newer = ABOUT_SLOT._replace(jitter=7)
    hear(scene, ReceiverReport(1, (ABOUT_SLOT,)).pack())
    scene.now += 1.0
    hear(scene, ReceiverReport(1, (ABOUT_SLOT, newer)).pack())
    other = ReceiverReport(1, (ABOUT_SLOT._replace(ssrc=3000),)).pack()
    scene.plane.on_datagrams([scene.remotes[90].protect_rtcp(other)], scene.now)
    polled = scene.plane.poll_reports()
    assert polled["transport"].tolist() == [90, 100] and polled["at_s"].tolist() == [scene.now] * 2
    assert polled["jitter"].tolist() == [90, 7]


# What is cut short, or claims more than there is, has nothing in it; the padding is not part of it.
WHOLE = ReceiverReport(1, (ABOUT_SLOT,)).pack()
DAMAGED = {
    "cut in its block": framing.frame(201, 1, WHOLE[4:-4]),
    "one block more than there are": bytes((WHOLE[0] + 1,)) + WHOLE[1:],
    "padding longer than itself": bytes((WHOLE[0] | 0x20,)) + WHOLE[1:-1] + b"\xff",
    "padding over its block": bytes((WHOLE[0] | 0x20,)) + WHOLE[1:-1] + b"\x04",
    "longer than the compound": WHOLE[:3] + bytes((WHOLE[3] + 1,)) + WHOLE[4:],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_report_counts_for_nothing_and_goes_up(make_plane: MakePlane, name: str) -> None:
    scene = watched(make_plane)
    hear(scene, DAMAGED[name])
    assert rows(scene) == [] and [event.payload for event in scene.events(RtcpReceived)] == [DAMAGED[name]]


def test_what_is_gone_is_not_told_of(make_plane: MakePlane) -> None:
    scene = watched(make_plane)
    hear(scene, WHOLE)
    scene.plane.remove_slot(100)
    assert rows(scene) == []
    scene = watched(make_plane)
    hear(scene, WHOLE)
    scene.plane.remove_transport(100)
    assert rows(scene) == []
