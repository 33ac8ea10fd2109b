"""Frames ↔ messages, for both WebSocket subprotocols: JSON in text frames, msgpack in binary ones.

The objects are the same, so one reading serves both. Whatever a peer sends, reading gives a message or a
ProtocolError with `malformed`, `unknown_type` or `too_large`, and never anything else.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from signaling.errors import ProtocolError
from signaling.messages import AnyClientMessage, AnyMessage, AnyServerMessage

# An offer with a hundred m-lines is about 150 KiB. Higher: one client can make us hold and parse more.
MAX_FRAME_BYTES: Final = 320 * 1024

Frame = str | bytes


class _Envelope(Struct):
    """Just enough to say what is wrong with a frame that is not a message we know."""

    type: str


class Subprotocol:
    """One way to write messages down. `binary` says which kind of WebSocket frame it uses."""

    def __init__(self, name: str, *, binary: bool) -> None:
        self.name = name
        self.binary = binary
        codec: Any = msgspec.msgpack if binary else msgspec.json
        self._encoder = codec.Encoder()
        self._requests = codec.Decoder(AnyClientMessage)
        self._server_messages = codec.Decoder(AnyServerMessage)
        self._envelopes = codec.Decoder(_Envelope)

    def encode(self, message: AnyMessage) -> Frame:
        encoded: bytes = self._encoder.encode(message)
        return encoded if self.binary else encoded.decode()

    def read_request(self, frame: Frame) -> AnyClientMessage:
        """What a client says. Raises ProtocolError."""
        message: AnyClientMessage = self._read(self._requests, frame)
        return message

    def read_server_message(self, frame: Frame) -> AnyServerMessage:
        """What the server says, for clients. Raises ProtocolError."""
        message: AnyServerMessage = self._read(self._server_messages, frame)
        return message

    def _read(self, decoder: Any, frame: Frame) -> Any:
        if isinstance(frame, bytes) != self.binary:
            kind = "binary" if self.binary else "text"
            raise ProtocolError("malformed", f"{self.name} uses {kind} frames")
        try:
            encoded = frame.encode() if isinstance(frame, str) else frame
            if len(encoded) > MAX_FRAME_BYTES:
                raise ProtocolError("too_large", f"{len(encoded)} bytes are more than {MAX_FRAME_BYTES}")
            return decoder.decode(encoded)
        except msgspec.ValidationError as error:
            raise self._explain(encoded, error) from error
        # msgspec raises RecursionError for deep nesting, UnicodeDecodeError for text that is not UTF-8;
        # encode() raises UnicodeEncodeError for lone surrogates.
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ProtocolError("malformed", str(error)) from error

    def _explain(self, encoded: bytes, error: msgspec.ValidationError) -> ProtocolError:
        """A well-formed frame that is no message: of an unknown type, or not as its type should be?"""
        try:
            name = self._envelopes.decode(encoded).type
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return ProtocolError("malformed", str(error))
        if str(error).endswith("`$.type`"):
            return ProtocolError("unknown_type", f"no message has the type {name[:64]!r}")
        return ProtocolError("malformed", f"{name[:64]}: {error}")


JSON: Final = Subprotocol("sfu.v1.json", binary=False)
MSGPACK: Final = Subprotocol("sfu.v1.msgpack", binary=True)
SUBPROTOCOLS: Final = {subprotocol.name: subprotocol for subprotocol in (JSON, MSGPACK)}
