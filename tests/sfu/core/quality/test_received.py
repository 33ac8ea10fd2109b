"""What a Subscription is worth, from what its subscriber reports and what it was given."""

from __future__ import annotations

from sfu.core.allocation import LimitedBy, Share
from sfu.core.ladder import Rung
from sfu.core.quality.published import PublishedQuality
from sfu.core.quality.received import ReceivedQuality
from sfu.core.quality.score import Cause, Score
from sfu.core.types import Kind
from sfu.wire.rtcp import ReportBlock
from tests.sfu.core.quality.table import nearly

SMALL, LARGE = Rung(0, 150_000, 320 * 180), Rung(2, 2_000_000, 1280 * 720)


class Receiver:
    def __init__(self, kind: Kind, share: Share) -> None:
        self.quality = ReceivedQuality(kind, 48_000 if kind == "audio" else 90_000)
        self.source = PublishedQuality(kind, 48_000)
        self.share = share
        self.now = 100.0
        self.expected = self.lost = 0

    def report(self, received: int, lost: int = 0, jitter: int = 0) -> None:
        self.expected, self.lost = self.expected + received + lost, self.lost + lost
        self.quality.on_report(ReportBlock(7, 0, self.lost, self.expected, jitter, 0, 0))

    def look(self) -> Score | None:
        self.now += 2.0
        return self.quality.assess(self.share, self.source, 0.05, self.now)


def listener() -> Receiver:
    return Receiver("audio", Share(LARGE, LimitedBy.NOTHING, LARGE))


def viewer(rung: Rung | None, limited_by: LimitedBy = LimitedBy.NOTHING) -> Receiver:
    return Receiver("video", Share(rung, limited_by, LARGE))


def test_nothing_is_known_before_it_reports() -> None:
    receiver = listener()
    assert receiver.look() is None
    receiver.report(100)
    assert receiver.look() == Score(nearly(4.23))


def test_what_it_loses_costs() -> None:
    receiver = listener()
    receiver.report(100)
    receiver.report(90, lost=10)
    assert receiver.look() == Score(nearly(2.93), Cause.LOSS)


def test_sent_with_redundancy_it_may_lose_more() -> None:
    receiver = listener()
    receiver.report(100)
    receiver.report(90, lost=10)
    score = receiver.quality.assess(receiver.share, receiver.source, 0.05, receiver.now, redundant=True)
    assert score == Score(nearly(4.09), Cause.NOTHING)


def test_what_never_reached_the_server_does_not() -> None:
    receiver = listener()
    receiver.source.missing, receiver.source.jitter_s = 0.1, 0.2
    receiver.report(100)
    receiver.report(90, lost=10, jitter=9600)
    assert receiver.look() == Score(nearly(4.23))


def test_what_was_lost_before_the_server_and_came_back_there_is_no_excuse() -> None:
    receiver = listener()
    receiver.source.loss, receiver.source.missing = 0.1, 0.0
    receiver.report(100)
    receiver.report(90, lost=10)
    assert receiver.look() == Score(nearly(2.93), Cause.LOSS)


def test_jitter_costs() -> None:
    receiver = listener()
    receiver.report(100, jitter=9600)
    assert receiver.look() == Score(nearly(3.2, 0.3), Cause.JITTER)


def test_a_smaller_picture_than_its_tile_could_use_costs() -> None:
    receiver = viewer(SMALL, LimitedBy.BANDWIDTH)
    receiver.report(100)
    assert receiver.look() == Score(nearly(2.9, 0.05), Cause.BANDWIDTH)


def test_a_picture_that_bandwidth_has_paused_is_worth_nothing_and_one_that_nobody_wants_is_not_judged() -> None:
    assert viewer(None, LimitedBy.BANDWIDTH).look() == Score(1.0, Cause.BANDWIDTH)
    for reason in LimitedBy:
        if reason is not LimitedBy.BANDWIDTH:
            assert viewer(None, reason).look() is None


def test_pictures_that_cannot_be_decoded_are_stalls_for_a_while() -> None:
    receiver = viewer(LARGE)
    receiver.report(100)
    receiver.look()
    receiver.quality.on_picture_lost()
    score = receiver.look()
    assert score is not None and score.value == nearly(3.65, 0.05) and score.cause is Cause.FREEZES
    for _ in range(6):
        score = receiver.look()
    assert score is not None and score.value > 4.4


def test_of_what_has_not_come_yet_no_size_is_missed() -> None:
    receiver = viewer(Rung(0, 0, 0), LimitedBy.NOT_SENT)
    receiver.report(100)
    score = receiver.look()
    assert score is not None and score.value > 4.4


