"""Where recordings go: `s3://BUCKET/PREFIX`, at an endpoint that is no part of it. Pure.

Credentials, region and endpoint are taken from where every S3 tool takes them (AWS_ACCESS_KEY_ID, AWS_PROFILE,
AWS_REGION, AWS_ENDPOINT_URL_S3 …), so that none stands in a command line or a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What all of them accept: Amazon's rules for names.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=/-]*")
_LONGEST_PREFIX = 512  # of a key's 1024 bytes


@dataclass(frozen=True, slots=True)
class Target:
    """`prefix` is empty or ends with a slash. `endpoint`: None is Amazon's, or what the environment says."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None

    def key(self, recording: str, path: str) -> str:
        return f"{self.prefix}{recording}/{path}"

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def parse_target(url: str, endpoint: str | None = None) -> Target:
    """Raises ValueError with words for who wrote it."""
    scheme, separator, rest = url.partition("://")
    if scheme != "s3" or not separator:
        raise ValueError("write s3://BUCKET or s3://BUCKET/PREFIX")
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{bucket!r} is no name of a bucket: 3 … 63 of a-z 0-9 . -")
    prefix = prefix.strip("/")
    if not _PREFIX.fullmatch(prefix) or len(prefix) > _LONGEST_PREFIX or "//" in prefix:
        raise ValueError("a prefix has up to 512 of A-Z a-z 0-9 ! _ . * ' ( ) = / -")
    if any(part in (".", "..") for part in prefix.split("/")):
        raise ValueError("a prefix has no `.` and `..`: tools would take them for directories")
    return Target(bucket, f"{prefix}/" if prefix else "", endpoint)
