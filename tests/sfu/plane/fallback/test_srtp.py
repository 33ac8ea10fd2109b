"""Our own SRTP policies: repeats and replays refused, the window wide, large packets taken."""

from __future__ import annotations

import random

import pytest

from sfu.core.types import DropReason
from sfu.plane.fallback.srtp import SrtpRefused, SrtpSession
from sfu.plane.interface import SrtpKeys
from sfu.wire import rtp
from sfu.wire.rtcp import ReceiverReport, pack_compound
from tests.support.rtp import PROFILES

WINDOW = 1024


def pair(profile: str) -> tuple[SrtpSession, SrtpSession]:
    length = PROFILES[profile][1]
    one, other = random.Random(1).randbytes(length), random.Random(2).randbytes(length)
    return (
        SrtpSession(SrtpKeys(profile, one, other), WINDOW),
        SrtpSession(SrtpKeys(profile, other, one), WINDOW),
    )


def packet(number: int, payload: bytes = b"media") -> bytes:
    return rtp.build(payload_type=96, sequence_number=number & 0xFFFF, timestamp=1, ssrc=5, payload=payload)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_protect_refuses_a_number_it_has_protected_whatever_the_bytes(profile: str) -> None:
    here, _ = pair(profile)
    here.protect(packet(7))
    for again in (packet(7), packet(7, b"other")):
        with pytest.raises(SrtpRefused) as refused:
            here.protect(again)
        assert refused.value.reason is DropReason.SRTP_PROTECT
    here.protect(packet(6))
    with pytest.raises(SrtpRefused):
        here.protect(packet(6))


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_late_packets_pass_within_the_window_and_not_beyond(profile: str) -> None:
    here, there = pair(profile)
    there.unprotect(here.protect(packet(5000)))
    late = here.protect(packet(5000 - WINDOW + 1))
    assert there.unprotect(late) == packet(5000 - WINDOW + 1)
    with pytest.raises(SrtpRefused):
        here.protect(packet(5000 - WINDOW))


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_replay_is_told_from_a_forgery(profile: str) -> None:
    here, there = pair(profile)
    protected, report = here.protect(packet(7)), here.protect_rtcp(pack_compound([ReceiverReport(1, ())]))
    there.unprotect(protected)
    there.unprotect_rtcp(report)
    forged = here.protect(packet(8))[:-1] + b"\0"
    for call, bytes_, reason in (
        (there.unprotect, protected, DropReason.SRTP_REPLAY),
        (there.unprotect_rtcp, report, DropReason.SRTP_REPLAY),
        (there.unprotect, forged, DropReason.SRTP_AUTHENTICATION),
        (there.unprotect_rtcp, b"\x80\xc9" + bytes(30), DropReason.SRTP_AUTHENTICATION),
        (there.unprotect, b"", DropReason.SRTP_AUTHENTICATION),
        (there.unprotect, bytes(5000), DropReason.SRTP_AUTHENTICATION),
    ):
        with pytest.raises(SrtpRefused) as refused:
            call(bytes_)
        assert refused.value.reason is reason


def test_numbers_wrap() -> None:
    here, there = pair("SRTP_AEAD_AES_128_GCM")
    for number in range(65530, 65545):
        assert there.unprotect(here.protect(packet(number))) == packet(number)
    with pytest.raises(SrtpRefused):
        here.protect(packet(65535))


@pytest.mark.parametrize("size", [1400, 2000])
def test_packets_over_pylibsrtps_own_limit_pass(size: int) -> None:
    here, there = pair("SRTP_AES128_CM_SHA1_80")
    assert there.unprotect(here.protect(packet(1, bytes(size)))) == packet(1, bytes(size))


def test_keys_do_not_show_in_their_representation() -> None:
    assert "beef" not in repr(SrtpKeys("SRTP_AEAD_AES_128_GCM", b"beef", b"beef"))
