"""GStreamer peers, each in a process of the system's Python: see gstreamer_peer.py for what they do and say."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

PYTHON = "/usr/bin/python3"  # the bindings are Debian's, and not for a Python of another maker
SCRIPT = Path(__file__).with_name("gstreamer_peer.py")
PATIENCE_S = 60.0


class GStreamerPeer:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.state = ""
        self.frames = 0  # decoded
        self.loud = 0  # windows of 100 ms in which a tone was heard
        self.deleted = 0  # the status of its DELETE
        self._process = process

    async def until(self, condition: Callable[[GStreamerPeer], bool]) -> None:
        """Read what it says until then. Fails when it reports an error, or stops."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self):
                line = await self._process.stdout.readline()
                assert line, "it has ended"
                self._note(json.loads(line))

    async def end(self) -> int:
        """It deletes its session, and goes; with which status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self.until(lambda peer: bool(peer.deleted))
        return self.deleted

    def _note(self, said: dict[str, Any]) -> None:
        assert "error" not in said, said
        self.state = said.get("state", self.state)
        self.frames = said.get("frames", self.frames)
        self.loud = said.get("loud", self.loud)
        self.deleted = said.get("deleted", self.deleted)


@contextlib.asynccontextmanager
async def gstreamer(
    role: Literal["publish", "watch"], url: str, token: str, prefix: Sequence[str]
) -> AsyncIterator[GStreamerPeer]:
    """`prefix` runs it elsewhere (`ip netns exec …`)."""
    process = await asyncio.create_subprocess_exec(
        *(*prefix, PYTHON, str(SCRIPT), role, url), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(f"{token}\n".encode())
    try:
        yield GStreamerPeer(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
