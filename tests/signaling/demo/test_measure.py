"""What counts as having seen and heard somebody."""

from __future__ import annotations

from signaling.demo.measure import AudioMeasure, Traffic, VideoMeasure
from signaling.demo.strip import FRAME_NUMBERS, Mark

SIZE = (320, 176)


def watched(*marks: Mark | None) -> VideoMeasure:
    measure = VideoMeasure()
    for index, mark in enumerate(marks):
        measure.on_picture(SIZE, mark, sender=3, track="TR_1", now=float(index))
    return measure


def test_pictures_that_advance_are_fine_also_when_some_are_missing() -> None:
    measure = watched(Mark(3, 10), Mark(3, 11), Mark(3, 15))
    assert measure.faults(least=3) == []
    assert measure.first_at_s == 0.0
    assert measure.last_number == 15


def test_frame_numbers_may_wrap() -> None:
    assert watched(Mark(3, FRAME_NUMBERS - 1), Mark(3, 0)).faults(least=2) == []


def test_too_few_pictures_are_a_fault() -> None:
    assert watched(Mark(3, 1)).faults(least=2) == ["1 pictures decoded, not 2"]


def test_a_picture_that_repeats_is_a_fault() -> None:
    assert watched(Mark(3, 5), Mark(3, 5)).faults(least=2) == ["1 pictures did not advance"]


def test_another_track_begins_to_count_anew() -> None:
    measure = watched(Mark(3, 5))
    measure.on_picture(SIZE, Mark(3, 0), sender=3, track="TR_2", now=1.0)
    assert measure.faults(least=2) == []
    assert measure.first_number == 0


def test_a_picture_may_be_shown_again_at_another_size() -> None:
    measure = watched(Mark(3, 5))
    measure.on_picture((80, 44), Mark(3, 5), sender=3, track="TR_1", now=1.0)
    assert measure.faults(least=2) == []


def test_a_picture_of_somebody_else_is_a_fault() -> None:
    assert watched(Mark(3, 5), Mark(4, 6)).faults(least=2) == ["1 pictures of another sender"]


def test_one_unreadable_picture_in_ten_is_forgiven() -> None:
    marks = [Mark(3, number) for number in range(20)]
    assert watched(*marks, None, None).faults(least=20) == []
    assert watched(None, None).faults(least=2) == ["2 of 2 pictures without a readable number"]


def test_the_right_pitch_counts_and_a_wrong_one_is_a_fault() -> None:
    measure = AudioMeasure()
    for heard in (440.0, 452.0, None, 550.0, 550.0):
        measure.on_window(heard, 440.0)
    assert (measure.right, measure.wrong, measure.silent) == (2, 2, 1)
    assert measure.faults(least=2) == []
    measure.on_window(330.0, 440.0)
    assert measure.faults(least=2) == ["a wrong tone in 3 windows, last 330 Hz"]
    assert measure.faults(least=9)[0] == "the right tone in 2 windows, not 9"


def test_traffic_counts_losses_per_slot_and_measures_its_rate() -> None:
    traffic = Traffic()
    for ssrc, number in ((1, 10), (1, 11), (1, 14), (2, 900), (2, 901)):
        traffic.on_packet(ssrc, number, 100, recovered=number == 14, now=number / 900)
    assert (traffic.packets, traffic.lost, traffic.recovered, traffic.octets) == (5, 2, 1, 500)
    traffic.on_packet(2, 902, 100, recovered=False, now=2.0)
    assert traffic.bitrate_bps > 0