def test_a_report_that_tells_late_of_what_never_reached_the_server_is_excused_too() -> None:
    receiver = listener()
    receiver.report(250)
    receiver.look()
    scores = []
    for missing in (0.2, 0.2, 0.0):  # over before the report that tells of it
        receiver.source.missing = missing
        scores.append(receiver.look())
    receiver.report(200, lost=50)
    scores += [receiver.look(), receiver.look()]
    assert scores == [Score(nearly(4.23))] * 5
    receiver.report(200, lost=50)
    assert receiver.look() == Score(nearly(2.17), Cause.LOSS), "what it loses from now on it loses itself"


def test_losses_are_compared_over_the_same_time() -> None:
    receiver = listener()
    receiver.report(100)
    receiver.look()
    receiver.source.missing = 0.2
    receiver.report(44, lost=6)
    receiver.report(36, lost=14)  # what was lost on the way up, as luck would have it
    assert receiver.look() == Score(nearly(4.23))


def test_pictures_that_its_publisher_has_spoilt_are_not_held_against_it() -> None:
    receiver = viewer(LARGE)
    receiver.report(100)
    receiver.look()
    for missing, lost in ((0.2, 20), (0.0, 0)):  # asked for while they were missing, and just after
        receiver.source.missing = missing
        receiver.report(100 - lost, lost=lost)
        receiver.quality.on_picture_lost()
        score = receiver.look()
        assert score is not None and score.value > 4.2
    receiver.source.missing = 0.02
    receiver.report(70, lost=30)
    receiver.quality.on_picture_lost()
    score = receiver.look()
    assert score is not None and score.value < 1.5, "it loses more than that itself"


def test_by_bad_luck_more_is_missing_of_one_second_than_of_two() -> None:
    receiver = listener()
    receiver.report(100)
    receiver.look()
    receiver.source.missing = 0.23
    receiver.report(34, lost=16)
    assert receiver.look() == Score(nearly(4.23))
    receiver.report(28, lost=22)
    score = receiver.look()
    assert score is not None and score.cause is Cause.LOSS, "that is no luck"


# --- what its client says of frames ----------------------------------------------------------------------------


def watched(*, is_screen: bool = False) -> Receiver:
    """Its client has told once, so that it is known to."""
    receiver = viewer(LARGE)
    receiver.quality = ReceivedQuality("video", 90_000, is_screen=is_screen)
    receiver.report(1000)
    receiver.quality.on_frames(300, 0, 0, 0.0)
    receiver.look()
    return receiver


def test_freezes_count_as_its_client_tells_them() -> None:
    receiver = watched()
    receiver.quality.on_frames(280, 0, 1, 0.5)
    assert receiver.look() == Score(nearly(3.65), Cause.FREEZES)
    for _ in range(6):
        score = receiver.look()
    assert score == Score(nearly(4.45))


def test_what_cannot_be_decoded_is_no_freeze_beside_what_its_client_tells() -> None:
    receiver = watched()
    receiver.quality.on_picture_lost()
    assert receiver.look() == Score(nearly(4.45))


def test_stalls_that_were_guessed_are_forgotten_once_its_client_tells() -> None:
    receiver = viewer(LARGE)
    receiver.report(1000)
    receiver.look()
    receiver.quality.on_picture_lost()
    assert receiver.look() == Score(nearly(3.65), Cause.FREEZES)
    receiver.quality.on_frames(300, 0, 0, 0.0)
    assert receiver.look() == Score(nearly(4.45))


def test_freezes_of_the_publisher_are_not_its_own() -> None:
    receiver = watched()
    receiver.source.stalls.on_totals(0, 0.0, receiver.now)
    receiver.source.stalls.on_totals(1, 0.5, receiver.now)
    receiver.quality.on_frames(280, 0, 1, 0.5)
    assert receiver.look() == Score(nearly(4.45))


def test_the_end_of_a_pause_is_no_freeze() -> None:
    receiver = watched()
    receiver.share = Share(None, LimitedBy.LAYOUT)
    receiver.look()
    receiver.share = Share(LARGE, LimitedBy.NOTHING, LARGE)
    receiver.quality.on_frames(100, 0, 1, 2.5)
    assert receiver.look() == Score(nearly(4.45))
    receiver.quality.on_frames(280, 0, 1, 0.5)
    assert receiver.look() == Score(nearly(3.65), Cause.FREEZES)
    assert receiver.quality.frames is not None and receiver.quality.frames.freezes == 2


def test_frames_that_were_dropped_are_missing() -> None:
    receiver = watched()
    receiver.quality.on_frames(150, 150, 0, 0.0)
    assert receiver.look() == Score(nearly(3.13), Cause.FRAME_RATE)
    receiver.quality.on_frames(0, 0, 0, 0.0)
    assert receiver.look() == Score(nearly(4.45))


def test_a_screen_on_which_nothing_moves_stands_still_for_its_client_only() -> None:
    receiver = watched(is_screen=True)
    receiver.quality.on_frames(3, 3, 3, 9.0)
    assert receiver.look() == Score(nearly(4.45))
