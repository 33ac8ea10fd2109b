"""What a WHIP session does for its participant: it publishes, as `publishing.py` does for everybody, once."""

from __future__ import annotations

from collections.abc import Callable

from sfu.control import IceParameters, TransportOpened
from signaling.auth import Grant
from signaling.errors import Refused
from signaling.explaining import explanation
from signaling.lane import Lane, Steps
from signaling.limits import SessionLimits
from signaling.messages import Explanation, Publish, Published, TrackToPublish
from signaling.names import Names
from signaling.negotiation import Answerer
from signaling.outputs import Output, Send
from signaling.publishing import Publishing
from signaling.room_events import Entered, Hold, Permit, Release, RoomEvent, Stop
from signaling.whip.lines import check_lines, sources_of


class Ingestion:
    """Raises Refused or ProtocolError when this offer cannot be published, before anybody hears of it."""

    def __init__(
        self,
        grant: Grant,
        offer: str,
        *,
        names: Names,
        limits: SessionLimits,
        emit: Callable[[Output], None],
        lane: Lane,
    ) -> None:
        sources = sources_of(check_lines(Answerer().on_offer(offer), sends=True))
        for source in sources.values():
            if not grant.grants.may_publish(source):
                raise Refused("not_granted", f"the token does not permit publishing a {source}")
        wishes = tuple(TrackToPublish(mid=mid, source=source) for mid, source in sources.items())
        self._request = Publish(id=1, sdp=offer, tracks=wishes)
        self._emit = emit
        self._lane = lane
        self._names = names
        self._answer = ""
        self._publishing = Publishing(
            room=grant.room,
            identity=grant.identity,
            grants=grant.grants,
            names=names,
            limits=limits,
            emit=self._on_output,
        )

    @property
    def transport(self) -> str | None:
        return self._publishing.transport

    def begin(self) -> Steps[str]:
        yield from self._publishing.publish(self._request)
        return self._answer

    def explanation(self) -> Steps[Explanation]:
        """Nothing is received; how good the call is, is known all the same."""
        return explanation(0, self._names, self.transport, lambda subscription: None, lambda explained: ())

    def is_restart(self, ice: IceParameters) -> bool:
        return self._publishing.is_restart(ice)

    def restart_ice(self, ice: IceParameters) -> Steps[TransportOpened]:
        return self._publishing.restart_ice(ice)

    def on_entered(self, entered: Entered) -> None:
        """Whoever else is there, it is nothing to a publisher."""
        self._publishing.permit(entered.grants)
        for source in entered.held:
            self._publishing.hold(source, "")

    def on_room_event(self, event: RoomEvent) -> None:
        """Moderators' decisions; nothing else concerns a publisher."""
        match event:
            case Hold(source=source, by=by):
                self._publishing.hold(source, by)
            case Release(source=source):
                # No tool that speaks WHIP can unmute by itself: what is released flows again.
                self._publishing.release(source)
                self._lane.start(self._publishing.unmute(source))
            case Stop(track=track, by=by):
                self._publishing.stop(track, by)
            case Permit(grants=grants):
                self._publishing.permit(grants)
            case _:
                return
        self._lane.start(self._publishing.enforce())

    def settle(self) -> None:
        """There is nothing to reconcile."""

    def on_gone(self) -> None:
        self._publishing.on_gone()

    def close(self) -> None:
        self._publishing.close()

    def _on_output(self, output: Output) -> None:
        """What would go to a WebSocket is the answer; the rest is as ever."""
        if isinstance(output, Send):
            if isinstance(output.message, Published):
                self._answer = output.message.sdp
        else:
            self._emit(output)
