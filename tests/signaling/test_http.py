"""HTTP around the WebSockets: pages and their headers, development tokens, metrics, TLS, and what is refused."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from sfu.plane import open_plane
from signaling.auth import Grant, check_identity, mint
from signaling.config import DEVELOPMENT_KEY
from signaling.development import fresh_identity
from signaling.messages import Grants, Join, Joined
from signaling.pages import Pages
from signaling.responses import content_security_policy
from signaling.server import CannotStart, Server
from tests.signaling.servers import connected, serving, token
from tests.support.ports import free_port

WISH = {"name": "Ada", "room": "demo"}


async def get(server: Server, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body; the path is sent as it is written."""
    async with ClientSession() as http:
        url = URL(server.url + path, encoded=True)
        async with http.get(url, headers=headers, allow_redirects=False) as response:
            return response.status, response.headers, await response.read()


async def wish(server: Server, body: Any = WISH, **headers: str) -> tuple[int, dict[str, Any]]:
    async with (
        ClientSession() as http,
        http.post(f"{server.url}/v1/dev/tokens", json=body, headers=headers) as response,
    ):
        return response.status, await response.json(content_type=None)


# --- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/r/demo", "/r/anything-else"])
async def test_the_page_of_a_call(path: str) -> None:
    async with serving() as server:
        status, headers, body = await get(server, path)
        assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
        assert body.lower().startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/client/client.js", "text/javascript"), ("/app/theme.css", "text/css"), ("/app/", "text/html")],
)
async def test_files_have_their_types_and_are_revalidated(path: str, content_type: str) -> None:
    async with serving() as server:
        status, headers, _ = await get(server, path)
        assert status == 200 and headers["Content-Type"].startswith(content_type)
        assert headers["Cache-Control"] == "no-cache"
        status, again, body = await get(server, path, **{"If-None-Match": headers["ETag"]})
        assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
        assert (await get(server, path, **{"If-None-Match": '"other"'}))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/client/../../config.py",
        "/client/..%2f..%2fconfig.py",
        "/client/%2e%2e/%2e%2e/config.py",
        "/client//etc/passwd",
        "/client/%2fetc%2fpasswd",
        "/client/..\\..\\config.py",
        "/client/%00.js",
        "/client/.hidden.js",
        "/client",
        "/client/",
        "/client/none.js",
        "/app/index.html/",
        "/static/app/index.html",
        "/tsconfig.json",
        "/client/" + "x" * 3000 + ".js",
        "/r/",
        "/nowhere",
    ],
)
async def test_there_is_nothing_else(path: str) -> None:
    async with serving() as server:
        status, headers, body = await get(server, path)
        assert status == 404 and b"import" not in body and b"root:" not in body
        assert headers["Content-Type"] == "application/problem+json"


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    file.write_bytes(b"one")
    pages = Pages(tmp_path)
    first = pages._read(file)
    file.write_bytes(b"other")
    second = pages._read(file)
    assert first is not None and second is not None and first.etag != second.etag and second.body == b"other"
    assert pages._read(file) is second


async def test_every_answer_has_the_security_headers() -> None:
    async with serving() as server:
        for path in ("/", "/client/client.js", "/healthz", "/nowhere"):
            _, headers, _ = await get(server, path)
            policy = headers["Content-Security-Policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"} <= set(policy)
            assert "frame-ancestors 'none'" in policy and "unsafe" not in headers["Content-Security-Policy"]
            assert f"connect-src 'self' ws://127.0.0.1:{server.http_port} wss://127.0.0.1:{server.http_port}" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert "camera=(self)" in headers["Permissions-Policy"]
            assert headers["Server"] == "sfu"


@pytest.mark.parametrize("host", ["", "a; script-src *", "a b", "x'y", "[::1"])
def test_a_strange_host_is_not_repeated_in_the_policy(host: str) -> None:
    assert "connect-src 'self';" in content_security_policy(host)
    assert "connect-src 'self' ws://[::1]:8080 wss://[::1]:8080;" in content_security_policy("[::1]:8080")


async def test_methods_that_do_not_belong() -> None:
    async with serving() as server, ClientSession() as http, http.post(f"{server.url}/") as response:
        assert response.status == 405 and response.headers["Allow"] == "GET,HEAD"
        assert response.content_type == "application/problem+json"


# --- development tokens ----------------------------------------------------------------------------------------


async def test_a_page_on_this_machine_gets_a_token_and_joins_with_it() -> None:
    async with serving(dev=True) as server:
        status, answer = await wish(server, Origin=server.url)
        assert status == 201 and answer["room"] == "demo"
        async with connected(server) as client:
            joined = await client.say(Join, token=answer["token"])
            assert isinstance(joined, Joined)
            assert (joined.you.identity, joined.you.name) == (answer["identity"], "Ada")
            assert joined.grants.create and not joined.grants.administer
        assert (await wish(server))[1]["identity"] != answer["identity"], "a fresh one each time"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=lambda headers: next(iter(headers.items())),
)
async def test_nobody_else_gets_one(headers: dict[str, str]) -> None:
    async with serving(dev=True) as server:
        status, answer = await wish(server, **headers)
        assert (status, answer["code"]) == (403, "not_granted")


