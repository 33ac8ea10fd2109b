"""A call whose participants clap at known times, recorded by a real server: measured on the files that were written.

Five packets of a hundred are lost, in bursts, others come out of order; in silence next to nothing is sent; one is
muted for a while, one comes late, one leaves and comes back.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from recorder import manifest
from recorder.config import FilesConfig, MediaConfig, Mode
from recorder.journal import JournalReader
from recorder.recovery import recover
from signaling.client import development_token
from signaling.recordings.options import RecordingOptions
from tests.integration.test_recording import comes_to, grows
from tests.recorder.clap import BEEP_S, CLAP_EVERY_S, FIRST_CLAP_S, HEIGHT, WIDTH
from tests.recorder.watching import watch
from tests.support.clapping import Clapper, RoughPath, clapping
from tests.support.measured_claps import Claps
from tests.support.meeting import open_test_server

TURNS = 10  # of two seconds, with a clap in each


async def test_claps_of_a_rough_call_are_together_in_the_files(tmp_path: Path) -> None:
    zero_s = asyncio.get_running_loop().time()
    clappers: dict[str, list[Clapper]] = {}
    async with open_test_server(recordings=tmp_path / "all") as server, AsyncExitStack() as call:
        tokens = {name: await development_token(server.url, name, "claps") for name in ("Ada", "Bob", "Eve")}

        async def joins(name: str, stack: AsyncExitStack) -> Clapper:
            token = tokens[name]
            clapper = await stack.enter_async_context(clapping(server.url, "claps", token.token, zero_s, RoughPath))
            clappers.setdefault(token.identity, []).append(clapper)
            return clapper

        async def turn(number: int) -> None:
            """Just after the clap of that turn of the recording."""
            at_s = begun_s + number * CLAP_EVERY_S + FIRST_CLAP_S + 0.5
            await asyncio.sleep(at_s - asyncio.get_running_loop().time())

        ada = await joins("Ada", call)
        eve = await call.enter_async_context(AsyncExitStack())
        await joins("Eve", eve)
        recording = (await server.recordings.start("claps", RecordingOptions(mode="copy"))).id
        await grows(server.recordings, recording, 10_000)
        turns = (asyncio.get_running_loop().time() - zero_s) // CLAP_EVERY_S + 1
        begun_s = zero_s + turns * CLAP_EVERY_S
        await turn(1)
        await joins("Bob", call)
        await turn(3)
        await ada.mute(True)
        await turn(4)
        await eve.aclose()
        await turn(5)
        await ada.mute(False)
        await joins("Eve", call)
        await turn(TURNS)
        await server.recordings.stop(recording)
        one = await comes_to(server.recordings, recording, "ready")
    directory = tmp_path / "all" / one.id
    decoded = tmp_path / "decoded"
    shutil.copytree(directory / "journal", decoded / "journal")
    await asyncio.to_thread(recover, decoded, MediaConfig(), FilesConfig(Mode.DECODE, "mkv", (WIDTH, HEIGHT)))
    reader = JournalReader(directory / "journal")
    assert list(reader.entries()) and reader.epoch is not None
    began_s = reader.epoch.monotonic_s  # this process's clock as well
    for made in (directory, decoded):
        found = Claps()
        for file in manifest.decode((made / manifest.FILE_NAME).read_bytes()).files:
            assert file.start_s == 0.0, "one file for each participant"
            them = clappers[file.participant]
            until_s = file.duration_s - BEEP_S
            found.add(
                file.participant,
                watch(made / file.path),
                # Of who comes, the first key frame may have passed before he is recorded.
                flashes_due=within([at_s - began_s for one in them for at_s in one.flashes[1:]], until_s),
                beeps_due=within([at_s - began_s for one in them for at_s in one.beeps[1:]], until_s),
                most_missing=1,  # a burst that takes a picture and what repeats it
            )
        assert found.flashes.keys() == clappers.keys()
        found.check()


def within(times: list[float], until_s: float) -> set[float]:
    """Those that are whole in the recording, and behind its first key frame, of which there is one in each turn."""
    return {round(at_s, 3) for at_s in times if CLAP_EVERY_S + 0.1 < at_s < until_s}
