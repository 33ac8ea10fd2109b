"""The controlling agent: what it checks, when, and which answers it believes."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from aioice import stun

from sfu.control import Candidate, IceParameters
from signaling.client.ice import (
    CONSENT_EXPIRES_S,
    CONSENT_INTERVAL_S,
    LONGEST_REPEAT_S,
    Address,
    ControllingAgent,
    new_credentials,
)

LOCAL = IceParameters("clnt", "clientpasswordclientpassword")
REMOTE = IceParameters("srvr", "serverpasswordserverpassword")
FIRST, SECOND = Candidate("192.0.2.1", 7000, 200), Candidate("192.0.2.2", 7000, 100)


def agent(*candidates: Candidate) -> ControllingAgent:
    return ControllingAgent(LOCAL, REMOTE, candidates or (SECOND, FIRST), Random(1), now=0.0)


def answer(
    check: bytes, password: str = REMOTE.password, message_class: stun.Class = stun.Class.RESPONSE, signed: bool = True
) -> bytes:
    request = stun.parse_message(check)
    message = stun.Message(stun.Method.BINDING, message_class, request.transaction_id)
    message.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.9", 5000)
    if signed:
        message.add_message_integrity(password.encode())
    return bytes(message)


def test_every_candidate_is_checked_at_once_the_best_first() -> None:
    checks = agent().poll(0.0)
    assert [destination for _, destination in checks] == [("192.0.2.1", 7000), ("192.0.2.2", 7000)]
    request = stun.parse_message(checks[0][0])
    assert request.attributes["USERNAME"] == "srvr:clnt"
    assert {"ICE-CONTROLLING", "PRIORITY", "FINGERPRINT"} <= request.attributes.keys()
    assert "USE-CANDIDATE" not in request.attributes
    assert request.check_message_integrity(REMOTE.password.encode())


def test_unanswered_checks_are_repeated_with_growing_gaps() -> None:
    one = agent(FIRST)
    times = []
    now = 0.0
    for _ in range(9):
        assert len(one.poll(now)) == 1
        assert one.poll(now) == []
        times.append(now)
        now = one.next_timeout()
    gaps = [round(b - a, 3) for a, b in pairwise(times)]
    assert gaps == [0.05, 0.1, 0.2, 0.4, 0.8, LONGEST_REPEAT_S, LONGEST_REPEAT_S, LONGEST_REPEAT_S]


def test_the_first_that_answers_is_nominated_then_selected_and_then_asked_for_consent() -> None:
    both = agent()
    (_, _), (check, source) = both.poll(0.0)
    assert both.on_stun(answer(check), source, 0.01)
    ((nomination, destination),) = both.poll(0.01)
    assert destination == source
    assert "USE-CANDIDATE" in stun.parse_message(nomination).attributes
    assert both.on_stun(answer(nomination), source, 0.02)
    assert both.selected == ("192.0.2.2", 7000)
    due = both.next_timeout()
    assert 0.8 * CONSENT_INTERVAL_S <= due - 0.02 <= 1.2 * CONSENT_INTERVAL_S
    assert [destination for _, destination in both.poll(due)] == [("192.0.2.2", 7000)]


def test_nothing_is_selected_before_the_nomination_is_answered() -> None:
    one = agent(FIRST)
    ((check, source),) = one.poll(0.0)
    assert one.on_stun(answer(check), source, 0.01)
    assert one.selected is None


def test_the_server_may_send_from_any_of_its_candidates() -> None:
    both = agent()
    assert both.knows(("192.0.2.1", 7000))
    assert both.knows(("192.0.2.2", 7000))
    assert not both.knows(("192.0.2.1", 7001))


def test_an_answer_to_an_earlier_copy_of_a_check_counts() -> None:
    one = agent(FIRST)
    ((first, source),) = one.poll(0.0)
    one.poll(1.0)
    assert one.on_stun(answer(first), source, 1.1)


@pytest.mark.parametrize("case", ["foreign password", "unsigned", "error", "elsewhere", "twice", "not ours", "cut"])
def test_answers_that_are_not_believed(case: str) -> None:
    one = agent(FIRST)
    ((check, source),) = one.poll(0.0)
    other: Address = ("192.0.2.66", 1)
    stranger = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)
    stranger.add_message_integrity(REMOTE.password.encode())
    payload, origin = {
        "foreign password": (answer(check, password="x" * 24), source),
        "unsigned": (answer(check, signed=False), source),
        "error": (answer(check, message_class=stun.Class.ERROR), source),
        "elsewhere": (answer(check), other),
        "twice": (answer(check), source),
        "not ours": (bytes(stranger), source),
        "cut": (answer(check)[:-3], source),
    }[case]
    if case == "twice":
        assert one.on_stun(payload, origin, 0.1)
    assert not one.on_stun(payload, origin, 0.1)


def test_consent_expires_when_nothing_is_answered() -> None:
    one = agent(FIRST)
    ((check, source),) = one.poll(0.0)
    one.on_stun(answer(check), source, 5.0)
    assert not one.expired(5.0 + CONSENT_EXPIRES_S)
    assert one.expired(5.1 + CONSENT_EXPIRES_S)


def test_random_datagrams_are_ignored(seed: int) -> None:
    """Whatever arrives, the agent neither raises nor selects. (The fingerprint at the end is not authenticated.)"""
    random = Random(seed)
    one = agent(FIRST)
    ((check, source),) = one.poll(0.0)
    genuine = answer(check)
    for _ in range(500):
        mutated = bytearray(genuine)
        for position in random.sample(range(len(mutated) - 8), k=random.randrange(1, 4)):
            mutated[position] ^= random.randrange(1, 256)
        one.on_stun(bytes(mutated), source, 0.1)
        one.on_stun(random.randbytes(random.randrange(60)), source, 0.1)
    assert one.selected is None


def test_credentials_are_long_enough_and_differ() -> None:
    random = Random(1)
    first, second = new_credentials(random), new_credentials(random)
    assert first != second
    assert len(first.username_fragment) == 8
    assert len(first.password) == 24
