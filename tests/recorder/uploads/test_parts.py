"""Parts of files, names of targets: what S3 takes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from recorder.uploads.config import MIB
from recorder.uploads.parts import LEAST_PART_BYTES, MOST_PARTS, cut
from recorder.uploads.target import Target, parse_target


@pytest.mark.parametrize("size_bytes", [0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 5 << 30, 5 << 40])
def test_parts_are_the_file_and_within_what_the_storage_takes(size_bytes: int) -> None:
    parts = cut(size_bytes, 16 * MIB)
    assert 1 <= len(parts) <= MOST_PARTS
    assert sum(length for _, length in parts) == size_bytes
    assert all(start + length == after for (start, length), (after, _) in pairwise(parts))
    assert all(length >= LEAST_PART_BYTES for _, length in parts[:-1])


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("s3://calls", Target("calls")),
        ("s3://calls/", Target("calls")),
        ("s3://calls.example/2026/november/", Target("calls.example", "2026/november/")),
    ],
)
def test_targets(url: str, target: Target) -> None:
    assert parse_target(url) == target


def test_keys_lie_below_the_prefix() -> None:
    assert parse_target("s3://calls/a/b").key("REC_1", "files/ada.mp4") == "a/b/REC_1/files/ada.mp4"


@pytest.mark.parametrize(
    "url", ["", "calls", "https://calls", "s3://", "s3://C", "s3://calls/../x", "s3://calls/a//b", "s3://calls/\n"]
)
def test_what_is_no_target_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match=r"bucket|prefix|s3://"):
        parse_target(url)
