"""Garbage, truncation and malice cost the track they hit: a marked gap or an error in words; the others are whole."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.files.names import FileNames, safe
from recorder.journal import (
    Event,
    JournalReader,
    LayerSwitched,
    Packet,
    ParticipantJoined,
    PayloadFormat,
    SenderReport,
    SpeakersChanged,
    TrackEnded,
    TrackMuted,
    TrackStarted,
)
from recorder.manifest import Manifest
from recorder.recovery import CannotRecover, recover
from recorder.session import Session
from sfu.core.types import Codec
from sfu.wire import rtp
from sfu.wire.tap import SenderClock
from tests.recorder.clap import HEIGHT, WIDTH, claps
from tests.recorder.stage import Network, Publisher, Sent, Stage, plain
from tests.recorder.watching import watch, worst

MODES = [Mode.DECODE, Mode.COPY]


def spoilt(kind: str) -> Network:
    """Every tenth packet's payload is something else."""

    def carry(sent: list[Sent]) -> list[Packet]:
        random = Random(1)
        packets = list(plain()(sent))
        for index in range(5, len(packets), 10):
            packet = packets[index]
            header = rtp.parse(packet.rtp)
            head, payload = packet.rtp[: header.payload_offset], packet.rtp[header.payload_offset :]
            match kind:
                case "garbage":
                    changed = head + random.randbytes(len(payload))
                case "garbage behind a good beginning":
                    changed = head + payload[:12] + random.randbytes(max(0, len(payload) - 12))
                case "truncated":
                    changed = head + payload[: len(payload) // 2]
                case "empty":
                    changed = head
                case "no RTP":
                    changed = random.randbytes(40)
                case _:
                    changed = head + bytes(len(payload))
            packets[index] = packet._replace(rtp=changed)
        return packets

    return carry


@pytest.mark.parametrize(
    ("codec", "mode"),
    [
        (Codec.VP8, Mode.DECODE),
        (Codec.VP9, Mode.COPY),
        (Codec.H264, Mode.DECODE),
        (Codec.H264, Mode.COPY),
        (Codec.AV1, Mode.DECODE),
    ],
)
@pytest.mark.parametrize(
    "kind", ["garbage", "garbage behind a good beginning", "truncated", "empty", "no RTP", "zeros"]
)
def test_spoilt_payloads_cost_their_own_track_alone(tmp_path: Path, kind: str, codec: Codec, mode: Mode) -> None:
    bad = Publisher("ada", codec, network=spoilt(kind), until_s=6.0)
    stage = Stage([bad, Publisher("bob", first=5, until_s=6.0)], until_s=6.0)
    files = FilesConfig(camera_size=(WIDTH, HEIGHT), mode=mode)
    manifest = recover(stage.write(tmp_path), MediaConfig(), files).manifest
    assert len(manifest.tracks) == 4
    seen = {file.participant: watch_all(tmp_path, manifest, file.participant) for file in manifest.files}
    assert worst(seen["bob"][0], [at_s + 0.03 for at_s in claps(6)]) < 0.005
    assert worst(seen["bob"][1], [at_s + 0.03 for at_s in claps(6)]) < 0.005
    ada = next(track for track in manifest.tracks if (track.participant, track.kind) == ("ada", "video"))
    if kind == "no RTP":
        assert ada.malformed >= 9
    if kind == "garbage" and mode is Mode.DECODE:
        assert ada.gaps  # decoders conceal much of the rest
    assert abs(seen["ada"][2] - seen["bob"][2]) < 0.03  # as long as the session, whatever came


def watch_all(directory: Path, manifest: Manifest, identity: str) -> tuple[list[float], list[float], float]:
    flashes: list[float] = []
    beeps: list[float] = []
    end_s = 0.0
    for file in manifest.files:
        if file.participant == identity:
            seen = watch(directory / file.path)
            flashes += [at_s + file.start_s for at_s in seen.flashes]
            beeps += [at_s + file.start_s for at_s in seen.beeps]
            end_s = seen.audio_end_s + file.start_s
    return flashes, beeps, end_s


NAMES = {
    "../../etc/passwd": "etc-passwd",
    "/": "participant",
    "": "participant",
    "..": "participant",
    "a/b\\c\0d": "a-b-c-d",
    "Zoë Ångström": "Zoe-Angstrom",
    "会議": "participant",
    "CON": "CON-participant",
    "x" * 500: "x" * 60,
    ".hidden": "hidden",
    "a\nb": "a-b",
}


@pytest.mark.parametrize("identity", NAMES)
def test_a_name_is_one_that_every_file_system_takes(identity: str) -> None:
    assert safe(identity) == NAMES[identity]


def test_names_that_become_alike_stay_apart() -> None:
    names = FileNames()
    assert [names.name(one, "") for one in ("ada", "Ada", "a/da", "ada")] == ["ada", "Ada-2", "a-da", "ada-3"]
    assert names.name("ada", "-screen") == "ada-screen"


def test_a_name_that_climbs_directories_stays_in_its_own(tmp_path: Path) -> None:
    inside = tmp_path / "recording"
    manifest = recover(
        Stage([Publisher("../../ada", until_s=3.0)], until_s=3.0).write(inside),
        MediaConfig(),
        FilesConfig(camera_size=(WIDTH, HEIGHT)),
    ).manifest
    assert [file.path for file in manifest.files] == ["files/ada.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recording"]
    assert sorted(path.name for path in inside.iterdir()) == ["files", "journal", "manifest.json"]


def test_a_damaged_journal_is_recovered_and_says_where_it_is_damaged(tmp_path: Path) -> None:
    Stage([Publisher("ada"), Publisher("bob", first=5)]).write(tmp_path)
    (segment,) = (tmp_path / "journal").iterdir()
    content = bytearray(segment.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    segment.write_bytes(content[: -len(content) // 20])
    manifest = recover(tmp_path, MediaConfig(), FilesConfig(camera_size=(WIDTH, HEIGHT))).manifest
    assert [one.segment for one in manifest.journal.damaged] == [segment.name] * 2
    assert not manifest.complete
    for file in manifest.files:
        beeps = watch(tmp_path / file.path).beeps
        assert worst(beeps[:2], [1.03, 3.03]) < 0.03 and len(beeps) >= 4


def test_no_journal_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(CannotRecover, match="No such file"):
        recover(tmp_path, MediaConfig(), FilesConfig())
    (tmp_path / "journal").mkdir()
    with pytest.raises(CannotRecover, match="no segments"):
        recover(tmp_path, MediaConfig(), FilesConfig())
    (tmp_path / "journal" / "00000001.sfuj").write_bytes(b"SFUJRNL\x09" + bytes(100))
    assert recover(tmp_path, MediaConfig(), FilesConfig()).manifest.journal.unreadable == ["00000001.sfuj"]


def any_entry(random: Random) -> Packet | SenderReport | Event:
    """What checksums can guard and nobody would write."""
    at_s = random.choice((random.uniform(-70, 20), 1e300, -1e300, 5.0))
    track = random.choice((0, 1, 2, -(1 << 62)))
    codec = random.choice(("VP8", "H264", "AV1", "VP9", "opus", "red", "", "x" * 999))
    match random.randrange(9):
        case 0 | 1 | 2:
            number = random.choice((random.randrange(70_000), 1 << 62, -(1 << 62)))
            packet = rtp.build(
                payload_type=random.randrange(96, 99),
                sequence_number=number & 0xFFFF,
                timestamp=random.getrandbits(32),
                ssrc=random.randrange(3),
                payload=random.randbytes(random.randrange(50)),
                marker=random.random() < 0.5,
            )
            return Packet(track, random.randrange(20), random.random() < 0.2, number, at_s, packet)
        case 3:
            clock = SenderClock(random.getrandbits(64), random.getrandbits(32), random.randrange(3))
            return SenderReport(track, random.randrange(20), at_s, clock)
        case 4 | 5:
            formats = tuple(
                PayloadFormat(number, codec, random.choice((0, -1, 1, 90_000, 1 << 60))) for number in range(96, 99)
            )
            kind = random.choice(("audio", "video", "smell"))
            return Event(track, at_s, TrackStarted(random.choice("abc"), random.choice("xyz"), kind, "", "", formats))
        case 6:
            return Event(
                track, at_s, random.choice((TrackEnded(), TrackMuted(True), TrackMuted(False), LayerSwitched(-5)))
            )
        case 7:
            return Event(track, at_s, SpeakersChanged(("nobody",)))
        case _:
            return Event(track, at_s, ParticipantJoined(random.choice("xyz"), "n" * 500))


def test_a_malicious_journal_ends_in_files_or_an_error_and_soon(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    for round_number in range(2):
        session = Session(MediaConfig())
        times: list[float] = []
        for _ in range(600):
            session.on_entry(any_entry(random))
            if random.random() < 0.1:
                times += [one.timed.at_s for one in session.frames()]
        session.finish()
        assert session.now <= 100.0
        stage = Stage([Publisher("ada", until_s=3.0)], until_s=3.0)
        directory = tmp_path / str(round_number)
        stage.more = [one for one in (any_entry(random) for _ in range(300)) if abs(one.at_s) < 1e10]
        manifest = recover(
            stage.write(directory), MediaConfig(), FilesConfig(camera_size=(WIDTH, HEIGHT), mode=random.choice(MODES))
        ).manifest
        assert manifest.duration_s <= 100.0
        assert list(JournalReader(directory / "journal").entries())
