"""Transport parameters: where they are found, what is refused, what we write."""

from __future__ import annotations

import pytest

from sfu.control import Fingerprint, IceParameters
from signaling import sdp_transport
from signaling.errors import ProtocolError
from signaling.sdp import parse
from signaling.sdp_transport import RemoteTransport, read_bundle, read_transport
from tests.signaling.descriptions import FINGERPRINT, LOCAL, TRANSPORT, described, section

DIGEST = ":".join(["0F"] * 32)
M_LINE = "video 9 UDP/TLS/RTP/SAVPF 96"


def read(*attributes: str, session: tuple[str, ...] = ()) -> RemoteTransport:
    description = parse(described(section(M_LINE, "0", transport=attributes), session=session))
    return read_transport(description.media[0], description.session)


def test_reads_ice_dtls_and_the_role() -> None:
    assert read(*TRANSPORT, "a=setup:actpass") == RemoteTransport(
        IceParameters("remote", "remoteremoteremoteremote"), [Fingerprint("sha-256", DIGEST)], "actpass", 6
    )


def test_what_the_m_line_does_not_say_the_session_may() -> None:
    session = (*TRANSPORT, "a=setup:passive")
    assert read(session=session).ice.username_fragment == "remote"
    assert read(session=session).setup == "passive"
    own = read("a=ice-ufrag:mine", "a=setup:active", f"a=fingerprint:sha-384 {'AA:' * 47}AA", session=session)
    assert own.ice == IceParameters("mine", "remoteremoteremoteremote")
    assert own.setup == "active"
    assert [one.algorithm for one in own.fingerprints] == ["sha-384"]


def test_several_fingerprints_count_and_unknown_hashes_do_not() -> None:
    sha1 = "a=fingerprint:sha-1 " + ":".join(["AA"] * 20)
    lower = f"a=fingerprint:SHA-256 {DIGEST.lower()}"
    assert read(*TRANSPORT, sha1, lower).fingerprints == [Fingerprint("sha-256", DIGEST)] * 2


@pytest.mark.parametrize(
    ("left_out", "added", "error"),
    [
        ("ice-ufrag", "", "sdp_malformed: line 6: a=ice-ufrag is missing"),
        ("ice-pwd", "", "sdp_malformed: line 6: a=ice-pwd is missing"),
        ("fingerprint", "", "sdp_malformed: line 6: this m-line has no a=fingerprint"),
        ("ice-ufrag", "a=ice-ufrag:abc", "sdp_malformed: line 10: not an a=ice-ufrag"),
        ("ice-ufrag", "a=ice-ufrag:ab:cd", "sdp_malformed: line 10: not an a=ice-ufrag"),
        ("ice-ufrag", "a=ice-ufrag:" + "a" * 257, "sdp_malformed: line 10: not an a=ice-ufrag"),
        ("ice-pwd", "a=ice-pwd:tooshort", "sdp_malformed: line 10: not an a=ice-pwd"),
        ("fingerprint", "a=fingerprint:sha-256 AA:BB", "sdp_malformed: line 10: not a fingerprint by sha-256"),
        ("fingerprint", f"a=fingerprint:sha-256 {DIGEST}:00", "sdp_malformed: line 10: not a fingerprint by sha-256"),
        (
            "fingerprint",
            "a=fingerprint:md5 AA",
            "sdp_unsupported: line 10: no fingerprint by sha-256, sha-384, sha-512",
        ),
        ("x", "a=setup:holdconn", "sdp_unsupported: line 11: a=setup with 'holdconn'"),
        ("x", "a=setup:", "sdp_unsupported: line 11: a=setup with ''"),
    ],
)
def test_what_is_missing_or_wrong_is_named(left_out: str, added: str, error: str) -> None:
    attributes = [line for line in TRANSPORT if not line.startswith(f"a={left_out}:")]
    with pytest.raises(ProtocolError) as caught:
        read(*attributes, *([added] if added else []))
    assert str(caught.value) == error


def test_fingerprints_are_limited() -> None:
    with pytest.raises(ProtocolError, match="sdp_unsupported: line 18: more than 8 fingerprints"):
        read(*TRANSPORT[:2], *[f"a=fingerprint:{FINGERPRINT}"] * 9)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a=group:BUNDLE 0 1"], ("0", "1")),
        (["a=group:LS 0 1", "a=group:BUNDLE 1"], ("1",)),
        (["a=group:BUNDLE"], ()),
        (["a=group:"], None),
        ([], None),
    ],
)
def test_the_bundle_group(lines: list[str], expected: tuple[str, ...] | None) -> None:
    description = parse(described(section(M_LINE, "0"), bundle="", session=lines))
    assert read_bundle(description) == expected


@pytest.mark.parametrize(("port", "bundle_only", "live"), [(9, False, True), (0, True, True), (0, False, False)])
def test_port_0_is_live_only_when_bundled(port: int, bundle_only: bool, live: bool) -> None:
    attributes = ["a=bundle-only"] if bundle_only else []
    description = parse(described(section(f"video {port} UDP/TLS/RTP/SAVPF 96", "0", *attributes)))
    assert sdp_transport.is_live(description.media[0]) is live


def test_writes_credentials_and_candidates() -> None:
    assert sdp_transport.write_transport(LOCAL, "passive") == [
        "a=ice-ufrag:0abcdefgh",
        "a=ice-pwd:0123456789abcdefghijklmn",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:passive",
    ]
    assert sdp_transport.write_candidates(LOCAL.candidates) == [
        "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
        "a=candidate:2 1 udp 2130706175 ::1 9 typ host",
        "a=end-of-candidates",
    ]
