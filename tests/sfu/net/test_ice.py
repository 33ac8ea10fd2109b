"""The ICE-lite table: whose check it is, what is answered, which path is bound and selected."""

from __future__ import annotations

import random
import re

import pytest

from sfu.control import IceParameters
from sfu.net.config import TransportConfig
from sfu.net.ice import Alive, Answer, Bind, Entrust, IceLite, Output, Select, index_prefix
from sfu.plane.interface import Path
from tests.support.ice import binding_request, read_answer

CONFIG = TransportConfig()
P1, P2, P3 = (Path(0, "192.0.2.1", port) for port in (1001, 1002, 1003))


class Table:
    """An IceLite with one Transport, number 1, and shorter words."""

    def __init__(self, config: TransportConfig = CONFIG) -> None:
        self.lite = IceLite(7, config, random.Random(1).randbytes)
        self.ice = self.lite.add(1)

    def check(
        self, path: Path, now: float = 0.0, *, ice: IceParameters | None = None, nominate: bool = False
    ) -> list[Output]:
        """All outputs but the answer and Alive, which have to be there, and Entrust."""
        ice = ice or self.ice
        *outputs, answer, alive = self.lite.on_stun(binding_request(ice, nominate=nominate), path, None, now)
        assert isinstance(answer, Answer)
        assert answer.path == path
        assert read_answer(answer.payload, ice).attributes["XOR-MAPPED-ADDRESS"] == (path.host, path.port)
        assert isinstance(alive, Alive)
        return [output for output in outputs if not isinstance(output, Entrust)]

    def refusal(self, request: bytes, now: float = 0.0) -> int | None:
        """The error code of the only output; None: no output at all."""
        outputs = self.lite.on_stun(request, P1, None, now)
        if not outputs:
            return None
        (answer,) = outputs
        assert isinstance(answer, Answer)
        return read_answer(answer.payload).error_code


def test_credentials_are_long_enough_and_begin_with_the_worker() -> None:
    table = Table()
    assert re.fullmatch(r"07[A-Za-z0-9+/]{8}", table.ice.username_fragment)
    assert re.fullmatch(r"[A-Za-z0-9+/]{24}", table.ice.password)
    assert table.lite.add(2) != table.ice


@pytest.mark.parametrize(("index", "prefix"), [(0, "00"), (35, "0z"), (36, "10"), (1295, "zz")])
def test_worker_index_is_two_digits(index: int, prefix: str) -> None:
    assert index_prefix(index) == prefix


@pytest.mark.parametrize("index", [-1, 1296])
def test_worker_index_has_a_limit(index: int) -> None:
    with pytest.raises(ValueError, match="two digits"):
        index_prefix(index)


def test_a_fragment_is_never_given_out_twice() -> None:
    same_at_first = iter([b"\1" * 6, b"\2" * 18, b"\1" * 6, b"\3" * 6, b"\2" * 18])
    lite = IceLite(0, CONFIG, lambda size: next(same_at_first))
    assert lite.add(1).username_fragment != lite.add(2).username_fragment


def test_the_first_check_binds_and_selects_then_the_path_is_known() -> None:
    table = Table()
    assert table.check(P1) == [Bind(1, P1), Select(1, P1)]
    assert table.lite.selected_path(1) == P1
    assert table.check(P2) == [Bind(1, P2)]
    assert table.check(P2, nominate=True) == [Bind(1, P2), Select(1, P2)]
    request = binding_request(table.ice, nominate=True)
    outputs = table.lite.on_stun(request, P2, 1, 0.0)  # bound and selected: nothing but the answer
    assert [type(output) for output in outputs] == [Answer, Alive]


