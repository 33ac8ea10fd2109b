"""What tells of a change waits until the change is kept, and nobody hears anything out of order."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from signaling.gate import Gate, Say


def test_without_a_transaction_all_is_said_at_once() -> None:
    heard: list[str] = []
    gate = Gate()
    for say in gate.hold([(1, partial(heard.append, "a")), (2, partial(heard.append, "b"))], None):
        say()
    assert heard == ["a", "b"] and len(gate) == 0


def test_who_was_told_nothing_of_the_change_does_not_wait_for_it() -> None:
    heard: list[str] = []
    gate = Gate()
    assert gate.hold([(1, partial(heard.append, "joined"))], 1) == []
    free = gate.hold([(1, partial(heard.append, "offer")), (2, partial(heard.append, "pong"))], None)
    for say in free:
        say()
    assert heard == ["pong"] and len(gate) == 2
    for say in gate.on_committed(1):
        say()
    assert heard == ["pong", "joined", "offer"] and len(gate) == 0


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("turn"), st.lists(st.integers(0, 3), max_size=4), st.booleans()),
            st.just(("commit", [], False)),
        )
    )
)
def test_everybody_hears_everything_in_order_and_nothing_before_it_is_kept(
    steps: list[tuple[str, list[int], bool]],
) -> None:
    gate = Gate()
    said: dict[int, list[tuple[int, int]]] = {}
    heard: dict[int, list[tuple[int, int]]] = {}
    begun = committed = counter = 0

    def hear(listener: int, number: int, needs: int) -> None:
        assert needs <= committed, "not before it is kept"
        heard.setdefault(listener, []).append((number, needs))

    for kind, listeners, has_transaction in steps:
        free: list[Say] = []
        if kind == "turn":
            begun += has_transaction
            turn = []
            for listener in listeners:
                counter += 1
                needs = begun if has_transaction else 0
                said.setdefault(listener, []).append((counter, needs))
                turn.append((listener, partial(hear, listener, counter, needs)))
            free = gate.hold(turn, begun if has_transaction else None)
        elif committed < begun:
            committed += 1
            free = gate.on_committed(committed)
        for say in free:
            say()
        for listener, messages in heard.items():
            assert messages == said[listener][: len(messages)]
    while committed < begun:
        committed += 1
        for say in gate.on_committed(committed):
            say()
    assert heard == said and len(gate) == 0
