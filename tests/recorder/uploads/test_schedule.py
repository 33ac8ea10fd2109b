"""Which recording is sent next, when again, and until when."""

from __future__ import annotations

from dataclasses import replace

from recorder.uploads.config import UploadConfig
from recorder.uploads.schedule import Schedule

CONFIG = replace(UploadConfig(), concurrency=2, first_pause_s=5.0, longest_pause_s=3600.0, jitter=0.2)
DAY_S = 86400.0


def schedule(config: UploadConfig = CONFIG) -> Schedule:
    return Schedule(config, lambda: 0.5)  # no jitter


def test_no_more_at_a_time_than_allowed_and_each_once() -> None:
    one = schedule()
    for name in ("a", "b", "c", "a"):
        one.submit(name, 0.0)
    assert [one.poll(0.0) for _ in range(3)] == ["a", "b", None]
    assert one.next_timeout() is None  # until one is done
    one.on_done("a")
    assert [one.poll(0.0), one.poll(0.0)] == ["c", None]
    one.submit("a", 1.0)
    one.on_done("b")
    assert one.poll(1.0) == "a"


def test_tries_again_later_each_time_for_a_week_and_then_gives_up() -> None:
    one = schedule()
    one.submit("a", 0.0)
    now = 0.0
    pauses: list[float] = []
    while one.poll(now) == "a":
        later = one.on_failed("a", now)
        if later is None:
            break
        attempts, at = later
        assert attempts == len(pauses) + 1 and one.poll(at - 0.01) is None and one.next_timeout() == at
        pauses.append(at - now)
        now = at
    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0] and max(pauses) == 3600.0
    assert 6.9 * DAY_S < now <= 7 * DAY_S and not one.names
    one.submit("a", now)
    assert one.poll(now) == "a"  # somebody asks for it once more


def test_one_that_fails_holds_up_no_other() -> None:
    one = schedule(replace(CONFIG, concurrency=1))
    one.submit("a", 0.0)
    one.submit("b", 0.0)
    assert one.poll(0.0) == "a"
    one.on_failed("a", 1.0)
    assert one.poll(1.0) == "b"
    one.on_done("b")
    assert one.poll(6.0) == "a"


def test_goes_on_after_a_restart_where_it_was() -> None:
    one = schedule()
    one.submit("a", 1000.0, since=0.0, attempts=3, at=1010.0)
    assert one.poll(1009.0) is None and one.poll(1010.0) == "a"
    assert one.on_failed("a", 1010.0) == (4, 1050.0)
    one.submit("old", 8 * DAY_S, since=0.0, attempts=40)
    assert one.poll(8 * DAY_S) is not None


def test_pauses_differ_so_that_not_all_knock_at_once() -> None:
    chances = iter([0.0, 1.0])
    one = Schedule(CONFIG, lambda: next(chances))
    one.submit("a", 0.0)
    one.submit("b", 0.0)
    assert {one.poll(0.0), one.poll(0.0)} == {"a", "b"}
    assert (one.on_failed("a", 0.0), one.on_failed("b", 0.0)) == ((1, 4.0), (1, 6.0))
