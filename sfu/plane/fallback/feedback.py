"""Transport-cc feedback of one remote, matched with what has left towards it.

compound ─► read: feedbacks, reports, and whether there is anything else ─► on_feedback, one number after the other
number ─► Flight: sent when, how large? ─┬─► Groups      what delay estimation compares
                                         ├─► Clusters    what probing found out
                                         └─► sums        acknowledged, lost, round trip

A remote can say what it likes about what was never sent, was reported before, or lies in its past: only the first word
about each packet counts, except that one reported missing may still arrive.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sfu.core.transport_feedback import CLUSTER, GROUP, REPORT, FeedbackBatch
from sfu.plane.fallback.clusters import ClusterRow, Clusters
from sfu.plane.fallback.flight import Departure, Flight
from sfu.plane.fallback.groups import GroupRow, Groups
from sfu.plane.interface import Counters, PlaneConfig
from sfu.wire import framing, twcc
from sfu.wire.errors import MalformedRtcp
from sfu.wire.rtcp import MAX_TRANSPORT_FEEDBACKS, ReceiverReport, SenderReport, parse_report
from sfu.wire.serial import Unwrapper
from sfu.wire.twcc import TransportFeedback

if TYPE_CHECKING:
    from sfu.plane.fallback.transport import Transport

_REFERENCE_BITS = 24
_REFERENCE_US = 64_000  # one step of the reference time

ReportRow = tuple[int, float, float, int, int, int, int, int, int]  # as transport_feedback.REPORT


class Contents(NamedTuple):
    """What a compound holds, for the plane."""

    feedbacks: list[TransportFeedback]
    reports: list[SenderReport | ReceiverReport]
    malformed: int  # feedbacks that could not be read, or were too many
    is_feedback: bool  # and nothing else
    is_reception: bool  # receivers' reports, who they are by, and feedback, all of it readable


def read(compound: bytes) -> Contents:
    """Never raises. Where the walk ends early, there may be something else."""
    feedbacks: list[TransportFeedback] = []
    reports: list[SenderReport | ReceiverReport] = []
    count = malformed = others = foreign = 0
    try:
        for block in framing.blocks(compound):
            if block.packet_type != framing.TRANSPORT_FEEDBACK or block.count_or_format != twcc.FORMAT:
                others += 1
                foreign += block.packet_type not in (framing.RECEIVER_REPORT, framing.SOURCE_DESCRIPTION)
                if block.packet_type in (framing.SENDER_REPORT, framing.RECEIVER_REPORT):
                    try:
                        reports.append(parse_report(block))
                    except MalformedRtcp:
                        foreign += 1
                continue
            count += 1
            if count > MAX_TRANSPORT_FEEDBACKS:
                malformed += 1
                continue
            try:
                feedbacks.append(twcc.parse(framing.unpadded(block)))
            except MalformedRtcp:
                malformed += 1
    except MalformedRtcp:
        others += 1
        foreign += 1
    is_feedback = count > 0 and others == 0
    return Contents(feedbacks, reports, malformed, is_feedback, is_reception=foreign == 0)


def poll_feedback(reporting: dict[Transport, None], now: float) -> FeedbackBatch:
    """Of all that have any. Who has nothing more to tell is taken out."""
    reports: list[ReportRow] = []
    groups: list[GroupRow] = []
    clusters: list[ClusterRow] = []
    for transport in sorted(reporting, key=lambda transport: transport.id):
        report = transport.feedback.take_report(transport.id)
        if report is not None:
            reports.append(report[0])
            groups += report[1]
        clusters += transport.feedback.take_clusters(transport.id, now)
        if not transport.feedback.clusters:
            del reporting[transport]
    return FeedbackBatch(np.array(reports, REPORT), np.array(groups, GROUP), np.array(clusters, CLUSTER))


class Feedback:
    """Of one Transport."""

    def __init__(self, config: PlaneConfig, counters: Counters) -> None:
        self.flight = Flight(config.packets_in_flight)
        self.clusters = Clusters(counters)
        self._groups = Groups(config.groups_pending, counters)
        self._remote_clock = Unwrapper(_REFERENCE_BITS)
        self._newest_acked = -1
        self._begin_report()

    def _begin_report(self) -> None:
        self._reported_at: float | None = None
        self._rtt_s = nan
        self._acked_packets = self._acked_bytes = self._lost_packets = self._reordered_packets = 0

    def on_feedback(self, feedback: TransportFeedback, now: float) -> None:
        self._reported_at = now
        reference = self._remote_clock.unwrap(feedback.reference_time)
        zero_us = (reference - feedback.reference_time) * _REFERENCE_US
        newest_acked = newest = -1
        for number, (_, at_us) in enumerate(feedback.packets, self.flight.unwrap(feedback.base_sequence)):
            departure = self.flight.get(number)
            if departure is None:
                continue
            newest = number
            if at_us is None:
                self._on_missing(departure)
            elif not departure.arrived:
                self._on_arrived(departure, (zero_us + at_us) / 1_000_000, now)
                newest_acked = number
        self.flight.pass_over(newest)
        if newest_acked > self._newest_acked:  # an older one may have been reported late (as RFC 9002 §5.1)
            self._newest_acked = newest_acked
            departure = self.flight.get(newest_acked)
            if departure is not None:
                self._rtt_s = now - departure.at_s

    def _on_missing(self, departure: Departure) -> None:
        if departure.arrived is not None:
            return
        departure.arrived = False
        self._lost_packets += 1
        cluster = self.clusters.find(departure.cluster) if departure.cluster else None
        if cluster is not None:
            cluster.on_reported()

    def _on_arrived(self, departure: Departure, arrived_at: float, now: float) -> None:
        cluster = self.clusters.find(departure.cluster) if departure.cluster else None
        if cluster is not None:
            if departure.arrived is None:
                cluster.on_reported()
            cluster.on_arrived(departure.size, arrived_at)
        if departure.arrived is False:
            self._reordered_packets += 1
        departure.arrived = True
        self._acked_packets += 1
        self._acked_bytes += departure.size
        self._groups.on_packet(departure.at_s, arrived_at, departure.size, now)

    # --- polling -------------------------------------------------------------------------------------------

    def take_report(self, transport: int) -> tuple[ReportRow, list[GroupRow]] | None:
        """What came since the last call; `None` if nothing has."""
        if self._reported_at is None:
            return None
        groups = self._groups.take()
        row = (
            transport,
            self._reported_at,
            self._rtt_s,
            self._acked_packets,
            self._acked_bytes,
            self._lost_packets,
            self._reordered_packets,
            self.flight.in_flight_bytes,
            len(groups),
        )
        self._begin_report()
        return row, groups

    def take_clusters(self, transport: int, now: float) -> list[ClusterRow]:
        return [cluster.row(transport) for cluster in self.clusters.take(now)]
