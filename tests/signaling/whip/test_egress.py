"""Watching over HTTP: which track comes on which m-line, whatever the watched do."""

from __future__ import annotations

from typing import Any

import pytest

from sfu import control
from sfu.core.types import Codec
from sfu.wire.extensions import ExtensionIds
from signaling.errors import Refused
from signaling.messages import Explanation, ParticipantJoined, ParticipantLeft, TrackPublished, TrackUnpublished
from signaling.room_events import MediaMoved, RoomEvent
from tests.signaling.conversations import entered, participant, track
from tests.signaling.descriptions import audio, described, section, sections_of, video
from tests.signaling.test_showing import row
from tests.signaling.whip.exchanges import RECEIVED, Exchange, code

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
CHOOSY = described(
    audio("a", "a=recvonly", f"a=extmap:9 {MID}"),
    section(
        "video 9 UDP/TLS/RTP/SAVPF 119 118 35",
        "v",
        "a=recvonly",
        "a=rtcp-mux-only",
        f"a=extmap:9 {MID}",
        f"a=extmap:10 {RID}",
        "a=extmap:7/recvonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:8/sendonly urn:3gpp:video-orientation",
        "a=rtpmap:119 H264/90000",
        "a=fmtp:119 packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:118 rtx/90000",
        "a=fmtp:118 apt=119",
        "a=rtpmap:35 VP8/90000",
    ),
)


class Watcher(Exchange):
    """Knows which track flows on which m-line, as the Worker would."""

    def __init__(self, wish: str | None = None) -> None:
        super().__init__("whep", wish)
        self.flowing: dict[str, str] = {}  # mid → track
        self._mids: dict[str, str] = {}  # by Slot
        self._slots: dict[str, str] = {}  # by Subscription

    def reply(self, reply: control.AnyReply) -> list[object]:  # type: ignore[override]
        command = self.calls[0]
        if isinstance(reply, control.Failed):
            return super().reply(reply)  # type: ignore[return-value]
        match command:
            case control.AddSlot():
                self._mids[command.slot] = command.mid
            case control.Subscribe():
                mid = self._mids[command.slot]
                assert mid not in self.flowing, "the Slot is taken"
                self.flowing[mid] = command.track
                self._slots[command.subscription] = mid
            case control.Unsubscribe():
                self.flowing.pop(self._slots.pop(command.subscription))
        return super().reply(reply)  # type: ignore[return-value]

    def hear(self, *events: RoomEvent) -> dict[str, str]:
        """Told one after the other, settled once; what flows in the end."""
        for event in events:
            if isinstance(event, TrackUnpublished):
                self.end(event.track)
            self.session.on_room_event(event)
        self.do(lambda session: None)
        self.serve()
        return self.flowing

    def end(self, name: str) -> None:
        """The Worker ends the Subscriptions of a Track that ends."""
        self.flowing = {mid: track for mid, track in self.flowing.items() if track != name}

    def explain(self, *rows: control.SubscriptionExplanation) -> Explanation:
        """Asked from outside, when the Worker says this."""
        told: list[Any] = []
        self.do(lambda session: session.explain(told.append))
        if self.calls:
            call = self.calls[0].call
            self.reply(control.Explanation(call=call, budget_bps=9, estimate_bps=8, subscriptions=[*rows]))
        (answer,) = told
        if isinstance(answer, Refused):
            raise answer
        assert isinstance(answer, Explanation)
        return answer


def published(identity: str, name: str, source: str = "camera") -> TrackPublished:
    return TrackPublished(identity=identity, track=track(name, source))  # type: ignore[arg-type]


BOB = participant("bob", track("TR_1", "microphone"), track("TR_2"))


