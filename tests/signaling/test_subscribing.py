"""Subscribing without sockets: pairs of Slots, offers only for new ones, and word of what flows in which."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any

import pytest
from msgspec.structs import replace

from sfu import control
from signaling.limits import SessionLimits
from signaling.messages import (
    Answer,
    Grants,
    LimitLayer,
    Offer,
    Ok,
    ParticipantLeft,
    SlotContent,
    SlotsChanged,
    Subscribe,
    TrackPublished,
    TrackUnpublished,
    Unsubscribe,
)
from signaling.room_events import Permit
from tests.signaling.conversations import ALL, Conversation, answer_to, participant, tags, track
from tests.signaling.descriptions import sections_of

MICROPHONE = track("TR_1", "microphone")
CAMERA = track("TR_2", "camera", ("q", "h", "f"))
SCREEN = track("TR_3", "screen")
BOB = participant("bob", MICROPHONE, CAMERA)


def joined(limits: SessionLimits | None = None) -> Conversation:
    """With Bob's two tracks, offered and answered."""
    conversation = Conversation(limits=limits).join(BOB)
    conversation.serve()
    conversation.answer()
    return conversation


def published(conversation: Conversation, description: Any, identity: str = "bob") -> None:
    event = TrackPublished(identity=identity, track=description)
    conversation.do(lambda session: session.on_room_event(event))


def unpublished(conversation: Conversation, name: str) -> None:
    conversation.do(lambda session: session.on_room_event(TrackUnpublished(identity="bob", track=name)))


def offers(messages: list[Any]) -> list[Offer]:
    return [message for message in messages if isinstance(message, Offer)]


def answering(offer: Offer, sdp: str | None = None) -> Callable[[int], Answer]:
    """For `Conversation.say`, where the Worker's part is looked at step by step."""
    return lambda number: Answer(id=number, offer=offer.offer, sdp=sdp or answer_to(offer.sdp))


def carried(offer: Offer) -> dict[str, str]:
    return {slot.mid: slot.track for slot in offer.slots}


def directions(sdp: str) -> list[str]:
    return [
        next(line[2:] for line in section if line in ("a=sendonly", "a=inactive")) for section in sections_of(sdp)[1:]
    ]


def subscribe_calls(conversation: Conversation) -> list[str]:
    return [call.track for call in conversation.calls if isinstance(call, control.Subscribe)]


def test_what_is_there_is_offered_and_flows_once_answered() -> None:
    conversation = Conversation().join(BOB)
    assert conversation.called == ["OpenTransport"]
    conversation.done()
    assert conversation.called == ["AddSlot", "AddSlot"], "a pair"
    conversation.done()
    (offer,) = conversation.done()
    assert offer.offer == 1 and directions(offer.sdp) == ["sendonly", "sendonly"]
    assert offer.slots == (
        SlotContent(mid="0", kind="audio", source="microphone", track="TR_1", participant="bob"),
        SlotContent(mid="1", kind="video", source="camera", track="TR_2", participant="bob"),
    )
    assert conversation.calls == [], "nothing flows before the client knows what it is"
    conversation.say(answering(offer))
    assert conversation.called == ["ConnectTransport"]
    assert conversation.done() == [Ok(id=2)]
    assert subscribe_calls(conversation) == ["TR_1", "TR_2"]
    assert conversation.serve() == []


def test_alone_there_is_nothing_to_offer() -> None:
    conversation = Conversation().join(participant("bob"))
    assert conversation.calls == [] and tags(conversation.sent) == ["joined"]


def flowing(conversation: Conversation, name: str, *, layer: int = 0, timestamp: int = 7) -> list[Any]:
    """The Worker has accepted a Subscription to this track, and says that it flows."""
    subscription = conversation.subscriptions[name]
    notice = control.LayerChanged(subscription=subscription, layer=layer, timestamp=timestamp)
    return conversation.do(methodcaller("on_notice", notice, 0.0))


