"""What a client shows and how it is explained; what publishers are asked to send; who speaks."""

from __future__ import annotations

from functools import partial
from operator import methodcaller
from typing import Any, Literal

from sfu import control
from signaling.auth import Grant
from signaling.limits import ReplayLimits, RoomLimits, SessionLimits
from signaling.message_values import MAX_TILES
from signaling.messages import (
    Answer,
    Error,
    Explain,
    Explanation,
    FramesOf,
    Layout,
    Ok,
    ParticipantJoined,
    Publish,
    ReceivedFrames,
    ReportReceived,
    ReportSent,
    SetEncodings,
    Source,
    Speakers,
    Tile,
    TrackExplanation,
    TrackToPublish,
)
from signaling.room_events import Delivery, MediaMoved
from signaling.rooms import RoomDirectory
from tests.signaling.conversations import ALL, Conversation, answer_to, participant, tags, track
from tests.signaling.descriptions import described, video

CAMERA = track("TR_9", "camera", ("q", "h", "f"))
MICROPHONE = track("TR_8", "microphone")
BOB = participant("bob", MICROPHONE, CAMERA)
LAYOUT = (Tile(track="TR_9", width=640, height=360, on_stage=True),)


def joined() -> Conversation:
    """With Bob's two tracks, offered and answered."""
    conversation = Conversation().join(BOB)
    conversation.serve()
    conversation.answer()
    return conversation


def show(conversation: Conversation, tiles: tuple[Tile, ...] | None = LAYOUT, **rest: Any) -> list[Any]:
    return conversation.say(lambda number: Layout(id=number, tiles=tiles, **rest))


def told(conversation: Conversation) -> control.SetLayout:
    (command,) = [call for call in conversation.calls if isinstance(call, control.SetLayout)]
    return command


# --- layout ----------------------------------------------------------------------------------------------------


def test_a_layout_is_told_the_worker_and_answered() -> None:
    conversation = joined()
    assert show(conversation, last_n=4, max_bps=1_000_000) == []
    command = told(conversation)
    assert command.transport == conversation.opened[0]
    assert command.tiles == [control.Tile(track="TR_9", width=640, height=360, on_stage=True)]
    assert (command.last_n, command.max_bps) == (4, 1_000_000)
    (answer,) = conversation.done()
    assert isinstance(answer, Ok)


def test_a_layout_of_more_tiles_than_anybody_sees_is_declined_and_changes_nothing() -> None:
    conversation = joined()
    tiles = tuple(Tile(track=f"TR_{number}", width=16, height=9) for number in range(MAX_TILES + 1))
    (declined,) = show(conversation, tiles)
    assert isinstance(declined, Error) and declined.code == "limit" and str(MAX_TILES) in declined.reason
    assert conversation.calls == []
    assert show(conversation, tiles[:-1]) == []
    assert len(told(conversation).tiles or ()) == MAX_TILES
    (answer,) = conversation.done()
    assert isinstance(answer, Ok)


def test_showing_nothing_is_not_saying_nothing() -> None:
    conversation = joined()
    show(conversation, ())
    assert told(conversation).tiles == []
    conversation.serve()
    show(conversation, None)
    assert told(conversation).tiles is None


def test_a_layout_that_came_before_there_was_a_connection_is_told_with_it() -> None:
    conversation = Conversation().join()
    (answer,) = show(conversation)
    assert isinstance(answer, Ok) and conversation.calls == []
    conversation.hear(ParticipantJoined(participant=BOB))
    assert conversation.called == ["OpenTransport"]
    conversation.done()
    assert conversation.called == ["SetLayout"]


def test_a_layout_is_told_anew_on_another_connection() -> None:
    conversation = joined()
    show(conversation)
    conversation.serve()
    conversation.notice(conversation.opened[0], "gone", "silent")
    assert conversation.called == ["OpenTransport"]
    conversation.done()
    assert told(conversation).transport == conversation.opened[1]


def test_a_track_that_moved_is_shown_by_its_new_name() -> None:
    conversation = joined()
    show(conversation)
    conversation.serve()
    conversation.hear(MediaMoved("TR_9", None))
    assert told(conversation).tiles == []
    conversation.serve()
    conversation.hear(MediaMoved("TR_9", "TR_9/2"))
    tiles = told(conversation).tiles
    assert tiles is not None and [tile.track for tile in tiles] == ["TR_9/2"]


def test_a_layout_that_crosses_the_end_of_the_connection_is_declined() -> None:
    conversation = joined()
    show(conversation)
    (error,) = conversation.refuse("unknown_transport")
    assert error.code == "connection_reset" and conversation.closed is None


