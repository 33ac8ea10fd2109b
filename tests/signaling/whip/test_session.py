"""HTTP sessions without HTTP: what each request does when, and how everything that can happen ends them."""

from __future__ import annotations

import pytest

from sfu import control
from signaling.errors import ProtocolError, Refused
from signaling.limits import SessionLimits
from signaling.messages import ParticipantChanged, ParticipantJoined, TrackPublished
from signaling.room_events import Evicted
from signaling.whip.exchange import Created, Declined, Ended, Restarted, Taken
from signaling.whip.session import Direction, State
from tests.signaling.conversations import participant, track
from tests.signaling.descriptions import audio, described, section, video
from tests.signaling.whip.exchanges import NEW_ICE, RECEIVED, SAME_ICE, SENT, Exchange, authenticate, code

H265 = section("video 9 UDP/TLS/RTP/SAVPF 98", "1", "a=rtpmap:98 H265/90000", "a=sendonly")
BOTH: list[Direction] = ["whip", "whep"]


def test_publishing_enters_the_room_and_is_answered_when_the_tracks_are_there() -> None:
    exchange = Exchange()
    assert exchange.post(SENT) == []
    assert exchange.entering is not None and exchange.entering.identity == "ada"
    assert exchange.calls == []
    exchange.enter(participant("bob", track("TR_9")))
    (created,) = exchange.serve()
    assert isinstance(created, Created)
    assert created.answer.count("a=recvonly") == 2 and "sendonly" not in created.answer
    assert created.entity_tag == '"0abcdefgh"'
    assert [type(command).__name__ for command in exchange.served] == [
        *("OpenTransport", "ConnectTransport", "AddTrack", "AddTrack")
    ]
    assert [(one.track.kind, one.track.source) for one in exchange.changes if isinstance(one, TrackPublished)] == [
        ("audio", "microphone"),
        ("video", "camera"),
    ]
    assert exchange.session.next_timeout() is None and exchange.session.client == "test"


def test_a_second_line_of_a_kind_is_the_screen() -> None:
    offer = described(video("0"), audio("1"), video("2"), audio("3"))
    exchange = Exchange().begin(offer=offer)
    sources = [one.track.source for one in exchange.changes if isinstance(one, TrackPublished)]
    assert sources == ["camera", "microphone", "screen", "screen_audio"]


OFFERS = {
    "not sdp": ("nonsense", "sdp_malformed"),
    "receives": (described(audio("0", "a=recvonly")), "sdp_unsupported: line 6: this m-line has to be a=sendonly or"),
    "inactive": (described(audio("0"), video("1", "a=inactive")), "sdp_unsupported: line 16"),
    "no codec": (described(audio("0"), H265), "sdp_unsupported: line 16: this m-line cannot be used"),
    "no codec first": (described(H265), "sdp_unsupported: line 6: of video, VP8, H.264"),
    "outside the group": (described(audio("0"), video("1"), bundle="0"), "sdp_unsupported: line 16"),
    "something else": (described(audio("0"), ["m=text 9 RTP/AVP 98", "a=mid:t"], bundle="0"), "sdp_unsupported"),
    "three of a kind": (described(audio("0"), audio("1"), audio("2")), "sdp_unsupported: line 26: more than 2 m-lines"),
    "only data": (
        described(section("application 9 UDP/DTLS/SCTP webrtc-datachannel", "0", "a=sctp-port:5000")),
        "sdp_unsupported: there is neither audio nor video",
    ),
}


@pytest.mark.parametrize(("offer", "expected"), OFFERS.values(), ids=OFFERS.keys())
def test_an_offer_is_taken_whole_or_refused_before_the_room_is_entered(offer: str, expected: str) -> None:
    exchange = Exchange()
    (declined,) = exchange.post(offer)
    assert isinstance(declined, Declined)
    assert f"{declined.code}: {declined.reason}".startswith(expected)
    assert exchange.entering is None and exchange.calls == [] and exchange.closed is not None


@pytest.mark.parametrize("offer", [described(audio("0", "a=sendonly")), described(audio("0", "a=inactive"))])
def test_a_viewer_has_to_receive(offer: str) -> None:
    assert code(Exchange("whep").post(offer)) == "sdp_unsupported"


def test_a_publisher_is_never_asked_to_send_less() -> None:
    """It would not understand, and there is nothing it could be told by."""
    exchange = Exchange().begin()
    track = next(command for command in exchange.served if isinstance(command, control.AddTrack))
    for best_layer in (-1, 0):
        wanted = control.LayersWanted(transport=track.transport, track=track.track, best_layer=best_layer)
        assert exchange.do(lambda session, wanted=wanted: session.on_notice(wanted, 0.0)) == []  # type: ignore[misc]
    assert exchange.calls == [] and exchange.session.state is State.LIVE


