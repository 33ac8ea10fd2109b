"""Data channels over one DTLS session: opened by either side, told apart by their labels, and bounded.

    remote ─► on_event: opened, message, closed          send ─► remote, and `drained` when it is sent

SCTP itself is aiortc's; ours are the limits it does not enforce. What waits to be sent is the caller's affair: aiortc
queues without end, and knows neither who is slow nor what may be dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from sfu.net.config import TransportConfig
from sfu.net.dtls import DtlsSession

logger = logging.getLogger(__name__)

# Ours, for `a=sctp-port` and `a=max-message-size` in descriptions. The size is also what is meant by saying nothing
# (RFC 8841 §6.1), so that we never send more than a remote can take.
SCTP_PORT = 5000
MAX_MESSAGE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    label: str


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """By the remote, or with the association."""

    label: str


@dataclass(frozen=True, slots=True)
class ChannelDrained:
    """All that was sent on it has left, once at least."""

    label: str


@dataclass(frozen=True, slots=True)
class MessageReceived:
    label: str
    frame: bytes  # a string arrives as its UTF-8


ChannelEvent = ChannelOpened | ChannelClosed | ChannelDrained | MessageReceived


class DataChannels(RTCSctpTransport):
    """The SCTP association of one Transport. Of several channels with one label the newest counts for sending.

    `on_event` is called in the middle of aiortc's work: note it, and act later.
    """

    def __init__(
        self,
        session: DtlsSession,
        config: TransportConfig,
        on_event: Callable[[ChannelEvent], None] = lambda event: None,
    ) -> None:
        super().__init__(session.association, SCTP_PORT)
        self._config = config
        self._on_event = on_event
        self._granted_bytes = self._advertised_rwnd
        self._newest: dict[str, RTCDataChannel] = {}
        self.on("datachannel", self._on_channel)

    async def open(self, remote_port: int) -> None:
        """Both sides begin the association (RFC 8841 §9.3). Call it when DTLS is done."""
        await self.start(RTCSctpCapabilities(maxMessageSize=MAX_MESSAGE_BYTES), remote_port)

    def create(self, label: str, *, reliable: bool) -> None:
        """A channel of ours: ordered and reliable, or neither. ChannelOpened follows."""
        retransmits = None if reliable else 0
        parameters = RTCDataChannelParameters(label=label, ordered=reliable, maxRetransmits=retransmits)
        channel = RTCDataChannel(self, parameters)
        channel.on("open", lambda: self._on_event(ChannelOpened(label)))
        self._adopt(channel)

    def send(self, label: str, frame: bytes) -> None:
        """Lost if the channel is not open (any more): ChannelClosed is on its way then."""
        channel = self._newest.get(label)
        if channel is not None and channel.readyState == "open":
            channel.send(frame)

    def buffered_bytes(self, label: str) -> int:
        """What was sent on it and has not left even once."""
        channel = self._newest.get(label)
        return 0 if channel is None else int(channel.bufferedAmount)

    def close(self) -> None:
        """Stop the timers. Nothing is sent: the farewell of DTLS, which follows, ends this as well (RFC 8831 §6.2)."""
        self._on_event = lambda event: None
        self._set_state(self.State.CLOSED)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        self._adopt(channel)
        self._on_event(ChannelOpened(channel.label))

    def _adopt(self, channel: RTCDataChannel) -> None:
        label: str = channel.label
        self._newest[label] = channel
        channel.on("message", lambda frame: self._on_event(MessageReceived(label, _as_bytes(frame))))
        channel.on("bufferedamountlow", lambda: self._on_event(ChannelDrained(label)))
        channel.on("close", lambda: self._on_closed(channel))

    def _on_closed(self, channel: RTCDataChannel) -> None:
        if self._newest.get(channel.label) is channel:
            del self._newest[channel.label]
            self._on_event(ChannelClosed(channel.label))

    async def _handle_data(self, data: bytes) -> None:
        await super()._handle_data(data)
        broken = self._broken_limit()
        if broken:
            logger.warning("data channels of a Transport closed: %s", broken)
            await self.stop()

    def _broken_limit(self) -> str:
        # aiortc counts down from what it advertises, and only a sender that ignores that gets far below zero.
        unread = self._granted_bytes - self._advertised_rwnd
        if unread > self._config.data_unread_bytes:
            return f"{unread} bytes of unfinished messages"
        if len(self._inbound_streams) > self._config.data_streams:
            return f"{len(self._inbound_streams)} streams"
        if len(self._data_channels) > self._config.data_channels:
            return f"{len(self._data_channels)} channels"
        return ""


def _as_bytes(frame: bytes | str) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
