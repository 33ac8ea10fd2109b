"""The `sfu` command: what it prints, with which status it ends."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from sfu import __version__
from sfu.plane import open_plane
from signaling.auth import verify
from signaling.cli import main
from signaling.config import DEVELOPMENT_KEY
from signaling.messages import Grants
from signaling.options import OPTIONS
from signaling.recordings.options import RecordingOptions
from tests.support.ports import free_port
from tests.support.server import running_server

ROOT = Path(__file__).resolve().parents[2]
KEY = "backend:" + "s" * 32
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SFU_"):
            monkeypatch.delenv(name)


def exit_status(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    return raised.value.code


# --- help and version ------------------------------------------------------------------------------------------


def test_the_version_names_the_plane(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status("--version") == 0
    assert capsys.readouterr().out == f"sfu {__version__}, plane: {open_plane(()).name}\n"


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status("--help") == 0
    commands = capsys.readouterr().out
    assert all(f"    {command} " in commands for command in ("serve", "demo", "token"))
    assert exit_status("serve", "--help") == 0
    text = capsys.readouterr().out
    assert all(option.flag in text for option in OPTIONS) and "examples:" in text


def test_unknown_commands_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status("dance") == 2
    assert exit_status() == 2
    assert exit_status("serve", "--colour", "red") == 2
    assert exit_status("serve", "--http-por", "1") == 2, "no abbreviations: they would break when an option is added"
    capsys.readouterr()


# --- token -----------------------------------------------------------------------------------------------------


def test_a_token_and_a_link_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["token", "--dev", "--room", "demo", "--identity", "ada", "--name", "Ada", "--valid-for", "2m"]
    assert main(arguments) == 0
    link, token = capsys.readouterr().out.split()
    assert link == f"http://127.0.0.1:8080/r/demo#token={token}"
    keys = dict([DEVELOPMENT_KEY])
    grant = verify(token, keys, "demo", time.time() + 100)
    assert (grant.identity, grant.name) == ("ada", "Ada")
    assert grant.grants == Grants(create=True, publish=True, subscribe=True, message=True)


def test_a_token_for_a_server_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["token", "--keys", KEY, "--room", "demo", "--grants", "subscribe, administer"]
    assert main([*arguments, "--url", "https://calls.example/"]) == 0
    link, token = capsys.readouterr().out.split()
    assert link.startswith("https://calls.example/r/demo#token=")
    grant = verify(token, {"backend": "s" * 32}, "demo", time.time())
    assert grant.grants == Grants(subscribe=True, administer=True)
    assert grant.identity.startswith("guest-")


def test_a_token_for_some_sources_that_can_be_revoked_alone(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["token", "--dev", "--room", "demo", "--sources", "microphone, screen"]
    assert (
        main([*arguments, "--id", "invitation-7", "--auto-record", "copy"]) == 0
        and main(arguments) == 0
        and main(arguments) == 0
    )
    tokens = capsys.readouterr().out.split()[1::2]
    grants = [verify(token, dict([DEVELOPMENT_KEY]), "demo", time.time()) for token in tokens]
    assert grants[0].token_id == "invitation-7" and len({grant.token_id for grant in grants}) == 3
    assert grants[0].auto_record == RecordingOptions(mode="copy") and grants[1].auto_record is None
    assert grants[0].grants.sources == ("microphone", "screen") and not grants[0].grants.may_publish("camera")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--room", "demo", "--dev", "--sources", "camera,piano"], "'piano' is not one of camera"),
        (["--room", "demo", "--dev", "--id", "x" * 999], "--id: at most"),
        (["--room", "demo"], "no key to sign with"),
        (["--room", "demo", "--dev", "--keys", KEY, "--key-id", "other"], "no key 'other'"),
        (["--room", "demo", "--dev", "--grants", "fly"], "'fly' is not one of create"),
        (["--room", "demo", "--dev", "--valid-for", "soon"], "not a time"),
        (["--room", "..", "--dev"], "a room has"),
        (["--room", "demo", "--dev", "--identity", "a b"], "an identity has"),
        (["--room", "demo", "--dev", "--name", "a\nb"], "control characters"),
        (["--room", "demo", "--keys", "short:secret"], "shorter than 32"),
    ],
)
def test_tokens_that_cannot_be_made(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and said in captured.err and captured.err.count("\n") == 1


# --- serve -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no keys for tokens"),
        (["--dev", "--http-port", "99999"], "--http-port: '99999' is not a port"),
        (["--dev", "--http-host", "0.0.0.0"], "HTTP must be on loopback"),
        (["--dev", "--config", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
    ],
)
def test_a_server_that_is_configured_wrongly(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sfu: ") and said in captured.err and captured.err.count("\n") == 1


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "signaling.cli", "serve", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def read_until(process: asyncio.subprocess.Process, text: str) -> str:
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(WAIT_S):
        while text.encode() not in said:
            line = await process.stdout.readline()
            assert line, "it ended"
            said += line
    return said.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_says_where_it_is_and_stops_when_asked(number: signal.Signals) -> None:
    port = free_port(socket.SOCK_STREAM)
    process = await start("--dev", "--http-port", str(port), "--udp-port", "0")
    said = await read_until(process, "Ctrl-C")
    assert (
        f"Open    http://127.0.0.1:{port}/" in said and f"Plane   {open_plane(()).name}" in said and "UDP port" in said
    )
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/healthz") as response:
        assert response.status == 200
    process.send_signal(number)
    _, errors = await asyncio.wait_for(process.communicate(), WAIT_S)
    assert process.returncode == 0 and b"Traceback" not in errors


async def test_a_taken_port_is_said_in_one_line() -> None:
    port = free_port(socket.SOCK_STREAM)
    first = await start("--dev", "--http-port", str(port), "--udp-port", "0")
    await read_until(first, "Ctrl-C")
    second = await start("--dev", "--http-port", str(port), "--udp-port", "0", "--log-level", "error")
    _, errors = await asyncio.wait_for(second.communicate(), WAIT_S)
    assert second.returncode == 1
    assert errors.decode().startswith(f"sfu: cannot start: HTTP on 127.0.0.1 port {port}: ")
    assert errors.count(b"\n") == 1
    first.terminate()
    await asyncio.wait_for(first.communicate(), WAIT_S)


async def test_it_has_as_many_sockets_as_the_system_permits_and_not_as_a_shell_gives() -> None:
    async with running_server("--dev", prefix=("prlimit", "--nofile=256:4096")) as server:
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)