@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize(
    ("token", "expected"),
    [(None, "token_missing"), ("bad", "token_invalid"), ("ada-publish-subscribe", "not_granted")],
)
def test_a_bad_token_gets_nowhere(direction: Direction, token: str | None, expected: str) -> None:
    exchange = Exchange(direction)
    assert code(exchange.post(SENT if direction == "whip" else RECEIVED, token)) == expected
    assert exchange.entering is None and exchange.closed is not None and exchange.closed.code == expected


@pytest.mark.parametrize("refusal", ["room_not_found", "identity_in_use", "limit"])
def test_a_room_that_refuses_us_ends_it(refusal: str) -> None:
    exchange = Exchange()
    exchange.post(SENT)
    assert code(exchange.do(lambda session: session.on_refused(Refused(refusal, "because")))) == refusal
    assert exchange.closed is not None and exchange.calls == []


@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_worker_that_refuses_ends_it(direction: Direction, at: int) -> None:
    exchange = Exchange(direction)
    exchange.post(SENT if direction == "whip" else RECEIVED)
    exchange.enter()
    for _ in range(at):
        exchange.done()
    responses = exchange.refuse("limit")
    while not responses:
        responses = exchange.done()
    assert code(responses) == "limit"
    assert exchange.session.state is State.CLOSED and exchange.departed == "disconnected"
    assert [name for name in exchange.called if name != "RemoveTrack"] == (["CloseTransport"] if at else [])


def test_being_replaced_while_the_answer_is_made_is_a_conflict() -> None:
    exchange = Exchange()
    exchange.post(SENT)
    exchange.enter()
    assert code(exchange.do(lambda session: session.on_room_event(Evicted("replaced", "elsewhere")))) == "replaced"


# --- PATCH -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", BOTH)
@pytest.mark.parametrize("fragment", [SAME_ICE, "", "a=end-of-candidates\r\n", "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"])
def test_candidates_are_taken_and_nothing_follows(direction: Direction, fragment: str) -> None:
    exchange = Exchange(direction).begin()
    assert exchange.patch(exchange.tag, fragment) == [Taken(2)]
    assert exchange.patch("*", fragment) == [Taken(3)]
    assert exchange.calls == []


@pytest.mark.parametrize("direction", BOTH)
def test_new_credentials_restart_ice(direction: Direction) -> None:
    exchange = Exchange(direction).begin()
    first = exchange.tag
    assert exchange.patch("*", NEW_ICE) == []
    (restarted,) = exchange.serve()
    assert isinstance(restarted, Restarted)
    assert restarted.fragment.split("\r\n") == [
        "a=ice-lite",
        "a=group:BUNDLE 0 1",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        "a=ice-ufrag:restarted1",
        "a=ice-pwd:0123456789abcdefghijklmn",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
        "a=candidate:2 1 udp 2130706175 ::1 9 typ host",
        "a=end-of-candidates",
        "",
    ]
    assert restarted.entity_tag == '"restarted1"' == exchange.tag != first
    connect = exchange.served[-1]
    assert isinstance(connect, control.ConnectTransport) and connect.remote.ice.username_fragment == "newer"
    # What is of the ICE session before comes too late.
    assert code(exchange.patch(first, SAME_ICE)) == "precondition_failed"
    assert exchange.patch(f'"other", {exchange.tag}', NEW_ICE) == [Taken(4)]


def test_overlapping_restarts_follow_one_another() -> None:
    exchange = Exchange().begin()
    tag = exchange.tag
    assert exchange.patch("*", NEW_ICE) == []
    assert exchange.patch(tag, NEW_ICE) == [] == exchange.patch("*", NEW_ICE.replace("newer", "newest"))
    responses = exchange.serve()
    assert [type(one).__name__ for one in responses] == ["Restarted", "Declined", "Restarted"]
    assert isinstance(responses[1], Declined) and responses[1].code == "precondition_failed"
    assert exchange.tag == '"restarted2"'


def test_a_restart_that_fails_leaves_the_session_as_it_was() -> None:
    exchange = Exchange().begin()
    tag = exchange.tag
    exchange.patch("*", NEW_ICE)
    assert code(exchange.refuse("limit")) == "limit"
    assert exchange.patch(tag, SAME_ICE) == [Taken(3)]
    exchange.patch("*", NEW_ICE)
    assert isinstance(exchange.serve()[0], Restarted)


@pytest.mark.parametrize(
    ("if_match", "fragment", "token", "expected"),
    [
        (None, SAME_ICE, "ada", "precondition_required"),
        ('"other"', SAME_ICE, "ada", "precondition_failed"),
        ('W/"0abcdefgh"', SAME_ICE, "ada", "precondition_failed"),
        ("0abcdefgh", SAME_ICE, "ada", "precondition_failed"),
        ("", SAME_ICE, "ada", "precondition_failed"),
        ("*", "nonsense", "ada", "sdp_malformed"),
        ("*", "a=ice-ufrag:newer\r\n", "ada", "sdp_malformed"),
        ("*", "m=audio\r\n", "ada", "sdp_malformed"),
        ("*", NEW_ICE, None, "token_missing"),
        ("*", NEW_ICE, "bad", "token_invalid"),
        ("*", NEW_ICE, "eve", "not_granted"),
    ],
)
def test_a_patch_that_is_declined_changes_nothing(
    if_match: str | None, fragment: str, token: str | None, expected: str
) -> None:
    exchange = Exchange().begin()
    assert code(exchange.patch(if_match, fragment, token)) == expected
    assert exchange.calls == [] and exchange.session.state is State.LIVE


