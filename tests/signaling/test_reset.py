"""Sessions that outlive their Transports: connections that are built anew, or get new paths by an ICE restart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sfu import control
from signaling.limits import ReplayLimits, SessionLimits
from signaling.messages import (
    Ack,
    Answer,
    Error,
    Mute,
    Offer,
    ParticipantChanged,
    ParticipantLeft,
    Publish,
    RequestReset,
    Reset,
    RestartIce,
    TrackMuted,
    TrackPublished,
    TrackToPublish,
    TrackUnpublished,
    Unpublish,
)
from signaling.room_events import MediaMoved
from tests.signaling.conversations import TWO_TRACKS, Conversation, answer_to, entered, participant, tags, track
from tests.signaling.descriptions import LOCAL, audio, described

# --- connections that are built anew ---------------------------------------------------------------------------


def connected_publisher(*others: Any) -> Conversation:
    """Two tracks on a connection that works."""
    conversation = Conversation().join(*others)
    conversation.serve()
    if others:
        conversation.answer()
    conversation.publish(_0="microphone", _1="camera")
    for transport in conversation.opened:
        conversation.notice(transport, "connected")
    conversation.changes.clear()
    return conversation


def acknowledge(conversation: Conversation) -> None:
    conversation.do(lambda session: session.on_message(Ack(received=conversation.seqs[-1]), conversation.now))


def unpublish(conversation: Conversation, name: str) -> list[Any]:
    return conversation.say(lambda number: Unpublish(id=number, track=name))


def again(conversation: Conversation, *tracks: TrackToPublish, sdp: str = TWO_TRACKS) -> list[Any]:
    sent = conversation.say(lambda number: Publish(id=number, sdp=sdp, tracks=tracks))
    return sent + conversation.serve()


MICROPHONE = TrackToPublish(mid="0", source="microphone", track="TR_1")
CAMERA = TrackToPublish(mid="1", source="camera", track="TR_2", muted=True)


def test_a_lost_publish_connection_is_built_anew_with_the_same_tracks() -> None:
    conversation = connected_publisher()
    sent = conversation.notice(conversation.opened[-1], "gone", "silent")
    assert tags(sent) == ["transport_changed", "reset"] and sent[1] == Reset(connections=("publish",))
    assert conversation.changes == [
        MediaMoved("TR_1", None),
        MediaMoved("TR_2", None),
        ParticipantChanged(identity="ada", state="reconnecting"),
    ]
    acknowledge(conversation)
    conversation.changes.clear()
    sent = again(conversation, MICROPHONE, CAMERA)
    assert [(one.mid, one.track) for one in sent[0].tracks] == [("0", "TR_1"), ("1", "TR_2")]
    assert conversation.changes == [
        MediaMoved("TR_1", "TR_1/2"),
        TrackMuted(identity="ada", track="TR_2", muted=True),
        MediaMoved("TR_2", "TR_2/3"),
    ]
    assert len(conversation.opened) == 2
    conversation.notice(conversation.opened[-1], "connected")
    assert conversation.changes[-1] == ParticipantChanged(identity="ada", state="connected")


def test_what_is_asked_of_a_track_is_asked_of_what_carries_it_now() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    acknowledge(conversation)
    again(conversation, MICROPHONE, CAMERA)
    conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))
    (muting,) = conversation.calls
    assert isinstance(muting, control.SetTrackMuted) and muting.track == "TR_1/2"
    conversation.serve()
    conversation.say(lambda number: Unpublish(id=number, track="TR_2"))
    (removing,) = conversation.calls
    assert isinstance(removing, control.RemoveTrack) and removing.track == "TR_2/3"


def test_a_lost_track_that_is_not_named_is_unpublished() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    acknowledge(conversation)
    conversation.changes.clear()
    again(conversation, MICROPHONE)
    assert TrackUnpublished(identity="ada", track="TR_2") in conversation.changes
    (refused,) = again(conversation, CAMERA)
    assert refused.code == "unknown_track"


def test_lost_tracks_can_be_muted_and_unpublished_meanwhile() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    acknowledge(conversation)
    conversation.changes.clear()
    assert tags(conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))) == ["ok"]
    for name in ("TR_1", "TR_2"):
        assert tags(unpublish(conversation, name)) == ["ok"]
    assert conversation.calls == []
    # Nothing is left to build a connection for.
    assert conversation.changes[-1] == ParticipantChanged(identity="ada", state="connected")
    assert conversation.session.next_timeout() is None


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (TrackToPublish(mid="0", source="screen_audio", track="TR_1"), "sdp_unsupported"),
        (TrackToPublish(mid="1", source="camera", track="TR_9"), "unknown_track"),
        (TrackToPublish(mid="1", source="camera", track="TR_1"), "sdp_unsupported"),
    ],
)
def test_a_track_stays_what_it_was(wish: TrackToPublish, code: str) -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    acknowledge(conversation)
    (refused,) = again(conversation, wish)
    assert refused.code == code
    assert tags(again(conversation, MICROPHONE, CAMERA)) == ["published"], "and is not lost by it"


def test_one_track_does_not_go_on_at_two_places() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    acknowledge(conversation)
    sdp = described(audio("0"), audio("1"))
    twice = [TrackToPublish(mid=mid, source="microphone", track="TR_1") for mid in "01"]
    (refused,) = again(conversation, *twice, sdp=sdp)
    assert refused.code == "sdp_unsupported"


def test_a_publish_from_before_the_reset_is_declined() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    (refused,) = again(conversation, sdp=TWO_TRACKS)
    assert refused.code == "connection_reset" and conversation.closed is None
    acknowledge(conversation)
    assert tags(again(conversation, MICROPHONE, CAMERA)) == ["published"]


def test_what_was_under_way_on_a_lost_connection_is_declined() -> None:
    conversation = connected_publisher()
    first = conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))
    second = conversation.say(lambda number: Unpublish(id=number, track="TR_2"))
    assert first == second == []
    sent = conversation.notice(conversation.opened[-1], "gone")
    assert [message.code for message in sent if isinstance(message, Error)] == ["connection_reset"] * 2
    while conversation.calls:
        conversation.refuse("unknown_transport")
    assert conversation.closed is None


def test_who_does_not_build_it_anew_is_gone() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    assert conversation.session.next_timeout() == 15.0
    conversation.do(lambda session: session.on_timeout(15.0))
    assert conversation.end == (4410, "transport_lost") and conversation.departed == "timeout"


def test_a_connection_that_cannot_be_made_anew_ends_the_session() -> None:
    conversation = connected_publisher()
    conversation.notice(conversation.opened[-1], "gone")
    acknowledge(conversation)
    again(conversation, MICROPHONE, CAMERA)
    assert conversation.session.next_timeout() is None, "the Worker minds the time"
    conversation.notice(conversation.opened[-1], "gone", "handshake_timeout")
    assert conversation.end == (4410, "transport_lost")


def test_a_lost_subscribe_connection_is_offered_anew() -> None:
    bob = participant("bob", track("TR_9"))
    conversation = connected_publisher(bob)
    first = conversation.opened[0]
    sent = conversation.notice(first, "gone", "silent")
    assert tags(sent) == ["transport_changed", "reset"]
    assert conversation.called == ["OpenTransport"]
    assert conversation.opened[-1] != first
    offers = [message for message in conversation.serve() if isinstance(message, Offer)]
    assert [(offer.offer, [slot.track for slot in offer.slots]) for offer in offers] == [(2, ["TR_9"])]
    # The answer to the offer of the old one comes too late.
    stale = conversation.say(lambda number: Answer(id=number, offer=1, sdp=""))
    assert stale[0].code == "unknown_offer" and conversation.closed is None
    conversation.answer()
    conversation.notice(conversation.opened[-1], "connected")
    seen = [change.state for change in conversation.changes if isinstance(change, ParticipantChanged)]
    assert seen == ["reconnecting", "connected"]


def test_an_offer_that_was_being_made_for_a_lost_connection_is_made_for_the_next() -> None:
    conversation = connected_publisher(participant("bob", track("TR_9")))
    conversation.session.on_room_event(TrackPublished(identity="eve", track=track("TR_8")))
    conversation.do(lambda session: None)
    assert conversation.called == ["AddSlot", "AddSlot"]
    stale = list(conversation.calls)
    conversation.calls.clear()
    conversation.notice(conversation.opened[0], "gone")
    added = control.SlotAdded(call=stale[0].call, ssrc=1, rtx_ssrc=2)
    conversation.do(lambda session: session.on_reply(added))
    conversation.serve()
    assert [slot.track for slot in conversation.last("offer").slots] == ["TR_9", "TR_8"]


def test_with_nothing_to_receive_there_is_nothing_to_wait_for() -> None:
    conversation = connected_publisher(participant("bob", track("TR_9")))
    conversation.hear(ParticipantLeft(identity="bob", reason="left"))
    conversation.serve()
    conversation.answer()
    conversation.notice(conversation.opened[0], "gone")
    assert conversation.calls == []
    seen = [change.state for change in conversation.changes if isinstance(change, ParticipantChanged)]
    assert seen == []


def test_somebody_elses_track_that_moves_flows_again_without_an_offer() -> None:
    conversation = Conversation().join(participant("bob", track("TR_9")))
    conversation.serve()
    conversation.answer()
    conversation.hear(MediaMoved("TR_9", None))
    assert conversation.calls == []
    conversation.hear(MediaMoved("TR_9", "TR_9/2"))
    (subscribing,) = conversation.calls
    assert isinstance(subscribing, control.Subscribe) and subscribing.track == "TR_9/2"
    conversation.serve()
    assert len([message for message in conversation.sent if isinstance(message, Offer)]) == 1


def test_a_newcomer_knows_which_tracks_have_moved() -> None:
    conversation = Conversation()
    others = (participant("bob", track("TR_8"), track("TR_9")),)
    conversation.enter(entered(*others, media={"TR_8": "TR_8/2", "TR_9": None}))
    conversation.serve()
    conversation.say(lambda number: answer_of(conversation, number))
    while "Subscribe" not in conversation.called:
        conversation.done()
    assert [call.track for call in conversation.calls if isinstance(call, control.Subscribe)] == ["TR_8/2"]


def answer_of(conversation: Conversation, number: int) -> Answer:
    offer = conversation.last("offer")
    return Answer(id=number, offer=offer.offer, sdp=answer_to(offer.sdp))


def test_a_client_may_ask_for_a_new_connection() -> None:
    conversation = connected_publisher()
    sent = conversation.say(lambda number: RequestReset(id=number, connection="publish"))
    assert tags(sent) == ["ok", "reset"]
    assert conversation.called == ["CloseTransport"]
    conversation.serve()
    acknowledge(conversation)
    assert tags(again(conversation, MICROPHONE, CAMERA)) == ["published"]
    assert tags(conversation.say(lambda number: RequestReset(id=number, connection="subscribe"))) == ["ok"]


def test_connections_lost_while_away_are_built_anew_afterwards() -> None:
    conversation = connected_publisher(participant("bob", track("TR_9")))
    received = conversation.seqs[-1]
    conversation.lose_socket()
    for transport in conversation.opened:
        conversation.notice(transport, "gone", "silent")
    assert conversation.calls == [] and conversation.closed is None
    sent = conversation.resume(received)
    assert tags(sent) == ["resumed", *["transport_changed", "reset"] * 2]
    assert conversation.called == ["OpenTransport"]
    conversation.serve()
    acknowledge(conversation)
    assert tags(again(conversation, MICROPHONE, CAMERA)) == ["published"]


def test_what_is_to_be_built_anew_is_part_of_how_things_stand() -> None:
    limits = replace(SessionLimits(), replay=ReplayLimits(messages=1))
    conversation = Conversation(limits=limits).join()
    conversation.publish(_0="microphone", _1="camera")
    received = conversation.seqs[-1]
    conversation.lose_socket()
    conversation.notice(conversation.opened[0], "gone", "never_connected")
    sent = conversation.resume(received)
    assert tags(sent) == ["resynced", "reset"]
    (refused,) = again(conversation, MICROPHONE, CAMERA)
    assert refused.code == "connection_reset"
    acknowledge(conversation)
    assert tags(again(conversation, MICROPHONE, CAMERA)) == ["published"]


# --- ICE restart -----------------------------------------------------------------------------------------------


def test_a_restart_of_our_offers_is_an_offer_with_new_credentials() -> None:
    conversation = Conversation().join(participant("bob", track("TR_9")))
    conversation.serve()
    conversation.answer()
    conversation.say(lambda number: RestartIce(id=number, connection="subscribe"))
    assert conversation.called == ["RestartIce"]
    call = conversation.calls.pop()
    opened = control.TransportOpened(
        call=call.call,
        ice=control.IceParameters("fresh", "freshfreshfreshfreshfresh"),
        fingerprints=LOCAL.fingerprints,
        candidates=[],
    )
    sent = conversation.do(lambda session: session.on_reply(opened))
    assert tags(sent) == ["ok", "offer"]
    assert "a=ice-ufrag:fresh" in sent[1].sdp and sent[1].offer == 2
    assert tags(conversation.answer()) == ["ok"]


def test_a_restart_waits_for_the_answer_to_the_offer_before() -> None:
    conversation = Conversation().join(participant("bob", track("TR_9")))
    conversation.serve()
    conversation.say(lambda number: RestartIce(id=number, connection="subscribe"))
    assert tags(conversation.serve()) == ["ok"]
    assert tags(conversation.answer()) == ["ok", "offer"]


def test_without_a_connection_there_is_nothing_to_restart() -> None:
    conversation = Conversation().join()
    (refused,) = conversation.say(lambda number: RestartIce(id=number, connection="subscribe"))
    assert refused.code == "connection_reset" and conversation.closed is None
