"""Messages and frames: PROTOCOL.md word for word, and reading what nobody should send."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from signaling import closing
from signaling.errors import ProtocolError
from signaling.messages import AnyAnswer, AnyClientMessage, AnyEvent, AnyServerMessage, Join, Message, Publish
from signaling.subprotocols import JSON, MAX_FRAME_BYTES, MSGPACK, SUBPROTOCOLS, Subprotocol
from signaling.taps import messages as taps

PROTOCOL = Path(__file__).resolve().parents[2] / "signaling" / "PROTOCOL.md"
CLIENT_TAGS = {one.__struct_config__.tag for one in get_args(AnyClientMessage)}


def examples(of_taps: bool = False) -> list[dict[str, Any]]:
    """Every object in the json blocks of PROTOCOL.md: of taps, whose messages are others, or of all else."""
    sections = re.split(r"^(?=## )", PROTOCOL.read_text("utf-8"), flags=re.MULTILINE)
    text = "".join(section for section in sections if section.startswith("## Taps\n") == of_taps)
    found = []
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        position = 0
        while block[position:].strip():
            text = block[position:].lstrip()
            value, end = json.JSONDecoder().raw_decode(text)
            found.append(value)
            position = len(block) - len(text) + end
    return found


def read(subprotocol: Subprotocol, values: Any, as_request: bool) -> Message:
    frame = msgspec.msgpack.encode(values) if subprotocol.binary else json.dumps(values)
    return subprotocol.read_request(frame) if as_request else subprotocol.read_server_message(frame)


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS.values(), ids=SUBPROTOCOLS.keys())
@pytest.mark.parametrize("example", examples(), ids=lambda example: example["type"])
def test_every_example_of_the_protocol_is_what_we_read_and_write(
    example: dict[str, Any], subprotocol: Subprotocol
) -> None:
    message = read(subprotocol, example, example["type"] in CLIENT_TAGS)
    frame = subprotocol.encode(message)  # type: ignore[arg-type]
    assert isinstance(frame, bytes) == subprotocol.binary
    written = msgspec.msgpack.decode(frame) if isinstance(frame, bytes) else json.loads(frame)
    assert {key: written[key] for key in example} == example


@pytest.mark.parametrize("example", examples(of_taps=True), ids=lambda example: example["type"])
def test_every_example_of_taps_is_what_we_read_and_write(example: dict[str, Any]) -> None:
    assert json.loads(taps.encode(taps.decode(json.dumps(example)))) == example


def test_the_protocol_has_an_example_of_every_message() -> None:
    tags = {one.__struct_config__.tag for one in get_args(AnyClientMessage) + get_args(AnyServerMessage)}
    # `ok` is an id and nothing else; `unsubscribe` is as `subscribe`.
    assert tags - {example["type"] for example in examples()} == {"ok", "unsubscribe"}
    assert set(get_args(AnyServerMessage)) == set(get_args(AnyAnswer)) | set(get_args(AnyEvent))


def test_close_codes_are_those_of_the_protocol() -> None:
    table = PROTOCOL.read_text("utf-8").partition("## Codes")[2].partition("## Tokens")[0]
    columns = [
        [column.strip() for column in row.split("|")[1:3]] for row in table.splitlines() if row.startswith("| `")
    ]
    codes = {code: column for names, column in columns for code in re.findall(r"`([a-z_]+)`", names)}
    assert len(codes) > 20
    for code, column in codes.items():
        expected = int(column) if column.isdigit() else None
        assert closing.close_code(code, joined=True) == expected, code
        at_join = re.search(r"([0-9]+) at `join`", column)
        assert closing.close_code(code, joined=False) == (int(at_join[1]) if at_join else expected), code


def test_unknown_keys_are_ignored() -> None:
    frame = '{"type": "join", "id": 1, "token": "t", "mood": {"good": [1, 2.5, null]}}'
    assert JSON.read_request(frame) == Join(id=1, token="t")


MALFORMED = {
    "empty": "",
    "no object": "[]",
    "nothing": "null",
    "half": '{"type": "join"',
    "two": '{"type": "leave", "id": 1}{"type": "leave", "id": 2}',
    "type missing": '{"id": 1}',
    "type a number": '{"type": 1, "id": 1}',
    "id missing": '{"type": "leave"}',
    "id zero": '{"type": "leave", "id": 0}',
    "id negative": '{"type": "leave", "id": -1}',
    "id true": '{"type": "leave", "id": true}',
    "id text": '{"type": "leave", "id": "1"}',
    "id a fraction": '{"type": "leave", "id": 1.5}',
    "id beyond JavaScript": '{"type": "leave", "id": 9007199254740993}',
    "token missing": '{"type": "join", "id": 1}',
    "token null": '{"type": "join", "id": 1, "token": null}',
    "rid missing": '{"type": "limit_layer", "id": 1, "track": "TR_1"}',
    "a foreign source": '{"type": "publish", "id": 1, "sdp": "", "tracks": [{"mid": "0", "source": "`$.type`"}]}',
    "client too long": '{"type": "join", "id": 1, "token": "t", "client": {"name": "%s"}}' % ("x" * 65),
    "lone surrogate": '{"type": "join", "id": 1, "token": "\\ud800"}',
    "a lone surrogate as it is": '{"type": "join", "id": 1, "token": "\ud800"}',
    "deep": '{"type": "leave", "id": 1, "x": ' + "[" * 100_000,
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_frames(frame: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        JSON.read_request(frame)
    assert raised.value.code == "malformed"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x93\x01\x02\x03",
        b"\x81\xa4type",
        b"\x81" * 100_000,
        b"\x91" * 100_000,
        b"\x81\xa4type\xc4\x05leave",
        b"\x82\xa4type\xa5leave\xa2id\xc7\x01\x05\x01",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa4type\xa2\xff\xfe",
    ],
)
def test_malformed_msgpack(frame: bytes) -> None:
    with pytest.raises(ProtocolError) as raised:
        MSGPACK.read_request(frame)
    assert raised.value.code == "malformed"


def test_types_that_are_not_for_us_are_unknown() -> None:
    for name in ("dance", "joined", ""):
        with pytest.raises(ProtocolError) as raised:
            JSON.read_request(json.dumps({"type": name, "id": 1}))
        assert raised.value.code == "unknown_type"


def test_frames_of_the_other_kind_are_malformed() -> None:
    with pytest.raises(ProtocolError, match="text frames"):
        JSON.read_request(b"{}")
    with pytest.raises(ProtocolError, match="binary frames"):
        MSGPACK.read_request("{}")


def test_the_size_is_counted_in_bytes() -> None:
    fits = '{"type": "join", "id": 1, "token": "%s"}'
    room = MAX_FRAME_BYTES - len(fits) + 2
    assert JSON.read_request(fits % ("x" * room))
    for token in ("x" * (room + 1), "é" * (room // 2 + 1)):
        with pytest.raises(ProtocolError) as raised:
            JSON.read_request(fits % token)
        assert raised.value.code == "too_large"


def test_whatever_is_read_it_is_a_message_or_a_protocol_error(seed: int) -> None:
    """Mutated messages in both forms: reading gives a message or raises ProtocolError, never any other error."""
    source = random.Random(seed)
    message = Publish(id=1, sdp="v=0", tracks=())
    for subprotocol in SUBPROTOCOLS.values():
        encoded = subprotocol.encode(message)
        original = encoded.encode() if isinstance(encoded, str) else encoded
        for _ in range(2000):
            mutated = bytearray(original)
            for _ in range(source.randrange(1, 6)):
                mutated[source.randrange(len(mutated))] = source.randrange(256)
            if source.random() < 0.3:
                del mutated[source.randrange(len(mutated)) :]
            frame = bytes(mutated) if subprotocol.binary else mutated.decode("utf-8", "surrogateescape")
            try:
                subprotocol.read_request(frame)
            except ProtocolError as error:
                assert error.code in ("malformed", "unknown_type")
