"""Offers that follow an answered one: DTLS roles stay, m-lines stay, and what was not answered never was."""

from __future__ import annotations

import pytest

from signaling.errors import ProtocolError
from signaling.negotiation import Answerer, SlotLine
from tests.signaling.answering import H265, negotiate, receivable, summary
from tests.signaling.descriptions import LOCAL, audio, described, section, video

# --- DTLS roles ------------------------------------------------------------------------------------------------


def with_setup(setup: str) -> str:
    return described(audio("a", "a=sendonly", *([f"a=setup:{setup}"] if setup else [])))


@pytest.mark.parametrize(
    ("offered", "dtls_client"),
    [("actpass", False), ("active", False), ("passive", True), ("", False)],
)
def test_we_open_the_handshake_only_when_the_remote_will_not(offered: str, dtls_client: bool) -> None:
    offer, answer = negotiate(Answerer(), with_setup(offered))
    assert offer.remote.dtls_client is dtls_client
    assert f"a=setup:{'active' if dtls_client else 'passive'}" in answer[1]


@pytest.mark.parametrize(
    ("first", "second", "dtls_client"),
    [
        ("actpass", "actpass", False),
        ("actpass", "active", False),
        ("passive", "actpass", True),
        ("passive", "passive", True),
        ("passive", "active", None),
        ("active", "passive", None),
    ],
)
def test_the_role_stays_once_chosen(first: str, second: str, dtls_client: bool | None) -> None:
    answerer = Answerer()
    negotiate(answerer, with_setup(first))
    if dtls_client is None:
        with pytest.raises(ProtocolError, match=r"sdp_unsupported: .*roles"):
            answerer.on_offer(with_setup(second))
    else:
        assert answerer.on_offer(with_setup(second)).remote.dtls_client is dtls_client


# --- offers that follow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(described(audio("a"), video("v"), video("w")), ["a", "v", "w"], id="one more"),
        pytest.param(described(audio("a", port=0), video("v"), bundle="v"), ["v"], id="one stopped"),
        pytest.param(described(video("v"), audio("a")), "this m-line was audio with mid a before", id="exchanged"),
        pytest.param(described(audio("a")), "2 m-lines became 1", id="one vanished"),
        pytest.param(described(audio("a"), video("w")), "this m-line was video with mid v before", id="renamed"),
        pytest.param(described(audio("a"), audio("v")), "this m-line was video with mid v before", id="another kind"),
    ],
)
def test_m_lines_neither_vanish_nor_change_places(second: str, expected: list[str] | str) -> None:
    answerer = Answerer()
    negotiate(answerer, described(audio("a"), video("v")))
    if isinstance(expected, list):
        assert receivable(answerer.on_offer(second)) == expected
    else:
        with pytest.raises(ProtocolError, match=f"sdp_malformed: line [0-9]+: {expected}"):
            answerer.on_offer(second)


def test_a_rejected_m_line_may_become_another() -> None:
    answerer = Answerer()
    negotiate(answerer, described(audio("a"), video("v")))
    _, answer = negotiate(answerer, described(audio("a"), video("v", port=0), bundle="a"))
    assert summary(answer) == ["9 a recvonly", "0 v inactive"]
    _, answer = negotiate(answerer, described(audio("a"), audio("b")))
    assert summary(answer) == ["9 a recvonly", "9 b recvonly"]


def test_a_stopped_m_line_may_lose_its_mid() -> None:
    answerer = Answerer()
    negotiate(answerer, described(audio("a"), video("v")))
    stopped = section("video 0 UDP/TLS/RTP/SAVPF 96", None, "a=inactive")
    offer, answer = negotiate(answerer, described(audio("a"), stopped))
    assert [one.mid for one in offer.media] == ["a"]
    assert summary(answer) == ["9 a recvonly", "0 - inactive"]


def test_an_offer_that_was_refused_or_never_answered_leaves_no_trace() -> None:
    answerer = Answerer()
    negotiate(answerer, described(audio("a")))
    answerer.on_offer(described(audio("a"), video("unanswered")))
    with pytest.raises(ProtocolError):
        answerer.on_offer(described(video("v")))
    offer, answer = negotiate(answerer, described(audio("a"), video("v")))
    assert receivable(offer) == ["a", "v"]
    assert answer[0][1].split()[2] == "2"


def test_what_was_refused_cannot_be_answered() -> None:
    answerer = Answerer()
    with pytest.raises(ProtocolError, match="sdp_malformed"):
        answerer.on_offer(described(video("v", "a=sendonly", "a=rid:?")))
    with pytest.raises(ValueError, match="no offer"):
        answerer.answer(LOCAL, receive=[])


def test_an_answer_needs_an_offer_and_receives_only_what_is_sent() -> None:
    answerer = Answerer()
    with pytest.raises(ValueError, match="no offer"):
        answerer.answer(LOCAL, receive=[])
    answerer.on_offer(described(H265, audio("a", "a=recvonly")))
    for mid in ("0", "a", "x"):
        with pytest.raises(ValueError, match="cannot receive"):
            answerer.answer(LOCAL, receive=[mid])
    for mid in ("0", "x"):
        with pytest.raises(ValueError, match="cannot send"):
            answerer.answer(LOCAL, receive=[], send=[SlotLine(mid, "audio", 1, None, "s", "t")])
    answerer.answer(LOCAL, receive=[])
    with pytest.raises(ValueError, match="no offer"):
        answerer.answer(LOCAL, receive=[])