def test_patches_have_a_rate() -> None:
    exchange = Exchange(limits=SessionLimits(messages_per_s=1.0, messages_burst=2)).begin()
    assert [type(one).__name__ for _ in range(3) for one in exchange.patch("*", SAME_ICE)] == [
        *("Taken", "Taken", "Declined")
    ]
    assert isinstance(exchange.patch("*", SAME_ICE, now=1.0)[0], Taken)


# --- DELETE, and other ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", BOTH)
def test_deleting_leaves_the_room(direction: Direction) -> None:
    exchange = Exchange(direction).begin()
    exchange.calls.clear()
    assert exchange.delete() == [Ended(2)]
    assert exchange.departed == "left" and exchange.called == ["CloseTransport"]
    assert exchange.closed is not None and exchange.closed.code == "left"


@pytest.mark.parametrize(
    ("token", "expected"),
    [(None, "token_missing"), ("bad", "token_invalid"), ("eve", "not_granted")],
)
def test_only_the_same_identity_deletes(token: str | None, expected: str) -> None:
    exchange = Exchange().begin()
    assert code(exchange.delete(token)) == expected
    assert exchange.closed is None
    assert exchange.delete("ada-publish") == [Ended(3)], "any token of the same identity will do"


def test_the_token_that_opened_it_is_good_for_it_after_it_has_expired() -> None:
    now = [0]

    def expiring(token: str, room: str) -> object:
        if now[0] > 60:
            raise ProtocolError("token_expired", "a while ago")
        return authenticate(token, room)

    exchange = Exchange(authenticate=expiring).begin()  # type: ignore[arg-type]
    now[0] = 3600
    assert exchange.patch("*", SAME_ICE) == [Taken(2)]
    assert code(exchange.delete("ada-create")) == "token_expired"
    assert exchange.delete() == [Ended(4)]


def test_what_still_waits_when_it_is_deleted_is_told_so() -> None:
    exchange = Exchange().begin()
    exchange.patch("*", NEW_ICE)
    ended, declined = exchange.delete()
    assert ended == Ended(3) and isinstance(declined, Declined) and declined.code == "unknown_session"


@pytest.mark.parametrize(
    ("reason", "departure"),
    [("silent", "timeout"), ("closed_by_remote", "left"), ("handshake_timeout", "disconnected")],
)
def test_a_transport_that_is_gone_ends_it(reason: str, departure: str) -> None:
    exchange = Exchange().begin()
    exchange.notice("connected")
    exchange.notice("gone", reason)
    assert exchange.departed == departure
    assert exchange.calls == [], "what is gone is not closed"
    assert exchange.closed is not None and exchange.closed.code == "transport_lost"


def test_the_others_hear_of_silence() -> None:
    exchange = Exchange().begin()
    exchange.changes.clear()
    for state in ("connecting", "connected", "reconnecting", "reconnecting", "connected"):
        exchange.notice(state)
    assert exchange.changes == [
        ParticipantChanged(identity="ada", state="reconnecting"),
        ParticipantChanged(identity="ada", state="connected"),
    ]


@pytest.mark.parametrize("direction", BOTH)
def test_a_replaced_session_ends_at_once(direction: Direction) -> None:
    exchange = Exchange(direction).begin()
    exchange.calls.clear()
    assert exchange.do(lambda session: session.on_room_event(Evicted("replaced", "elsewhere"))) == []
    assert exchange.departed == "replaced" and exchange.called == ["CloseTransport"]


@pytest.mark.parametrize(("feed", "expected"), [("on_shutdown", "server_shutdown"), ("on_fault", "internal")])
def test_the_server_ends_it_too(feed: str, expected: str) -> None:
    exchange = Exchange().begin()
    exchange.do(lambda session: getattr(session, feed)())
    assert exchange.closed is not None and exchange.closed.code == expected
    waiting = Exchange()
    waiting.post(SENT)
    assert code(waiting.do(lambda session: getattr(session, feed)())) == expected


def test_nothing_happens_after_the_end() -> None:
    exchange = Exchange().begin()
    exchange.delete()
    session = exchange.session
    session.on_room_event(ParticipantJoined(participant=participant("bob", track("TR_1"))))
    session.on_notice(control.TransportChanged(transport="7/transport/1", state="gone"), 0.0)
    session.on_reply(control.Done(call=1))
    session.on_timeout(100.0)
    session.on_shutdown()
    session.on_fault()
    session.settle()
    assert session.poll() is None
