"""The codec between signaling and a Worker: every message survives it, and nothing but MalformedFrame comes out of bad
frames."""

from __future__ import annotations

import contextlib
import random
from typing import Any, get_args, get_type_hints

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu import control
from sfu.control import (
    AnyCommand,
    AnyMessage,
    AnyNotice,
    AnyReply,
    Candidate,
    ConnectTransport,
    Done,
    Fingerprint,
    IceParameters,
    LimitLayer,
    MalformedFrame,
    RemoteParameters,
    TransportChanged,
)
from sfu.core.types import Codec, PayloadFormat
from sfu.wire.extensions import ExtensionIds

# Machines that run tests are loaded: how long an example takes says nothing.
texts = st.text(max_size=30)
numbers = st.integers(-(1 << 63), (1 << 64) - 1)
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(int, numbers)
st.register_type_strategy(str, texts)

EXAMPLES: list[Any] = [
    ConnectTransport(
        call=1,
        transport="TP_1",
        remote=RemoteParameters(
            ice=IceParameters("abcd", "secretsecretsecretsecret"),
            fingerprints=[Fingerprint("sha-256", "AA:BB")],
            dtls_client=False,
            receive_extensions=ExtensionIds(mid=4, transport_cc=3),
            send_extensions=ExtensionIds(mid=1),
            sctp_port=5000,
        ),
    ),
    control.AddTrack(
        call=2,
        transport="TP_1",
        track="TR_1",
        mid="0",
        kind="video",
        formats=[PayloadFormat(96, Codec.VP8, 90_000), PayloadFormat(97, Codec.VP8, 90_000, repairs=96)],
        rids=["q", "h", "f"],
    ),
    control.AddSlot(
        call=3,
        transport="TP_2",
        slot="SL_1",
        mid="1",
        kind="video",
        payload_types={Codec.VP8: (96, 97), Codec.H264: (102, None)},
    ),
    control.ConfigureSlot(call=5, slot="SL_1", payload_types={Codec.AV1: (45, None)}),
    control.TransportOpened(
        call=4,
        ice=IceParameters("00x", "y"),
        fingerprints=[Fingerprint("sha-256", "AA")],
        candidates=[Candidate("::1", 7882, 1)],
    ),
    TransportChanged(transport="TP_1", state="gone", reason="silent"),
]


def members(union: Any) -> list[type]:
    return list(get_args(union))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_round_trip_of_examples(message: Any) -> None:
    assert control.decode(control.encode(message)) == message


@pytest.mark.parametrize("kind", members(AnyMessage), ids=lambda kind: kind.__name__)
def test_round_trip_of_every_message(kind: type) -> None:
    # Each field by its type: left to itself, hypothesis takes msgspec's default factories for values. Some have
    # a hundred fields.
    @settings(max_examples=25)
    @given(st.builds(kind, **{name: st.from_type(hint) for name, hint in get_type_hints(kind).items()}))
    def check(message: Any) -> None:
        decoded = control.decode(control.encode(message))
        assert decoded == message and type(decoded) is kind

    check()


def test_every_message_class_is_in_the_union_it_belongs_to() -> None:
    unions = {control.Command: AnyCommand, control.Reply: AnyReply}
    for base, union in unions.items():
        assert set(base.__subclasses__()) == set(members(union))
    assert set(members(AnyMessage)) == {*members(AnyCommand), *members(AnyReply), *members(AnyNotice)}


def test_defaults_may_be_left_out_and_unknown_fields_are_ignored() -> None:
    """So that a Worker of the next version and a server of this one understand each other."""
    frame = msgpack.packb({"type": "TransportChanged", "transport": "TP", "state": "connected", "since": 1})
    assert control.decode(frame) == TransportChanged(transport="TP", state="connected")


MALFORMED = {
    "empty": b"",
    "not msgpack": b"\xc1",
    "cut short": control.encode(EXAMPLES[0])[:-3],
    "two in one": control.encode(Done(call=1)) * 2,
    "a list": msgpack.packb([1, 2]),
    "a number": msgpack.packb(7),
    "no type": msgpack.packb({"call": 1}),
    "unknown type": msgpack.packb({"type": "Explode", "call": 1}),
    "field missing": msgpack.packb({"type": "Done"}),
    "wrong type of field": msgpack.packb({"type": "Done", "call": "1"}),
    "a kind that does not exist": msgpack.packb(
        {"type": "AddSlot", "call": 1, "transport": "", "slot": "", "mid": "", "kind": "smell", "payload_types": {}}
    ),
    "an unhashable key": b"\x81\x90\x01",
    "text that is not UTF-8": b"\x81\xa4type\xa1\xff",
    "nested deeply": b"\x91" * 100_000 + b"\x01",
    "too large": msgpack.packb({"type": "Failed", "call": 1, "code": "x", "reason": "x" * control.MAX_FRAME_BYTES}),
    "an extension type": msgpack.packb({"type": msgpack.ExtType(5, b"x")}),
    "a broken timestamp": msgpack.packb({"type": "Done", "call": msgpack.ExtType(-1 & 0x7F, b"x")}),
    "a timestamp of the wrong size": b"\x81\xa4type\xd4\xff\x00",
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_bad_frame_is_malformed_and_nothing_else(frame: bytes) -> None:
    with pytest.raises(MalformedFrame):
        control.decode(frame)


def test_a_message_where_another_is_expected_is_malformed() -> None:
    with pytest.raises(MalformedFrame):
        control.decode(control.encode(LimitLayer(call=1, subscription="S", max_layer=None)), AnyReply)


def test_any_bytes_give_a_message_or_malformed(seed: int) -> None:
    draw = random.Random(seed)
    frames = [bytearray(control.encode(message)) for message in EXAMPLES]
    for _ in range(3000):
        frame = bytearray(draw.choice(frames)) if draw.random() < 0.8 else bytearray(draw.randbytes(draw.randrange(60)))
        for _ in range(draw.randrange(1, 4)):
            if frame:
                frame[draw.randrange(len(frame))] = draw.randrange(256)
        with contextlib.suppress(MalformedFrame):
            control.decode(bytes(frame))