def test_the_answer_honours_the_viewers_numbers() -> None:
    watcher = Watcher()
    watcher.begin(BOB, offer=CHOOSY)
    voice, picture = (command for command in watcher.served if isinstance(command, control.AddSlot))
    assert (voice.mid, voice.kind, voice.payload_types) == ("a", "audio", {Codec.OPUS: (111, None)})
    assert (picture.mid, picture.payload_types) == ("v", {Codec.H264: (119, 118), Codec.VP8: (35, None)})
    (connect,) = (command for command in watcher.served if isinstance(command, control.ConnectTransport))
    assert connect.remote.send_extensions == ExtensionIds(mid=9, transport_cc=7)
    (created,) = watcher.responses
    _, audio_lines, video_lines = sections_of(created.answer)  # type: ignore[union-attr]
    assert video_lines[0] == "m=video 9 UDP/TLS/RTP/SAVPF 119 118 35"
    for line in (
        "a=sendonly",
        "a=rtcp-mux-only",
        f"a=extmap:9 {MID}",
        "a=extmap:7/sendonly http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=msid:watched v",
        "a=ssrc-group:FID 1002 1001",
        "a=ssrc:1002 cname:watched",
        "a=ssrc:1001 cname:watched",
    ):
        assert line in video_lines
    # It would only send orientations itself, and rids mean nothing towards a viewer.
    assert not any("video-orientation" in line or RID in line for line in video_lines)
    assert "a=ssrc:1000 cname:watched" in audio_lines and "a=sendonly" in audio_lines
    assert "a=msid:watched a" in audio_lines


def test_whoever_published_first_is_watched() -> None:
    watcher = Watcher()
    watcher.begin(participant("eve"), BOB, participant("cleo", track("TR_3")))
    watcher.serve()
    assert watcher.flowing == {"0": "TR_1", "1": "TR_2"}


def test_somebody_who_comes_later_is_watched_when_there_was_nobody() -> None:
    watcher = Watcher()
    watcher.begin(participant("eve"))
    watcher.serve()
    assert watcher.flowing == {}
    assert watcher.hear(ParticipantJoined(participant=participant("bob"))) == {}
    assert watcher.hear(published("bob", "TR_2")) == {"1": "TR_2"}
    assert watcher.hear(published("eve", "TR_8"), published("eve", "TR_9", "microphone")) == {"1": "TR_2"}
    # Bob has gone, so it is Eve's turn; he is back, and she goes on as long as she publishes anything.
    watcher.end("TR_2")
    assert watcher.hear(ParticipantLeft(identity="bob", reason="left")) == {"0": "TR_9", "1": "TR_8"}
    assert watcher.hear(ParticipantJoined(participant=BOB)) == {"0": "TR_9", "1": "TR_8"}
    assert watcher.hear(TrackUnpublished(identity="eve", track="TR_8")) == {"0": "TR_9"}
    assert watcher.hear(TrackUnpublished(identity="eve", track="TR_9")) == {"0": "TR_1", "1": "TR_2"}


def test_who_was_named_is_waited_for() -> None:
    watcher = Watcher("bob")
    watcher.begin(participant("cleo", track("TR_3")))
    watcher.serve()
    assert watcher.flowing == {}
    assert watcher.hear(ParticipantJoined(participant=BOB)) == {"0": "TR_1", "1": "TR_2"}
    watcher.end("TR_1")
    watcher.end("TR_2")
    assert watcher.hear(ParticipantLeft(identity="bob", reason="left")) == {}
    again = participant("bob", track("TR_4"))
    assert watcher.hear(ParticipantJoined(participant=again)) == {"1": "TR_4"}
    assert watcher.hear(published("bob", "TR_5", "microphone")) == {"0": "TR_5", "1": "TR_4"}


def test_the_first_line_prefers_the_camera_and_the_second_takes_the_screen() -> None:
    one, two = Watcher(), Watcher()
    one.begin(participant("bob", track("TR_1", "screen")))
    both = described(audio("0", "a=recvonly"), video("1", "a=recvonly"), video("2", "a=recvonly"))
    two.begin(participant("bob", track("TR_1", "screen")), offer=both)
    for watcher, with_camera in ((one, {"1": "TR_2"}), (two, {"1": "TR_2", "2": "TR_1"})):
        watcher.serve()
        assert watcher.flowing == {"1": "TR_1"}, "a screen alone is better than nothing"
        assert watcher.hear(published("bob", "TR_2", "camera")) == with_camera
        assert watcher.hear(TrackUnpublished(identity="bob", track="TR_2")) == {"1": "TR_1"}


