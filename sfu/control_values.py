"""What messages between signaling and a Worker are made of: their bases, and what a remote's description says."""

from __future__ import annotations

from msgspec import Struct

from sfu.wire.extensions import ExtensionIds


class Message(Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of all messages; the class name is the tag."""


class Command(Message, frozen=True, kw_only=True, tag=True):
    call: int  # chosen by the caller, echoed by the Reply


class Reply(Message, frozen=True, kw_only=True, tag=True):
    call: int


class Fingerprint(Struct, frozen=True):
    algorithm: str  # "sha-256"
    value: str  # upper-case hex pairs with colons


class IceParameters(Struct, frozen=True):
    username_fragment: str
    password: str


class Candidate(Struct, frozen=True):
    host: str
    port: int
    priority: int


class RemoteParameters(Struct, frozen=True, kw_only=True):
    """What the remote's description says of its Transport."""

    ice: IceParameters
    fingerprints: list[Fingerprint]
    dtls_client: bool  # we open the DTLS handshake (the remote said `passive`)
    receive_extensions: ExtensionIds  # as the remote numbers what it sends
    send_extensions: ExtensionIds  # as it wants to receive
    sctp_port: int | None = None  # None: no data channels


class SsrcGroup(Struct, frozen=True):
    """SSRCs known from a description without rids: media, and its RTX if any."""

    ssrc: int
    rtx_ssrc: int | None = None
