"""One certificate per process, renewed in time."""

from __future__ import annotations

import datetime
import re

from sfu.net.certificate import LIFETIME_S, RENEW_AFTER_S, Certificate, CertificateStore

DAY_S = 24 * 3600.0


def test_fingerprint_is_written_as_sdp_wants_it() -> None:
    fingerprint = Certificate.generate().fingerprint
    assert fingerprint.algorithm == "sha-256"
    assert re.fullmatch("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", fingerprint.value)


def test_the_same_until_a_third_of_its_life_is_left() -> None:
    store = CertificateStore()
    first = store.current(1000.0)
    assert store.current(1000.0 + 19.9 * DAY_S) is first
    second = store.current(1000.0 + 20 * DAY_S)
    assert second.fingerprint != first.fingerprint
    assert store.current(1000.0 + 39.9 * DAY_S) is second


def test_renewed_well_before_it_expires() -> None:
    left = Certificate.generate().rtc.expires - datetime.datetime.now(tz=datetime.UTC)
    assert abs(left.total_seconds() - LIFETIME_S) < 60
    assert left.total_seconds() - RENEW_AFTER_S > 9 * DAY_S


def test_the_key_is_not_shown() -> None:
    assert "rtc" not in repr(Certificate.generate())
