"""Between the data channels of all Transports and the core of messages: what happened there, what to do here.

    DTLS task ─► note(transport, event) … the Worker's next turn ─► run(now) ─► core/messages ─► channels
                                                        what correspondents say ─┘      └─► corresponding.py

Channels speak up in the middle of SCTP's work and without `now`, so that is only noted, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sfu.core.messages import Messages, Send
from sfu.core.types import MessageChannel
from sfu.corresponding import Correspondents
from sfu.net.sctp import ChannelClosed, ChannelDrained, ChannelEvent, ChannelOpened, MessageReceived
from sfu.net.transports import Transports

_CHANNELS = {channel.value: channel for channel in MessageChannel}


class Messaging:
    """`on_work` says that `run` has something to do; `on_bug(transport)` is told in an except clause."""

    def __init__(
        self,
        messages: Messages,
        correspondents: Correspondents,
        on_work: Callable[[], None],
        on_bug: Callable[[int], None],
    ) -> None:
        self._messages = messages
        self._correspondents = correspondents
        self._on_work = on_work
        self._on_bug = on_bug
        # As many as the datagrams that Transports have read since the last turn (TransportConfig.dtls_queue) can bring.
        self._noted: deque[tuple[int, ChannelEvent]] = deque()

    def note(self, transport: int, event: ChannelEvent) -> None:
        """Channels with other labels are somebody's own affair: they open, and nothing comes of them."""
        if event.label in _CHANNELS:
            self._noted.append((transport, event))
            self._on_work()

    def run(self, transports: Transports, now: float) -> None:
        while self._noted:
            transport, event = self._noted.popleft()
            try:
                self._on_event(transport, event, now)
                while (output := self._messages.poll()) is not None:
                    self._send(transports, output)
            except Exception:
                self._on_bug(transport)
        # What the app said, or a correspondent.
        while (output := self._messages.poll()) is not None:
            try:
                self._send(transports, output)
            except Exception:
                self._on_bug(output.transport)

    def _on_event(self, transport: int, event: ChannelEvent, now: float) -> None:
        channel = _CHANNELS[event.label]
        match event:
            case MessageReceived(frame=frame):
                self._messages.on_message(transport, channel, frame, now)
            case ChannelDrained():
                self._messages.on_drained(transport, channel)
            case ChannelOpened():
                self._messages.on_opened(transport, channel, now)
            case ChannelClosed():
                self._messages.on_closed(transport, channel)

    def _send(self, transports: Transports, output: Send) -> None:
        if not self._correspondents.hear(output.transport, output.channel, output.frame):
            transports.send_message(output.transport, output.channel, output.frame)
