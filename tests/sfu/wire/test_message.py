"""Messages between participants: a line of JSON, then the payload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.wire.errors import MalformedMessage
from sfu.wire.message import (
    DeliveredMessage,
    MessageError,
    SentMessage,
    build_delivered,
    build_error,
    build_sent,
    parse_delivered,
    parse_sent,
)

SENT: dict[str, tuple[bytes, SentMessage]] = {
    "text to everybody": (b'{"topic":"chat","text":true}\nHello', SentMessage("chat", None, True, b"Hello")),
    "bytes to two": (b'{"topic":"t","to":["a","b"]}\n\x00\xff', SentMessage("t", ("a", "b"), False, b"\x00\xff")),
    "nothing but an object": (b"{}\n", SentMessage("", None, False, b"")),
    "the first line feed ends the header": (b"{}\n\n\n", SentMessage("", None, False, b"\n\n")),
    "null is absent": (b'{"to":null}\n', SentMessage("", None, False, b"")),
    "keys of a newer client": (b'{"later":[{}],"topic":"x"}\n1', SentMessage("x", None, False, b"1")),
    "escapes": (b'{"topic":"a\\nb"}\n', SentMessage("a\nb", None, False, b"")),
}

MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no line feed": b'{"topic":"chat"}',
    "written on several lines": b'{\n"topic":"chat"}\n',
    "no JSON": b"chat\n",
    "no object": b"[]\n",
    "deep": b"[" * 50_000 + b"\n",
    "an endless number": b'{"x":' + b"1" * 10_000 + b"}\n",
    "not UTF-8": b'{"topic":"\xff"}\n',
    "UTF-16": '{"topic":""}'.encode("utf-16-le") + b"\n",
    "topic of the wrong type": b'{"topic":1}\n',
    "to of the wrong type": b'{"to":"bob"}\n',
    "to nobody": b'{"to":[]}\n',
    "to a number": b'{"to":["bob",1]}\n',
    "text of the wrong type": b'{"text":1}\n',
    "text that is none": b'{"text":true}\n\xff',
}


@pytest.mark.parametrize(("frame", "message"), SENT.values(), ids=SENT)
def test_what_a_participant_sends_is_read(frame: bytes, message: SentMessage) -> None:
    assert parse_sent(frame) == message


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_message_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_sent(frame)


def test_frames_look_as_the_protocol_says() -> None:
    delivered = DeliveredMessage("ada", "chat", False, True, b"Hello")
    assert build_delivered(delivered) == b'{"from":"ada","topic":"chat","text":true}\nHello'
    error = MessageError("rate", "too fast", "chat")
    assert build_error(error) == b'{"error":"rate","reason":"too fast","topic":"chat"}\n'


strings = st.text(max_size=20)
identities = st.lists(strings, min_size=1, max_size=4).map(tuple)


@given(st.builds(SentMessage, strings, st.none() | identities, st.just(False), st.binary(max_size=100)))
def test_what_was_sent_is_what_is_read(message: SentMessage) -> None:
    assert parse_sent(build_sent(message)) == message


@given(st.builds(DeliveredMessage, strings, strings, st.booleans(), st.just(False), st.binary(max_size=100)))
def test_what_was_delivered_is_what_is_read(message: DeliveredMessage) -> None:
    assert parse_delivered(build_delivered(message)) == message


@given(st.builds(MessageError, strings, strings, strings))
def test_errors_are_read(error: MessageError) -> None:
    assert parse_delivered(build_error(error)) == error


def test_half_a_surrogate_pair_is_passed_on() -> None:
    message = parse_sent(b'{"topic":"\\ud800"}\n')
    assert b"\\ud800" in build_delivered(DeliveredMessage("ada", message.topic, False, False, b""))
