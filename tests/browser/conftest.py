"""What browser tests share: a server, a browser, and a voice for the fake microphone.

One Chromium serves them all, each test in contexts of its own, and one server serves the tests of a module, each in
rooms of its own: starting both for every test took a third of the time. What stops its server starts one itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.chromium import chromium
from tests.support.page import OpenLobby, lobbies
from tests.support.server import RunningServer, running_server

HERE = Path(__file__).parent
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All on one loop, to which the browser's driver belongs."""
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server("--dev") as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browser(speech: Path) -> AsyncIterator[Browser]:
    async with chromium(speech) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def browser(shared_browser: Browser) -> AsyncIterator[Browser]:
    yield shared_browser
    for context in shared_browser.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def lobby(browser: Browser) -> AsyncIterator[OpenLobby]:
    async with lobbies(browser) as open_lobby:
        yield open_lobby
