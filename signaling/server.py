"""The server as a whole: Workers, the switchboard, and HTTP in front. Starts them in order, and stops them in order.

HTTP ─┬─ /v1/rooms/{room}/connect   websocket.py ─► switchboard ─► workers.py ─► link ─► Worker
      ├─ /v1/rooms/{room}/participants/{identity}/tap   taps/endpoint.py ─► switchboard
      ├─ /v1/whip, /v1/whep         whip/endpoints.py ─► switchboard
      ├─ /v1/live                   live/endpoint.py: composites of recordings, for viewers
      ├─ /v1/dev/tokens             development.py
      ├─ /v1/…, /healthz, /readyz   api/ ─► switchboard
      ├─ /, /r/{room}, /app, …      pages.py
      └─ /metrics
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from functools import cached_property
from importlib.util import find_spec

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from signaling.api.api import Api
from signaling.api.idempotency import Idempotency
from signaling.attempts import Attempts
from signaling.config import ServerConfig
from signaling.development import DevelopmentTokens
from signaling.draining import Draining
from signaling.embedded import EmbeddedWorker
from signaling.jwks import JwksDocuments
from signaling.keys_opening import open_keyring
from signaling.live.endpoint import LiveViews
from signaling.loop_lag import LoopLag
from signaling.metrics import SignalingCollector, exposition
from signaling.pages import Pages
from signaling.playback.endpoint import Playback
from signaling.process import CannotOpen
from signaling.recordings.kept import KeptRecordings
from signaling.recordings.recordings import Recordings
from signaling.recordings.retaining import Retaining
from signaling.recordings.starting import Starting
from signaling.responses import add_headers, errors_as_problems
from signaling.store import CannotOpenStore, open_store
from signaling.switchboard import Switchboard
from signaling.taps.endpoint import Taps
from signaling.webhooks.dispatcher import Dispatcher
from signaling.webhooks.opening import open_outbox
from signaling.websocket import WebSockets
from signaling.whip.endpoints import Endpoints
from signaling.workers import Workers

logger = logging.getLogger(__name__)

# Bodies of requests: the largest is a wish for a token.
MAX_BODY_BYTES = 16 * 1024
# When the server stops: for requests under way. WebSockets have been closed by then.
SHUTDOWN_TIMEOUT_S = 1.0


class CannotStart(Exception):
    """For whoever started it: a port is taken, a certificate cannot be read, an address is not ours."""


async def open_server(config: ServerConfig) -> Server:
    """A running server. Raises CannotStart."""
    server = Server(config)
    try:
        await server.open()
    except BaseException:
        await server.close()
        raise
    return server


class Server:
    """Use `open_server`."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        if config.destination is not None and find_spec("boto3") is None:
            raise CannotStart("uploads of recordings need boto3: pip install 'sfu[s3]'")
        try:
            self.store = open_store(config.store)
        except CannotOpenStore as error:
            raise CannotStart(f"store {error}") from error
        outbox = open_outbox(config.webhook, config.webhook_secret)
        self.webhooks = Dispatcher(outbox, self.store, config.webhook_allow)
        self.keyring = open_keyring(config)
        self._jwks = JwksDocuments(config.jwks, self.keyring)
        kept = KeptRecordings()
        self._idempotency = Idempotency()
        books = self.keyring, kept, self._idempotency
        self.switchboard = Switchboard(
            self.keyring, config.rooms, config.session_limits, config.ice_servers, self.store, outbox, books
        )
        self.recordings = Recordings(
            config.recordings,
            self.switchboard,
            self.store,
            kept,
            config.supervision,
            config.recording_limits,
            config.destination,
        )
        self._starting = Starting(self.recordings, self.switchboard)
        self._retaining = Retaining(self.recordings, config.retention)
        self.workers = Workers(config, self.switchboard.on_notice)
        self.switchboard.attach(self.workers)
        self.draining = Draining(self.switchboard)
        limits = config.connections
        self._attempts = Attempts(limits.bad_tokens_per_s, limits.bad_tokens_burst, limits.max_remembered_addresses)
        self._websockets = WebSockets(config, self.switchboard, self._attempts)
        self._lag = LoopLag()
        self._taps: Taps | None = None
        self._runner: web.AppRunner | None = None
        self.http_port = config.http_port

    @cached_property
    def api(self) -> Api:
        """Once it is open."""
        return Api(
            self.config,
            self.switchboard,
            self.workers,
            self.draining,
            self.store,
            self.keyring,
            self.webhooks,
            self._idempotency,
            self.recordings,
        )

    @property
    def url(self) -> str:
        return self.config.url(self.http_port)

    @property
    def worker(self) -> EmbeddedWorker:
        """The one in this process, which is there unless processes are asked for."""
        (worker,) = self.workers.all
        assert isinstance(worker, EmbeddedWorker), "it is in a process of its own"
        return worker

    async def open(self) -> None:
        context = self._tls_context()
        try:
            await self.workers.open()
        except (OSError, ValueError, CannotOpen) as error:
            raise CannotStart(f"media on UDP port {self.config.udp_port}: {error}") from error
        self.webhooks.start()
        await self._jwks.open()
        self.recordings.open()
        self._retaining.start()
        self._lag.start()
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self.config.connections.request_timeout_s,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )
        await self._runner.setup()
        host, port = self.config.http_host, self.config.http_port
        try:
            await web.TCPSite(self._runner, host, port, ssl_context=context).start()
        except OSError as error:
            raise CannotStart(f"HTTP on {host} port {port}: {error.strerror or error}") from error
        self.http_port = self._runner.addresses[0][1]
        ports = ", ".join(map(str, self.workers.udp_ports))
        logger.info("serving %s, UDP port %s, plane: %s", self.url, ports, self.workers.plane_name)

    async def serve_until(self, stop: asyncio.Event, drain: asyncio.Event) -> None:
        """Until `stop`, or until `drain` and everybody has gone, or had `drain_timeout` to go."""
        stopped, drained = asyncio.create_task(stop.wait()), asyncio.create_task(self._drain(drain))
        await asyncio.wait([stopped, drained], return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, drained):
            task.cancel()
        await asyncio.gather(stopped, drained, return_exceptions=True)

    async def _drain(self, drain: asyncio.Event) -> None:
        await drain.wait()
        self.draining.begin()
        await self.draining.wait(self.config.drain_timeout)

    async def close(self) -> None:
        """Farewell to all clients, then stop. Idempotent."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
        self.switchboard.shut_down()
        if self._runner is not None:
            self.api.close()
        await self._websockets.wait_closed()
        if self._taps is not None:
            await self._taps.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._lag.stop()
        await self._retaining.close()
        await self._starting.close()
        await self.recordings.close()
        await self.workers.close()
        await self._jwks.close()
        await self.webhooks.close()
        await self.store.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[errors_as_problems], client_max_size=MAX_BODY_BYTES)
        application.on_response_prepare.append(add_headers)
        self._websockets.add_routes(application.router)
        Endpoints(self.config, self.switchboard, self._attempts).add_routes(application.router)
        DevelopmentTokens(self.config).add_routes(application.router)
        Pages().add_routes(application.router)
        LiveViews(self.config, self.recordings).add_routes(application.router)
        check_welcome = self.switchboard.directory.check_welcome
        Playback(self.config, self.recordings, self.keyring, check_welcome).add_routes(application.router)
        self._taps = Taps(self.config, self.switchboard, self.api.doorkeeper, self.keyring)
        self._taps.add_routes(application.router)
        self.api.add_routes(application.router)
        application.router.add_get("/metrics", self._metrics)
        return application

    def _tls_context(self) -> ssl.SSLContext | None:
        if self.config.tls_cert is None or self.config.tls_key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.config.tls_cert, self.config.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise CannotStart(f"HTTPS with {self.config.tls_cert} and {self.config.tls_key}: {error}") from error
        return context

    async def _metrics(self, request: web.Request) -> web.Response:
        signaling = SignalingCollector(
            lambda: self.switchboard.counters,
            {
                "sfu_event_loop_lag_seconds": self._lag.lateness,
                "sfu_join_seconds": self._websockets.join_times,
                "sfu_first_media_seconds": self.switchboard.first_media_times,
                "sfu_store_commit_seconds": self.switchboard.turns.commit_times,
            },
            self.webhooks.outcomes,
            lambda: self.webhooks.pending,
            self.recordings.upload_figures(),
        )
        body = exposition(signaling, await self.workers.read_metrics())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
