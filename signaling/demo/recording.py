"""Has a call between bots recorded by the server, over its REST API, and judges what was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import av

from signaling.api.recording_models import Recording
from signaling.client.api import ServerApi
from signaling.config import DEVELOPMENT_KEY
from signaling.demo.bot import Bot
from signaling.demo.recorded import PAUSE_S, FileVerdict, RecordingVerdict, Sender, judge_file
from signaling.recordings.options import RecordingOptions

# A process starts, and imports a lot: a second on an idle machine.
BEGIN_TIMEOUT_S = 60.0
FILES_TIMEOUT_S = 300.0
LOOK_EVERY_S = 0.1
# Packets of all bots, sound and picture: the first second or so.
BEGUN_BYTES = 20_000
# What is seen and heard before the pause, and after it.
AROUND_PAUSE_S = 0.7


class RecordedCall:
    """`directory`: as the server was given it. `verdict` once it is over."""

    def __init__(self, url: str, room: str, directory: Path) -> None:
        self._url = url
        self._room = room
        self._directory = directory
        self.verdict: RecordingVerdict | None = None

    @asynccontextmanager
    async def around(self, bots: Sequence[Bot]) -> AsyncIterator[None]:
        """Recorded for as long as the block lasts. Raises ApiError, TimeoutError."""
        senders = {bot.room.identity: bot for bot in bots}
        # As they are sent, so that each picture can be looked for.
        options = RecordingOptions(mode="copy")
        async with ServerApi(self._url, ":".join(DEVELOPMENT_KEY)) as api:
            id = (await api.start_recording(self._room, options)).id
            await _until(api, id, lambda one: one.journal_bytes > BEGUN_BYTES, BEGIN_TIMEOUT_S)
            pause = asyncio.create_task(_pause(bots))
            try:
                yield
            finally:
                await pause
            await api.stop_recording(id)
            made = await _until(api, id, lambda one: one.state in ("ready", "failed"), FILES_TIMEOUT_S)
        self.verdict = await asyncio.to_thread(_judge, made, self._directory / id, senders)


async def _pause(bots: Sequence[Bot]) -> None:
    """By which sound and picture can be laid beside each other: tones sound alike at any time."""
    await asyncio.sleep(AROUND_PAUSE_S)
    for muted in (True, False):
        for bot in bots:
            bot.microphone.muted = bot.camera.muted = muted
        await asyncio.sleep(PAUSE_S if muted else AROUND_PAUSE_S)


async def _until(api: ServerApi, id: str, condition: Callable[[Recording], bool], timeout_s: float) -> Recording:
    async with asyncio.timeout(timeout_s):
        while True:
            one = await api.get_recording(id)
            if condition(one):
                return one
            await asyncio.sleep(LOOK_EVERY_S)


def _judge(made: Recording, directory: Path, senders: dict[str, Bot]) -> RecordingVerdict:
    faults = [f"the recording failed: {made.reason}"] if made.state == "failed" else []
    files: list[FileVerdict] = []
    for file in made.files:
        bot = senders.get(file.participant)
        if bot is None or file.error:
            faults.append(f"{file.name}: {file.error or 'of nobody'}")
            continue
        try:
            verdict = judge_file(directory / "files" / file.name, _sender(bot), made.duration_s or 0.0)
        except (OSError, av.FFmpegError, IndexError) as error:
            faults.append(f"{file.name} cannot be read: {error}")
            continue
        files.append(verdict)
        faults += [f"{file.name}: {fault}" for fault in verdict.faults]
    missing = senders.keys() - {file.participant for file in made.files}
    faults += [f"there is no file of {senders[identity].name}" for identity in sorted(missing)]
    return RecordingVerdict(str(directory), tuple(files), tuple(faults))


def _sender(bot: Bot) -> Sender:
    sound, picture = bot.microphone.pace, bot.camera.pace
    return Sender(
        name=bot.name,
        number=bot.sender,
        sound_on_s=sound.resumed_at_s or 0.0,
        picture_on_s=picture.resumed_at_s or 0.0,
        picture_on=picture.resumed_at,
        late_s=max(sound.latest_s, picture.latest_s),
    )
