"""The machines that serve, and whether they do."""

from __future__ import annotations

import socket
import time
from hashlib import blake2s

from sfu import __version__
from signaling.api.models import Health, Node, NodeList, Readiness, WorkerItem, WorkersRunning
from signaling.api.observing import Observer
from signaling.api.operations import Answer, Asked, Operation
from signaling.draining import Draining
from signaling.workers import Workers


class Nodes:
    def __init__(self, observer: Observer, workers: Workers, draining: Draining) -> None:
        self._observer = observer
        self._workers = workers
        self._draining = draining
        self._since = time.monotonic()
        machine = f"{socket.gethostname()}:{workers.udp_ports[0]}"
        self._id = f"ND_{blake2s(machine.encode(), digest_size=6).hexdigest()}"

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                name="list_nodes",
                method="GET",
                path="/nodes",
                tag="nodes",
                summary="All machines that serve",
                run=self._list,
                access="key",
                answer=NodeList,
            ),
            Operation(
                name="get_node",
                method="GET",
                path="/nodes/self",
                tag="nodes",
                summary="The one that answers",
                run=self._get,
                access="key",
                answer=Node,
            ),
            Operation(
                name="drain_node",
                method="POST",
                path="/nodes/self/drain",
                tag="nodes",
                summary="Take no new rooms",
                description="Rooms that run go on. `/readyz` answers 503, so that balancers send new people elsewhere.",
                run=self._drain,
                access="key",
                answer=Node,
            ),
            Operation(
                name="undrain_node",
                method="POST",
                path="/nodes/self/undrain",
                tag="nodes",
                summary="Take new rooms again",
                run=self._undrain,
                access="key",
                answer=Node,
            ),
            Operation(
                name="get_health",
                method="GET",
                path="/healthz",
                tag="health",
                summary="Whether this process serves",
                description="503 without any media worker. While some are left, new rooms go to these: `degraded`.",
                run=self._health,
                access="nobody",
                answer=Health,
                unversioned=True,
                also={503: "No media worker runs."},
            ),
            Operation(
                name="get_readiness",
                method="GET",
                path="/readyz",
                tag="health",
                summary="Whether new rooms may be sent here",
                description="503 while it drains, or without any media worker.",
                run=self._readiness,
                access="nobody",
                answer=Readiness,
                unversioned=True,
                also={503: "Not now: `why` says why not."},
            ),
        )

    async def _list(self, asked: Asked) -> Answer:
        return Answer(NodeList(items=[self._node()]))

    async def _get(self, asked: Asked) -> Answer:
        return Answer(self._node())

    async def _drain(self, asked: Asked) -> Answer:
        self._draining.begin()
        return Answer(self._node())

    async def _undrain(self, asked: Asked) -> Answer:
        self._draining.end()
        return Answer(self._node())

    async def _health(self, asked: Asked) -> Answer:
        running, of = self._workers.running, len(self._workers.all)
        return Answer(
            Health(
                status="ok" if running == of else "degraded" if running else "down",
                version=__version__,
                plane=self._workers.plane_name,
                workers=WorkersRunning(running=running, of=of),
            ),
            status=200 if running else 503,
        )

    async def _readiness(self, asked: Asked) -> Answer:
        why = "no media worker runs" if not self._workers.running else self._draining.why
        return Answer(Readiness(ready=not why, why=why), status=503 if why else 200)

    def _node(self) -> Node:
        counters, workers = self._observer.switchboard.counters, self._workers
        return Node(
            id=self._id,
            version=__version__,
            plane=workers.plane_name,
            draining=bool(self._draining.why),
            uptime_s=round(time.monotonic() - self._since, 3),
            addresses=list(workers.addresses),
            rooms=counters.rooms,
            participants=counters.participants,
            workers=[
                WorkerItem(index=index, running=one.running, udp_port=one.udp_port, rooms=workers.room_count(index))
                for index, one in enumerate(workers.all)
            ],
        )
