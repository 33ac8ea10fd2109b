"""What opens a recording in the browser, and what does not."""

from __future__ import annotations

import pytest

from signaling.api.access import Caller
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.messages import Grants
from signaling.playback import links

KEYS = {"KEY_server": "s" * 32, "shop": "k" * 32}
BY_KEY = Caller("key:shop")
BY_TOKEN = Caller("token:demo:ada", "demo", Grant("ada", "Ada", "demo", Grants(), issued_at=7.5, token_id="TK_1"))


@pytest.mark.parametrize("caller", [BY_KEY, BY_TOKEN])
def test_is_good_for_one_recording_and_until_it_expires(caller: Caller) -> None:
    link = links.make("REC_1", caller, 100, KEYS)
    links.check(link, "REC_1", "demo", 99.9, KEYS)
    for recording, now, code in (("REC_2", 99.0, "recording_not_found"), ("REC_1", 100.0, "link_expired")):
        with pytest.raises(Refused) as refused:
            links.check(link, recording, "demo", now, KEYS)
        assert refused.value.code == code


def test_says_whose_token_it_was_made_by() -> None:
    assert links.check(links.make("REC_1", BY_KEY, 100, KEYS), "REC_1", "demo", 1.0, KEYS) is None
    grant = links.check(links.make("REC_1", BY_TOKEN, 100, KEYS), "REC_1", "demo", 1.0, KEYS)
    assert grant is not None
    assert (grant.identity, grant.room, grant.issued_at, grant.token_id) == ("ada", "demo", 7.5, "TK_1")


def test_ends_with_its_key() -> None:
    link = links.make("REC_1", BY_KEY, 100, KEYS)
    with pytest.raises(Refused, match="recording_not_found"):
        links.check(link, "REC_1", "demo", 1.0, {"KEY_server": "s" * 32})
    with pytest.raises(KeyError):
        links.make("REC_1", BY_KEY, 100, {})


def test_what_was_changed_opens_nothing() -> None:
    link = links.make("REC_1", BY_TOKEN, 100, KEYS)
    changed = [link[:at] + ("A" if link[at] != "A" else "B") + link[at + 1 :] for at in range(len(link) - 1)]
    for other in (*changed, "", ".", "..", "a.b", link + "." + link, "é.é", "A" * 5000 + ".A"):
        with pytest.raises(Refused, match="recording_not_found"):
            links.check(other, "REC_1", "demo", 1.0, KEYS)
