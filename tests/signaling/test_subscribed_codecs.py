"""What a subscriber can decode by its answer, as the Worker is told it; and what is done where that is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sfu import control
from sfu.core.types import Codec
from signaling.messages import Offer, Subscribe
from signaling.room_events import MediaMoved
from tests.signaling.conversations import Conversation, answer_to, participant, track
from tests.signaling.descriptions import captured, sections_of
from tests.signaling.test_subscribing import BOB, CAMERA, MICROPHONE, SCREEN, answering, published, subscribe_calls

NO_H264 = {Codec.VP8: (96, 97), Codec.VP9: (98, 99), Codec.AV1: (104, 105)}
NO_AV1 = {Codec.VP8: (96, 97), Codec.H264: (102, 103), Codec.VP9: (98, 99)}
AV1_ANSWERED = (" 104 105\r\n", "\r\n")  # in the m-line; what is said of numbers that it lacks does not count


@pytest.mark.parametrize(
    ("browser", "change", "expected"),
    [
        pytest.param("chromium", ("", ""), {}, id="everything"),
        pytest.param("firefox", ("", ""), {"1": NO_H264}, id="no H.264"),
        pytest.param("chromium", AV1_ANSWERED, {"1": NO_AV1}, id="no AV1"),
        pytest.param(
            "firefox",
            ("apt=96", "apt=100"),
            {"1": NO_H264 | {Codec.VP8: (96, None)}},
            id="no RTX",
        ),
    ],
)
def test_slots_learn_what_the_answer_kept_before_anything_flows(
    browser: str, change: tuple[str, str], expected: dict[str, Any]
) -> None:
    conversation = Conversation().join(participant("bob", MICROPHONE, CAMERA))
    conversation.done()
    mids = {call.slot: call.mid for call in conversation.calls if isinstance(call, control.AddSlot)}
    conversation.serve()
    lines = [line for section in sections_of(captured(f"answer-{browser}"))[:3] for line in section]
    sdp = "\r\n".join([*lines, ""]).replace("BUNDLE 0 1 2", "BUNDLE 0 1").replace(*change)
    conversation.say(answering(conversation.last("offer"), sdp))
    configured = [call for call in conversation.calls if isinstance(call, control.ConfigureSlot)]
    # Both answers were captured when we did not offer RED.
    without_red = {"0": {Codec.OPUS: (111, None)}}
    assert {mids[call.slot]: call.payload_types for call in configured} == without_red | expected
    assert subscribe_calls(conversation) == []
    while "Subscribe" not in conversation.called:
        conversation.done()
    conversation.serve()
    published(conversation, track("TR_4", "screen_audio"))
    conversation.serve()
    conversation.answer(sdp=again(sdp, conversation.last("offer")))
    assert not any(isinstance(call, control.ConfigureSlot) for call in conversation.calls), "it is the same answer"


def again(sdp: str, offer: Offer) -> str:
    """The same answer, to an offer with more m-lines."""
    more = sections_of(answer_to(offer.sdp))[len(sections_of(sdp)) :]
    lines = [line for section in (*sections_of(sdp), *more) for line in section]
    return "\r\n".join(lines).replace("BUNDLE 0 1 2", "BUNDLE 0 1 2 3")


def refused_for_its_codecs() -> Conversation:
    """Bob's camera."""
    conversation = Conversation().join(BOB)
    conversation.serve()
    conversation.say(answering(conversation.last("offer")))
    conversation.done()
    conversation.done()
    conversation.refuse("no_common_codec")
    conversation.serve()
    return conversation


def test_what_fits_no_codec_is_not_tried_again() -> None:
    conversation = refused_for_its_codecs()
    conversation.say(lambda number: Subscribe(id=number, track="TR_2"))
    assert conversation.calls == []
    published(conversation, SCREEN)
    conversation.serve()
    conversation.say(answering(conversation.last("offer")))
    assert subscribe_calls(conversation) == ["TR_3"]


def test_until_its_publisher_has_negotiated_anew() -> None:
    conversation = refused_for_its_codecs()
    for media in (None, "TR_2/2"):
        conversation.hear(MediaMoved("TR_2", media))
    assert subscribe_calls(conversation) == ["TR_2/2"]


def test_or_the_subscriber_has() -> None:
    conversation = refused_for_its_codecs()
    published(conversation, SCREEN)
    conversation.serve()
    offer = conversation.last("offer")
    conversation.say(answering(offer, answer_to(offer.sdp).replace("102 103 ", "")))
    while "Subscribe" not in conversation.called:
        conversation.done()
    assert subscribe_calls(conversation) == ["TR_2", "TR_3"]
