"""Sessions without sockets: what may come when, and how each thing that can happen to a session ends it."""

from __future__ import annotations

from operator import methodcaller
from typing import Any

import pytest

from sfu import control
from sfu.core.types import TransportState
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.limits import SessionLimits
from signaling.messages import (
    Answer,
    AnyRequest,
    Closing,
    Error,
    Join,
    Joined,
    Leave,
    LimitLayer,
    Mute,
    Ok,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    Ping,
    Publish,
    RequestReset,
    RestartIce,
    Resume,
    Subscribe,
    TransportChanged,
    Unpublish,
    Unsubscribe,
)
from signaling.moderation_messages import InLobby, Moved, Remove
from signaling.outputs import Close
from signaling.room_events import Evicted, Transfer
from signaling.session_state import State
from tests.signaling.conversations import (
    ALL,
    ICE_SERVERS,
    ROOM,
    TICKET,
    Conversation,
    entered,
    participant,
    refusing,
    tags,
    track,
)
from tests.signaling.descriptions import audio, described

REQUESTS: tuple[AnyRequest, ...] = (
    Join(id=9, token=""),
    Resume(id=9, token="", received=0),
    Publish(id=9, sdp=""),
    Unpublish(id=9, track="TR_9"),
    Mute(id=9, track="TR_9", muted=True),
    Subscribe(id=9, track="TR_9"),
    Unsubscribe(id=9, track="TR_9"),
    LimitLayer(id=9, track="TR_9", rid=None),
    Answer(id=9, offer=1, sdp=""),
    RestartIce(id=9, connection="subscribe"),
    RequestReset(id=9, connection="publish"),
    Ping(id=9),
    Leave(id=9),
)


def test_joining_is_answered_with_everybody_who_is_there() -> None:
    conversation = Conversation()
    assert conversation.say(lambda number: Join(id=number, token="t")) == []
    assert conversation.entering is not None and conversation.entering.grant.identity == "ada"
    conversation = Conversation().join(participant("bob"))
    assert conversation.sent == [
        Joined(
            id=1,
            room="demo",
            you=participant("ada"),
            grants=ALL,
            participants=(participant("bob"),),
            state=ROOM,
            ice_servers=ICE_SERVERS,
            resume=TICKET,
        )
    ]
    assert conversation.session.state is State.JOINED


@pytest.mark.parametrize(
    "request_", [one for one in REQUESTS if not isinstance(one, Join | Resume)], ids=lambda one: type(one).__name__
)
def test_nothing_but_join_and_resume_may_come_first(request_: AnyRequest) -> None:
    conversation = Conversation()
    sent = conversation.do(lambda session: session.on_message(request_, 0.0))
    assert tags(sent) == ["error", "closing"]
    assert (sent[0].id, sent[0].code) == (9, "unexpected")
    assert conversation.closed == Close(4400, "unexpected", sent[0].reason)


def test_a_second_join_is_unexpected() -> None:
    conversation = Conversation().join()
    sent = conversation.say(lambda number: Join(id=number, token=""))
    assert tags(sent) == ["error", "closing"] and conversation.departed == "disconnected"


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_nothing_happens_after_the_end(request_: AnyRequest) -> None:
    conversation = Conversation().join()
    conversation.say(lambda number: Leave(id=number))
    session = conversation.session
    session.on_frame('{"type": "leave", "id": 4}', 0.0)
    session.on_room_event(ParticipantJoined(participant=participant("bob", track("TR_1"))))
    session.on_notice(control.TransportChanged(transport="7/transport/1", state="gone"), 0.0)
    session.on_reply(control.Done(call=1))
    session.on_disconnected(0.0, leaving=True)
    session.on_shutdown()
    session.on_fault()
    session.on_timeout(100.0)
    assert session.poll() is None


@pytest.mark.parametrize("id", [0, 1, -5])
def test_ids_only_grow(id: int) -> None:
    conversation = Conversation().join()
    sent = conversation.do(lambda session: session.on_message(Leave(id=id), 0.0))
    assert sent[0].code == "unexpected" and conversation.closed is not None


def test_leaving_closes_with_1000_and_without_a_farewell() -> None:
    conversation = Conversation().join()
    assert conversation.say(lambda number: Leave(id=number)) == [Ok(id=2)]
    assert (conversation.departed, conversation.closed) == ("left", Close(1000, "left", ""))


@pytest.mark.parametrize("code", ["token_invalid", "token_expired", "token_wrong_room"])
def test_a_bad_token_closes_with_4401(code: str) -> None:
    conversation = Conversation(authenticate=refusing(code))
    sent = conversation.say(lambda number: Join(id=number, token="t"))
    assert sent == [Error(id=1, code=code, reason="because"), Closing(code=code, reason="because")]
    assert conversation.closed == Close(4401, code, "because")


@pytest.mark.parametrize(
    ("code", "ws_code"), [("room_not_found", 4404), ("identity_in_use", 4409), ("limit", 4429), ("not_granted", 4403)]
)
def test_a_room_that_refuses_us_closes(code: str, ws_code: int) -> None:
    conversation = Conversation()
    conversation.say(lambda number: Join(id=number, token="t"))
    sent = conversation.do(lambda session: session.on_refused(Refused(code, "because")))
    assert sent == [Error(id=1, code=code, reason="because"), Closing(code=code, reason="because")]
    assert conversation.closed == Close(ws_code, code, "because")


