"""Our side of one connection on which the client offers: the Transport under it, from OpenTransport to CloseTransport.

What flows on it is the owner's: a participant's tracks (`publishing.py`), or somebody's for a viewer over HTTP
(`whip/egress.py`). Procedures for a Lane; see there.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from sfu import control
from sfu.control import Done, IceParameters, RemoteParameters, TransportOpened
from signaling.errors import Refused
from signaling.lane import Procedure, Steps, expect
from signaling.names import Names
from signaling.negotiation import Answerer
from signaling.outputs import Call, Output


class Answering:
    """`answerer` reads the offers and writes the answers; what they say of the Transport is carried out here."""

    def __init__(
        self,
        *,
        room: str,
        identity: str,
        names: Names,
        emit: Callable[[Output], None],
        may_send_messages: bool = False,
        keeps_messages: int = 0,
    ) -> None:
        self.answerer = Answerer()
        self.transport: str | None = None  # as named to the Worker, from OpenTransport on
        self._room = room
        self._identity = identity
        self._may_send_messages = may_send_messages
        self._keeps_messages = keeps_messages
        self._replays_messages = True  # once: who opens it anew has heard them
        self._names = names
        self._emit = emit
        self._local: TransportOpened | None = None
        self._remote: RemoteParameters | None = None

    @property
    def local(self) -> TransportOpened:
        assert self._local is not None, "before it is open"
        return self._local

    def take_replay(self) -> bool:
        """Whether the messages that the room keeps are to be told to who opens them now."""
        replays, self._replays_messages = self._replays_messages, False
        return replays

    def open(self) -> Procedure:
        transport = self._names.transport()
        self.transport = transport
        (reply,) = yield [
            control.OpenTransport(
                call=self._names.call(),
                room=self._room,
                participant=self._identity,
                transport=transport,
                may_send_messages=self._may_send_messages,
                keeps_messages=self._keeps_messages,
                replays_messages=self.take_replay(),
            )
        ]
        try:
            self._local = expect(reply, TransportOpened)
        except Refused:
            self.transport = None
            raise

    def connect(self, remote: RemoteParameters) -> Procedure:
        """The remote as its last offer describes it; with new ICE credentials in it, ours are new too."""
        assert self.transport is not None
        if remote == self._remote:
            return
        if self._remote is not None and remote.ice != self._remote.ice:
            # RFC 8839 §4.4.1.1.1: who answers a restart has new credentials too.
            (reply,) = yield [control.RestartIce(call=self._names.call(), transport=self.transport)]
            self._local = expect(reply, TransportOpened)
        (reply,) = yield [control.ConnectTransport(call=self._names.call(), transport=self.transport, remote=remote)]
        expect(reply, Done)
        self._remote = remote

    def permit_messages(self, may_send: bool) -> Procedure:
        """Whether its participant may send messages, from now on."""
        if may_send != self._may_send_messages:
            self._may_send_messages = may_send
            if self.transport is not None:
                command = control.PermitMessages(
                    call=self._names.call(), transport=self.transport, may_send_messages=may_send
                )
                (reply,) = yield [command]
                expect(reply, Done)

    def is_restart(self, ice: IceParameters) -> bool:
        """Whether the remote has other credentials than before. Its fragment tells: one that stays is no restart."""
        assert self._remote is not None, "before it is connected"
        return ice.username_fragment != self._remote.ice.username_fragment

    def restart_ice(self, ice: IceParameters) -> Steps[TransportOpened]:
        """New credentials of the remote, without an offer; returns ours."""
        assert self._remote is not None, "before it is connected"
        yield from self.connect(replace(self._remote, ice=ice))
        return self.local

    def on_gone(self) -> None:
        """The Transport exists no more."""
        self.transport = None

    def close(self) -> None:
        """Nothing is left of it; it may be opened anew."""
        if self.transport is not None:
            self._emit(Call(control.CloseTransport(call=self._names.call(), transport=self.transport)))
        self.transport = self._local = self._remote = None
        self.answerer = Answerer()
