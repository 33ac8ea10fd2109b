"""How good the call is, on its way from the Worker to clients."""

from __future__ import annotations

from sfu import control
from signaling.auth import Grant
from signaling.limits import RoomLimits
from signaling.message_values import Grants, Quality
from signaling.messages import QualityChanged
from signaling.quality import quality_of
from signaling.rooms import RoomDirectory
from tests.signaling.test_rooms import told

POOR = Quality(level="poor", cause="loss", score=2.35, direction="up")


def judged(identity: str, quality: str | None = "poor") -> control.ParticipantQuality:
    return control.ParticipantQuality(
        participant=identity,
        quality=quality,
        score=2.3456,
        cause="loss",
        direction="up",
        up=2.3456,
        down=None,
        rtt_s=0.05,
    )


def room_of(*identities: str, hidden: str = "", listed_viewers: int = 30) -> RoomDirectory:
    directory = RoomDirectory(RoomLimits(listed_viewers=listed_viewers))
    for session, identity in enumerate(identities, 1):
        grants = Grants(create=True, publish=identity != "eve", subscribe=True, hidden=identity == hidden)
        directory.enter(session, Grant(identity, identity.title(), "demo", grants), 0.0)
    told(directory)
    return directory


def heard(directory: RoomDirectory) -> dict[int, list[tuple[str, Quality | None]]]:
    """By session: who is how well off."""
    found = {}
    for delivery in told(directory):
        assert isinstance(delivery.event, QualityChanged)
        found[delivery.session] = [(one.identity, one.quality) for one in delivery.event.participants]
    return found


def test_figures_are_for_itself_and_operators() -> None:
    assert quality_of(judged("ada")) == POOR
    whole = quality_of(judged("ada"), figures=True)
    assert whole is not None and (whole.up, whole.down, whole.rtt_s) == (2.35, None, 0.05)
    assert quality_of(judged("ada", None)) is None


def test_everybody_is_told_together_and_who_comes_later_finds_it() -> None:
    directory = room_of("ada", "bob")
    directory.on_notice(control.QualityChanged(room="demo", participants=[judged("ada"), judged("bob", "good")]), 0.0)
    good = Quality(level="good", cause="loss", score=2.35, direction="up")
    assert heard(directory) == {session: [("ada", POOR), ("bob", good)] for session in (1, 2)}
    assert directory.participant("demo", "ada").participant.quality == POOR
    directory.on_notice(control.QualityChanged(room="demo", participants=[judged("ada", None)]), 0.0)
    assert heard(directory) == {1: [("ada", None)], 2: [("ada", None)]}
    assert directory.participant("demo", "ada").participant.quality is None


def test_who_is_hidden_or_only_counted_is_told_alone() -> None:
    directory = room_of("ada", "spy", "eve", hidden="spy", listed_viewers=0)
    notice = control.QualityChanged(room="demo", participants=[judged(who) for who in ("ada", "spy", "eve")])
    directory.on_notice(notice, 0.0)
    public = ("ada", POOR)
    assert heard(directory) == {1: [public], 2: [public, ("spy", POOR)], 3: [public, ("eve", POOR)]}
    directory.on_notice(control.QualityChanged(room="demo", participants=[judged("spy", "good")]), 0.0)
    assert list(heard(directory)) == [2]


def test_nothing_happens_in_no_room_and_to_nobody() -> None:
    directory = room_of("ada")
    directory.on_notice(control.QualityChanged(room="elsewhere", participants=[judged("ada")]), 0.0)
    directory.on_notice(control.QualityChanged(room="demo", participants=[judged("gone")]), 0.0)
    assert heard(directory) == {}
