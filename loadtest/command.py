"""`sfu loadtest SCENARIO`: arguments, what is run in which order, and what is printed and written.

Exit status: 0 well, 1 it could not be run, 2 wrong arguments, 3 it ran but a point lost 1 % or more where none should.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from loadtest import chart, gallery, largest, making, plans, recording
from loadtest.beside import beside, verdicts
from loadtest.bots import Entry
from loadtest.floor import NoFloor, measure_floor
from loadtest.machine import read_machine
from loadtest.measuring import Course, highest, on_stage, steady
from loadtest.plans import Plan, Rates
from loadtest.progress import Bar
from loadtest.results import MOST_LOSS, Point, table, to_json
from loadtest.server import SELECTS_NOTHING, CannotStart, RunningServer, running_server
from loadtest.traffic import Traffic, Unavailable
from sfu.net.dtls import HandshakeFailed
from sfu.plane.srtp import PROFILES
from signaling.client import RoomClosed
from signaling.config import DEVELOPMENT_KEY
from signaling.errors import Refused

# Decrypted samples a second: enough for a 99.9th percentile over a few seconds, and 1 % of the generator's core.
SAMPLES_PER_S: Final = 4000
# What `max` may come to, packets/s: sampled as at the rate it begins with, the generator would decrypt half of that.
HIGHEST_PPS: Final = 640_000
# Of a recording that is made into files, for what that costs.
MADE_S: Final = 10.0
COULD_NOT: Final = (
    Unavailable,
    CannotStart,
    NoFloor,
    recording.NotRecorded,
    Refused,
    RoomClosed,
    HandshakeFailed,
    ConnectionError,
    TimeoutError,
    aiohttp.ClientError,
)
SCENARIOS: Final = {
    "one-to-many": "one publishes, everybody else receives",
    "meeting": "everybody publishes and receives nine others",
    "audio": "everybody speaks and hears everybody",
    "gallery": "everybody publishes three layers and shows all others, in a grid, then by a stage; the server selects",
    "churn": "a meeting that people leave and join all the time",
    "beside": "one-to-many, alone and beside what an app backend and people who join ask of the server",
    "recording": "rooms, alone and all of them recorded; and what files of a recording cost",
    "largest": "a meeting of ever more people, until 0.1 %% is lost or the 99th percentile passes 200 ms",
    "max": "one-to-many, at ever higher rates of video, until 1 %% is lost",
}
EPILOG: Final = """\
examples:
  sfu loadtest one-to-many --subscribers 50 --no-feedback       what a forwarded packet costs
  sfu loadtest one-to-many --subscribers 10,50,100,300 --png load.png
  sfu loadtest meeting --participants 10 --layers 3 --json result.json
  sfu loadtest gallery --participants 25                        what is selected for a grid and a speaker view
  sfu loadtest max --subscribers 50
  SFU_PLANE=fallback sfu loadtest largest                       where the readable plane ends
  sfu loadtest beside --subscribers 10                          1 000 room reads/s, then 200 joins/s
  sfu loadtest recording --rooms 20                             20 rooms of two, recorded in copy mode

