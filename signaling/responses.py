"""What every HTTP response has in common: security headers, and errors as problem+json (RFC 9457)."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

logger = logging.getLogger(__name__)

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]

# What a Host header may be; anything else is not repeated in a header of ours.
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")

_REQUEST_ID: Final = web.RequestKey("request_id", str)

_HEADERS: Final = {
    "Server": "sfu",
    "X-Content-Type-Options": "nosniff",
    # The address of a page names the room, and its fragment once held a token.
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), fullscreen=(self), "
        "speaker-selection=(self), screen-wake-lock=(self), geolocation=(), payment=(), usb=()"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ProblemResponse(web.Response):
    """A problem; which request it answers is said when the response leaves (`errors_as_problems`)."""

    def __init__(self, content: dict[str, str | int], headers: dict[str, str]) -> None:
        super().__init__(status=int(content["status"]), content_type="application/problem+json", headers=headers)
        self._content = content

    def answer(self, request: web.Request) -> ProblemResponse:
        self.body = json.dumps(self._content | {"request_id": request_id(request)}).encode()
        return self


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> ProblemResponse:
    """`code` is stable and for programs; `detail` is a sentence for people."""
    title = HTTPStatus(status).phrase
    content: dict[str, str | int] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return ProblemResponse(content, headers or {})


def request_id(request: web.Request) -> str:
    """Which request it was, for the log and for whoever asks what became of it."""
    if _REQUEST_ID not in request:
        request[_REQUEST_ID] = f"REQ_{secrets.token_hex(8)}"
    return request[_REQUEST_ID]


@web.middleware
async def errors_as_problems(request: web.Request, handler: Respond) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: value for name, value in error.headers.items() if name == "Allow"}
        response = problem(error.status, "http", error.reason, kept)
    except Exception:
        logger.exception("%s %s %s: an error of ours", request_id(request), request.method, request.rel_url.path)
        response = problem(500, "internal", "our fault; it is in the log")
    return response.answer(request) if isinstance(response, ProblemResponse) else response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For Application.on_response_prepare."""
    shared = response.headers.get("Cross-Origin-Resource-Policy")
    response.headers.update(_HEADERS)
    if shared is not None:  # media that pages of any origin may show
        response.headers["Cross-Origin-Resource-Policy"] = shared
    response.headers["X-Request-Id"] = request_id(request)
    response.headers["Content-Security-Policy"] = content_security_policy(request.headers.get("Host", ""))


def content_security_policy(host: str) -> str:
    """Everything comes from here, nothing is inline. `host`: the Host header; WebSockets there are named one by one,
    as older Safari does not count them to 'self'."""
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"connect-src 'self'{sockets}",
            "img-src 'self' data: blob:",
            "media-src 'self' blob: mediastream:",
            "font-src 'self'",
            "manifest-src 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )
