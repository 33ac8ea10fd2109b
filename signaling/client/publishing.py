"""The publish connection: its m-lines, offers and answers, and the tracks that are sent on it.

We are its permanent offerer. An m-line, once offered, stays in its place; an unpublished track leaves its line
inactive, and lines are not used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from sfu.core.types import Codec, Kind
from sfu.net.sctp import ChannelEvent, DataChannels
from sfu.wire.extensions import AudioLevel, Orientation
from signaling.client import description
from signaling.client.channel import Channel
from signaling.client.endpoint import Endpoint
from signaling.client.sending import SentStream
from signaling.errors import Refused
from signaling.messages import KIND_OF_SOURCE, Mute, Publish, Published, Source, TrackToPublish, Unpublish

REBUILD_TIMEOUT_S = 10.0  # between an answer that says that the connection was reset, and the event that does


@dataclass(frozen=True, slots=True)
class SourceToPublish:
    """`rids` from lowest to highest quality; empty: one encoding without simulcast."""

    source: Source
    codec: Codec
    rids: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        return KIND_OF_SOURCE[self.source]


@dataclass(slots=True)
class Publication:
    """A track of ours. `streams` are its encodings, lowest quality first.

    `on_key_frame_request` is called for every PLI and FIR of any of them; coalescing is the encoder's affair.
    """

    track: str
    source: SourceToPublish
    streams: tuple[SentStream, ...]
    endpoint: Endpoint = field(repr=False)
    muted: bool = False
    on_key_frame_request: Callable[[], None] = lambda: None

    def send(
        self,
        layer: int,
        payloads: Sequence[bytes],
        media_s: float,
        level: AudioLevel | None = None,
        orientation: Orientation | None = None,
    ) -> None:
        """One encoded frame of one layer. `media_s` is its capture time on the source's clock, in seconds; the
        marker is set on the last packet of a video frame. `orientation`: how it is to be shown; due with each key
        frame, and with others when it changed."""
        stream = self.streams[layer]
        timestamp = stream.timestamp(media_s)
        now = asyncio.get_running_loop().time()
        video = self.source.kind == "video"
        for index, payload in enumerate(payloads):
            marker = video and index == len(payloads) - 1
            said = orientation if marker else None
            self.endpoint.session.send(stream, payload, timestamp, now, marker=marker, level=level, orientation=said)
        self.endpoint.flush()


@dataclass(slots=True)
class _Line:
    sent: description.SentLine
    source: SourceToPublish
    publication: Publication | None = None


@dataclass(frozen=True, slots=True)
class _DataLine:
    sent: description.DataLine


class Publisher:
    """One call at a time: an offer waits for the answer to the one before."""

    def __init__(self, channel: Channel, endpoint: Endpoint, random: Random) -> None:
        self._channel = channel
        self._endpoint = endpoint
        self._random = random
        self._lines: list[_Line | _DataLine] = []
        self._version = 0
        self._ssrcs: set[int] = set()
        self._connected = False
        self._turn = asyncio.Lock()
        self._rebuilding = asyncio.Event()
        self.publications: list[Publication] = []
        endpoint.session.on_key_frame_request = self._on_key_frame_request

    async def publish(self, sources: Sequence[SourceToPublish]) -> list[Publication]:
        """Offer these too; connects the first time. Raises Refused, also when the server takes one of them not."""
        while True:
            rebuilding = self._rebuilding
            try:
                return await self._publish(sources)
            except Refused as error:
                if error.code != "connection_reset":
                    raise
            # We are about to be told, and then there is another connection for it.
            async with asyncio.timeout(REBUILD_TIMEOUT_S):
                await rebuilding.wait()

    async def rebuild(self, endpoint: Endpoint) -> None:
        """The connection was reset: everything that is published goes on over this one, under its names. Raises what
        `publish` does."""
        async with self._turn:
            self._rebuilding.set()
            self._rebuilding = asyncio.Event()
            self._endpoint = endpoint
            endpoint.session.on_key_frame_request = self._on_key_frame_request
            self._lines = []
            self._version = 0
            self._connected = False
            if not self.publications:
                return
            lines = [self._new_line(mid, one.source) for mid, one in enumerate(self.publications)]
            tracks = [
                TrackToPublish(mid=line.sent.mid, source=line.source.source, muted=one.muted, track=one.track)
                for line, one in zip(lines, self.publications, strict=True)
            ]
            answer, track_ids = await self._offer(lines, tracks)
            for line, publication in zip(lines, self.publications, strict=True):
                publication.streams = self._publication(line, answer, track_ids).streams
                publication.endpoint = endpoint
                line.publication = publication
            self._lines.extend(lines)
            endpoint.session.send_extensions = answer.extensions
            await self._connect(answer)

    async def _publish(self, sources: Sequence[SourceToPublish]) -> list[Publication]:
        async with self._turn:
            added = [self._new_line(mid, source) for mid, source in enumerate(sources, len(self._lines))]
            tracks = [TrackToPublish(mid=line.sent.mid, source=line.source.source) for line in added]
            answer, track_ids = await self._offer([*self._lines, *added], tracks)
            self._lines += added
            for line in added:
                line.publication = self._publication(line, answer, track_ids)
                self.publications.append(line.publication)
            self._endpoint.session.send_extensions = answer.extensions
            await self._connect(answer)
            return [line.publication for line in added if line.publication is not None]

    async def open_channels(self, on_event: Callable[[ChannelEvent], None]) -> DataChannels:
        """Once; connects if nothing was published. Raises Refused, ConnectionError, HandshakeFailed, TimeoutError."""
        async with self._turn:
            line = _DataLine(description.DataLine(str(len(self._lines))))
            answer, _ = await self._offer([*self._lines, line], [])
            self._lines.append(line)
            if answer.sctp_port is None:
                raise Refused("sdp_unsupported", "the server takes no data channels")
            await self._connect(answer)
            return await self._endpoint.open_channels(answer.sctp_port, on_event)

    async def unpublish(self, publication: Publication) -> None:
        await self._channel.request(lambda number: Unpublish(id=number, track=publication.track))
        self._forget(publication)

    def on_stopped(self, track: str) -> None:
        """The server has unpublished it. Nothing if it is none of ours."""
        for publication in [one for one in self.publications if one.track == track]:
            self._forget(publication)

    def on_muted(self, track: str) -> None:
        """A moderator has muted it."""
        for publication in self.publications:
            if publication.track == track:
                publication.muted = True

    def _forget(self, publication: Publication) -> None:
        self.publications.remove(publication)
        for stream in publication.streams:
            self._endpoint.session.remove_sent(stream)
        for line in self._lines:
            if isinstance(line, _Line) and line.publication is publication:
                line.publication = None
                line.sent = description.SentLine(line.sent.mid, line.sent.kind, line.sent.codec, (), 0, 0, active=False)

    async def mute(self, publication: Publication, muted: bool) -> None:
        await self._channel.request(lambda number: Mute(id=number, track=publication.track, muted=muted))
        publication.muted = muted

    async def _connect(self, answer: description.ReadAnswer) -> None:
        if not self._connected:
            await self._endpoint.connect(answer.remote)
            self._connected = True

    async def _offer(
        self, lines: Sequence[_Line | _DataLine], tracks: list[TrackToPublish]
    ) -> tuple[description.ReadAnswer, dict[str, str]]:
        """(what the server answered, track ids by mid)"""
        self._version += 1
        local = description.LocalEndpoint(self._endpoint.ice, self._endpoint.fingerprint, self._endpoint.session.ssrc)
        offer = description.write_offer(local, self._version, [line.sent for line in lines])
        answer = await self._channel.request(lambda number: Publish(id=number, sdp=offer, tracks=tuple(tracks)))
        assert isinstance(answer, Published)
        return description.read_answer(answer.sdp), {track.mid: track.track for track in answer.tracks}

    def _new_line(self, index: int, source: SourceToPublish) -> _Line:
        sent = description.SentLine(
            str(index), source.kind, source.codec, source.rids, self._new_ssrc(), self._new_ssrc()
        )
        return _Line(sent, source)

    def _publication(self, line: _Line, answer: description.ReadAnswer, tracks: dict[str, str]) -> Publication:
        mid = line.sent.mid
        answered = answer.lines.get(mid)
        if answered is None or answered.format is None or mid not in tracks:
            raise Refused("sdp_unsupported", f"the server takes no {line.source.codec} on m-line {mid}")
        encodings: list[tuple[str, int, int]] = [("", line.sent.ssrc, line.sent.rtx_ssrc)]
        if line.sent.rids:
            encodings = [(rid, self._new_ssrc(), self._new_ssrc()) for rid in line.sent.rids if rid in answered.rids]
        streams = tuple(
            SentStream(
                mid=mid,
                rid=rid,
                kind=line.sent.kind,
                payload_type=answered.format.payload_type,
                rtx_payload_type=answered.format.rtx_payload_type,
                clock_rate=answered.format.clock_rate,
                ssrc=ssrc,
                rtx_ssrc=rtx_ssrc,
                random=self._random,
            )
            for rid, ssrc, rtx_ssrc in encodings
        )
        for stream in streams:
            self._endpoint.session.add_sent(stream)
        return Publication(tracks[mid], line.source, streams, self._endpoint)

    def _new_ssrc(self) -> int:
        """Never one that was used before on this connection (RFC 3550 §8.1)."""
        while True:
            ssrc = self._random.randrange(1, 1 << 32)
            if ssrc not in self._ssrcs:
                self._ssrcs.add(ssrc)
                return ssrc

    def _on_key_frame_request(self, stream: SentStream) -> None:
        for publication in self.publications:
            if stream in publication.streams:
                publication.on_key_frame_request()
