"""Whatever a participant sends on a data channel is delivered as it was or answered with an error; nothing raises.

Inputs are good frames with bytes changed, headers of random JSON, and noise. Seeded: `--seed` replays.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from sfu.core.messages import MessageLimits, Messages
from sfu.core.types import MessageChannel
from sfu.wire.message import DeliveredMessage, MessageError, parse_delivered

CASES = 3000
GOOD = (
    b'{"topic":"chat","text":true}\nHello',
    b'{"topic":"t","to":["bob","cid"]}\n\x00\x01\x02',
    '{"topic":"ü","to":["bob"],"text":true,"later":{"x":[1,2.5e3,null]}}\nGrüße\n'.encode(),
)
VALUES: tuple[Any, ...] = (
    "",
    "bob",
    "\ud800",
    "x" * 300,
    0,
    -1,
    1e300,
    True,
    None,
    [],
    ["bob"],
    ["bob", 1],
    {},
    {"to": []},
)


def frame_of(random: Random) -> bytes:
    match random.randrange(3):
        case 0:
            return random.randbytes(random.randrange(60))
        case 1:
            header: dict[str, Any] = {
                key: random.choice(VALUES) for key in ("topic", "to", "text", "from", "error") if random.random() < 0.5
            }
            return json.dumps(header).encode() + b"\n" + random.randbytes(random.randrange(20))
        case _:
            frame = bytearray(random.choice(GOOD))
            for _ in range(random.randrange(1, 5)):
                position = random.randrange(len(frame) + 1)
                match random.randrange(3):
                    case 0:
                        frame[position:position] = random.choice((b"\n", b'"', b"[", b"{", b"\xff", b"\x00", b"\\u"))
                    case 1:
                        del frame[position : position + random.randrange(4)]
                    case _:
                        frame[position : position + 1] = random.randbytes(1)
            return bytes(frame)


def test_frames_are_delivered_or_answered_with_an_error(seed: int) -> None:
    random = Random(seed)
    messages = Messages(MessageLimits(messages_burst=10**9, packets_burst=10**9, room_packets_burst=10**9))
    for transport, name in enumerate(("ada", "bob", "cid")):
        messages.add(transport, "room", name, may_send=True)
        messages.on_opened(transport, MessageChannel.RELIABLE, 0.0)
    outcomes = set()
    for _ in range(CASES):
        frame = frame_of(random)
        try:
            messages.on_message(0, MessageChannel.RELIABLE, frame, now=0.0)
        except Exception as error:
            error.add_note(f"with {frame!r}")
            raise
        while (output := messages.poll()) is not None:
            messages.on_drained(output.transport, output.channel)
            heard = parse_delivered(output.frame)
            outcomes.add(type(heard))
            if isinstance(heard, DeliveredMessage):
                assert output.transport != 0 and heard.sender == "ada"
                assert frame.endswith(heard.payload)
            else:
                assert output.transport == 0
    assert outcomes == {DeliveredMessage, MessageError}