def test_who_moves_to_another_port_is_selected_there() -> None:
    table = Table()
    table.check(P1, nominate=True)
    elsewhere = P1._replace(port=P1.port + 1)
    assert table.lite.neighbours(elsewhere) == [1]
    assert table.lite.neighbours(P1._replace(host="192.0.2.77")) == table.lite.neighbours(P1._replace(local=7)) == []
    assert table.lite.on_moved(1, elsewhere, 1.0) == [Bind(1, elsewhere), Select(1, elsewhere), Alive(1)]
    assert table.check(elsewhere, 2.0, nominate=True) == [Bind(1, elsewhere)], "selected already"
    assert table.check(P1, 3.0, nominate=True) == [Bind(1, P1), Select(1, P1)], "and back"


def test_of_who_moves_often_the_oldest_ports_are_forgotten() -> None:
    table = Table(TransportConfig(paths=2))
    table.check(P1, nominate=True)
    for port in range(7000, 7010):
        table.lite.on_moved(1, P1._replace(port=port), float(port))
    assert table.lite.selected_path(1) == P1._replace(port=7009)
    table.lite.remove(1)
    assert table.lite.neighbours(P1) == []


def test_who_moves_to_a_port_that_another_had_takes_it() -> None:
    table = Table()
    table.check(P1)
    other = table.lite.add(2)
    table.lite.on_stun(binding_request(other), P1._replace(port=1), None, 0.0)
    assert table.lite.on_moved(2, P1, 1.0) == [Bind(2, P1), Select(2, P1), Alive(2)]
    assert table.lite.selected_path(1) is None


def test_a_path_that_the_plane_let_go_is_bound_again() -> None:
    table = Table()
    table.check(P1)
    assert table.check(P1) == [Bind(1, P1)]  # `check` says that the plane knows nobody there


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "wrong"}, 401),
        ({"username": "nobody:rmte"}, 401),
        ({"username": "no-colon"}, 400),
        ({"role": "ICE-CONTROLLED"}, 487),
    ],
    ids=str,
)
def test_refuses_with_a_reason_and_binds_nothing(changes: dict[str, str], code: int) -> None:
    table = Table()
    assert table.refusal(binding_request(table.ice, **changes)) == code  # type: ignore[arg-type]
    assert table.lite.selected_path(1) is None


def test_our_half_of_the_username_is_what_counts() -> None:
    table = Table()
    request = binding_request(table.ice, username=f"{table.ice.username_fragment}:whatever:else")
    assert Bind(1, P1) in table.lite.on_stun(request, P1, None, 0.0)


def test_strangers_get_few_answers_and_known_remotes_all() -> None:
    table = Table(TransportConfig(stun_error_answers_per_s=3))
    wrong = binding_request(table.ice, password="wrong")
    assert [table.refusal(wrong, now=50.0) for _ in range(5)] == [401, 401, 401, None, None]
    assert [table.refusal(wrong, now=50.4) for _ in range(2)] == [401, None]
    assert [table.refusal(wrong, now=60.0) for _ in range(4)] == [401, 401, 401, None]
    assert [table.refusal(binding_request(table.ice, role="ICE-CONTROLLED"), now=60.0) for _ in range(5)] == [487] * 5
    assert table.check(P2, 60.0)
    assert table.lite.refused == 11


def test_drops_and_counts_what_is_no_check() -> None:
    table = Table()
    assert table.refusal(b"\x00\x01\x00\x00") is None
    assert table.refusal(b"") is None
    assert (table.lite.dropped, table.lite.refused) == (2, 0)


def test_an_address_belongs_to_the_transport_that_proved_it_last() -> None:
    table = Table()
    other = table.lite.add(2)
    table.check(P1, 0.0, nominate=True)
    table.check(P2, 1.0)
    assert table.check(P1, 2.0, ice=other) == [Bind(1, P2), Select(1, P2), Bind(2, P1), Select(2, P1)]
    assert (table.lite.selected_path(1), table.lite.selected_path(2)) == (P2, P1)
    assert table.check(P2, 3.0, ice=other, nominate=True) == [Bind(2, P2), Select(2, P2)]
    assert table.lite.selected_path(1) is None
    assert table.check(P3, 4.0) == [Bind(1, P3), Select(1, P3)]