def test_join_has_ten_seconds() -> None:
    conversation = Conversation()
    assert conversation.session.next_timeout() == 10.0
    assert conversation.do(lambda session: session.on_timeout(9.9)) == []
    assert tags(conversation.do(lambda session: session.on_timeout(10.0))) == ["closing"]
    assert conversation.closed is not None and conversation.closed.ws_code == 4408


def test_who_has_joined_waits_for_nothing() -> None:
    conversation = Conversation().join()
    assert conversation.session.next_timeout() is None
    assert conversation.do(lambda session: session.on_timeout(1000.0)) == []


FRAMES = {
    "not json": ("nonsense", "malformed"),
    "no object": ("[]", "malformed"),
    "no type": ('{"id": 2}', "malformed"),
    "unknown type": ('{"type": "dance", "id": 2}', "unknown_type"),
    "a message of ours": ('{"type": "ok", "id": 2}', "unknown_type"),
    "binary": (b"\x80", "malformed"),
    "too large": ('"' + "x" * (320 << 10) + '"', "too_large"),
    "deep": ("[" * 100_000, "malformed"),
}


@pytest.mark.parametrize(("frame", "code"), FRAMES.values(), ids=FRAMES.keys())
def test_a_frame_that_is_no_message_closes(frame: str | bytes, code: str) -> None:
    conversation = Conversation().join()
    sent = conversation.do(lambda session: session.on_frame(frame, 0.0))
    assert tags(sent) == ["closing"] and sent[0].code == code
    assert conversation.closed is not None and conversation.closed.ws_code == (1009 if code == "too_large" else 4400)


def test_too_many_messages_close_but_a_burst_is_fine() -> None:
    conversation = Conversation(limits=SessionLimits(messages_per_s=10.0, messages_burst=5)).join()
    mute = '{"type": "mute", "id": %d, "track": "TR_9", "muted": true}'
    for id in range(2, 7):
        conversation.do(methodcaller("on_frame", mute % id, 0.0))
    conversation.do(lambda session: session.on_frame(mute % 7, 0.1))
    assert conversation.end is None
    conversation.do(lambda session: session.on_frame(mute % 8, 0.1))
    assert conversation.end == (4429, "rate")


def test_too_many_bytes_close_but_a_large_message_is_fine() -> None:
    conversation = Conversation(limits=SessionLimits(bytes_per_s=1000.0, bytes_burst=5000)).join()
    large = '{"type": "mute", "id": %d, "track": "' + "x" * 4000 + '", "muted": true}'
    conversation.do(methodcaller("on_frame", large % 2, 0.0))
    conversation.do(methodcaller("on_frame", large % 3, 4.0))
    assert conversation.end is None
    conversation.do(methodcaller("on_frame", large % 4, 5.0))
    assert conversation.end == (4429, "rate")


def test_requests_waiting_for_the_worker_are_limited() -> None:
    conversation = Conversation(limits=SessionLimits(max_waiting=3)).join()
    conversation.publish(_0="microphone")
    for _ in range(4):
        assert conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True)) == []
    sent = conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))
    assert tags(sent) == ["error", "closing"] and sent[0].code == "rate"


def test_a_replaced_session_is_told_why() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    sent = conversation.do(lambda session: session.on_room_event(Evicted("replaced", "elsewhere")))
    assert sent == [Closing(code="replaced", reason="elsewhere")]
    assert conversation.called == ["CloseTransport"]
    assert conversation.closed == Close(4409, "replaced", "elsewhere")


def test_the_end_closes_both_connections_and_asks_nothing_more() -> None:
    conversation = Conversation().join(participant("bob", track("TR_1")))
    conversation.serve()
    conversation.publish(_0="microphone")
    conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))
    conversation.calls.clear()
    conversation.do(lambda session: session.on_disconnected(0.0, leaving=True))
    assert conversation.called == ["CloseTransport", "CloseTransport"]
    assert (conversation.departed, conversation.closed) == ("disconnected", Close(1000, "left", ""))


def test_a_transport_that_is_being_opened_is_closed_too() -> None:
    conversation = Conversation().join()
    conversation.say(lambda number: Publish(id=number, sdp=described(audio("0"))))
    (opening,) = conversation.calls
    assert isinstance(opening, control.OpenTransport)
    conversation.do(lambda session: session.on_disconnected(0.0, leaving=True))
    closing = conversation.calls[-1]
    assert isinstance(closing, control.CloseTransport) and closing.transport == opening.transport


def test_room_events_are_passed_on() -> None:
    conversation = Conversation().join()
    event = ParticipantLeft(identity="bob", reason="timeout")
    assert conversation.do(lambda session: session.on_room_event(event)) == [event]


