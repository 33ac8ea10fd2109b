"""ICE-lite for all Transports of a Worker: who a connectivity check is from, and the answer (RFC 8445, RFC 8489).

We are always controlled and never check ourselves. A check names our username fragment, and with it the Transport,
and proves itself by that Transport's password; the address it came from is then one of the Transport's paths.

    StunReceived ─► on_stun ─► Entrust, Bind, Select, Answer (in this order), and Alive
    ConsentRenewed ─► on_consent ─► Alive
    StrayReceived ─► neighbours ─► whose of these is it? ─► on_moved ─► Bind, Select, Alive

No sockets and no clock; random bytes are handed in. Liveness is judged elsewhere, from Alive (`liveness.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from sfu.control import IceParameters
from sfu.net import stun
from sfu.net.config import TransportConfig
from sfu.net.paths import Paths
from sfu.plane.interface import Path

# RFC 8445 §5.3 wants 24 and 128 bits of randomness at least; in base64, whose alphabet is that of ICE.
_FRAGMENT_RANDOM_BYTES = 6
_PASSWORD_RANDOM_BYTES = 18
_INDEX_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Answer:
    """Send on the path the check came in by."""

    path: Path
    payload: bytes


@dataclass(frozen=True, slots=True)
class Bind:
    transport: int
    path: Path


@dataclass(frozen=True, slots=True)
class Select:
    transport: int
    path: Path


@dataclass(frozen=True, slots=True)
class Entrust:
    """The remote uses these credentials of ours now: checks that only repeat what is known need not come here."""

    transport: int
    ice: IceParameters


@dataclass(frozen=True, slots=True)
class Alive:
    """The remote has proved that it is there, and consents to receive (RFC 7675)."""

    transport: int


Output = Entrust | Bind | Select | Answer | Alive


@dataclass(slots=True, eq=False)
class _Generation:
    ice: IceParameters
    expires_at: float | None = None  # set once newer ones are in use


class _Agent:
    def __init__(self, transport: int, config: TransportConfig) -> None:
        self.transport = transport
        self.paths = Paths(config)
        self.generations: list[_Generation] = []  # oldest first
        self.in_use: _Generation | None = None  # the newest that a check has come with


class IceLite:
    """The table of a Worker: username fragment → Transport first, address after."""

    def __init__(self, worker_index: int, config: TransportConfig, random_bytes: Callable[[int], bytes]) -> None:
        self.dropped = 0  # not a connectivity check at all
        self.refused = 0  # a check by somebody who could not prove himself
        self._prefix = index_prefix(worker_index)
        self._config = config
        self._random_bytes = random_bytes
        self._agents: dict[int, _Agent] = {}
        self._by_fragment: dict[str, tuple[_Agent, _Generation]] = {}
        self._owners: dict[Path, _Agent] = {}
        self._stranger_answers = _Budget(config.stun_error_answers_per_s)

    def add(self, transport: int) -> IceParameters:
        agent = self._agents[transport] = _Agent(transport, self._config)
        return self._issue(agent)

    def restart(self, transport: int) -> IceParameters:
        """New credentials. The old ones go on until a check has used the new ones, and a little longer."""
        agent = self._agents[transport]
        if len(agent.generations) >= self._config.credential_generations:
            # Rather one that is on its way out, else the oldest that was given out and never used.
            self._revoke(
                agent,
                min(
                    (generation for generation in agent.generations if generation is not agent.in_use),
                    key=lambda generation: generation.expires_at is None,
                ),
            )
        return self._issue(agent)

    def remove(self, transport: int) -> None:
        agent = self._agents.pop(transport)
        for generation in agent.generations:
            del self._by_fragment[generation.ice.username_fragment]
        self._owners = {path: owner for path, owner in self._owners.items() if owner is not agent}

    def selected_path(self, transport: int) -> Path | None:
        return self._agents[transport].paths.selected

    def on_stun(self, payload: bytes, path: Path, bound_to: int | None, now: float) -> list[Output]:
        """`bound_to`: the Transport that has this path in the plane. Never raises, whatever the payload."""
        check = stun.parse_check(payload)
        if check is None:
            self.dropped += 1
            return []
        found = self._by_fragment.get(check.username_fragment or "")
        if found is not None and (found[1].expires_at is None or now < found[1].expires_at):
            agent, generation = found
            if check.is_authentic(generation.ice.password):
                return self._on_authentic(agent, generation, check, path, bound_to, now)
        self.refused += 1
        if not self._stranger_answers.take(now):
            return []
        return [Answer(path, stun.error(check, 400 if check.username_fragment is None else 401, None))]

    def on_consent(self, transport: int, path: Path, at_s: float) -> list[Output]:
        """A check from there was answered by the plane, as those are that change nothing."""
        agent = self._agents.get(transport)
        if agent is None or path != agent.paths.selected:
            return []  # so it was then
        agent.paths.on_check(path, False, at_s)
        return [Alive(transport)]

    def neighbours(self, path: Path) -> list[int]:
        """Transports whose remotes have been at this address by another port, this time or earlier."""
        owners = {owner.transport for known, owner in self._owners.items() if known[:2] == path[:2]}
        return sorted(owners)

    def on_moved(self, transport: int, path: Path, now: float) -> list[Output]:
        """Its remote has sent what only it can encrypt, from another port of an address of its own."""
        agent = self._agents[transport]
        outputs: list[Output] = self._take_from_other(agent, path, now)
        agent.paths.on_moved(path, now)
        forgotten = agent.paths.forget_oldest()
        if forgotten is not None:
            self._owners.pop(forgotten, None)
        return [*outputs, Bind(transport, path), Select(transport, path), Alive(transport)]

    def _on_authentic(
        self, agent: _Agent, generation: _Generation, check: stun.Check, path: Path, bound_to: int | None, now: float
    ) -> list[Output]:
        password = generation.ice.password
        if check.unknown_attributes:
            return [Answer(path, stun.error(check, 420, password))]
        if check.remote_is_controlled:
            # A lite agent cannot take the other role (RFC 8445 §6.1.1).
            return [Answer(path, stun.error(check, 487, password))]
        outputs = self._on_used(agent, generation, now)
        outputs += self._take_from_other(agent, path, now)
        known = path in agent.paths
        # A check from before the restart may still be answered, but it chooses nothing any more.
        selected = agent.paths.on_check(path, check.nominates and generation is agent.in_use, now)
        if selected or not known or bound_to != agent.transport:
            # Binding is repeated where a selection follows: the plane may have let the path go, and must have it then.
            outputs.append(Bind(agent.transport, path))
        if selected:
            outputs.append(Select(agent.transport, path))
        forgotten = agent.paths.forget_oldest()
        if forgotten is not None:
            self._owners.pop(forgotten, None)
        outputs.append(Answer(path, stun.success(check, path, password)))
        outputs.append(Alive(agent.transport))
        return outputs

    def _take_from_other(self, agent: _Agent, path: Path, now: float) -> list[Output]:
        """An address belongs to whoever proved it last: two clients behind one NAT may get it in turn."""
        before, self._owners[path] = self._owners.get(path), agent
        if before is None or before is agent:
            return []
        replacement = before.paths.lose(path, now)
        if replacement is None:
            return []
        return [Bind(before.transport, replacement), Select(before.transport, replacement)]

    def _on_used(self, agent: _Agent, used: _Generation, now: float) -> list[Output]:
        """A check with these credentials. At their first use, those that are older begin to expire."""
        if used is agent.in_use or used.expires_at is not None:
            return []
        if agent.in_use is not None:
            agent.paths.on_restart()
        agent.in_use = used
        for generation in agent.generations[: agent.generations.index(used)]:
            if generation.expires_at is None:
                generation.expires_at = now + self._config.old_credentials_s
            elif generation.expires_at <= now:
                self._revoke(agent, generation)
        return [Entrust(agent.transport, used.ice)]

    def _issue(self, agent: _Agent) -> IceParameters:
        while True:
            fragment = self._prefix + _text(self._random_bytes(_FRAGMENT_RANDOM_BYTES))
            if fragment not in self._by_fragment:
                break
        generation = _Generation(IceParameters(fragment, _text(self._random_bytes(_PASSWORD_RANDOM_BYTES))))
        agent.generations.append(generation)
        self._by_fragment[fragment] = agent, generation
        return generation.ice

    def _revoke(self, agent: _Agent, generation: _Generation) -> None:
        agent.generations.remove(generation)
        del self._by_fragment[generation.ice.username_fragment]


def index_prefix(worker_index: int) -> str:
    """How a Worker's username fragments begin: two digits to the base 36, so that a check can be told its Worker."""
    if not 0 <= worker_index < 36 * 36:
        raise ValueError(f"Worker index {worker_index} does not fit two digits to the base 36")
    high, low = divmod(worker_index, 36)
    return _INDEX_DIGITS[high] + _INDEX_DIGITS[low]


class _Budget:
    """So many per second for all strangers together, with one second's worth saved up at most."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        if self._at is not None:
            self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _text(random: bytes) -> str:
    return base64.b64encode(random).decode("ascii")
