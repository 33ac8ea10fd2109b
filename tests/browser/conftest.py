"""What browser tests share: a server, a browser, and a voice for the fake microphone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.chromium import chromium
from tests.support.page import OpenLobby, lobbies
from tests.support.server import RunningServer, running_server

SENTENCE = (
    "The quick brown fox jumps over the lazy dog while somebody reads the news of the day aloud. "
    "Nobody is listening, but every packet of it is counted, and so it goes on and on."
)


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spoken text as WAV: silence suppression, levels and DTX behave as with a person, unlike with a tone."""
    import subprocess

    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    subprocess.run(["espeak-ng", "-s", "150", "-w", str(path), SENTENCE], check=True)
    return path


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server("--dev") as running:
        yield running


@pytest.fixture
async def browser(speech: Path) -> AsyncIterator[Browser]:
    async with chromium(speech) as running:
        yield running
        await asyncio.sleep(0)  # let the driver's last callbacks run before the loop closes


@pytest.fixture
async def lobby(browser: Browser) -> AsyncIterator[OpenLobby]:
    async with lobbies(browser) as open_lobby:
        yield open_lobby