def test_a_camera_beside_a_microphone_needs_no_offer() -> None:
    conversation = Conversation().join(participant("bob", MICROPHONE))
    conversation.serve()
    conversation.answer()
    published(conversation, CAMERA)
    assert subscribe_calls(conversation) == ["TR_2"], "its place is the other half of the pair"
    assert conversation.serve() == [], "nothing is to be seen yet"
    content = SlotContent(mid="1", kind="video", source="camera", track="TR_2", participant="bob", rid="h", timestamp=7)
    assert flowing(conversation, "TR_2", layer=1) == [SlotsChanged(slots=(content,))]
    assert tags(flowing(conversation, "TR_2", layer=2)) == ["layer_changed"], "from then on it is known"


def test_new_slots_that_are_needed_while_an_offer_is_outstanding_go_into_the_next_together() -> None:
    conversation = Conversation().join(participant("bob", MICROPHONE))
    conversation.serve()
    published(conversation, SCREEN)
    published(conversation, track("TR_9", "camera"), "eve")
    assert offers(conversation.serve()) == []
    second = offers(conversation.answer())
    assert [offer.offer for offer in second] == [2]
    assert carried(second[0]) == {"0": "TR_1", "3": "TR_3", "5": "TR_9"}


def test_what_came_and_went_meanwhile_is_never_told() -> None:
    conversation = Conversation().join(participant("bob", MICROPHONE))
    conversation.serve()
    published(conversation, CAMERA)
    conversation.serve()
    unpublished(conversation, "TR_2")
    conversation.serve()
    assert tags(conversation.answer()) == ["ok"]


def test_a_track_that_ended_before_the_answer_does_not_flow_and_the_client_hears_so() -> None:
    conversation = Conversation().join(BOB)
    conversation.serve()
    unpublished(conversation, "TR_2")
    conversation.say(answering(conversation.last("offer")))
    sent = conversation.done()
    assert subscribe_calls(conversation) == ["TR_1"]
    assert [message for message in sent if isinstance(message, SlotsChanged)] == [SlotsChanged(freed=("1",))]


def test_a_place_is_used_again_without_an_offer() -> None:
    conversation = joined()
    left = ParticipantLeft(identity="bob", reason="left")
    assert conversation.hear(left) == [left, SlotsChanged(freed=("0", "1"))]
    published(conversation, track("TR_9", "camera"), "eve")
    assert subscribe_calls(conversation) == ["TR_9"] and conversation.called == ["Subscribe"]
    assert offers(conversation.serve()) == []
    (change,) = flowing(conversation, "TR_9", timestamp=5)
    assert [(slot.mid, slot.track, slot.participant, slot.timestamp) for slot in change.slots] == [
        ("1", "TR_9", "eve", 5)
    ]


def test_both_members_of_a_pair_are_one_persons() -> None:
    conversation = joined()
    unpublished(conversation, "TR_2")
    published(conversation, track("TR_9", "camera"), "eve")
    assert conversation.called == ["AddSlot", "AddSlot"], "Bob's other half stays free for Bob"
    msids = [line for line in offers(conversation.serve())[0].sdp.split("\r\n") if line.startswith("a=msid:")]
    streams = [line.removeprefix("a=msid:").split()[0] for line in msids]
    assert streams[0] == streams[1] != streams[2] == streams[3]


def test_a_second_camera_has_a_place_of_its_own_and_keeps_it() -> None:
    conversation = Conversation().join(participant("bob", CAMERA, track("TR_4", "camera")))
    (offer,) = offers(conversation.serve())
    assert carried(offer) == {"1": "TR_2", "3": "TR_4"}
    conversation.answer()
    unpublished(conversation, "TR_2")
    assert conversation.called == [] and conversation.sent[-1] == SlotsChanged(freed=("1",))


# --- wishes ----------------------------------------------------------------------------------------------------


def test_without_auto_subscribe_only_wishes_are_offered() -> None:
    conversation = Conversation().join(BOB, auto_subscribe=False)
    assert conversation.calls == []
    assert conversation.say(lambda number: Subscribe(id=number, track="TR_2")) == [Ok(id=2)]
    assert carried(offers(conversation.serve())[0]) == {"1": "TR_2"}


def test_wishing_twice_is_wishing() -> None:
    conversation = joined()
    assert tags(conversation.say(lambda number: Subscribe(id=number, track="TR_1"))) == ["ok"]
    assert conversation.calls == []


