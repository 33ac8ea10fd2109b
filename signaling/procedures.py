"""What a session is made of once it is joined: its two connections, and what each request, and each decision of a
moderator, means to them. Procedures run in the lane of their connection; wishes are just noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from signaling.auth import Grant
from signaling.correspondence import Correspondence
from signaling.correspondence_messages import OpenMessages, SendMessage
from signaling.errors import Refused
from signaling.lane import Lane, Procedure, Steps
from signaling.limits import SessionLimits
from signaling.messages import (
    Answer,
    AnyEvent,
    AnyServerMessage,
    Error,
    Explain,
    IceServer,
    Joined,
    Layout,
    LimitLayer,
    Mute,
    Ok,
    Publish,
    ReportReceived,
    ReportSent,
    RestartIce,
    Resumed,
    ResumeTicket,
    Resynced,
    RosterChanged,
    RosterEvent,
    Subscribe,
    Unpublish,
    Unsubscribe,
)
from signaling.moderation_messages import GrantsChanged, RoomChanged
from signaling.names import Names
from signaling.outgoing import Outgoing
from signaling.outputs import Output
from signaling.publishing import Publishing
from signaling.room_events import (
    Admitted,
    Entered,
    Evicted,
    Hold,
    LoudestChanged,
    MediaMoved,
    Permit,
    Release,
    RoomEvent,
    RoomMessage,
    Stop,
    Together,
    Transfer,
)
from signaling.subscribing import Subscribing

PUBLISHING: Final[dict[type, Callable[..., Procedure]]] = {
    Publish: Publishing.publish,
    Unpublish: Publishing.unpublish,
    Mute: Publishing.mute,
    ReportSent: Publishing.report,
}
SUBSCRIBING: Final[dict[type, Callable[..., Procedure]]] = {
    LimitLayer: Subscribing.limit_layer,
    Layout: Subscribing.set_layout,
    ReportReceived: Subscribing.report,
    Explain: Subscribing.explain,
    Answer: Subscribing.answer,
    RestartIce: Subscribing.restart_ice,
}
CORRESPONDING: Final[dict[type, Callable[..., Procedure]]] = {
    OpenMessages: Correspondence.open,
    SendMessage: Correspondence.send,
}
WISHES: Final[dict[type, Callable[..., None]]] = {
    Subscribe: Subscribing.subscribe,
    Unsubscribe: Subscribing.unsubscribe,
}

# Of the app, instead of the client.
Question = Callable[[Subscribing], Steps[Any]]


def connections(
    entered: Entered,
    grant: Grant,
    *,
    automatic: bool,
    names: Names,
    limits: SessionLimits,
    emit: Callable[[Output], None],
    lane: Lane,
    send: Callable[[AnyServerMessage], int],
) -> tuple[Publishing, Subscribing, Correspondence]:
    """`lane`: of the second."""
    publishing = Publishing(
        room=grant.room,
        identity=grant.identity,
        grants=entered.grants,
        held=entered.held,
        keeps_messages=entered.keeps_messages,
        is_encrypted=entered.room.end_to_end_encrypted,
        names=names,
        limits=limits,
        emit=emit,
    )
    subscribing = Subscribing(
        room=grant.room,
        identity=grant.identity,
        permitted=entered.grants.subscribe,
        automatic=automatic,
        names=names,
        limits=limits,
        emit=emit,
        lane=lane,
    )
    correspondence = Correspondence(
        room=grant.room,
        identity=grant.identity,
        may_send=entered.grants.message,
        keeps_messages=entered.keeps_messages,
        take_replay=publishing.take_replay,
        names=names,
        emit=emit,
        send=send,
    )
    return publishing, subscribing, correspondence


def welcome(
    request: int, room: str, entered: Entered, ice_servers: tuple[IceServer, ...], ticket: ResumeTicket
) -> Joined:
    """The answer to `join`."""
    return Joined(
        id=request,
        room=room,
        you=entered.you,
        grants=entered.grants,
        participants=entered.others,
        state=entered.room,
        viewers=entered.viewers,
        ice_servers=ice_servers,
        resume=ticket,
    )


def verdict(request: int, refused: Refused | None) -> Ok | Error:
    """The answer to a request that others decide, which never ends the session."""
    return Ok(id=request) if refused is None else Error(id=request, code=refused.code, reason=refused.reason)


def resynchronised(resumed: Resumed, present: Entered) -> Resynced:
    """How things stand, for who missed too much."""
    return Resynced(
        id=resumed.id,
        resume=resumed.resume,
        handled=resumed.handled,
        you=present.you,
        grants=present.grants,
        participants=present.others,
        state=present.room,
        viewers=present.viewers,
    )


def as_message(event: RoomMessage | MediaMoved | LoudestChanged | Together) -> AnyEvent | None:
    """What a client is told of it."""
    match event:
        case Together(events=events):
            told = tuple(one for one in events if isinstance(one, RosterEvent))
            return RosterChanged(events=told) if told else None
        case MediaMoved() | LoudestChanged():
            return None
        case _:
            return event


def hear(event: RoomEvent, publishing: Publishing, subscribing: Subscribing, outgoing: Outgoing) -> bool:
    """What a member is told, and its client with it. True: `Publishing.enforce` has to see to what is published."""
    match event:
        case Hold(source=source, by=by):
            publishing.hold(source, by)
        case Release(source=source):
            publishing.release(source)
        case Stop(track=track, by=by):
            publishing.stop(track, by)
        case Permit(grants=grants):
            publishing.permit(grants)
            subscribing.permit(grants.subscribe)
            outgoing.send(GrantsChanged(grants=grants))
        case Evicted() | Admitted() | Transfer():
            raise AssertionError("these are the session's own affair")
        case _:
            if isinstance(event, RoomChanged):
                publishing.on_room_changed(event.room)
            if (message := as_message(event)) is not None:
                outgoing.send(message)
            subscribing.on_room_event(event)
            return False
    return True
