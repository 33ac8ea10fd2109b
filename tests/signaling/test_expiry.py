"""When a session ends with its token, and that its client hears of it in time."""

from __future__ import annotations

import math

from signaling.expiry import Expiry


def test_a_minute_before_the_end_the_client_is_told_once() -> None:
    expiry = Expiry(grace_s=5.0)
    expiry.renew(0.0, 3600.0)
    assert expiry.next_timeout() == 3540.0 and expiry.take_warning(3539.0) is None
    assert expiry.take_warning(3541.0) == 59.0 and expiry.take_warning(3542.0) is None
    assert expiry.next_timeout() == 3605.0
    assert not expiry.is_over(3604.9) and expiry.is_over(3605.0)


def test_another_token_begins_anew() -> None:
    expiry = Expiry(grace_s=5.0)
    expiry.renew(0.0, 3600.0)
    expiry.take_warning(3541.0)
    expiry.renew(3542.0, 3600.0)
    assert not expiry.is_over(3605.0) and expiry.next_timeout() == 3542.0 + 3540.0


def test_of_a_short_life_a_quarter_is_enough() -> None:
    expiry = Expiry(grace_s=5.0)
    expiry.renew(0.0, 20.0)
    assert expiry.next_timeout() == 15.0


def test_where_tokens_are_looked_at_once_nothing_ends() -> None:
    expiry = Expiry(grace_s=math.inf)
    expiry.renew(0.0, 1.0)
    assert expiry.next_timeout() is None and not expiry.is_over(1e12) and expiry.take_warning(1e12) is None
