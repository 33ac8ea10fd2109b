"""Checks by which a remote consents once more are answered by the plane itself, and told of later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.control import IceParameters
from sfu.plane.interface import ConsentRenewed, Datagram, Path, StunReceived
from tests.support.ice import binding_request, read_answer
from tests.support.planes import PLANES, PUBLISHER, MakePlane, Scene

ICE = IceParameters("07abcdefgh", "0123456789abcdef01234567")
NEXT_ICE = IceParameters("07ijklmnop", "76543210fedcba9876543210")


def trusting(make_plane: MakePlane) -> Scene:
    scene = Scene(make_plane)
    scene.plane.set_credentials(PUBLISHER, ICE.username_fragment, ICE.password)
    return scene


@pytest.mark.parametrize("nominate", [False, True])
def test_a_check_from_where_the_remote_is_sent_to_is_answered_at_once(make_plane: MakePlane, *, nominate: bool) -> None:
    scene = trusting(make_plane)
    check = Datagram(binding_request(ICE, nominate=nominate), scene.publisher.path)
    (answer,) = scene.plane.on_datagrams([check], 7.5)
    assert answer.path == scene.publisher.path
    mapped = read_answer(answer.payload, ICE).attributes["XOR-MAPPED-ADDRESS"]
    assert mapped == (answer.path.host, answer.path.port)
    assert scene.plane.take_events() == [ConsentRenewed(answer.path, PUBLISHER, 7.5)]
    assert scene.plane.counters.received_stun == 1


def test_an_address_of_ipv6_is_answered_too(make_plane: MakePlane) -> None:
    scene = trusting(make_plane)
    path = Path(0, "2001:db8::7", 5001)
    scene.plane.bind(PUBLISHER, path)
    scene.plane.select(PUBLISHER, path)
    (answer,) = scene.plane.on_datagrams([Datagram(binding_request(ICE), path)], 1.0)
    assert read_answer(answer.payload, ICE).attributes["XOR-MAPPED-ADDRESS"] == (path.host, path.port)


def test_what_may_need_a_decision_goes_up(make_plane: MakePlane) -> None:
    scene = trusting(make_plane)
    known = scene.publisher.path
    other, stranger = known._replace(port=1), known._replace(port=2)
    scene.plane.bind(PUBLISHER, other)
    scene.connect(2)  # has no credentials
    check, by_another = binding_request(ICE), binding_request(NEXT_ICE)
    came = [
        Datagram(check, other),
        Datagram(check, stranger),
        Datagram(check, scene.remotes[2].path),
        Datagram(by_another, known),
        Datagram(binding_request(ICE, role="ICE-CONTROLLED"), known),
    ]
    assert scene.plane.on_datagrams(came, 1.0) == []
    told = {(event.payload, event.path): event.transport for event in scene.events(StunReceived)}
    assert told == dict(zip(came, (PUBLISHER, None, 2, PUBLISHER, PUBLISHER), strict=True))


def test_the_latest_credentials_count(make_plane: MakePlane) -> None:
    scene = trusting(make_plane)
    scene.plane.set_credentials(PUBLISHER, NEXT_ICE.username_fragment, NEXT_ICE.password)
    before, after = (Datagram(binding_request(ice), scene.publisher.path) for ice in (ICE, NEXT_ICE))
    assert len(scene.plane.on_datagrams([before, after], 1.0)) == 1
    assert [type(event) for event in scene.plane.take_events()] == [StunReceived, ConsentRenewed]


def test_credentials_that_ice_would_not_make_are_refused(make_plane: MakePlane) -> None:
    scene = trusting(make_plane)
    for fragment, password in (("", "x" * 24), ("x" * 33, "x" * 24), ("x" * 10, "x" * 65)):
        with pytest.raises(ValueError, match="credentials"):
            scene.plane.set_credentials(PUBLISHER, fragment, password)


@pytest.mark.skipif("compiled" not in PLANES, reason="there was no compiler")
@given(
    st.lists(st.tuples(st.integers(0, 103), st.integers(0, 255)), max_size=3),
    st.integers(0, 108),
    st.binary(max_size=8),
    st.sampled_from((ICE, NEXT_ICE)),
)
def test_both_planes_answer_the_same_checks(
    changes: list[tuple[int, int]], kept: int, behind: bytes, ice: IceParameters
) -> None:
    from tests.support.paired import make_paired

    check = bytearray(binding_request(ice, nominate=True, transaction_id=bytes(range(12))))
    for at, value in changes:
        check[at % len(check)] = value
    scene = trusting(make_paired)  # asserts that both do the same
    for payload in (bytes(check), bytes(check[:kept]) + behind):
        scene.plane.on_datagrams([Datagram(payload, scene.publisher.path)], 1.0)
    scene.plane.take_events()