def test_unsubscribing_stops_the_flow_and_frees_the_slot() -> None:
    conversation = joined()
    assert tags(conversation.say(lambda number: Unsubscribe(id=number, track="TR_2"))) == ["ok", "slots_changed"]
    assert conversation.called == ["Unsubscribe"]
    assert conversation.sent[-1] == SlotsChanged(freed=("1",))
    assert offers(conversation.serve()) == []


def test_changing_ones_mind_before_an_answer_ends_as_wished_last() -> None:
    conversation = joined()
    conversation.say(lambda number: Unsubscribe(id=number, track="TR_2"))
    conversation.say(lambda number: Subscribe(id=number, track="TR_2"))
    conversation.done()
    assert subscribe_calls(conversation) == ["TR_2"]
    assert offers(conversation.serve()) == []
    assert [slot.mid for slot in flowing(conversation, "TR_2")[0].slots] == ["1"]


@pytest.mark.parametrize("request_type", [Subscribe, Unsubscribe])
def test_unknown_tracks(request_type: type[Subscribe] | type[Unsubscribe]) -> None:
    conversation = joined()
    (error,) = conversation.say(lambda number: request_type(id=number, track="TR_99"))
    assert error.code == "unknown_track" and conversation.closed is None


def test_subscribing_has_to_be_granted() -> None:
    conversation = Conversation(Grants(publish=True)).join(BOB)
    assert conversation.calls == []
    (error,) = conversation.say(lambda number: Subscribe(id=number, track="TR_1"))
    assert error.code == "not_granted"


# --- layers ----------------------------------------------------------------------------------------------------


def test_limiting_the_layer_of_a_flowing_track() -> None:
    conversation = joined()
    conversation.say(lambda number: LimitLayer(id=number, track="TR_2", rid="h"))
    (call,) = conversation.calls
    assert isinstance(call, control.LimitLayer) and call.max_layer == 1
    assert tags(conversation.serve()) == ["ok"]
    conversation.say(lambda number: LimitLayer(id=number, track="TR_2", rid=None))
    assert isinstance(conversation.calls[0], control.LimitLayer) and conversation.calls[0].max_layer is None


def test_a_limit_is_kept_for_when_the_track_flows() -> None:
    conversation = Conversation().join(BOB, auto_subscribe=False)
    assert tags(conversation.say(lambda number: LimitLayer(id=number, track="TR_2", rid="q"))) == ["ok"]
    conversation.say(lambda number: Subscribe(id=number, track="TR_2"))
    conversation.serve()
    conversation.say(answering(conversation.last("offer")))
    conversation.done()
    (call,) = conversation.calls
    assert isinstance(call, control.Subscribe) and call.max_layer == 0


def test_a_rid_the_track_does_not_have() -> None:
    conversation = joined()
    for name in ("TR_1", "TR_2"):
        (error,) = conversation.say(partial(_limited, track=name))
        assert error.code == "unknown_layer"


def _limited(number: int, track: str) -> LimitLayer:
    return LimitLayer(id=number, track=track, rid="x")


def test_a_limit_that_crosses_the_end_of_the_track() -> None:
    conversation = joined()
    conversation.say(lambda number: LimitLayer(id=number, track="TR_2", rid="q"))
    (error,) = conversation.refuse("unknown_subscription")
    assert error.code == "unknown_track" and conversation.closed is None


def test_layer_changes_are_told_by_rid() -> None:
    conversation = Conversation().join(BOB)
    conversation.serve()
    conversation.say(answering(conversation.last("offer")))
    conversation.done()
    audio, video = [call.subscription for call in conversation.calls if isinstance(call, control.Subscribe)]
    conversation.serve()
    for subscription, layer, expected in ((video, 2, ("TR_2", "f")), (audio, 0, ("TR_1", ""))):
        notice = control.LayerChanged(subscription=subscription, layer=layer, timestamp=0)
        (event,) = conversation.do(methodcaller("on_notice", notice, 0.0))
        assert (event.track, event.rid) == expected
    stale = control.LayerChanged(subscription="7/subscription/99", layer=0, timestamp=0)
    assert conversation.do(lambda session: session.on_notice(stale, 0.0)) == []


