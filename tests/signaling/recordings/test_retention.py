"""Which recordings go, and in which order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signaling.events import RecordingState
from signaling.recordings.options import RecordedFile, RecordingOptions, UploadStanding, UploadState
from signaling.recordings.retention import Retention, outlived, size_bytes
from signaling.records import StoredRecording

NOW = 1_000_000.0


def recording(id: str, ended_s_ago: float | None, bytes: int = 0, state: RecordingState = "ready") -> StoredRecording:
    return StoredRecording(
        id=id,
        room_id="RM_1",
        room="demo",
        state=state,
        options=RecordingOptions(),
        started_at=NOW - 5000,
        ended_at=None if ended_s_ago is None else NOW - ended_s_ago,
        bytes=bytes,
        files=(RecordedFile(path="files/a.mp4", participant="a", size_bytes=bytes, duration_s=1.0),),
    )


def test_what_is_old_goes_and_what_runs_stays() -> None:
    all = [
        recording("new", 10),
        recording("old", 100),
        recording("failed", 101, state="failed"),
        recording("made", 200, state="finishing"),
        recording("runs", None, state="recording"),
    ]
    assert outlived(all, Retention(max_age_s=100), NOW) == [("failed", "retention_age"), ("old", "retention_age")]
    assert outlived(all, Retention(), NOW) == []


def test_the_oldest_go_until_the_rest_fits() -> None:
    all = [recording("b", 20, 100), recording("a", 30, 100), recording("c", 10, 100)]
    assert outlived(all, Retention(max_bytes=600), NOW) == []
    assert outlived(all, Retention(max_bytes=599), NOW) == [("a", "retention_size")]
    assert outlived(all, Retention(max_bytes=250), NOW) == [("a", "retention_size"), ("b", "retention_size")]
    # What runs counts and cannot go.
    runs = recording("runs", None, 1000, state="recording")
    assert [id for id, _ in outlived([*all, runs], Retention(max_bytes=100), NOW)] == ["a", "b", "c"]


def test_what_is_to_be_uploaded_stays_until_it_is_there() -> None:
    def on_its_way(id: str, state: UploadState, freed_bytes: int = 0) -> StoredRecording:
        upload = UploadStanding(state=state, url="s3://calls/", freed_bytes=freed_bytes)
        return replace(recording(id, 100, 100), upload=upload)

    all = [
        recording("ready", 100, 100),
        on_its_way("uploading", "uploading"),
        on_its_way("given up", "failed"),
        on_its_way("there", "uploaded"),
        recording("failed", 100, state="failed"),
    ]
    for keep in (Retention(max_age_s=1, uploaded_only=True), Retention(max_bytes=1, uploaded_only=True)):
        assert {id for id, _ in outlived(all, keep, NOW)} == {"there", "failed"}
    # What was deleted here after its upload takes no disk.
    there = on_its_way("there", "uploaded", freed_bytes=100)
    assert size_bytes(there) == 100 and outlived([there], Retention(max_bytes=100), NOW) == []


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 10**6)), max_size=12),
    st.none() | st.floats(0, 1000),
    st.none() | st.integers(0, 10**7),
)
def test_what_stays_is_within_both_limits(ends: list[Any], age_s: float | None, most: int | None) -> None:
    all = [recording(str(number), ago, bytes) for number, (ago, bytes) in enumerate(ends)]
    gone = {id for id, _ in outlived(all, Retention(age_s, most), NOW)}
    kept = [one for one in all if one.id not in gone]
    assert age_s is None or all_younger(kept, age_s)
    assert most is None or sum(map(size_bytes, kept)) <= most


def all_younger(kept: list[StoredRecording], age_s: float) -> bool:
    return all(one.ended_at is not None and one.ended_at + age_s > NOW for one in kept)
