"""What the Worker is told of one subscriber's Slots: that there are more, what flows in them, and how much at most."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sfu import control
from sfu.control import Done, Failed, SlotAdded
from sfu.core.types import Kind
from signaling.lane import Procedure, Steps, expect
from signaling.messages import ReportReceived
from signaling.names import Names
from signaling.negotiation import OFFERED_PAYLOAD_TYPES
from signaling.slots import Slot, SlotTable
from signaling.wishes import Wishes

logger = logging.getLogger(__name__)


def tell_limit(wishes: Wishes, name: str, slots: SlotTable, names: Names) -> Steps[None]:
    """Of a track, if it is under way."""
    slot = slots.of_track(name)
    if slot is not None and slot.subscription is not None:
        most = wishes.max_layer(wishes.known(name))
        (reply,) = yield [control.LimitLayer(call=names.call(), subscription=slot.subscription, max_layer=most)]
        expect(reply, Done)


def tell_reception(told: ReportReceived, transport: str | None, slots: SlotTable, names: Names) -> Steps[None]:
    """Of what has no Slot any more it is too late."""
    if transport is None:
        return
    found = [(one, slot) for one in told.frames if (slot := slots.of_track(one.track)) is not None]
    frames = [
        control.FramesReport(
            subscription=slot.subscription,
            decoded=one.decoded,
            dropped=one.dropped,
            freezes=one.freezes,
            frozen_s=one.frozen_s,
        )
        for one, slot in found
        if slot.subscription is not None
    ]
    (reply,) = yield [
        control.ReportReception(call=names.call(), transport=transport, overused=told.overused, frames=frames)
    ]
    expect(reply, Done)


def add_slots(slots: SlotTable, kinds: Sequence[Kind], transport: str, names: Names) -> Steps[bool]:
    """False when the Worker gives no more."""
    added = [
        control.AddSlot(
            call=names.call(),
            transport=transport,
            slot=names.slot(),
            mid=mid,
            kind=kind,
            payload_types=OFFERED_PAYLOAD_TYPES[kind],
        )
        for mid, kind in zip(slots.next_mids(len(kinds)), kinds, strict=True)
    ]
    replies = yield added
    for index, (command, reply) in enumerate(zip(added, replies, strict=True)):
        if not isinstance(reply, SlotAdded):
            logger.warning("no more Slots on %s: %s", transport, reply)
            # Mids follow the m-lines without gaps, so what came after the refused one goes, too.
            yield [control.RemoveSlot(call=names.call(), slot=other.slot) for other in added[index + 1 :]]
            return False
        slots.add(command.slot, command.kind, reply.ssrc, reply.rtx_ssrc)
    return True


def let_flow(
    slots: SlotTable, wishes: Wishes, media_of: Mapping[str, str | None], identity: str, names: Names
) -> Procedure:
    """Subscribe what has a place that the client knows."""
    starting: list[tuple[Slot, control.Subscribe]] = []
    for slot in slots.carrying():
        track = slot.track
        if track is not None and slot.subscription is None and slot.negotiated:
            media = media_of.get(track.name, track.name)
            if media is not None and media != slot.undecodable:
                slot.subscription = names.subscription()
                command = control.Subscribe(
                    call=names.call(),
                    subscription=slot.subscription,
                    slot=slot.name,
                    track=media,
                    max_layer=wishes.max_layer(track),
                )
                starting.append((slot, command))
    replies = yield [command for _, command in starting]
    for (slot, command), reply in zip(starting, replies, strict=True):
        if isinstance(reply, Failed) and slot.subscription == command.subscription:
            # The track ended, and the room is about to say so; or a limit of the Worker: the next time, then.
            slot.subscription = None
            if reply.code == "no_common_codec":
                slot.undecodable = command.track
            logger.warning("track %s not forwarded to %s: %s", command.track, identity, reply.reason)
