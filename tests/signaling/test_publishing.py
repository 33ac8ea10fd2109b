"""Publishing without sockets: what an offer makes of Commands, answers and announcements."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from sfu import control
from sfu.control import Done
from sfu.core.types import TransportState
from signaling.limits import SessionLimits
from signaling.messages import (
    Error,
    Grants,
    Mute,
    Ok,
    Publish,
    Published,
    PublishedTrack,
    Source,
    TrackMuted,
    TrackPublished,
    TrackToPublish,
    TrackUnpublished,
    Unpublish,
)
from signaling.moderation_messages import GrantsChanged, MutedBy, RoomChanged, RoomState, TrackStopped
from signaling.room_events import Hold, Permit, Release, Stop
from tests.signaling.conversations import ALL, TWO_TRACKS, Conversation, entered, tags, track
from tests.signaling.descriptions import audio, captured, data, described, sections_of, video

CAMERA = ("a=sendonly", "a=rid:q send", "a=rid:f send", "a=simulcast:send q;f")


def directions(sdp: str) -> list[str]:
    """Of the m-lines of an answer; `rejected` for port 0."""
    return [
        "rejected"
        if section[0].split()[1] == "0"
        else next(line[2:] for line in section if line in ("a=recvonly", "a=inactive", "a=sendrecv"))
        for section in sections_of(sdp)[1:]
    ]


def test_the_first_publish_opens_connects_and_adds() -> None:
    conversation = Conversation().join()
    request = Publish(
        id=2,
        sdp=TWO_TRACKS,
        tracks=(TrackToPublish(mid="0", source="microphone"), TrackToPublish(mid="1", source="camera", muted=True)),
    )
    assert conversation.say(lambda number: request) == []
    opening = conversation.calls[0]
    assert isinstance(opening, control.OpenTransport)
    assert (opening.room, opening.participant, opening.transport) == ("demo", "ada", "7/transport/1")
    conversation.done()
    connecting = conversation.calls[0]
    assert isinstance(connecting, control.ConnectTransport) and connecting.transport == opening.transport
    conversation.done()
    assert conversation.called == ["AddTrack", "AddTrack"]
    microphone, camera = conversation.calls
    assert isinstance(microphone, control.AddTrack) and isinstance(camera, control.AddTrack)
    assert (microphone.track, microphone.mid, microphone.kind, microphone.rids) == ("TR_1", "0", "audio", [])
    assert (camera.track, camera.mid, camera.kind, camera.rids) == ("TR_2", "1", "video", ["q", "f"])
    assert conversation.done() == []
    assert conversation.done() == []
    assert conversation.called == ["SetTrackMuted"]
    (published,) = conversation.done()
    assert isinstance(published, Published)
    assert published.tracks == (PublishedTrack(mid="0", track="TR_1"), PublishedTrack(mid="1", track="TR_2"))
    assert directions(published.sdp) == ["recvonly", "recvonly"]
    muted_camera = track("TR_2", "camera", ("q", "f"))
    assert conversation.changes[0] == TrackPublished(identity="ada", track=track("TR_1", "microphone"))
    assert isinstance(conversation.changes[1], TrackPublished)
    assert conversation.changes[1].track.muted and conversation.changes[1].track.rids == muted_camera.rids


def test_a_captured_offer_of_chromium_is_published() -> None:
    offer = captured("chromium-camera-screen-data")
    mids = [line.removeprefix("a=mid:") for line in offer.split("\r\n") if line.startswith("a=mid:")]
    conversation = Conversation().join()
    sources: dict[str, Source] = {f"_{mids[0]}": "microphone", f"_{mids[1]}": "camera"}
    (published,) = conversation.publish(offer, **sources)
    assert [entry.mid for entry in published.tracks] == mids[:2]


def audio_payload_types(conversation: Conversation) -> str:
    """Of the answer to Chromium, which offers RED."""
    offer = captured("chromium-camera-screen-data")
    (published,) = conversation.publish(offer, _0="microphone")
    return next(str(line) for line in published.sdp.split("\r\n") if line.startswith("m=audio"))


def test_sound_comes_with_redundancy_but_not_where_it_could_not_be_stripped() -> None:
    assert audio_payload_types(Conversation().join()).endswith(" 63 111")
    state = RoomState(max_participants=100, version=1, end_to_end_encrypted=True)
    encrypted = dataclasses.replace(entered(), room=state)
    assert audio_payload_types(Conversation().enter(encrypted)).endswith("SAVPF 111")
    conversation = Conversation().join()
    conversation.hear(RoomChanged(room=state))
    assert audio_payload_types(conversation).endswith("SAVPF 111")


def test_publishing_again_adds_without_opening_or_connecting() -> None:
    conversation = Conversation().join()
    conversation.publish(described(audio("0")), _0="microphone")
    conversation.say(
        lambda number: Publish(
            id=number, sdp=described(audio("0"), video("1")), tracks=(TrackToPublish(mid="1", source="screen"),)
        )
    )
    # Video brings header extensions that audio did not have.
    assert set(conversation.called) <= {"ConnectTransport", "AddTrack"}
    (published,) = conversation.serve()
    assert [entry.track for entry in published.tracks] == ["TR_1", "TR_2"]
    assert len(conversation.opened) == 1


def test_naming_a_live_track_again_changes_nothing() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    (published,) = conversation.publish(_0="microphone", _1="camera")
    assert [entry.track for entry in published.tracks] == ["TR_1", "TR_2"]
    assert len(conversation.changes) == 2


@pytest.mark.parametrize("direction", ["a=inactive", "a=recvonly"])
def test_an_m_line_that_stops_sending_is_unpublished(direction: str) -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    sent = conversation.publish(described(audio("0"), video("1", direction)))
    assert tags(sent) == ["published"] and [entry.track for entry in sent[0].tracks] == ["TR_1"]
    assert directions(sent[0].sdp) == ["recvonly", "inactive"]
    assert conversation.changes[-1] == TrackUnpublished(identity="ada", track="TR_2")


def test_a_stopped_m_line_is_unpublished() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    (published,) = conversation.publish(described(audio("0"), video("1", *CAMERA, port=0), bundle="0"))
    assert directions(published.sdp) == ["recvonly", "rejected"]
    assert conversation.changes[-1] == TrackUnpublished(identity="ada", track="TR_2")


def test_an_m_line_that_sends_again_is_a_new_track() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    conversation.publish(described(audio("0"), video("1", "a=inactive")))
    (published,) = conversation.publish(TWO_TRACKS, _1="camera")
    assert [entry.track for entry in published.tracks] == ["TR_1", "TR_3"]


def test_an_m_line_without_a_source_is_not_received() -> None:
    conversation = Conversation().join()
    (published,) = conversation.publish(_0="microphone")
    assert directions(published.sdp) == ["recvonly", "inactive"]
    assert [entry.mid for entry in published.tracks] == ["0"]


def test_unpublishing_tells_the_worker_first_and_then_the_others() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    assert conversation.say(lambda number: Unpublish(id=number, track="TR_2")) == []
    assert conversation.called == ["RemoveTrack"] and len(conversation.changes) == 2
    assert conversation.serve() == [Ok(id=3)]
    assert conversation.changes[-1] == TrackUnpublished(identity="ada", track="TR_2")
    (published,) = conversation.publish()
    assert directions(published.sdp) == ["recvonly", "inactive"], "it is not taken up again unasked"


def test_muting() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))
    (call,) = conversation.calls
    assert isinstance(call, control.SetTrackMuted) and call.muted
    assert conversation.serve() == [Ok(id=3)]
    assert conversation.changes[-1] == TrackMuted(identity="ada", track="TR_1", muted=True)
    assert conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True)) == [Ok(id=4)], "it is already"


def test_requests_are_done_in_order() -> None:
    conversation = Conversation().join()
    conversation.say(
        lambda number: Publish(
            id=number, sdp=described(audio("0")), tracks=(TrackToPublish(mid="0", source="microphone"),)
        )
    )
    conversation.say(lambda number: Mute(id=number, track="TR_1", muted=True))
    assert conversation.called == ["OpenTransport"]
    assert tags(conversation.serve()) == ["published", "ok"]


def test_replies_may_come_in_any_order() -> None:
    conversation = Conversation().join()
    conversation.say(
        lambda number: Publish(
            id=number,
            sdp=TWO_TRACKS,
            tracks=(TrackToPublish(mid="0", source="microphone"), TrackToPublish(mid="1", source="camera")),
        )
    )
    conversation.done()
    conversation.done()
    conversation.calls.reverse()
    assert tags(conversation.serve()) == ["published"]


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sdp", "sources", "code"),
    [
        ("nonsense", {}, "sdp_malformed"),
        (TWO_TRACKS, {"_7": "camera"}, "sdp_unsupported"),
        (TWO_TRACKS, {"_0": "camera"}, "sdp_unsupported"),
        (TWO_TRACKS, {"_1": "screen_audio"}, "sdp_unsupported"),
        (described(audio("0", "a=inactive")), {"_0": "microphone"}, "sdp_unsupported"),
        (
            described(audio("0"), [line.replace("VP8", "VP7") for line in video("1")]),
            {"_1": "camera"},
            "sdp_unsupported",
        ),
    ],
    ids=["no sdp", "unknown mid", "audio is no camera", "video is no sound", "does not send", "foreign codec"],
)
def test_what_cannot_be_done_is_refused_before_the_worker_hears_of_it(
    sdp: str, sources: dict[str, Source], code: str
) -> None:
    conversation = Conversation().join()
    (error,) = conversation.publish(sdp, **sources)
    assert isinstance(error, Error) and error.code == code
    assert conversation.opened == [] and conversation.closed is None
    assert tags(conversation.publish(_0="microphone")) == ["published"], "the next one is fine"


def test_publishing_has_to_be_granted() -> None:
    conversation = Conversation(Grants(subscribe=True)).join()
    (error,) = conversation.publish(_0="microphone")
    assert error.code == "not_granted" and conversation.closed is None


def test_tracks_are_limited() -> None:
    conversation = Conversation(limits=SessionLimits(max_tracks=1)).join()
    (error,) = conversation.publish(_0="microphone", _1="camera")
    assert error.code == "limit"
    assert tags(conversation.publish(_0="microphone")) == ["published"]


def test_somebody_elses_track_is_unknown() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    (error,) = conversation.say(lambda number: Unpublish(id=number, track="TR_9"))
    assert error.code == "unknown_track"
    (error,) = conversation.say(lambda number: Mute(id=number, track="TR_9", muted=True))
    assert error.code == "unknown_track"


def test_a_worker_that_is_full_refuses_and_leaves_nothing_behind() -> None:
    conversation = Conversation().join()
    conversation.say(
        lambda number: Publish(id=number, sdp=TWO_TRACKS, tracks=(TrackToPublish(mid="0", source="microphone"),))
    )
    (error,) = conversation.refuse("limit")
    assert error.code == "limit" and conversation.calls == []
    assert tags(conversation.publish(_0="microphone")) == ["published"]
    assert len(set(conversation.opened)) == 2, "a Transport's name is never used twice"


def test_tracks_are_added_all_or_none() -> None:
    conversation = Conversation().join()
    conversation.say(
        lambda number: Publish(
            id=number,
            sdp=TWO_TRACKS,
            tracks=(TrackToPublish(mid="0", source="microphone"), TrackToPublish(mid="1", source="camera")),
        )
    )
    conversation.done()
    conversation.done()
    conversation.done()
    conversation.refuse("limit")
    (removing,) = conversation.calls
    assert isinstance(removing, control.RemoveTrack) and removing.track == "TR_1"
    (error,) = conversation.reply(Done(call=removing.call))
    assert error.code == "limit"
    assert conversation.called == ["CloseTransport"], "unanswered, it would never be connected"
    assert conversation.changes == []


def test_an_error_of_the_worker_is_an_error_of_ours() -> None:
    conversation = Conversation().join()
    conversation.say(lambda number: Publish(id=number, sdp=TWO_TRACKS))
    sent = conversation.refuse("internal")
    assert tags(sent) == ["error", "closing"] and sent[0].code == "internal"
    assert conversation.closed is not None and conversation.closed.ws_code == 1011


# --- the connection --------------------------------------------------------------------------------------------


def test_an_ice_restart_gets_new_credentials() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    restarted = TWO_TRACKS.replace("ice-ufrag:remote", "ice-ufrag:again")
    conversation.say(lambda number: Publish(id=number, sdp=restarted))
    assert conversation.called == ["RestartIce"]
    conversation.done()
    (connecting,) = conversation.calls
    assert isinstance(connecting, control.ConnectTransport)
    assert connecting.remote.ice.username_fragment == "again"
    assert tags(conversation.serve()) == ["published"]


def test_the_state_of_the_connection_is_told() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone")
    notice = control.TransportChanged(transport=conversation.opened[0], state="connected")
    (event,) = conversation.do(lambda session: session.on_notice(notice, 0.0))
    assert (event.connection, event.state) == ("publish", TransportState.CONNECTED)


@pytest.mark.parametrize("may_send", [True, False])
def test_a_connection_for_messages_alone_is_for_everybody_and_the_worker_hears_who_may_send(may_send: bool) -> None:
    conversation = Conversation(Grants(message=may_send)).join()
    conversation.say(lambda number: Publish(id=number, sdp=described(data("0"))))
    opening = conversation.calls[0]
    assert isinstance(opening, control.OpenTransport) and opening.may_send_messages is may_send
    conversation.done()
    connecting = conversation.calls[0]
    assert isinstance(connecting, control.ConnectTransport) and connecting.remote.sctp_port == 5000
    (published,) = conversation.serve()
    assert isinstance(published, Published) and published.tracks == ()
    assert "m=application 9 UDP/DTLS/SCTP webrtc-datachannel" in published.sdp


def test_tracks_join_the_connection_of_messages() -> None:
    conversation = Conversation().join()
    conversation.publish(described(data("0")))
    (published,) = conversation.publish(described(data("0"), audio("1")), _1="microphone")
    assert isinstance(published, Published)
    assert [entry.mid for entry in published.tracks] == ["1"] and len(conversation.opened) == 1
    assert "m=application 9" in published.sdp


def test_messages_join_the_connection_of_tracks() -> None:
    conversation = Conversation().join()
    conversation.publish(described(audio("0")), _0="microphone")
    conversation.say(lambda number: Publish(id=number, sdp=described(audio("0"), data("1"))))
    (connecting,) = conversation.calls
    assert isinstance(connecting, control.ConnectTransport) and connecting.remote.sctp_port == 5000
    (published,) = conversation.serve()
    assert [entry.mid for entry in published.tracks] == ["0"] and "m=application 9" in published.sdp


# --- a moderator has decided ---


def publishing_two() -> Conversation:
    """TR_1 is the microphone, TR_2 the camera."""
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    conversation.sent.clear()
    conversation.changes.clear()
    return conversation


def test_a_held_source_is_muted_at_the_worker_and_cannot_be_unmuted() -> None:
    conversation = publishing_two()
    assert conversation.hear(Hold("microphone", "host")) == [MutedBy(track="TR_1", by="host")]
    (command,) = conversation.calls
    assert isinstance(command, control.SetTrackMuted) and command.track == "TR_1" and command.muted
    conversation.serve()
    assert conversation.changes == [TrackMuted(identity="ada", track="TR_1", muted=True)]
    (refused,) = conversation.say(lambda number: Mute(id=number, track="TR_1", muted=False))
    assert refused.code == "muted_by_moderator" and not conversation.calls
    conversation.hear(Release("microphone"))
    assert not conversation.calls, "it is not unmuted by anybody else"
    conversation.say(lambda number: Mute(id=number, track="TR_1", muted=False))
    assert conversation.called == ["SetTrackMuted"]


def test_what_is_published_of_a_held_source_is_muted_from_the_beginning() -> None:
    conversation = Conversation().enter(entered(held=frozenset({"microphone"})))
    conversation.publish(_0="microphone", _1="camera")
    published = [change.track for change in conversation.changes if isinstance(change, TrackPublished)]
    assert [(one.source, one.muted) for one in published] == [("microphone", True), ("camera", False)]
    assert MutedBy(track="TR_1", by="") in conversation.sent


def test_a_hold_survives_a_reset_that_comes_between() -> None:
    conversation = publishing_two()
    conversation.hear(Hold("microphone", "host"))
    transport = conversation.opened[0]
    conversation.notice(transport, "gone", "silent")
    conversation.serve()
    assert TrackMuted(identity="ada", track="TR_1", muted=True) in conversation.changes


def test_a_stopped_track_is_unpublished() -> None:
    conversation = publishing_two()
    conversation.hear(Stop("TR_2", "host"))
    conversation.serve()
    assert TrackStopped(track="TR_2", by="host") in conversation.sent
    assert conversation.changes == [TrackUnpublished(identity="ada", track="TR_2")]
    conversation.hear(Stop("TR_2", "host"))
    assert not conversation.calls, "once is enough"


def test_what_is_not_permitted_any_more_ends_and_the_rest_goes_on() -> None:
    conversation = publishing_two()
    grants = replace(ALL, sources=("microphone",), message=False)
    assert conversation.hear(Permit(grants)) == [GrantsChanged(grants=grants)]
    conversation.serve()
    assert conversation.changes == [TrackUnpublished(identity="ada", track="TR_2")]
    (declined,) = conversation.publish(_1="camera")
    assert declined.code == "not_granted"


def test_only_the_sources_that_are_granted_are_published() -> None:
    conversation = Conversation(replace(ALL, sources=("camera",))).join()
    (declined,) = conversation.publish(_0="microphone", _1="camera")
    assert declined.code == "not_granted" and "microphone" in declined.reason
    assert not conversation.opened
    hidden = Conversation(replace(ALL, hidden=True)).join()
    assert hidden.publish(_1="camera")[0].code == "not_granted"
