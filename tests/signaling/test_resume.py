"""Sessions that outlive their sockets: who may come back, to what, and what the others see of it."""

from __future__ import annotations

import pytest

from sfu.core.types import TransportState
from signaling.errors import ProtocolError, Refused
from signaling.limits import ReplayLimits, SessionLimits
from signaling.messages import (
    Ack,
    Closing,
    Error,
    Leave,
    Mute,
    Ok,
    ParticipantChanged,
    ParticipantLeft,
    Ping,
    Resume,
    Resumed,
    ResumeTicket,
    Resynced,
    TrackMuted,
    TrackPublished,
)
from signaling.presence import Presence
from signaling.resume import MAX_REPLACED, ResumeTokens
from signaling.room_events import Evicted
from signaling.session_state import State
from signaling.subprotocols import MSGPACK
from tests.signaling.conversations import Conversation, entered, participant, tags, track

# --- who may come back -----------------------------------------------------------------------------------------


def tokens() -> ResumeTokens:
    numbers = iter(range(1, 10**6))
    return ResumeTokens(lambda count: next(numbers).to_bytes(count, "big"))


def test_a_token_is_good_until_the_next_one_is_issued() -> None:
    kept = tokens()
    first = kept.issue(7, "demo")
    assert kept.session_of(first, "demo", 0.0) == kept.session_of(first, "demo", 0.0) == 7
    second = kept.issue(7, "demo")
    assert first != second and kept.session_of(second, "demo", 0.0) == 7
    with pytest.raises(Refused, match="resume_invalid"):
        kept.session_of(first, "demo", 0.0)
    assert len(kept) == 1


@pytest.mark.parametrize("token", ["", "AAAA", "x" * 100_000, "ü\ud800"])
def test_tokens_that_were_never_given_are_refused(token: str) -> None:
    kept = tokens()
    kept.issue(7, "demo")
    with pytest.raises(Refused, match="resume_invalid"):
        kept.session_of(token, "demo", 0.0)


def test_a_token_is_for_its_room_and_ends_with_its_session() -> None:
    kept = tokens()
    token = kept.issue(7, "demo")
    with pytest.raises(Refused, match="resume_invalid"):
        kept.session_of(token, "other", 0.0)
    kept.withdraw(7)
    kept.withdraw(7)
    with pytest.raises(Refused, match="resume_invalid"):
        kept.session_of(token, "demo", 0.0)
    assert len(kept) == 0


def test_who_was_replaced_is_told_so_for_a_while() -> None:
    kept = tokens()
    token = kept.issue(7, "demo")
    kept.remember_replaced(7, until=30.0)
    with pytest.raises(ProtocolError, match="replaced"):
        kept.session_of(token, "demo", 29.9)
    with pytest.raises(Refused, match="resume_invalid"):
        kept.session_of(token, "demo", 30.0)
    for number in range(MAX_REPLACED + 5):
        kept.issue(number, "demo")
        kept.remember_replaced(number, until=100.0)
    assert len(kept._replaced) == MAX_REPLACED


# --- what the others see ---------------------------------------------------------------------------------------

LIMITS = SessionLimits(resume_within_s=30.0, resume_grace_s=2.0, rebuild_timeout_s=15.0)


def test_a_blip_is_told_nobody_and_a_long_absence_ends() -> None:
    presence = Presence(LIMITS)
    presence.on_socket_lost(10.0)
    assert presence.away and presence.next_timeout() == 12.0
    presence.on_socket_back(11.9)
    assert presence.change() is None and presence.next_timeout() is None
    presence.on_socket_lost(20.0)
    presence.on_timeout(22.0)
    assert presence.change() == "reconnecting" and presence.change() is None
    assert presence.next_timeout() == 50.0
    assert not presence.lost_for_good(49.9) and presence.lost_for_good(50.0)
    presence.on_socket_back(49.9)
    assert presence.change() == "connected"


def test_reconnecting_lasts_until_nothing_is_missing() -> None:
    presence = Presence(LIMITS)
    presence.on_transport("publish", TransportState.CONNECTED)
    presence.on_transport("publish", TransportState.RECONNECTING)
    assert presence.change() == "reconnecting"
    presence.on_reset("subscribe", 0.0)
    presence.on_transport("publish", TransportState.CONNECTED)
    assert presence.change() is None
    presence.on_rebuilding("subscribe")
    assert presence.change() is None
    presence.on_transport("subscribe", TransportState.CONNECTED)
    assert presence.change() == "connected"


def test_the_time_to_build_anew_runs_only_while_the_client_is_here() -> None:
    presence = Presence(LIMITS)
    presence.on_socket_lost(0.0)
    presence.on_reset("publish", 1.0)
    assert presence.overdue(29.0) is None
    presence.on_socket_back(29.0)
    assert presence.next_timeout() == 44.0 and presence.rebuilding() == ("publish",)
    assert presence.overdue(43.9) is None and presence.overdue(44.0) == "publish"


# --- a session without a socket --------------------------------------------------------------------------------