async def test_without_development_mode_there_are_none() -> None:
    async with serving() as server:
        assert (await wish(server))[0] == 404
        async with connected(server) as client:
            key_id, secret = DEVELOPMENT_KEY
            forged = mint(
                Grant("eve", "Eve", "demo", Grants(create=True)), key_id=key_id, secret=secret, now=2e9, valid_for_s=60
            )
            assert (await client.say(Join, token=forged)).code == "token_invalid"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"name": "Ada"},
        {"name": 1, "room": "demo"},
        {"name": "A\n", "room": ".."},
        {"name": "x" * 99, "room": "a"},
    ],
    ids=repr,
)
async def test_wishes_that_cannot_be_granted(body: Any) -> None:
    async with serving(dev=True) as server:
        status, answer = await wish(server, body)
        assert (status, answer["code"]) == (400, "malformed")


async def test_bodies_that_are_no_wishes() -> None:
    async with serving(dev=True) as server, ClientSession() as http:
        url = f"{server.url}/v1/dev/tokens"
        json = {"Content-Type": "application/json"}
        async with http.post(url, data=b"[" * 10_000, headers=json) as response:
            assert response.status == 400
        async with http.post(url, data=b"x" * 100_000, headers=json) as response:
            assert response.status == 413
        async with http.post(url, data=b'{"name": "Ada", "room": "demo"}') as response:
            assert response.status == 415, "a form of a page elsewhere could send this without being asked"


async def test_another_token_for_who_has_one() -> None:
    async with serving(dev=True) as server, connected(server) as client:
        _, first = await wish(server, {"name": "Ada", "room": "demo", "moderator": True})
        status, second = await wish(server, {"room": "demo", "renew": first["token"]})
        assert (status, second["identity"]) == (201, first["identity"])
        joined = await client.say(Join, token=second["token"])
        assert isinstance(joined, Joined)
        assert joined.you.name == "Ada" and joined.grants.administer
        for body in ({"room": "demo", "renew": "x"}, {"room": "other", "renew": first["token"]}):
            assert (await wish(server, body))[0] == 403


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("Ada Lovelace", "ada-lovelace-"), ("  ", "guest-"), ("エイダ", "guest-"), ("a" * 64, "a" * 32 + "-")],
)
def test_fresh_identities_are_readable(name: str, beginning: str) -> None:
    identity = fresh_identity(name)
    check_identity(identity)
    assert identity.startswith(beginning) and len(identity) == len(beginning) + 8


# --- health, metrics, TLS, starting ----------------------------------------------------------------------------


async def test_health() -> None:
    async with serving() as server:
        status, _, body = await get(server, "/healthz")
        assert status == 200 and f'"plane":"{open_plane(()).name}"'.encode() in body


async def test_metrics_count_and_name_nobody() -> None:
    async with serving() as server, connected(server) as client:
        await client.say(Join, token=token("ada"))
        _, headers, body = await get(server, "/metrics")
        assert headers["Content-Type"].startswith("text/plain")
        assert b"sfu_signaling_sessions 1.0" in body and b"sfu_plane_info" in body
        assert b"ada" not in body and b"demo" not in body


def self_signed(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "cert.pem", directory / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


async def test_https(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    async with serving(tls_cert=certificate, tls_key=key) as server:
        assert server.url.startswith("https://")
        async with connected(server, connector=aiohttp.TCPConnector(ssl=trusting)) as client:
            assert isinstance(await client.say(Join, token=token()), Joined)


async def test_what_keeps_a_server_from_starting_is_said(tmp_path: Path) -> None:
    async with serving() as server:
        with pytest.raises(CannotStart, match=f"HTTP on 127.0.0.1 port {server.http_port}: .*in use"):
            async with serving(http_port=server.http_port):
                pass
        with pytest.raises(CannotStart, match=f"UDP port {server.worker.udp_port}: .*in use"):
            async with serving(udp_port=server.worker.udp_port):
                pass
    with pytest.raises(CannotStart, match=r"UDP port 0: .*assign"):
        async with serving(bind=("192.0.2.99",)):
            pass
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(CannotStart, match="HTTPS with"):
        async with serving(tls_cert=tmp_path / "no.pem", tls_key=tmp_path / "no.pem"):
            pass


async def test_a_failed_start_leaves_the_ports_free() -> None:
    port = free_port(socket.SOCK_STREAM)
    async with serving() as server:
        with pytest.raises(CannotStart):
            async with serving(http_port=port, udp_port=server.worker.udp_port):
                pass
    async with serving(http_port=port):
        pass
    assert asyncio.all_tasks() == {asyncio.current_task()}
