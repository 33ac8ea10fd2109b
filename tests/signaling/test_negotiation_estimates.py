"""Who is asked for REMB: who is sent something. Who sends is promised none, for nobody here makes any."""

from __future__ import annotations

import pytest

from signaling.negotiation import Answerer
from signaling.negotiation_offer import SlotLine
from tests.signaling.descriptions import LOCAL, captured

REMB = "a=rtcp-fb:{} goog-remb"


@pytest.mark.parametrize(("name", "mid"), [("chromium-receiving", "1"), ("firefox-receiving", "1"), ("aiortc", "1")])
def test_who_receives_over_http_is_asked_for_it_where_it_offers_it(name: str, mid: str) -> None:
    text = captured(name).replace("a=sendrecv", "a=recvonly").replace("a=sendonly", "a=recvonly")
    answerer = Answerer()
    offer = answerer.on_offer(text)
    line = next(media for media in offer.media if media.mid == mid)
    slot = SlotLine(mid, line.kind, ssrc=1, rtx_ssrc=2, stream="s", track="t")
    answer = answerer.answer(LOCAL, receive=(), send=[slot])
    repaired = {form.repairs for form in line.formats if form.repairs is not None}
    assert repaired and all(REMB.format(payload_type) in answer for payload_type in repaired)
    assert line.kind == "video"


def test_who_sends_is_not() -> None:
    answerer = Answerer()
    offer = answerer.on_offer(captured("chromium-camera-screen-data"))
    sending = [media.mid for media in offer.media if media.sends]
    assert "goog-remb" not in answerer.answer(LOCAL, receive=sending)
