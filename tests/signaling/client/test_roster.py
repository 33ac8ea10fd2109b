"""The roster follows the server's events, and shrugs at those about people who are gone."""

from __future__ import annotations

from msgspec.structs import replace

from signaling.client.roster import Roster
from signaling.message_values import Quality
from signaling.messages import (
    LayerChanged,
    Participant,
    ParticipantChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantQuality,
    QualityChanged,
    TrackDescription,
    TrackMuted,
    TrackPublished,
    TrackUnpublished,
)

CAMERA = TrackDescription(id="TR_1", kind="video", source="camera", muted=False, rids=("q", "f"))
BOB = Participant(identity="bob", name="Bob", state="connected", tracks=())


def tracks(roster: Roster) -> list[str]:
    return [track.id for participant in roster.participants.values() for track in participant.tracks]


def test_a_life_in_a_room() -> None:
    roster = Roster(())
    roster.on_event(ParticipantJoined(participant=BOB))
    roster.on_event(TrackPublished(identity="bob", track=CAMERA))
    assert roster.track("TR_1") == (roster.participants["bob"], CAMERA)
    roster.on_event(TrackMuted(identity="bob", track="TR_1", muted=True))
    assert roster.participants["bob"].tracks[0].muted
    roster.on_event(ParticipantChanged(identity="bob", state="reconnecting"))
    assert roster.participants["bob"].state == "reconnecting"
    assert tracks(roster) == ["TR_1"]
    roster.on_event(TrackUnpublished(identity="bob", track="TR_1"))
    assert tracks(roster) == []
    roster.on_event(ParticipantLeft(identity="bob", reason="left"))
    assert not roster.participants


def test_the_first_roster_comes_with_joined() -> None:
    roster = Roster([BOB])
    assert roster.participants == {"bob": BOB}
    assert roster.track("TR_1") is None


def test_events_about_the_departed_are_ignored() -> None:
    roster = Roster(())
    roster.on_event(ParticipantLeft(identity="bob", reason="left"))
    roster.on_event(ParticipantChanged(identity="bob", state="reconnecting"))
    roster.on_event(TrackPublished(identity="bob", track=CAMERA))
    roster.on_event(TrackMuted(identity="bob", track="TR_1", muted=True))
    roster.on_event(TrackUnpublished(identity="bob", track="TR_1"))
    roster.on_event(LayerChanged(track="TR_1", rid="q"))
    assert not roster.participants


def test_how_good_the_call_is_and_what_was_missed_of_it() -> None:
    poor = Quality(level="poor", cause="loss", score=2.3, direction="up")
    told = tuple(ParticipantQuality(identity=identity, quality=poor) for identity in ("bob", "cid"))
    roster = Roster([BOB])
    roster.on_event(QualityChanged(participants=told))
    assert roster.participants == {"bob": replace(BOB, quality=poor)}
    (missed,) = roster.differences([BOB])
    assert missed == QualityChanged(participants=(ParticipantQuality(identity="bob", quality=None),))
