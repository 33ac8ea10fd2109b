"""Whatever text comes as SDP, it is read or refused with ProtocolError; and what was read can be answered.

Inputs are captured descriptions with lines, words and characters changed, and plain noise. Seeded: `--seed` replays.
"""

from __future__ import annotations

import contextlib
import random

from signaling import sdp, sdp_transport
from signaling.errors import ProtocolError
from signaling.negotiation import Answerer, Offerer, SlotLine
from tests.signaling.descriptions import LINES, LOCAL, captured, captured_names

CASES = 1000  # per repetition; each takes a third of a millisecond
FRAGMENT = """a=ice-options:trickle
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=ice-ufrag:ysXw
a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag ysXw network-id 1
a=end-of-candidates
"""
ODD = [
    "",
    " ",
    "-1",
    "0",
    "65536",
    "4294967296",
    "²",
    "\0",
    "\r",
    "\ud800",
    "a=",
    "m=audio 9 RTP/SAVPF 0",
    ":",
    "/",
    ";",
]


def mutated(text: str, source: random.Random) -> str:
    lines = text.split("\r\n")
    for _ in range(source.choice((1, 1, 2, 5, 20))):
        index = source.randrange(len(lines))
        words = lines[index].replace(":", " : ").split(" ")
        match source.randrange(7):
            case 0:
                del lines[index]
            case 1:
                lines.insert(source.randrange(len(lines)), lines[index])
            case 2:
                other = source.randrange(len(lines))
                lines[index], lines[other] = lines[other], lines[index]
            case 3:
                words[source.randrange(len(words))] = source.choice(ODD)
                lines[index] = " ".join(words).replace(" : ", ":")
            case 4:
                words[source.randrange(len(words))] = str(source.randrange(200))
                lines[index] = " ".join(words).replace(" : ", ":")
            case 5:
                lines[index] = lines[index][: source.randrange(len(lines[index]) + 1)]
            case _:
                position = source.randrange(len(lines[index]) + 1)
                lines[index] = lines[index][:position] + chr(source.randrange(0x250)) + lines[index][position:]
        if not lines:
            return ""
    return "\r\n".join(lines)


def negotiate(answerer: Answerer, text: str) -> bool:
    try:
        offer = answerer.on_offer(text)
    except ProtocolError as error:
        assert error.code in ("sdp_malformed", "sdp_unsupported")
        assert error.reason.isprintable()
        return False
    receive = [media.mid for media in offer.media if media.sends and media.formats]
    send = [
        SlotLine(media.mid, media.kind, 1000 + index, None, "watched", media.mid)
        for index, media in enumerate(offer.media)
        if media.receives and media.formats
    ]
    answer = answerer.answer(LOCAL, receive=receive, send=send)
    answer.encode("ascii")
    assert len(sdp.parse(answer).media) == text.count("\nm=")
    return True


def test_mutated_offers_are_answered_or_refused(seed: int) -> None:
    source = random.Random(seed)
    names = [name for name in captured_names() if not name.startswith("answer-")]
    answered = 0
    for _ in range(CASES):
        answerer = Answerer()
        # As it was, or of somebody who receives on the same m-lines.
        direction = source.choice(("a=sendonly", "a=recvonly", "a=sendrecv"))
        text = captured(source.choice(names)).replace("a=sendonly", direction)
        if source.random() < 0.3:  # sometimes as the second offer
            negotiate(answerer, text)
        answered += negotiate(answerer, mutated(text, source))
    assert answered > CASES / 10, "the mutations are too wild to reach past the parser"


def test_mutated_fragments_are_read_or_refused(seed: int) -> None:
    source = random.Random(seed)
    fragment = FRAGMENT.replace("\n", "\r\n")
    read = 0
    for _ in range(CASES):
        try:
            ice = sdp_transport.read_fragment(sdp.parse_fragment(mutated(fragment, source)))
        except ProtocolError as error:
            assert error.code in ("sdp_malformed", "sdp_unsupported") and error.reason.isprintable()
        else:
            read += ice is not None and len(ice.username_fragment) >= 4 and len(ice.password) >= 22
    assert read > CASES / 10


def test_mutated_answers_are_read_or_refused(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(CASES):
        offerer = Offerer()
        offerer.offer(LOCAL, LINES)
        text = mutated(captured(source.choice(("answer-chromium", "answer-firefox"))), source)
        with contextlib.suppress(ProtocolError):
            read = offerer.on_answer(text)
            assert set(read.payload_types) <= {line.mid for line in LINES}
            assert read.rejected <= {line.mid for line in LINES if line.track}
            offerer.offer(LOCAL, LINES).encode("ascii")


def test_noise_is_refused(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(CASES):
        noise = "".join(chr(source.choice((10, 13, 32, 58, 61, 97, 109, source.randrange(0x300)))) for _ in range(200))
        for text in (noise, f"v=0\r\n{noise}", f"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{noise}"):
            assert not negotiate(Answerer(), text)
