"""The REST API as an asynchronous client: one method per operation of `/v1/openapi.json`, of the same name.

    async with ServerApi("https://calls.example.org", "backend:SECRET") as api:
        token = await api.create_token("standup", TokenWish(identity="ada"))
        async for room in api.all_rooms(): ...

What the server refuses is an ApiError with the stable `code`. When and how requests are repeated: asking.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Protocol, TypeVar

from signaling.api.models import (
    BanItem,
    BanPage,
    BanWish,
    Destination,
    EventList,
    Health,
    IdentityToRevoke,
    Node,
    NodeList,
    ParticipantChange,
    ParticipantFigures,
    ParticipantItem,
    ParticipantPage,
    Readiness,
    Room,
    RoomChange,
    RoomPage,
    RoomWish,
    SourceToUnmute,
    Token,
    TokenReading,
    TokenToRead,
    TokenWish,
    TrackChange,
    TrackList,
)
from signaling.api.recording_models import Mix, MixList, PlaybackLink, PlaybackWish, Recording, RecordingPage
from signaling.api.server_models import (
    DeliveryItem,
    DeliveryPage,
    Key,
    KeyPage,
    KeySecret,
    KeyWish,
    MessageToSend,
    Retirement,
    TokenToRevoke,
    Webhook,
    WebhookChange,
    WebhookPage,
    WebhookSecret,
    WebhookWish,
)
from signaling.api.watching_models import (
    ParticipantDebug,
    RoomDebug,
    ShownLayout,
    SubscriptionChange,
    SubscriptionItem,
    SubscriptionList,
    VersionedLayout,
    VersionedWish,
)
from signaling.client.asking import ApiError, Asking, Unreachable, given, path_of
from signaling.events import AnyEvent, RecordingState
from signaling.message_values import Source
from signaling.recordings.options import MixOptions, RecordingOptions
from signaling.webhooks.delivery import DeliveryState

__all__ = ["ApiError", "Page", "ServerApi", "Unreachable"]

T = TypeVar("T")


class Page(Protocol[T]):
    """What lists answer."""

    @property
    def items(self) -> list[T]: ...

    @property
    def next_cursor(self) -> str | None: ...


class ServerApi(Asking):
    """`key`: `ID:SECRET`, or a token with `administer` for its room."""

    # --- rooms ---

    async def create_room(self, wish: RoomWish) -> Room:
        return await self.ask("POST", "/v1/rooms", Room, body=wish)

    async def list_rooms(self, limit: int | None = None, cursor: str | None = None) -> RoomPage:
        return await self.get("/v1/rooms", RoomPage, limit=limit, cursor=cursor)

    def all_rooms(self) -> AsyncIterator[Room]:
        """Page after page."""
        return _all(lambda cursor: self.list_rooms(cursor=cursor))

    async def get_room(self, room: str) -> Room:
        return await self.get(path_of("rooms", room), Room)

    async def change_room(self, room: str, change: RoomChange, version: int | None = None) -> Room:
        """`version`: it must still be this one."""
        return await self.ask("PATCH", path_of("rooms", room), Room, body=change, version=version)

    async def delete_room(self, room: str, reason: str = "") -> None:
        await self.tell("DELETE", path_of("rooms", room), query=given(reason=reason or None))

    async def lock_room(self, room: str) -> Room:
        return await self.ask("POST", path_of("rooms", room, "lock"), Room)

    async def unlock_room(self, room: str) -> Room:
        return await self.ask("POST", path_of("rooms", room, "unlock"), Room)

    # --- tokens ---

    async def create_token(self, room: str, wish: TokenWish) -> Token:
        return await self.ask("POST", path_of("rooms", room, "tokens"), Token, body=wish)

    async def revoke_tokens(self, room: str, identity: str) -> None:
        await self.tell("POST", path_of("rooms", room, "tokens", "revoke"), body=IdentityToRevoke(identity=identity))

    async def revoke_room_tokens(self, room: str) -> None:
        await self.tell("POST", path_of("rooms", room, "tokens", "revoke-all"))

    async def revoke_token(self, token_id: str) -> None:
        await self.tell("POST", "/v1/tokens/revoke", body=TokenToRevoke(token_id=token_id))

    async def read_token(self, room: str, token: str) -> TokenReading:
        path = path_of("rooms", room, "tokens", "introspect")
        return await self.ask("POST", path, TokenReading, body=TokenToRead(token=token))

    # --- participants ---

    async def list_participants(
        self, room: str, limit: int | None = None, cursor: str | None = None
    ) -> ParticipantPage:
        return await self.get(path_of("rooms", room, "participants"), ParticipantPage, limit=limit, cursor=cursor)

    def all_participants(self, room: str) -> AsyncIterator[ParticipantItem]:
        """Page after page."""
        return _all(lambda cursor: self.list_participants(room, cursor=cursor))

    async def get_participant(self, room: str, identity: str) -> ParticipantItem:
        return await self.get(_participant(room, identity), ParticipantItem)

    async def change_participant(
        self, room: str, identity: str, change: ParticipantChange, version: int | None = None
    ) -> ParticipantItem:
        """`version`: it must still be this one."""
        return await self.ask("PATCH", _participant(room, identity), ParticipantItem, body=change, version=version)

    async def remove_participant(
        self,
        room: str,
        identity: str,
        *,
        reason: str = "",
        ban: bool = False,
        ban_for_s: float | None = None,
        revoke: bool = True,
    ) -> None:
        query = given(reason=reason or None, ban=ban or None, ban_for_s=ban_for_s, revoke=None if revoke else False)
        await self.tell("DELETE", _participant(room, identity), query=query)

    async def move_participant(self, room: str, identity: str, to_room: str) -> None:
        await self.tell("POST", _participant(room, identity) + "/move", body=Destination(to_room=to_room))

    async def ask_to_unmute(self, room: str, identity: str, source: Source) -> None:
        path = _participant(room, identity) + "/ask-to-unmute"
        await self.tell("POST", path, body=SourceToUnmute(source=source))

    async def admit_participant(self, room: str, identity: str) -> None:
        await self.tell("POST", _participant(room, identity) + "/admit")

    async def deny_participant(self, room: str, identity: str, reason: str = "") -> None:
        await self.tell("POST", _participant(room, identity) + "/deny", query=given(reason=reason or None))

    # --- tracks and subscriptions ---

    async def list_tracks(self, room: str, identity: str) -> TrackList:
        return await self.get(_participant(room, identity) + "/tracks", TrackList)

    async def change_track(self, room: str, identity: str, track: str, *, muted: bool) -> None:
        await self.tell("PATCH", _track(room, identity, track), body=TrackChange(muted=muted))

    async def stop_track(self, room: str, identity: str, track: str) -> None:
        await self.tell("DELETE", _track(room, identity, track))

    async def get_figures(self, room: str, identity: str) -> ParticipantFigures:
        return await self.get(_participant(room, identity) + "/stats", ParticipantFigures)

    async def list_subscriptions(self, room: str, identity: str) -> SubscriptionList:
        return await self.get(_participant(room, identity) + "/subscriptions", SubscriptionList)

    async def explain_subscription(self, room: str, identity: str, track: str) -> SubscriptionItem:
        return await self.get(_subscription(room, identity, track) + "/explain", SubscriptionItem)

    async def debug_room(self, room: str, limit: int | None = None, cursor: str | None = None) -> RoomDebug:
        return await self.get(path_of("rooms", room, "debug"), RoomDebug, limit=limit, cursor=cursor)

    def all_debug(self, room: str) -> AsyncIterator[ParticipantDebug]:
        """Page after page."""
        return _all(lambda cursor: self.debug_room(room, cursor=cursor))

    async def get_subscription(self, room: str, identity: str, track: str) -> VersionedWish:
        return await self.get(_subscription(room, identity, track), VersionedWish)

    async def change_subscription(
        self, room: str, identity: str, track: str, change: SubscriptionChange, version: int | None = None
    ) -> VersionedWish:
        """`version`: it must still be this one."""
        return await self.ask(
            "PATCH", _subscription(room, identity, track), VersionedWish, body=change, version=version
        )

    async def get_layout(self, room: str, identity: str) -> VersionedLayout:
        return await self.get(_participant(room, identity) + "/layout", VersionedLayout)

    async def set_layout(
        self, room: str, identity: str, layout: ShownLayout, version: int | None = None
    ) -> VersionedLayout:
        """`version`: it must still be this one."""
        path = _participant(room, identity) + "/layout"
        return await self.ask("PUT", path, VersionedLayout, body=layout, version=version)

    # --- bans ---

    async def list_bans(self, room: str, limit: int | None = None, cursor: str | None = None) -> BanPage:
        return await self.get(path_of("rooms", room, "bans"), BanPage, limit=limit, cursor=cursor)

    async def ban(self, room: str, identity: str, wish: BanWish) -> BanItem:
        return await self.ask("PUT", path_of("rooms", room, "bans", identity), BanItem, body=wish)

    async def unban(self, room: str, identity: str) -> None:
        await self.tell("DELETE", path_of("rooms", room, "bans", identity))

    # --- messages ---

    async def send_message(self, room: str, message: MessageToSend) -> None:
        await self.tell("POST", path_of("rooms", room, "messages"), body=message)

    # --- recordings ---

    async def start_recording(self, room: str, options: RecordingOptions | None = None) -> Recording:
        """None: all of it."""
        wish = RecordingOptions() if options is None else options
        return await self.ask("POST", path_of("rooms", room, "recordings"), Recording, body=wish)

    async def list_recordings(
        self, state: RecordingState | None = None, limit: int | None = None, cursor: str | None = None
    ) -> RecordingPage:
        return await self.get("/v1/recordings", RecordingPage, state=state, limit=limit, cursor=cursor)

    async def list_room_recordings(
        self, room: str, state: RecordingState | None = None, limit: int | None = None, cursor: str | None = None
    ) -> RecordingPage:
        path = path_of("rooms", room, "recordings")
        return await self.get(path, RecordingPage, state=state, limit=limit, cursor=cursor)

    def all_recordings(self, room: str | None = None) -> AsyncIterator[Recording]:
        """Page after page, the latest first. `room`: only of rooms of this name."""
        if room is None:
            return _all(lambda cursor: self.list_recordings(cursor=cursor))
        return _all(lambda cursor: self.list_room_recordings(room, cursor=cursor))

    async def get_recording(self, recording: str) -> Recording:
        return await self.get(path_of("recordings", recording), Recording)

    async def pause_recording(self, recording: str) -> Recording:
        return await self.ask("POST", path_of("recordings", recording, "pause"), Recording)

    async def resume_recording(self, recording: str) -> Recording:
        return await self.ask("POST", path_of("recordings", recording, "resume"), Recording)

    async def stop_recording(self, recording: str) -> Recording:
        return await self.ask("POST", path_of("recordings", recording, "stop"), Recording)

    async def upload_recording(self, recording: str) -> Recording:
        """Once more, after its upload has failed."""
        return await self.ask("POST", path_of("recordings", recording, "upload"), Recording)

    async def delete_recording(self, recording: str) -> None:
        await self.tell("DELETE", path_of("recordings", recording))

    async def get_recording_manifest(self, recording: str, into: Path) -> int:
        """As `get_recording_file`."""
        return await self.fetch(path_of("recordings", recording, "manifest"), into)

    async def get_recording_file(self, recording: str, file: str, into: Path) -> int:
        """Written to `into`, gone on with where an earlier attempt ended. Returns its size in bytes."""
        return await self.fetch(path_of("recordings", recording, "files", file), into)

    async def play_recording(self, recording: str, *, valid_for_s: float | None = None) -> PlaybackLink:
        """None: for as long as the server likes."""
        wish = PlaybackWish() if valid_for_s is None else PlaybackWish(valid_for_s=valid_for_s)
        return await self.ask("POST", path_of("recordings", recording, "playback"), PlaybackLink, body=wish)

    async def create_mix(self, recording: str, options: MixOptions | None = None) -> Mix:
        """None: an MP4 of everybody in a grid."""
        wish = MixOptions() if options is None else options
        return await self.ask("POST", path_of("recordings", recording, "mixes"), Mix, body=wish)

    async def list_mixes(self, recording: str) -> MixList:
        return await self.get(path_of("recordings", recording, "mixes"), MixList)

    async def get_mix(self, recording: str, mix: str) -> Mix:
        return await self.get(path_of("recordings", recording, "mixes", mix), Mix)

    async def get_mix_file(self, recording: str, mix: str, into: Path) -> int:
        """As `get_recording_file`."""
        return await self.fetch(path_of("recordings", recording, "mixes", mix, "file"), into)

    async def delete_mix(self, recording: str, mix: str) -> None:
        await self.tell("DELETE", path_of("recordings", recording, "mixes", mix))

    # --- events ---

    async def list_events(self, since: int = 0, limit: int | None = None) -> EventList:
        return await self.get("/v1/events", EventList, since=since, limit=limit)

    async def list_room_events(self, room: str, since: int = 0, limit: int | None = None) -> EventList:
        return await self.get(path_of("rooms", room, "events"), EventList, since=since, limit=limit)

    def stream_events(self, since: int = 0) -> AsyncIterator[AnyEvent]:
        """As they happen, without an end: after an interruption it goes on where it was."""
        return self.stream("/v1/events/stream", AnyEvent, since)

    def stream_room_events(self, room: str, since: int = 0) -> AsyncIterator[AnyEvent]:
        """Likewise, of one room."""
        return self.stream(path_of("rooms", room, "events", "stream"), AnyEvent, since)

    # --- webhooks ---

    async def list_webhooks(self, limit: int | None = None, cursor: str | None = None) -> WebhookPage:
        return await self.get("/v1/webhooks", WebhookPage, limit=limit, cursor=cursor)

    async def create_webhook(self, wish: WebhookWish) -> WebhookSecret:
        return await self.ask("POST", "/v1/webhooks", WebhookSecret, body=wish)

    async def get_webhook(self, webhook: str) -> Webhook:
        return await self.get(path_of("webhooks", webhook), Webhook)

    async def change_webhook(self, webhook: str, change: WebhookChange, version: int | None = None) -> Webhook:
        """`version`: it must still be this one."""
        return await self.ask("PATCH", path_of("webhooks", webhook), Webhook, body=change, version=version)

    async def delete_webhook(self, webhook: str) -> None:
        await self.tell("DELETE", path_of("webhooks", webhook))

    async def rotate_webhook_secret(self, webhook: str) -> WebhookSecret:
        return await self.ask("POST", path_of("webhooks", webhook, "rotate-secret"), WebhookSecret)

    async def test_webhook(self, webhook: str) -> None:
        await self.tell("POST", path_of("webhooks", webhook, "test"))

    async def list_deliveries(
        self, webhook: str, state: DeliveryState | None = None, limit: int | None = None, cursor: str | None = None
    ) -> DeliveryPage:
        path = path_of("webhooks", webhook, "deliveries")
        return await self.get(path, DeliveryPage, state=state, limit=limit, cursor=cursor)

    async def redeliver(self, webhook: str, delivery: str) -> DeliveryItem:
        return await self.ask("POST", path_of("webhooks", webhook, "deliveries", delivery, "redeliver"), DeliveryItem)

    # --- keys ---

    async def list_keys(self, limit: int | None = None, cursor: str | None = None) -> KeyPage:
        return await self.get("/v1/keys", KeyPage, limit=limit, cursor=cursor)

    async def create_key(self, name: str = "") -> KeySecret:
        return await self.ask("POST", "/v1/keys", KeySecret, body=KeyWish(name=name))

    async def get_key(self, key: str) -> Key:
        return await self.get(path_of("keys", key), Key)

    async def delete_key(self, key: str) -> None:
        await self.tell("DELETE", path_of("keys", key))

    async def retire_key(self, key: str, in_s: float = 0.0) -> Key:
        """Good for so long still."""
        return await self.ask("POST", path_of("keys", key, "retire"), Key, body=Retirement(in_s=in_s))

    # --- nodes and health ---

    async def list_nodes(self) -> NodeList:
        return await self.get("/v1/nodes", NodeList)

    async def get_node(self) -> Node:
        return await self.get("/v1/nodes/self", Node)

    async def drain_node(self) -> Node:
        return await self.ask("POST", "/v1/nodes/self/drain", Node)

    async def undrain_node(self) -> Node:
        return await self.ask("POST", "/v1/nodes/self/undrain", Node)

    async def get_health(self) -> Health:
        return await self.get("/healthz", Health, also=HTTPStatus.SERVICE_UNAVAILABLE)

    async def get_readiness(self) -> Readiness:
        return await self.get("/readyz", Readiness, also=HTTPStatus.SERVICE_UNAVAILABLE)


async def _all(ask: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    cursor: str | None = None
    while True:
        found = await ask(cursor)
        for item in found.items:
            yield item
        cursor = found.next_cursor
        if cursor is None:
            return


def _participant(room: str, identity: str) -> str:
    return path_of("rooms", room, "participants", identity)


def _track(room: str, identity: str, track: str) -> str:
    return path_of("rooms", room, "participants", identity, "tracks", track)


def _subscription(room: str, identity: str, track: str) -> str:
    return path_of("rooms", room, "participants", identity, "subscriptions", track)
