"""The API as a whole: all operations, their routes, and the document that describes them."""

from __future__ import annotations

import json

from aiohttp import web

from sfu import __version__
from signaling.api.access import Doorkeeper
from signaling.api.bans import Bans
from signaling.api.debugging import Debugging
from signaling.api.dispatch import Dispatch
from signaling.api.events import Events
from signaling.api.exchanges import exchanges
from signaling.api.idempotency import Idempotency
from signaling.api.keys import Keys
from signaling.api.messages import Messages
from signaling.api.mixes import MixOperations
from signaling.api.nodes import Nodes
from signaling.api.observing import Observer
from signaling.api.openapi import document
from signaling.api.operations import Operation
from signaling.api.participants import Participants
from signaling.api.recordings import RecordingOperations, playing, watching
from signaling.api.rooms import Rooms
from signaling.api.tokens import Tokens
from signaling.api.tracks import Tracks
from signaling.api.watching import Watching
from signaling.api.webhooks import Webhooks
from signaling.config import ServerConfig
from signaling.draining import Draining
from signaling.keyring import Keyring
from signaling.recordings.recordings import Recordings
from signaling.store import Store
from signaling.switchboard import Switchboard
from signaling.webhooks.dispatcher import Dispatcher
from signaling.workers import Workers


class Api:
    """`operations` are all that are served here, in the order in which the document shows them."""

    def __init__(
        self,
        config: ServerConfig,
        switchboard: Switchboard,
        workers: Workers,
        draining: Draining,
        store: Store,
        keys: Keyring,
        webhooks: Dispatcher,
        idempotency: Idempotency,
        recordings: Recordings,
    ) -> None:
        observer = Observer(switchboard, workers)
        self._events = Events(observer, store)
        self.operations: tuple[Operation, ...] = (
            *Rooms(observer, recordings).operations(),
            *Tokens(keys, observer, recordings).operations(),
            *Participants(observer).operations(),
            *Tracks(observer).operations(),
            *Watching(observer).operations(),
            *Debugging(observer).operations(),
            *Bans(observer).operations(),
            *Messages(observer).operations(),
            *RecordingOperations(recordings, keys).operations(),
            *MixOperations(recordings.mixes).operations(),
            *self._events.operations(),
            *Webhooks(observer, webhooks, store).operations(),
            *Keys(observer, keys).operations(),
            *Nodes(observer, workers, draining).operations(),
        )
        self.doorkeeper = Doorkeeper(keys, switchboard.directory.check_welcome)
        self._dispatch = Dispatch(
            self.operations,
            self.doorkeeper,
            idempotency,
            observer,
            recordings.room_of,
            dev=config.dev,
        )
        self._document = json.dumps(
            document((*self.operations, watching(), playing(), *exchanges()), __version__)
        ).encode()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        self._dispatch.add_routes(router)
        router.add_get("/v1/openapi.json", self._describe)

    def close(self) -> None:
        """What goes on by itself ends."""
        self._events.close()

    async def _describe(self, request: web.Request) -> web.Response:
        # For pages of any origin: tools that show it or generate from it load it so, and nothing in it is secret.
        headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache"}
        return web.Response(body=self._document, content_type="application/json", headers=headers)