def test_a_track_that_moves_to_another_transport_goes_on() -> None:
    watcher = Watcher()
    watcher.post(RECEIVED)
    moved = entered(BOB, media={"TR_2": "7/media/9"})
    watcher.do(lambda session: session.on_entered(moved))
    watcher.serve()
    assert watcher.flowing == {"0": "TR_1", "1": "7/media/9"}
    watcher.end("TR_1")
    assert watcher.hear(MediaMoved("TR_1", None)) == {"1": "7/media/9"}
    assert watcher.hear(MediaMoved("TR_1", "7/media/10")) == {"0": "7/media/10", "1": "7/media/9"}
    watcher.end("7/media/9")
    assert watcher.hear(TrackUnpublished(identity="bob", track="TR_2")) == {"0": "7/media/10"}


def test_what_comes_at_once_is_settled_at_once() -> None:
    watcher = Watcher()
    watcher.begin()
    watcher.serve()
    watcher.served.clear()
    watcher.hear(published("bob", "TR_1"), TrackUnpublished(identity="bob", track="TR_1"), published("bob", "TR_2"))
    assert [type(command).__name__ for command in watcher.served] == ["Subscribe"]


def test_a_track_in_no_codec_of_the_viewer_leaves_its_line_dark_and_the_session_alive() -> None:
    watcher = Watcher()
    watcher.begin()
    watcher.session.on_room_event(published("bob", "TR_1"))
    watcher.do(lambda session: None)
    assert watcher.refuse("no_common_codec") == []
    assert watcher.closed is None and watcher.calls == []
    assert watcher.hear(TrackUnpublished(identity="bob", track="TR_1"), published("bob", "TR_2")) == {"1": "TR_2"}


def test_a_track_that_ends_while_it_is_subscribed_is_forgotten() -> None:
    watcher = Watcher()
    watcher.begin()
    watcher.session.on_room_event(published("bob", "TR_1"))
    watcher.do(lambda session: None)
    watcher.do(lambda session: session.on_room_event(TrackUnpublished(identity="bob", track="TR_1")))
    watcher.refuse("unknown_track")
    watcher.serve()
    assert watcher.hear(published("bob", "TR_2")) == {"1": "TR_2"}


def test_nobody_watches_himself() -> None:
    assert code(Exchange("whep", "ada").post(RECEIVED)) == "not_granted"


def test_a_viewer_is_told_about_by_track_and_rid() -> None:
    watcher = Watcher()
    with pytest.raises(Refused, match="not there yet"):
        watcher.explain()
    watcher.begin(participant("bob", track("TR_1", "microphone"), track("TR_2", "camera", ("q", "h", "f"))))
    watcher.serve()
    (picture,) = [
        command.subscription
        for command in watcher.served
        if isinstance(command, control.Subscribe) and command.track == "TR_2"
    ]
    told = watcher.explain(row(picture, "bandwidth", 1, 2), row("of somebody else", "muted", 0, 0))
    assert (told.budget_bps, told.estimate_bps) == (9, 8)
    assert [(one.track, one.reason, one.rid, one.ideal_rid) for one in told.tracks] == [("TR_2", "bandwidth", "h", "f")]


def test_what_a_viewer_cannot_decode_is_told() -> None:
    watcher = Watcher()
    watcher.begin()
    watcher.session.on_room_event(published("bob", "TR_1"))
    watcher.do(lambda session: None)
    watcher.refuse("no_common_codec")
    assert [(one.track, one.reason) for one in watcher.explain().tracks] == [("TR_1", "codec")]


def test_who_publishes_by_http_receives_nothing() -> None:
    publisher = Exchange("whip")
    publisher.begin()
    told: list[Any] = []
    publisher.do(lambda session: session.explain(told.append))
    call = publisher.calls[0].call
    publisher.reply(control.Explanation(call=call, budget_bps=9, estimate_bps=None, subscriptions=[]))
    assert [one.tracks for one in told] == [()]
