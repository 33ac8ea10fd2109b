"""From what was read around a window to the figures that are told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from loadtest.machine import Machine
from loadtest.results import COLUMNS, Point, Window, point, row, table, to_json
from loadtest.traffic.counts import Counts, StreamCounts, count_durations
from loadtest.usage import Usage

MACHINE = Machine("a CPU", 2, "Linux 6", None, 0.1)
WINDOW = Window(
    name="1 → 50",
    plane="compiled",
    srtp_profile="SRTP_AEAD_AES_128_GCM",
    participants=51,
    counts=Counts(
        at_s=100.0,
        duration_s=10.0,
        sent=2000,
        received=99_000,
        feedbacks=5000,
        latency=count_durations([200_000] * 99 + [900_000]),
        streams=(StreamCounts(1, 7, "video", 99_000, 99_100, 3, 4, 1, 5.0),),
    ),
    usage=Usage(at_s=10.0, server_s=0.2, plane_s=0.15, own_s=0.5, machine_s=0.9, rss_kb=151_000),
    idle_rss_kb=100_000,
    server_seen=True,
    join=count_durations([50_000_000]),
    copies=None,
    receive_buffer_errors=0,
)


def test_figures_are_those_of_the_window() -> None:
    measured = point(WINDOW)
    assert measured.forwarded_pps == 9900
    assert measured.loss == pytest.approx(100 / 99_100)
    assert measured.cpu == pytest.approx(0.02)
    assert measured.cpu_us_per_forwarded_packet == pytest.approx(0.2e6 / 99_000)
    assert measured.cpu_us_per_forwarded_packet_plane == pytest.approx(0.15e6 / 99_000)
    assert measured.control_us_per_participant_per_s == pytest.approx(0.05e6 / 10 / 51)
    assert measured.rss_kb_per_participant == 1000
    assert measured.added_latency_ms["p50"] == pytest.approx(0.2, rel=0.03)
    assert measured.added_latency_ms["p999"] == pytest.approx(0.9, rel=0.03)
    assert measured.join_ms["p50"] == pytest.approx(50, rel=0.03)
    assert measured.foreign_cpu == pytest.approx(0.02)
    assert measured.flaws == []


@pytest.mark.parametrize(
    ("copies", "loss"),
    [
        pytest.param(None, 100 / 99_100, id="the server may choose: what the numbers say"),
        pytest.param(49.6, 100 / 99_100, id="what is under way at the edges of the window is not lost"),
        pytest.param(99.0, 0.5, id="a stream that ended is lost, though none of its numbers is missing"),
    ],
)
def test_what_should_have_been_forwarded_and_was_not_is_lost(copies: float | None, loss: float) -> None:
    assert point(replace(WINDOW, copies=copies)).loss == pytest.approx(loss)


def test_of_a_server_elsewhere_no_costs_are_told() -> None:
    measured = point(replace(WINDOW, server_seen=False))
    assert measured.cpu is measured.cpu_us_per_forwarded_packet is measured.rss_kb is None
    assert "–" in row(measured)


def test_a_plane_without_a_thread_of_its_own_is_not_told_apart() -> None:
    measured = point(replace(WINDOW, usage=replace(WINDOW.usage, plane_s=0.0)))
    assert measured.cpu_us_per_forwarded_packet is not None
    assert measured.cpu_us_per_forwarded_packet_plane is measured.control_us_per_participant_per_s is None


@pytest.mark.parametrize(
    ("window", "doubt"),
    [
        (replace(WINDOW, usage=replace(WINDOW.usage, machine_s=2.0)), "others took 13 % of a core"),
        (replace(WINDOW, counts=replace(WINDOW.counts, kernel_dropped=3)), "the generator lost 3 packets"),
        (replace(WINDOW, counts=replace(WINDOW.counts, unmarked=2)), "2 were not what was sent"),
        (replace(WINDOW, counts=replace(WINDOW.counts, lateness=count_durations([9_000_000]))), "ms late"),
    ],
)
def test_what_spoils_a_point_is_said_beside_it(window: Window, doubt: str) -> None:
    measured = point(window)
    assert doubt in ", ".join(measured.flaws)
    assert doubt in table([measured])


def test_json_holds_what_was_promised() -> None:
    promised = {
        "forwarded_pps",
        "loss",
        "cpu_us_per_forwarded_packet",
        "cpu_us_per_forwarded_packet_plane",
        "added_latency_ms",
        "join_ms",
        "rss_kb_per_participant",
        "srtp_profile",
        "plane",
        "machine",
        "points",
        "scenario",
    }
    first, last = point(WINDOW), replace(point(WINDOW), name="last")
    written = json.loads(json.dumps(to_json([first, last], MACHINE, "one-to-many")))
    assert promised <= written.keys()
    assert set(written["added_latency_ms"]) == {"p50", "p99", "p999"}
    assert (written["name"], len(written["points"])) == ("last", 2)


def test_a_row_has_a_cell_for_each_column() -> None:
    measured: Point = point(WINDOW)
    assert len(row(measured)) == len(COLUMNS)
    assert [line.startswith("1 → 50") for line in table([measured]).splitlines()] == [False, True]
