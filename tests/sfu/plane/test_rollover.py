"""Sequence numbers of what is sent pass 65535: the roll-over counter goes into each packet's encryption."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.planes import TRACK, MakePlane, Scene
from tests.support.rtp import OPUS, PROFILES, REDUNDANT_AUDIO, Remote, audio_slot, media_packet

SSRC = 33
FIRST, LAST = 32_767, 65_536 + 40  # as a Slot may begin at most, and where this ends


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_subscriber_decrypts_on_both_sides_of_it(make_plane: MakePlane, profile: str) -> None:
    scene = Scene(make_plane, REDUNDANT_AUDIO, profile=profile)
    subscriber = scene.subscribe(spec=replace(audio_slot(), first_sequence_number=FIRST))
    scene.plane.announce_ssrc(TRACK, 0, SSRC, rtx=False)
    late = (65_530, 65_533)  # come when numbers have begun anew
    opened: list[int] = []
    for number in range(FIRST, LAST):
        if number not in late:
            opened += pass_on(scene, subscriber, number)
        if number == 65_536 + 9:
            opened += pass_on(scene, subscriber, *late)
    assert opened == [
        *(number for number in range(FIRST, 65_400) if number % 1000 == 0),
        *(number for number in range(65_400, 65_546) if number not in late),
        *late,
        *range(65_546, LAST),
    ]


def pass_on(scene: Scene, subscriber: Remote, *numbers: int) -> list[int]:
    """What the subscriber has of it: of the many before it becomes interesting, each thousandth."""
    got = []
    for number in numbers:
        sent = media_packet(OPUS, number, number * 960 & 0xFFFFFFFF, SSRC, b"\x78voice%d" % number)
        (datagram,) = scene.plane.on_datagrams([scene.publisher.protect(sent)], scene.now)
        if number >= 65_400 or number % 1000 == 0:
            received = subscriber.open(datagram)
            assert received.header.sequence_number == number & 0xFFFF
            assert received.payload == b"\x78voice%d" % number
            got.append(number)
    return got
