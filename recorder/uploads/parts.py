"""How a file is cut into parts, and which ETag the whole has then. Pure.

S3 takes up to 10 000 parts, all but the last of at least 5 MiB. The ETag of an object made of parts is the MD5 of their
MD5s, with their count; that of one sent whole is its MD5. With keys of a key service (SSE-KMS) it is neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from itertools import pairwise

from recorder.uploads.config import MIB

MOST_PARTS = 10_000
LEAST_PART_BYTES = 5 * MIB


def cut(size_bytes: int, part_bytes: int) -> list[tuple[int, int]]:
    """(offset, length) of each part; at least one, of length 0 for an empty file."""
    each = max(part_bytes, LEAST_PART_BYTES, -(-size_bytes // MOST_PARTS))
    each = -(-each // MIB) * MIB
    return [(start, end - start) for start, end in pairwise([*range(0, max(size_bytes, 1), each), size_bytes])]


def digest(part: bytes) -> bytes:
    """MD5, because that is what an ETag is; against damage on the way, not against anybody."""
    return md5(part, usedforsecurity=False).digest()


def whole_tag(digest_of_all: bytes) -> str:
    return digest_of_all.hex()


def composite_tag(digests: Iterable[bytes]) -> str:
    each = list(digests)
    return f"{digest(b''.join(each)).hex()}-{len(each)}"
