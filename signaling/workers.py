"""All Workers of this server: one in this process, or several in processes of their own; and in which each room lives.

    Switchboard ─ link_of(room) ─► Placement ─► the Worker's Link
    Server ─ open, close, read_metrics, running

The one place where somebody asks which Worker a room is in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from sfu.control import AnyNotice, AnyReply, Metrics, ReadMetrics
from signaling.config import ServerConfig
from signaling.embedded import EmbeddedWorker
from signaling.link import Link
from signaling.placement import Placement
from signaling.process import WorkerProcess

logger = logging.getLogger(__name__)

AnyWorker = EmbeddedWorker | WorkerProcess


class Workers:
    """`on_notice` hears what all of them have to say."""

    def __init__(self, config: ServerConfig, on_notice: Callable[[AnyNotice], None]) -> None:
        self._limits = config.supervision
        self._placement = Placement()
        self.all: list[AnyWorker] = []
        for index in range(config.workers):
            process = WorkerProcess(
                config.worker(index),
                log_level=config.log_level.upper(),
                log_format=config.log_format,
                on_notice=on_notice,
                on_unavailable=partial(self._on_unavailable, index),
                limits=self._limits,
                reply_timeout_s=config.reply_timeout_s,
            )
            self.all.append(process)
        if not config.workers:
            self.all.append(EmbeddedWorker(config.worker(0), on_notice, config.reply_timeout_s))

    @property
    def running(self) -> int:
        return sum(worker.running for worker in self.all)

    @property
    def plane_name(self) -> str:
        return self.all[0].plane_name

    @property
    def udp_ports(self) -> list[int]:
        return [worker.udp_port for worker in self.all]

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.all[0].addresses

    async def open(self) -> None:
        """Until all run. Raises OSError, ValueError or CannotOpen; then only `close` is left to do."""
        await asyncio.gather(*(worker.open() for worker in self.all))

    async def close(self) -> None:
        await asyncio.gather(*(worker.close() for worker in self.all))

    def link_of(self, room: str) -> Link:
        index = self._placement.worker_of(room)
        if index is None:
            index = self._placement.place(room, [worker.load for worker in self.all])
            if len(self.all) > 1:
                logger.info("room=%s is in Worker %d", room, index)
        return self.all[index].link

    def release(self, room: str) -> None:
        """The room is no more."""
        self._placement.release(room)

    def room_count(self, worker: int) -> int:
        return self._placement.room_count(worker)

    async def read_metrics(self) -> list[Metric]:
        """Of all that run, with the label `worker`; who does not answer in time is left out."""
        replies = await asyncio.gather(*(self._read(worker) for worker in self.all))
        merged: dict[str, Metric] = {family.name: family for family in self._own_metrics()}
        for worker, reply in enumerate(replies):
            for family in reply.families if isinstance(reply, Metrics) else ():
                metric = merged.setdefault(family.name, Metric(family.name, family.text, family.kind))
                for sample in family.samples:
                    metric.add_sample(sample.name, {"worker": str(worker), **sample.labels}, sample.value)
        return [*merged.values()]

    def _on_unavailable(self, worker: int) -> None:
        self._placement.evacuate(worker, [worker.load for worker in self.all])

    async def _read(self, worker: AnyWorker) -> AnyReply | None:
        if not worker.running:
            return None
        answered: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
        worker.link.ask(
            lambda call: ReadMetrics(call=call), lambda reply: None if answered.done() else answered.set_result(reply)
        )
        try:
            return await asyncio.wait_for(answered, self._limits.metrics_timeout_s)
        except TimeoutError:
            return None

    def _own_metrics(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("sfu_worker_up", "whether it runs", labels=["worker"])
        restarts = CounterMetricFamily("sfu_worker_restarts", "processes that followed another", labels=["worker"])
        rooms = GaugeMetricFamily(
            "sfu_worker_rooms", "rooms placed there, the just emptied included", labels=["worker"]
        )
        for index, worker in enumerate(self.all):
            running.add_metric([str(index)], worker.running)
            restarts.add_metric([str(index)], worker.restarts)
            rooms.add_metric([str(index)], self._placement.room_count(index))
        yield from (running, restarts, rooms)