def test_a_lost_socket_says_nothing_and_ends_nothing() -> None:
    conversation = Conversation().join(participant("bob", track("TR_9")))
    conversation.serve()
    conversation.lose_socket()
    assert conversation.away and conversation.departed is None
    assert conversation.hear(ParticipantLeft(identity="bob", reason="left")) == []
    sent = conversation.resume(1)
    assert sent[0] == Resumed(id=500, resume=ResumeTicket(token="next", within_s=30.0), handled=1)
    assert tags(sent[1:]) == ["participant_left"]
    assert conversation.session.subprotocol is MSGPACK


def test_messages_are_numbered_from_the_one_after_joined() -> None:
    conversation = Conversation().join()
    for _ in range(3):
        conversation.say(lambda number: Ping(id=number))
    assert conversation.seqs == [0, 1, 2, 3]


def test_who_does_not_come_back_has_left() -> None:
    conversation = Conversation().join().lose_socket()
    assert conversation.session.next_timeout() == 2.0
    conversation.do(lambda session: session.on_timeout(2.0))
    assert conversation.changes == [ParticipantChanged(identity="ada", state="reconnecting")]
    assert conversation.session.next_timeout() == 30.0
    conversation.do(lambda session: session.on_timeout(30.0))
    assert conversation.departed == "disconnected" and conversation.session.state is State.CLOSED


def test_no_transports_are_opened_for_nobody() -> None:
    conversation = Conversation().join().lose_socket()
    conversation.session.on_room_event(TrackPublished(identity="bob", track=track("TR_9")))
    conversation.do(lambda session: None)
    assert conversation.calls == []
    conversation.resume(0)
    assert conversation.called == ["OpenTransport"]


def test_what_was_asked_before_is_not_done_twice() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    muting = Mute(id=9, track="TR_1", muted=True)
    conversation.do(lambda session: session.on_message(muting, 0.0))
    conversation.lose_socket()
    conversation.serve()
    sent = conversation.resume(conversation.seqs[-1])
    assert sent[0].handled == 9 and tags(sent[1:]) == ["ok"]
    assert conversation.do(lambda session: session.on_message(muting, 0.0)) == []
    assert conversation.called == [] and conversation.closed is None
    # What came after it is new, and what is older than new breaks the rules, as ever.
    assert tags(conversation.do(lambda session: session.on_message(Ping(id=10), 0.0))) == ["ok"]
    assert tags(conversation.do(lambda session: session.on_message(Ping(id=10), 0.0))) == ["error", "closing"]


def test_more_than_is_kept_is_told_as_a_whole() -> None:
    limits = SessionLimits(replay=ReplayLimits(messages=2))
    conversation = Conversation(limits=limits).join(participant("bob", track("TR_9")))
    conversation.serve()
    offer = conversation.last("offer")
    conversation.lose_socket()
    for muted in (True, False, True):
        event = TrackMuted(identity="bob", track="TR_9", muted=muted)
        conversation.hear(event)
    present = entered(participant("bob", track("TR_9")))
    sent = conversation.resume(0, present)
    assert sent[0] == Resynced(
        id=500,
        resume=ResumeTicket(token="next", within_s=30.0),
        handled=1,
        you=present.you,
        grants=present.grants,
        participants=present.others,
        state=present.room,
    )
    assert sent[1:] == [offer], "the offer that waits for its answer"
    assert tags(conversation.answer()) == ["ok"]


def test_a_token_that_is_refused_leaves_the_way_to_join() -> None:
    conversation = Conversation()
    assert conversation.say(lambda number: Resume(id=number, token="old", received=3)) == []
    assert conversation.taking_up is not None and conversation.taking_up.token == "old"
    refusal = Refused("resume_invalid", "because")
    sent = conversation.do(lambda session: session.on_refused(refusal))
    assert sent == [Error(id=1, code="resume_invalid", reason="because")]
    conversation.join()
    assert conversation.session.state is State.JOINED


def test_who_was_replaced_is_closed_with_4409() -> None:
    conversation = Conversation()
    conversation.say(lambda number: Resume(id=number, token="old", received=3))
    sent = conversation.do(lambda session: session.on_refused(ProtocolError("replaced", "elsewhere")))
    assert tags(sent) == ["error", "closing"] and conversation.end == (4409, "replaced")


def test_evicted_while_away() -> None:
    conversation = Conversation().join().lose_socket()
    assert conversation.hear(Evicted("replaced", "elsewhere")) == []
    assert conversation.end == (4409, "replaced") and conversation.departed == "replaced"


def test_acks_need_a_session() -> None:
    conversation = Conversation()
    conversation.do(lambda session: session.on_message(Ack(received=0), 0.0))
    assert conversation.end == (4400, "unexpected")


def test_leaving_after_coming_back_is_leaving() -> None:
    conversation = Conversation().join().lose_socket()
    conversation.resume(0)
    assert conversation.say(lambda number: Leave(id=number)) == [Ok(id=2)]
    assert conversation.departed == "left"
    assert not [message for message in conversation.sent if isinstance(message, Closing)]