# --- explain ---------------------------------------------------------------------------------------------------


def test_without_a_connection_there_is_nothing_to_explain() -> None:
    conversation = Conversation().join()
    (answer,) = conversation.say(lambda number: Explain(id=number))
    assert answer == Explanation(id=answer.id, budget_bps=0, estimate_bps=None, tracks=())


def subscribed() -> tuple[Conversation, str, str]:
    """With Bob's two tracks; and the names of the Subscriptions to them."""
    conversation = Conversation().join(BOB)
    conversation.serve()
    offer = conversation.last("offer")
    conversation.say(lambda number: Answer(id=number, offer=offer.offer, sdp=answer_to(offer.sdp)))
    conversation.done()
    microphone, camera = [call.subscription for call in conversation.calls if isinstance(call, control.Subscribe)]
    return conversation, microphone, camera


def row(subscription: str, reason: str, layer: int | None, ideal: int | None) -> control.SubscriptionExplanation:
    return control.SubscriptionExplanation(
        subscription=subscription,
        track="as the Worker calls it",
        reason=reason,
        since_s=1.5,
        layer=layer,
        wanted_layer=layer,
        ideal_layer=ideal,
        frame_rate=None,
        bitrate_bps=500_000,
        missing_bps=7,
        tile_pixels=99,
        frames=control.ReceivedFrames(decoded=300, dropped=2, freezes=1, frozen_s=0.5),
        quality=control.StreamQuality(score=2.5, cause="loss", loss=0.12, jitter_s=0.02),
    )


def test_explains_by_track_and_rid() -> None:
    conversation, microphone, camera = subscribed()
    conversation.serve()
    conversation.say(lambda number: Explain(id=number))
    rows = [
        row(microphone, "quiet", None, None),
        row(camera, "bandwidth", 1, 2),
        row("7/subscription/99", "muted", 0, 0),
    ]
    (answer,) = conversation.reply(
        control.Explanation(
            call=conversation.calls[0].call, budget_bps=1_000_000, estimate_bps=1_100_000, subscriptions=rows
        )
    )
    assert (answer.budget_bps, answer.estimate_bps) == (1_000_000, 1_100_000)
    sound, picture = answer.tracks
    assert (sound.track, sound.reason, sound.rid, sound.ideal_rid) == ("TR_8", "quiet", None, None)
    assert picture == TrackExplanation(
        track="TR_9",
        reason="bandwidth",
        since_s=1.5,
        rid="h",
        wanted_rid="h",
        ideal_rid="f",
        bitrate_bps=500_000,
        missing_bps=7,
        tile_pixels=99,
        score=2.5,
        cause="loss",
        loss=0.12,
        frames=ReceivedFrames(decoded=300, dropped=2, freezes=1, frozen_s=0.5),
    )


def test_explains_what_it_cannot_decode() -> None:
    conversation, _, _ = subscribed()
    conversation.done()
    conversation.refuse("no_common_codec")
    conversation.serve()
    conversation.say(lambda number: Explain(id=number))
    (answer,) = conversation.reply(
        control.Explanation(call=conversation.calls[0].call, budget_bps=1, estimate_bps=None, subscriptions=[])
    )
    assert [(one.track, one.reason, one.rid) for one in answer.tracks] == [("TR_9", "codec", None)]


# --- reports ---------------------------------------------------------------------------------------------------


def test_what_a_client_says_of_what_it_receives_is_told_by_subscription() -> None:
    conversation, _, camera = subscribed()
    conversation.serve()
    frames = (
        FramesOf(track="TR_9", decoded=200, dropped=9, freezes=1, frozen_s=0.4),
        FramesOf(track="TR_5", decoded=1),
    )
    conversation.say(lambda number: ReportReceived(id=number, frames=frames, overused=True))
    (command,) = conversation.calls
    assert isinstance(command, control.ReportReception)
    assert (command.transport, command.overused) == (conversation.opened[0], True)
    told = control.FramesReport(subscription=camera, decoded=200, dropped=9, freezes=1, frozen_s=0.4)
    assert command.frames == [told]
    (answer,) = conversation.done()
    assert isinstance(answer, Ok)


def test_who_receives_nothing_has_nothing_to_say_of_it() -> None:
    conversation = Conversation().join()
    (answer,) = conversation.say(lambda number: ReportReceived(id=number, overused=True))
    assert isinstance(answer, Ok) and conversation.calls == []