def test_fails_over_when_the_selected_path_is_silent() -> None:
    table = Table()
    table.check(P1, 0.0, nominate=True)
    assert table.check(P2, 4.0) == [Bind(1, P2)]
    assert table.check(P2, 5.5) == [Bind(1, P2), Select(1, P2)]


def test_a_ninth_path_pushes_out_the_stalest() -> None:
    table = Table()
    paths = [Path(0, "192.0.2.1", port) for port in range(9)]
    for at, path in enumerate(paths):
        table.check(path, at / 10)
    other = table.lite.add(2)
    # Nobody's any more: another Transport gets it without anything being taken from the first.
    assert table.check(paths[1], 1.0, ice=other) == [Bind(2, paths[1]), Select(2, paths[1])]
    assert table.lite.selected_path(1) == paths[0]


def test_after_a_restart_both_credentials_work_until_the_new_ones_are_used() -> None:
    table = Table()
    table.check(P1, 0.0, nominate=True)
    fresh = table.lite.restart(1)
    assert fresh.username_fragment != table.ice.username_fragment
    table.check(P1, 1000.0)  # the answer took its time
    assert table.check(P2, 1001.0, ice=fresh) == [Bind(1, P2), Select(1, P2)]
    assert table.check(P1, 1004.0, nominate=True) == [Bind(1, P1)]  # under way since before: chooses nothing
    assert table.refusal(binding_request(table.ice), now=1011.0) == 401
    table.check(P2, 1012.0, ice=fresh)


def test_the_plane_is_entrusted_with_the_credentials_that_are_used() -> None:
    table = Table()

    def entrusted(ice: IceParameters) -> list[IceParameters]:
        outputs = table.lite.on_stun(binding_request(ice), P1, 1, 0.0)
        return [output.ice for output in outputs if isinstance(output, Entrust)]

    assert [entrusted(table.ice), entrusted(table.ice)] == [[table.ice], []]
    fresh = table.lite.restart(1)
    assert [entrusted(table.ice), entrusted(fresh), entrusted(fresh)] == [[], [fresh], []]
    assert entrusted(table.ice) == [], "on its way out"


def test_consent_that_the_plane_has_renewed_keeps_the_selected_path_fresh() -> None:
    table = Table()
    table.check(P1, 0.0, nominate=True)
    assert table.lite.on_consent(1, P1, 4.0) == [Alive(1)]
    assert table.check(P2, 5.5) == [Bind(1, P2)], "P1 is not silent"
    assert table.lite.on_consent(1, P2, 6.0) == table.lite.on_consent(9, P1, 6.0) == []


def test_restarts_that_nobody_uses_are_bounded() -> None:
    table = Table(TransportConfig(credential_generations=3))
    table.check(P1)
    fresh = [table.lite.restart(1) for _ in range(4)]
    assert [table.refusal(binding_request(ice)) for ice in fresh[:2]] == [401, 401]
    table.check(P1, ice=table.ice)  # in use, never revoked
    table.check(P1, 1.0, ice=fresh[3])
    table.check(P1, 1.0, ice=fresh[2])  # expiring, not expired
    newest = [table.lite.restart(1) for _ in range(2)]
    table.check(P1, 2.0, ice=fresh[3])
    assert [table.refusal(binding_request(ice), now=2.0) for ice in (table.ice, fresh[2])] == [401, 401]
    table.check(P1, 2.0, ice=newest[0])


def test_a_removed_transport_leaves_nothing_behind() -> None:
    table = Table()
    table.check(P1)
    fresh = table.lite.restart(1)
    table.lite.remove(1)
    assert [table.refusal(binding_request(ice)) for ice in (table.ice, fresh)] == [401, 401]
    other = table.lite.add(2)
    assert table.check(P1, ice=other) == [Bind(2, P1), Select(2, P1)]
