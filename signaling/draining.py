"""Going down gently: no new rooms, while those that run go on until they are empty or their time is up."""

from __future__ import annotations

import asyncio
import logging
from math import ceil
from typing import Final

from signaling.switchboard import Switchboard

logger = logging.getLogger(__name__)

# How often it is looked whether everybody has gone.
LOOK_EVERY_S: Final = 0.2


class Draining:
    def __init__(self, switchboard: Switchboard) -> None:
        self._directory = switchboard.directory

    @property
    def why(self) -> str:
        """A sentence while no new rooms are taken, else empty."""
        return self._directory.draining

    def begin(self) -> None:
        self._directory.draining = "the server is about to stop"

    def end(self) -> None:
        self._directory.draining = ""

    async def wait(self, grace_s: float) -> None:
        """Until nobody is here any more, at most `grace_s`."""
        if self._directory.participant_count:
            logger.info("draining: %d people are here, at most %g s", self._directory.participant_count, grace_s)
        for _ in range(ceil(grace_s / LOOK_EVERY_S)):
            if not self._directory.participant_count:
                return
            await asyncio.sleep(LOOK_EVERY_S)
        if self._directory.participant_count:
            logger.warning("draining: %d people were still here", self._directory.participant_count)
