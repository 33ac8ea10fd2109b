"""The names of aiortc, aioice and OpenSSL that we reach into privately (README.md, "Private names"): still there?

What they do is tested elsewhere. If only this fails after an upgrade, look at what took a name's place.
"""

from __future__ import annotations

import inspect
from typing import cast

import pytest
from aioice import stun
from aiortc import rtcdtlstransport, rtcsctptransport
from aiortc.rtcicetransport import RTCIceTransport
from OpenSSL import SSL

from sfu.net.certificate import Certificate


class IceStandIn:
    """All that aiortc's DTLS may ask of its ICE transport; asking more is an AttributeError."""

    role = "controlled"

    async def _recv(self) -> bytes:
        raise ConnectionError

    async def _send(self, datagram: bytes) -> None:
        del datagram


def dtls_transport() -> rtcdtlstransport.RTCDtlsTransport:
    return rtcdtlstransport.RTCDtlsTransport(cast(RTCIceTransport, IceStandIn()), [Certificate.generate().rtc])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_do_handshake", []),
        ("_recv_next", []),
        ("_write_ssl", []),
        ("_send_data", ["data"]),
        ("start", ["remoteParameters"]),
    ],
)
def test_dtls_coroutines(name: str, parameters: list[str]) -> None:
    function = getattr(rtcdtlstransport.RTCDtlsTransport, name)
    assert inspect.iscoroutinefunction(function)
    assert list(inspect.signature(function).parameters) == ["self", *parameters]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_setup_srtp", []),
        ("_validate_peer_identity", ["remoteParameters"]),
        ("_set_role", ["role"]),
        ("_set_state", ["state"]),
        ("_register_data_receiver", ["receiver"]),
        ("_unregister_data_receiver", ["receiver"]),
    ],
)
def test_dtls_methods(name: str, parameters: list[str]) -> None:
    function = getattr(rtcdtlstransport.RTCDtlsTransport, name)
    assert not inspect.iscoroutinefunction(function)
    assert list(inspect.signature(function).parameters) == ["self", *parameters]


async def test_dtls_attributes() -> None:
    transport = dtls_transport()
    for name in ("_ssl", "_role", "_state", "_task", "_data_receiver", "_rx_srtp", "_tx_srtp", "encrypted"):
        assert hasattr(transport, name), name
    assert transport._ssl is None
    assert transport.state == "new"
    names = [profile.openssl_profile for profile in transport._srtp_profiles]
    assert names == [b"SRTP_AEAD_AES_256_GCM", b"SRTP_AEAD_AES_128_GCM", b"SRTP_AES128_CM_SHA1_80"]
    assert {state.name for state in rtcdtlstransport.State} >= {"CONNECTED", "FAILED"}


async def test_dtls_start_goes_through_what_we_override() -> None:
    source = inspect.getsource(rtcdtlstransport.RTCDtlsTransport.start)
    for call in ("self._do_handshake()", "self._validate_peer_identity(", "self._setup_srtp()"):
        assert call in source, call
    assert "_recv_next()" in inspect.getsource(rtcdtlstransport.RTCDtlsTransport)


async def test_sctp_attributes() -> None:
    association = rtcsctptransport.RTCSctpTransport(dtls_transport(), 5000)
    assert association._advertised_rwnd == 1 << 20
    assert (association._inbound_streams, association._data_channels) == ({}, {})
    assert inspect.iscoroutinefunction(association._handle_data)
    assert not inspect.iscoroutinefunction(association._set_state)
    assert association.State.CLOSED


def test_stun_functions() -> None:
    assert (stun.COOKIE, stun.HEADER_LENGTH) == (0x2112A442, 20)
    for function, parameters in (
        (stun.parse_message, ["data"]),
        (stun.set_body_length, ["data", "length"]),
        (stun.message_integrity, ["data", "key"]),
        (stun.message_fingerprint, ["data"]),
        (stun.Message.check_message_integrity, ["self", "key"]),
        (stun.Message.add_message_integrity, ["self", "key"]),
    ):
        assert list(inspect.signature(function).parameters) == parameters


def test_openssl_methods() -> None:
    for name in (
        "DTLSv1_get_timeout",
        "DTLSv1_handle_timeout",
        "bio_read",
        "bio_write",
        "get_selected_srtp_profile",
        "export_keying_material",
        "get_shutdown",
    ):
        assert callable(getattr(SSL.Connection, name)), name