# --- answers ---------------------------------------------------------------------------------------------------


def test_an_answer_to_another_offer_is_refused() -> None:
    conversation = Conversation().join(BOB)
    conversation.serve()
    (error,) = conversation.answer(number=2)
    assert error.code == "unknown_offer"
    assert tags(conversation.answer()) == ["ok"]
    (error,) = conversation.answer()
    assert error.code == "unknown_offer", "one answer is enough"


def test_an_answer_that_cannot_be_read_leaves_the_offer_waiting() -> None:
    conversation = Conversation().join(BOB)
    conversation.serve()
    (error,) = conversation.answer(sdp="nonsense")
    assert error.code == "sdp_malformed" and conversation.closed is None
    assert tags(conversation.answer()) == ["ok"]


def test_a_rejected_m_line_is_never_used_again_and_its_track_not_wished() -> None:
    conversation = Conversation().join(BOB)
    conversation.serve()
    offer = conversation.last("offer")
    refusing = answer_to(offer.sdp).replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0")
    conversation.say(answering(offer, refusing))
    conversation.done()
    assert subscribe_calls(conversation) == ["TR_1"]
    assert offers(conversation.serve()) == []
    conversation.say(lambda number: Subscribe(id=number, track="TR_2"))
    conversation.done()
    assert conversation.called == ["AddSlot", "AddSlot"], "another pair, as half of the old one was turned down"


# --- limits and failures ---------------------------------------------------------------------------------------


def test_tracks_beyond_the_slots_wait_for_a_free_one() -> None:
    eve = participant("eve", track("TR_9", "camera"))
    conversation = Conversation(limits=SessionLimits(max_pairs=1)).join(participant("bob", CAMERA), eve)
    (offer,) = offers(conversation.serve())
    assert carried(offer) == {"1": "TR_2"}
    conversation.answer()
    unpublished(conversation, "TR_2")
    assert subscribe_calls(conversation) == ["TR_9"]


def test_a_worker_without_more_slots_leaves_the_others_flowing() -> None:
    conversation = Conversation().join(participant("bob", MICROPHONE, CAMERA, SCREEN))
    for _ in range(3):
        conversation.done()
    conversation.refuse("limit")
    conversation.done()
    assert conversation.called == ["RemoveSlot"], "mids follow the m-lines without gaps"
    (offer,) = offers(conversation.serve())
    assert carried(offer) == {"0": "TR_1", "1": "TR_2"}


def test_a_worker_that_opens_no_transport_is_asked_again_with_the_next_change() -> None:
    conversation = Conversation().join(BOB)
    assert conversation.refuse("limit") == [] and conversation.closed is None
    published(conversation, SCREEN)
    assert conversation.called == ["OpenTransport"]
    assert len(set(conversation.opened)) == 2


def test_a_subscription_that_fails_is_tried_again_with_the_next_change() -> None:
    conversation = Conversation().join(BOB)
    conversation.serve()
    conversation.say(answering(conversation.last("offer")))
    conversation.done()
    conversation.refuse("unknown_track")
    conversation.serve()
    published(conversation, SCREEN)
    conversation.done()
    conversation.done()
    assert subscribe_calls(conversation) == ["TR_1"]


def test_without_the_grant_nothing_flows_any_more_and_with_it_it_is_offered_again() -> None:
    conversation = joined()
    conversation.hear(Permit(replace(ALL, subscribe=False)))
    assert conversation.called == ["Unsubscribe", "Unsubscribe"]
    conversation.serve()
    assert conversation.sent[-1] == SlotsChanged(freed=("0", "1"))
    published(conversation, SCREEN)
    assert not conversation.calls, "nor does what comes later"
    conversation.hear(Permit(ALL))
    conversation.serve()
    conversation.answer()
    assert set(conversation.subscriptions) == {"TR_1", "TR_2", "TR_3"}


def test_what_is_not_permitted_ends_also_while_the_client_is_away() -> None:
    conversation = joined().lose_socket()
    conversation.hear(Permit(replace(ALL, subscribe=False)))
    assert conversation.called == ["Unsubscribe", "Unsubscribe"]