How to read a result: loadtest/README.md.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of `sfu loadtest`: one sub-command for each scenario, `compare` and `accept`."""
    from loadtest import accept
    from loadtest.compare import command as compare

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    scenarios = parser.add_subparsers(title="scenarios", required=True, metavar="SCENARIO", dest="scenario")
    for name, description in SCENARIOS.items():
        scenario = scenarios.add_parser(name, help=description, description=description.capitalize() + ".")
        _add_people(scenario, name)
        _add_traffic(scenario, layers=3 if name == "gallery" else 1)
        _add_measuring(scenario)
        scenario.set_defaults(run_scenario=_run)
    comparison = scenarios.add_parser("compare", help="the same traffic against other servers")
    compare.add_arguments(comparison)
    comparison.set_defaults(run_scenario=compare.run)
    acceptance = scenarios.add_parser("accept", help="every figure we want to reach, in one table")
    accept.add_arguments(acceptance)
    acceptance.set_defaults(run_scenario=accept.run)


def run(parsed: argparse.Namespace) -> int:
    status: int = parsed.run_scenario(parsed)
    return status


# --- arguments -----------------------------------------------------------------------------------------------


def _add_people(parser: argparse.ArgumentParser, scenario: str) -> None:
    if scenario == "beside":
        parser.add_argument("--reads", type=_rate, default=1000.0, metavar="R", help="of a room per second, by REST")
        parser.add_argument("--joins", type=_rate, default=200.0, metavar="R", help="per second, by signaling alone")
    if scenario in ("one-to-many", "beside", "max"):
        parser.add_argument(
            "--subscribers", type=_counts, default=[50], metavar="N", help="or several: 10,50,100 (default 50)"
        )
    else:
        default = {"audio": 30, "gallery": 25, "recording": 2}.get(scenario, 10)
        parser.add_argument(
            "--participants", type=_counts, default=[default], metavar="N", help=f"or several (default {default})"
        )
    if scenario == "churn":
        parser.add_argument("--churn", type=_positive, default=1.0, metavar="R", help="leave and join per second")
    rooms = 20 if scenario == "recording" else 1
    parser.add_argument("--rooms", type=_count, default=rooms, metavar="N", help=f"of each as many (default {rooms})")
    parser.add_argument("--join-rate", type=_positive, default=20.0, metavar="R", help="joins per second (default 20)")


def _add_traffic(parser: argparse.ArgumentParser, layers: int) -> None:
    usual = Rates()
    group = parser.add_argument_group("traffic of each publisher")
    group.add_argument("--video-rate", type=_positive, default=usual.video_packets_per_s, metavar="PACKETS/S")
    group.add_argument("--video-bytes", type=_count, default=usual.video_bytes, metavar="BYTES", help="of payload")
    group.add_argument("--audio-rate", type=_positive, default=usual.audio_packets_per_s, metavar="PACKETS/S")
    group.add_argument("--audio-bytes", type=_count, default=usual.audio_bytes, metavar="BYTES")
    group.add_argument("--layers", type=int, choices=(1, 2, 3), default=layers, help="of simulcast (1: none)")
    group.add_argument("--srtp", choices=("gcm", "cm"), help="the one profile that is offered (default: all)")
    group.add_argument(
        "--no-feedback", action="store_true", help="subscribers send no transport-cc; reports and consent remain"
    )


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("measuring")
    group.add_argument("--duration", type=_positive, default=10.0, metavar="S", help="of a window (default 10)")
    group.add_argument("--warm-up", type=_positive, default=3.0, metavar="S", help="before it (default 3)")
    group.add_argument("--server-core", type=int, metavar="N", help="default: the first of at least two")
    group.add_argument("--generator-core", type=int, metavar="N", help="default: the last of at least two")
    group.add_argument("--workers", type=int, default=0, metavar="N", help="of the server (default 0: embedded)")
    group.add_argument("--busy-python", action="store_true", help="keep the server's event loop busy in 20 ms pieces")
    group.add_argument(
        "--strangers", type=_positive, default=0.0, metavar="PACKETS/S", help="datagrams of unknown addresses besides"
    )
    group.add_argument("--strangers-stun", action="store_true", help="they are STUN, which has to be looked at")
    group.add_argument("--url", help="test this server instead; what it costs cannot be seen")
    group.add_argument("--keys", type=_key, default=DEVELOPMENT_KEY, metavar="ID:SECRET", help="of that server")
    group.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    group.add_argument("--png", type=Path, metavar="FILE", help="draw CPU, latency and loss against load")


# --- running -------------------------------------------------------------------------------------------------


def _run(parsed: argparse.Namespace) -> int:
    if parsed.png and not chart.is_available():
        print("sfu loadtest: --png needs matplotlib: pip install sfu[loadtest]", file=sys.stderr)
        return 2
    if parsed.scenario == "recording" and parsed.url:
        print("sfu loadtest: recording reads the server's disk: it has to be one of its own", file=sys.stderr)
        return 2
    # Three sockets and more for each bot.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    machine = read_machine()
    cores = _cores(parsed)
    if cores is not None:
        os.sched_setaffinity(0, {cores[1]})
    bar = Bar()
    try:
        points = asyncio.run(_measure_all(parsed, cores, bar))
    except COULD_NOT as error:
        bar.clear()
        print(f"sfu loadtest: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    bar.clear()
    apart = "" if cores is None else f", server on core {cores[0]}, generator on {cores[1]}"
    print(f"{machine}{apart}\n{points[-1].plane} plane, {points[-1].srtp_profile}\n\n{table(points)}")
    told = _verdicts(parsed.scenario, points)
    print("".join(f"\n{text}{'' if is_well else '  missed'}" for text, is_well in told))
    if parsed.json:
        parsed.json.write_text(json.dumps(to_json(points, machine, parsed.scenario), indent=1) + "\n")
    if parsed.png:
        chart.draw(points, f"{points[-1].name}: {points[-1].plane} plane, {points[-1].srtp_profile}", parsed.png)
    if not all(is_well for _, is_well in told):
        return 3
    goes_too_far = parsed.scenario in ("largest", "max")
    return 3 if any(one.loss >= MOST_LOSS for one in points) and not goes_too_far else 0


def _verdicts(scenario: str, points: Sequence[Point]) -> list[tuple[str, bool]]:
    if scenario == "beside":
        return verdicts(list(points))
    if scenario == "recording":
        return [*recording.verdicts(points), *making.verdicts(making.cost_s(MADE_S))]
    if scenario == "gallery":
        return gallery.verdicts(points)
    if scenario == "largest":
        return [largest.verdict(points)]
    return []


async def _measure_all(parsed: argparse.Namespace, cores: tuple[int, int] | None, bar: Bar) -> list[Point]:
    points: list[Point] = []
    if parsed.scenario == "largest":
        tried: dict[int, bool] = {}
        while (size := largest.next_size(parsed.participants[0], tried)) is not None:
            points += await _measure(parsed, plans.meeting(size, parsed.rooms), cores, bar)
            tried[size] = largest.goes_well(points[-1])
            p99_ms = points[-1].added_latency_ms["p99"] or 0.0
            bar.say(f"{size} participants: {100 * points[-1].loss:.2f} % lost, p99 {p99_ms:.1f} ms")
        return points
    for plan in _plans(parsed):
        points += await _measure(parsed, plan, cores, bar)
    return points


async def _measure(parsed: argparse.Namespace, plan: Plan, cores: tuple[int, int] | None, bar: Bar) -> list[Point]:
    """With a fresh server."""
    course = _course(parsed)
    points: list[Point] = []
    async with _server(parsed, cores) as (server, recordings):
        traffic = Traffic(
            feedback=not parsed.no_feedback,
            sample_every=_sample_every(plan, course, parsed.scenario),
        )
        entry = _entry(parsed, server)
        try:
            traffic.start()
            async with on_stage(plan, course, entry, traffic, server, bar.show) as stage:
                if parsed.scenario == "max":
                    points += await highest(stage, bar.say)
                elif parsed.scenario == "beside":
                    points += await beside(stage, parsed.reads, parsed.joins)
                elif parsed.scenario == "recording":
                    points += await recording.recorded(stage, recordings)
                elif parsed.scenario == "gallery":
                    points += await gallery.gallery(stage)
                else:
                    points += await steady(stage)
        finally:
            await traffic.close()
    if (
        cores is not None
        and not parsed.url
        and course.expects_all
        and parsed.scenario not in ("beside", "largest", "max", "recording")
    ):
        bar.show("measuring the kernel alone", 0, 1)
        floor_us, _ = await measure_floor(plan, course.rates, cores)
        points[-1] = replace(points[-1], kernel_floor_us_per_packet=floor_us)
        if points[-1].srtp_profile in PROFILES:  # one for all
            bar.show("measuring kernel and cryptography alone", 0, 1)
            floor_us, _ = await measure_floor(plan, course.rates, cores, profile=points[-1].srtp_profile)
            points[-1] = replace(points[-1], cipher_floor_us_per_packet=floor_us)
    return points


def _sample_every(plan: Plan, course: Course, scenario: str) -> int:
    expected_pps = max(plan.forwarded_per_s(course.rates), HIGHEST_PPS if scenario == "max" else 0)
    return max(1, round(expected_pps / SAMPLES_PER_S))


@contextlib.asynccontextmanager
async def _server(
    parsed: argparse.Namespace, cores: tuple[int, int] | None
) -> AsyncIterator[tuple[RunningServer | None, Path]]:
    """And where its recordings lie."""
    with tempfile.TemporaryDirectory() as recordings:
        if parsed.url:
            yield None, Path(recordings)
            return
        options = [] if parsed.scenario == "gallery" else list(SELECTS_NOTHING)
        options += [f"--workers={parsed.workers}"] if parsed.workers else []
        options += [f"--recordings={recordings}"] if parsed.scenario == "recording" else []
        allowed = None if cores is None else {cores[0]}
        async with running_server(allowed, options, busy_python=parsed.busy_python) as server:
            yield server, Path(recordings)


def _entry(parsed: argparse.Namespace, server: RunningServer | None) -> Entry:
    url = parsed.url if server is None else server.url
    is_here = urlsplit(url).hostname in ("127.0.0.1", "localhost")
    return Entry(url, parsed.keys, "127.0.0.1" if is_here else "0.0.0.0", parsed.srtp)


def _plans(parsed: argparse.Namespace) -> list[Plan]:
    match parsed.scenario:
        case "one-to-many" | "beside" | "max":
            return [plans.one_to_many(count, parsed.rooms) for count in parsed.subscribers]
        case "meeting" | "recording":
            return [plans.meeting(count, parsed.rooms) for count in parsed.participants]
        case "gallery":
            return [plans.gallery(count, parsed.rooms) for count in parsed.participants]
        case "audio":
            return [plans.audio_only(count, parsed.rooms) for count in parsed.participants]
        case _:
            return [plans.open_meeting(count, parsed.rooms) for count in parsed.participants]


def _course(parsed: argparse.Namespace) -> Course:
    rates = Rates(
        video_packets_per_s=parsed.video_rate,
        video_bytes=parsed.video_bytes,
        audio_packets_per_s=parsed.audio_rate,
        audio_bytes=parsed.audio_bytes,
        layers=parsed.layers,
    )
    churn = getattr(parsed, "churn", 0.0)
    return Course(
        rates,
        parsed.join_rate,
        parsed.warm_up,
        parsed.duration,
        expects_all=not churn and rates.layers == 1 and parsed.scenario != "gallery",
        churn_per_s=churn,
        strangers_pps=parsed.strangers,
        strangers_send_stun=parsed.strangers_stun,
    )


def _cores(parsed: argparse.Namespace) -> tuple[int, int] | None:
    """(server's, generator's); `None`: both where they like, for there is only one."""
    allowed: Sequence[int] = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2 and (parsed.server_core is None or parsed.generator_core is None):
        return None
    server = allowed[0] if parsed.server_core is None else parsed.server_core
    return server, allowed[-1] if parsed.generator_core is None else parsed.generator_core


def _counts(text: str) -> list[int]:
    return [_count(part) for part in text.split(",")]


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _rate(text: str) -> float:
    return 0.0 if text == "0" else _positive(text)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _key(text: str) -> tuple[str, str]:
    key_id, separator, secret = text.partition(":")
    if not separator:
        raise argparse.ArgumentTypeError("is ID:SECRET")
    return key_id, secret