def says_of_its_encoder(limited_by: Literal["cpu", "bandwidth"], number: int) -> ReportSent:
    return ReportSent(id=number, track="TR_2", limited_by=limited_by)


def test_what_keeps_an_encoder_is_told_of_its_track() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    limits: tuple[tuple[Literal["cpu", "bandwidth"], bool], ...] = (("cpu", True), ("bandwidth", False))
    for limited_by, strained in limits:
        conversation.say(partial(says_of_its_encoder, limited_by))
        (command,) = conversation.calls
        assert isinstance(command, control.SetTrackStrained)
        assert (command.track, command.strained) == ("TR_2", strained)
        (answer,) = conversation.done()
        assert isinstance(answer, Ok)
    (error,) = conversation.say(lambda number: ReportSent(id=number, track="TR_99", limited_by="cpu"))
    assert error.code == "unknown_track"


# --- set_encodings ---------------------------------------------------------------------------------------------


def wanted(conversation: Conversation, name: str, best_layer: int) -> list[Any]:
    notice = control.LayersWanted(transport=conversation.opened[0], track=name, best_layer=best_layer)
    return conversation.do(methodcaller("on_notice", notice, 0.0))


def test_a_publisher_is_asked_for_the_layers_that_are_wanted_by_rid() -> None:
    conversation = Conversation().join()
    conversation.publish(_0="microphone", _1="camera")
    assert wanted(conversation, "TR_2", 0) == [SetEncodings(track="TR_2", rids=("q",))]
    assert wanted(conversation, "TR_2", -1) == [SetEncodings(track="TR_2", rids=())]
    assert wanted(conversation, "TR_2", 1) == [SetEncodings(track="TR_2", rids=("q", "f"))]
    assert wanted(conversation, "TR_99", 1) == []


def test_a_track_without_simulcast_is_wanted_or_not() -> None:
    conversation = Conversation().join()
    conversation.publish(described(video("0", "a=sendonly", "a=ssrc:5 cname:x")), _0="screen")
    assert wanted(conversation, "TR_1", -1) == [SetEncodings(track="TR_1", rids=())]
    assert wanted(conversation, "TR_1", 0) == [SetEncodings(track="TR_1", rids=("",))]


def test_screens_are_told_from_cameras_and_their_size_is_passed_on() -> None:
    conversation = Conversation().join()
    conversation.say(lambda number: publishing(number, "screen"))
    conversation.done()
    conversation.done()
    (command,) = conversation.calls
    assert isinstance(command, control.AddTrack)
    assert command.is_screen and command.pixels == 1920 * 1080


def publishing(number: int, source: Source) -> Publish:
    sdp = described(video("0", "a=sendonly", "a=ssrc:5 cname:x"))
    return Publish(id=number, sdp=sdp, tracks=(TrackToPublish(mid="0", source=source, width=1920, height=1080),))


def test_what_is_wanted_is_said_again_to_a_client_that_missed_more_than_is_kept() -> None:
    conversation = Conversation(limits=SessionLimits(replay=ReplayLimits(messages=2))).join()
    conversation.publish(_0="microphone", _1="camera")
    conversation.lose_socket()
    for best_layer in (0, 1, 0):
        wanted(conversation, "TR_2", best_layer)
    sent = conversation.resume(0)
    assert tags(sent)[0] == "resynced"
    assert sent[-1] == SetEncodings(track="TR_2", rids=("q",))


# --- speakers --------------------------------------------------------------------------------------------------


def deliveries(directory: RoomDirectory) -> list[Delivery]:
    taken = []
    while (delivery := directory.poll()) is not None:
        taken.append(delivery)
    return taken


def test_everybody_is_told_who_speaks_and_so_is_who_comes_or_comes_back() -> None:
    directory = RoomDirectory(RoomLimits())
    spoke = Speakers(recent=("ada",), speaking=True)
    directory.enter(1, Grant("ada", "Ada", "demo", ALL), 0.0)
    directory.on_speakers("demo", spoke)
    directory.on_speakers("no such room", spoke)
    assert deliveries(directory) == [Delivery(1, spoke, 1)]
    directory.enter(2, Grant("bob", "Bob", "demo", ALL), 0.0)
    assert deliveries(directory)[1:] == [Delivery(2, spoke, 2)]
    directory.attend(1, away=True)
    directory.attend(1, away=False)
    assert deliveries(directory) == [Delivery(1, spoke, 2)]


def test_a_client_is_told_who_speaks() -> None:
    conversation = Conversation().join()
    spoke = Speakers(recent=("ada", "bob"), speaking=False)
    assert conversation.hear(spoke) == [spoke]