def test_shutdown_and_faults_have_codes_of_their_own() -> None:
    for feed, code, ws_code in (("on_shutdown", "server_shutdown", 1001), ("on_fault", "internal", 1011)):
        conversation = Conversation().join()
        (farewell,) = conversation.do(methodcaller(feed))
        assert farewell.code == code
        assert conversation.end == (ws_code, code)


# --- the connections as the Worker sees them -------------------------------------------------------------------


def published() -> tuple[Conversation, str]:
    """A conversation with one connection, and its name."""
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    return conversation, conversation.opened[0]


def notice(conversation: Conversation, transport: str, state: str, reason: str = "") -> list[object]:
    message = control.TransportChanged(transport=transport, state=state, reason=reason)
    return conversation.do(lambda session: session.on_notice(message, conversation.now))


def test_a_silent_connection_is_told_to_us_and_to_the_others() -> None:
    conversation, transport = published()
    assert notice(conversation, transport, "connected") == [
        TransportChanged(connection="publish", state=TransportState.CONNECTED)
    ]
    assert conversation.changes[1:] == []
    notice(conversation, transport, "reconnecting")
    notice(conversation, transport, "connected")
    assert conversation.changes[1:] == [
        ParticipantChanged(identity="ada", state="reconnecting"),
        ParticipantChanged(identity="ada", state="connected"),
    ]


def test_with_two_silent_connections_the_others_hear_of_it_once() -> None:
    conversation = Conversation().join(participant("bob", track("TR_9")))
    conversation.serve()
    conversation.publish(_0="microphone")
    for state in ("reconnecting", "connected"):
        for transport in conversation.opened:
            notice(conversation, transport, state)
    states = [change.state for change in conversation.changes if isinstance(change, ParticipantChanged)]
    assert states == ["reconnecting", "connected"]


@pytest.mark.parametrize("reason", ["never_connected", "handshake_timeout", "fingerprint_mismatch", "internal"])
def test_a_connection_that_never_was_one_ends_the_session(reason: str) -> None:
    conversation, transport = published()
    sent = notice(conversation, transport, "gone", reason)
    assert sent == [
        TransportChanged(connection="publish", state=TransportState.GONE),
        Closing(code="transport_lost", reason=f"publish: {reason}"),
    ]
    assert conversation.calls == [], "what is gone is not closed"
    assert conversation.departed == "disconnected"
    assert conversation.closed is not None and conversation.closed.ws_code == 4410


def test_notices_of_other_transports_are_not_ours() -> None:
    conversation, _ = published()
    assert notice(conversation, "7/transport/99", "gone") == []


# --- the lobby, and moderators ---


def waiting() -> Conversation:
    conversation = Conversation()
    conversation.say(lambda number: Join(id=number, token="t"))
    conversation.do(lambda session: session.on_waiting())
    return conversation


def test_who_waits_is_told_so_and_answered_when_admitted() -> None:
    conversation = waiting()
    assert conversation.sent == [InLobby(room="demo")]
    sent = conversation.do(lambda session: session.on_entered(entered(participant("bob")), "token"))
    assert tags(sent) == ["joined"] and sent[0].id == 1


@pytest.mark.parametrize(
    "request_", [one for one in REQUESTS if not isinstance(one, Ping | Leave)], ids=lambda one: type(one).__name__
)
def test_who_waits_may_do_nothing_but_wait(request_: Any) -> None:
    conversation = waiting()
    conversation.do(lambda session: session.on_message(request_, 0.0))
    assert conversation.end == (4400, "unexpected")


def test_who_waits_hears_nothing_of_the_room() -> None:
    conversation = waiting()
    assert conversation.hear(ParticipantLeft(identity="bob", reason="left")) == []


@pytest.mark.parametrize(("code", "ws_code"), [("denied", 4403), ("room_full", 4429), ("room_deleted", 4404)])
def test_who_is_not_let_in_is_told_why(code: str, ws_code: int) -> None:
    conversation = waiting()
    sent = conversation.hear(Evicted(code, "because", "removed"))
    assert tags(sent) == ["error", "closing"] and conversation.end == (ws_code, code)


def test_who_is_put_out_is_told_why() -> None:
    conversation = Conversation().join()
    conversation.hear(Evicted("removed", "spam", "removed"))
    assert conversation.departed == "removed" and conversation.end == (4403, "removed")


def test_who_is_moved_gets_a_token_for_the_other_room() -> None:
    conversation = Conversation().join()
    sent = conversation.hear(Transfer(Grant("ada", "Ada", "red", ALL)))
    assert sent == [Moved(room="red", token="token for red"), Closing(code="moved", reason="moved to red")]
    assert conversation.end == (4411, "moved")


def test_moderating_is_asked_of_the_room_and_a_refusal_ends_nothing() -> None:
    conversation = Conversation().join()
    request = Remove(id=50, participant="bob")
    assert conversation.do(lambda session: session.on_message(request, 0.0)) == []
    assert conversation.moderating == request
    sent = conversation.do(lambda session: session.on_moderated(request, Refused("banned", "because")))
    assert sent == [Error(id=50, code="banned", reason="because")] and conversation.end is None
    assert conversation.do(lambda session: session.on_moderated(request, None)) == [Ok(id=50)]
