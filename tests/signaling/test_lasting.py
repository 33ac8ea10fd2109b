"""Of which changes of quality app backends hear: a table, and rooms that are set so, left and restarted."""

from __future__ import annotations

import pytest

from sfu import control
from signaling import events
from signaling.lasting import LastingQualities
from signaling.limits import RoomLimits
from signaling.message_values import Quality, QualityLevel
from signaling.records import KIND_OF, Put, Stored, StoredParticipant
from signaling.room_settings import RoomChanges
from signaling.rooms import RoomDirectory
from tests.signaling.test_quality import judged
from tests.signaling.test_room_records import Shelf, recorded
from tests.signaling.test_rooms import grant

HOLD_S = 10.0
NEVER_S = 1000.0
Word = QualityLevel | None


def quality(level: Word) -> Quality | None:
    return None if level is None else Quality(level=level, cause="loss")


# (what happens, the words that come and when, what is told and when)
CASES: list[tuple[str, list[tuple[float, Word]], list[tuple[float, Word, Word]]]] = [
    ("who does well is not told of", [(0, "good")], []),
    ("nor who does nothing for a while", [(0, "good"), (5, None), (40, "good")], []),
    ("what lasts is told when it has", [(0, "good"), (20, "poor")], [(30, "poor", None)]),
    ("what is over in time is not", [(0, "good"), (20, "poor"), (29, "good")], []),
    ("it is fetched at the last moment", [(0, "poor"), (10, "good")], [(10, "poor", None), (20, "good", "poor")]),
    ("a shorter relapse changes nothing", [(0, "poor"), (20, "good"), (25, "poor")], [(10, "poor", None)]),
    ("each begins anew", [(0, "poor"), (9, "good"), (11, "poor"), (20, "good")], []),
    (
        "who gets worse and worse is told of as it is by then, and once more",
        [(0, "fair"), (6, "poor"), (12, "lost")],
        [(10, "poor", None), (22, "lost", "poor")],
    ),
    (
        "what never comes to rest is told of all the same, once",
        [(float(at), "fair" if at % 10 else "poor") for at in range(0, 40, 5)],
        [(10, "fair", None)],
    ),
    (
        "that nothing is sent any more ends it",
        [(0, "poor"), (20, None), (50, "good")],
        [(10, "poor", None), (30, None, "poor")],
    ),
]


@pytest.mark.parametrize(("words", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_told(words: list[tuple[float, Word]], wanted: list[tuple[float, Word, Word]]) -> None:
    lasting = LastingQualities()
    told: list[tuple[float, Word, Word]] = []

    def let_pass(until: float) -> None:
        """Woken when it asked for it, as a timer would."""
        while (when := lasting.next_timeout(HOLD_S)) is not None and when <= until:
            one = lasting.poll(HOLD_S, when)
            assert one is not None, "what is due is told"
            told.append((when, None if one.quality is None else one.quality.level, one.previous))

    for at, word in words:
        let_pass(at)
        lasting.on_quality("PA_1", quality(word), at)
    let_pass(NEVER_S)
    assert told == wanted
    assert lasting.next_timeout(HOLD_S) is None


def test_whoever_is_due_first_is_told_first() -> None:
    lasting = LastingQualities()
    for at, who in enumerate(("PA_1", "PA_2", "PA_3")):
        lasting.on_quality(who, quality("poor"), float(at))
    lasting.on_quality("PA_1", quality("lost"), 3.0)
    lasting.forget("PA_2")
    assert lasting.poll(HOLD_S, 9.9) is None
    due = []
    while (one := lasting.poll(HOLD_S, 12.0)) is not None:
        due.append(one.participant)
    assert due == ["PA_1", "PA_3"]


# --- in rooms -------------------------------------------------------------------------------------------------


def poor(*people: str, quality: str = "poor") -> control.QualityChanged:
    return control.QualityChanged(room="demo", participants=[judged(who, quality) for who in people])


def room_of(*people: str, quality_events: bool = True) -> RoomDirectory:
    directory = RoomDirectory(RoomLimits(quality_hold_s=HOLD_S))
    directory.create_room("demo", RoomChanges(quality_events=quality_events), 0.0)
    for session, identity in enumerate(people, 1):
        directory.enter(session, grant(identity), 0.0)
    recorded(directory)
    return directory


def told(directory: RoomDirectory) -> list[events.ParticipantQualityChanged]:
    return [one for one in recorded(directory) if isinstance(one, events.ParticipantQualityChanged)]


def test_an_event_has_all_that_the_word_is_made_of() -> None:
    directory = room_of("ada", "bob")
    assert directory.on_notice(poor("ada"), 5.0) == directory.next_timeout() == 15.0
    directory.on_timeout(14.9)
    assert told(directory) == []
    directory.on_timeout(15.0)
    (event,) = told(directory)
    whole = Quality(level="poor", cause="loss", score=2.35, direction="up", up=2.35, rtt_s=0.05)
    assert (event.participant.identity, event.quality, event.previous) == ("ada", whole, None)


def test_a_room_that_is_not_set_so_has_none_until_it_is() -> None:
    directory = room_of("ada", quality_events=False)
    assert directory.on_notice(poor("ada"), 0.0) is directory.next_timeout() is None
    directory.on_timeout(60.0)
    assert told(directory) == []
    directory.update_room("demo", RoomChanges(quality_events=True), 61.0)
    assert directory.next_timeout() == 10.0, "at once"
    directory.on_timeout(61.0)
    assert [one.participant.identity for one in told(directory)] == ["ada"]


def test_nothing_is_told_of_who_has_left_or_comes_again() -> None:
    directory = room_of("ada", "bob")
    directory.on_notice(poor("ada", "bob"), 0.0)
    directory.leave(1, "left", 5.0)
    directory.enter(3, grant("bob"), 5.0)  # reloaded
    directory.on_timeout(60.0)
    assert told(directory) == []


def test_after_a_restart_it_is_told_that_it_is_over() -> None:
    first, shelf = room_of(), Shelf()
    first.enter(1, grant("ada"), 0.0)
    first.on_notice(poor("ada"), 0.0)
    first.on_timeout(10.0)
    shelf.keep([Put(kept) for kept in _rooms_of(first)])
    second = RoomDirectory(RoomLimits(quality_hold_s=HOLD_S))
    second.restore(shelf.values.values(), 0.0)
    second.enter(1, grant("ada"), 1.0)
    second.on_notice(poor("ada", quality="good"), 5.0)
    second.on_timeout(11.0)
    (event,) = told(second)
    assert event.quality is not None
    assert (event.quality.level, event.previous) == ("good", "poor")


def _rooms_of(directory: RoomDirectory) -> list[Stored]:
    values = [one.value for one in recorded(directory) if isinstance(one, Put)]
    assert any(isinstance(one, StoredParticipant) and one.quality_told == "poor" for one in values)
    return list({(KIND_OF[type(one)], one.key): one for one in values}.values())
