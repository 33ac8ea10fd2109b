"""Limits and intervals of uploads, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class UploadConfig:
    with_journal: bool = False  # the journal, too: as much again, and everything can be made anew of it
    delete: bool = False  # of what is here, what has been verified there; the manifest stays
    concurrency: int = 2  # recordings at a time: a slow one holds up no other. Higher: more of the uplink, which the
    # call's media need
    part_bytes: int = 16 * MIB  # sent again when one fails, and in memory for each recording under way
    first_pause_s: float = 5.0  # a connection that broke is mostly there again
    longest_pause_s: float = 3600.0  # storage that somebody has to mend is found again within an hour
    jitter: float = 0.2  # so that not all recordings knock at once
    give_up_after_s: float = 7 * 86400.0  # a week, with its weekend; files and state stay, and `sfu upload` goes on
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0  # completing an object of gigabytes takes its time
    close_within_s: float = 5.0  # at the end of the server: a part under way is broken off
