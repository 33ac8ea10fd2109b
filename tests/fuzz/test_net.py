"""Whatever a stranger or a remote sends as STUN or DTLS: no exception leaves, strangers change nothing, and who
was connected stays connected."""

from __future__ import annotations

import asyncio
import random

from aioice import stun

from sfu.net.config import TransportConfig
from sfu.net.ice import Alive, Answer, IceLite
from sfu.plane.interface import Path
from tests.support.dtls import Pair
from tests.support.ice import binding_request, read_answer

DATAGRAMS = 2000


def mutated(rng: random.Random, datagram: bytes) -> bytes:
    """Bits turned, bytes cut out, put in or overwritten; now and then nothing of the original is left."""
    mutant = bytearray(datagram)
    for _ in range(rng.randint(1, 4)):
        position = rng.randrange(len(mutant) + 1)
        action = rng.randrange(6)
        if action == 0 and mutant:
            mutant[position % len(mutant)] ^= 1 << rng.randrange(8)
        elif action == 1:
            del mutant[position : position + rng.randint(1, 8)]
        elif action == 2:
            mutant[position:position] = rng.randbytes(rng.randint(1, 8))
        elif action == 3 and len(mutant) >= 4:
            mutant[2:4] = rng.randbytes(2)
        elif action == 4:
            del mutant[position:]
        elif rng.random() < 0.2:
            mutant[:] = rng.randbytes(rng.randrange(64))
    return bytes(mutant)


def refingerprinted(message: bytes) -> bytes:
    """With a right length and FINGERPRINT, so that it is read further than the checksum."""
    body = message[: len(message) // 4 * 4]
    if len(body) < 20:
        return message
    body = stun.set_body_length(body, len(body) - 20 + 8)
    return body + b"\x80\x28\x00\x04" + stun.message_fingerprint(body).to_bytes(4, "big")


def test_no_stun_message_breaks_the_table_or_passes_without_the_password(seed: int) -> None:
    rng = random.Random(seed)
    lite = IceLite(0, TransportConfig(), rng.randbytes)
    ice = lite.add(1)
    path = Path(0, "192.0.2.1", 1000)
    genuine = binding_request(ice, nominate=True)
    for number in range(DATAGRAMS):
        mutant = mutated(rng, genuine)
        if rng.random() < 0.7:
            mutant = refingerprinted(mutant)
        for output in lite.on_stun(mutant, path, None, number / 100):
            if isinstance(output, Answer):
                read_answer(output.payload)
            if isinstance(output, Alive):
                # Only what MESSAGE-INTEGRITY does not cover may differ.
                assert mutant[20 : len(genuine) - 8] == genuine[20:-8]
    assert isinstance(lite.on_stun(genuine, path, None, 1e6)[-1], Alive)


def test_no_message_of_a_remote_with_the_password_breaks_the_table(seed: int) -> None:
    rng = random.Random(seed)
    lite = IceLite(0, TransportConfig(paths=3, credential_generations=3), rng.randbytes)
    transports = {number: [lite.add(number)] for number in range(4)}
    for step in range(DATAGRAMS):
        number = rng.choice(list(transports))
        action = rng.random()
        if action < 0.02:
            lite.remove(number)
            transports[number] = [lite.add(number)]
        elif action < 0.06:
            transports[number].append(lite.restart(number))
        else:
            role = rng.choice(["ICE-CONTROLLING", "ICE-CONTROLLING", "ICE-CONTROLLED"])
            request = binding_request(rng.choice(transports[number]), nominate=rng.random() < 0.3, role=role)
            path = Path(rng.randrange(2), "2001:db8::1", rng.randrange(6))
            bound_to = rng.choice([None, *transports])
            for output in lite.on_stun(request, path, bound_to, step / 10):
                if isinstance(output, Answer):
                    read_answer(output.payload)
    selected = [lite.selected_path(number) for number in transports]
    in_use = [path for path in selected if path is not None]
    assert len(set(in_use)) == len(in_use), "one address, two Transports"


async def test_a_session_survives_whatever_else_arrives(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair()
    genuine = [b"\x16\xfe\xff" + bytes(10) + b"\x00\x04abcd"]

    def feed_noise(count: int) -> None:
        for _ in range(count):
            pair.server.session.feed(mutated(rng, rng.choice(genuine + pair.client.sent)))
            pair.client.session.feed(mutated(rng, rng.choice(genuine + pair.server.sent)))

    assert await pair.handshake() == [None, None]
    for _ in range(DATAGRAMS // 20):
        feed_noise(10)
        await asyncio.sleep(0)
    assert pair.server.session.connected
    assert pair.client.session.connected
    assert (pair.server.farewells, pair.client.farewells) == (0, 0)
    await pair.close()


async def test_a_handshake_amid_noise_ends_one_way_or_the_other(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair()

    def with_noise(datagram: bytes) -> bool:
        for end in pair.ends:
            end.session.feed(mutated(rng, datagram))
        return True

    pair.server.link = pair.client.link = with_noise
    async with asyncio.timeout(30):
        results = await asyncio.gather(*(end.session.handshake(1.5) for end in pair.ends), return_exceptions=True)
    for result in results:
        assert result is None or type(result).__name__ == "HandshakeFailed", result
    await pair.close()
