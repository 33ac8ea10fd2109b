"""What a participant of a call in a page is told and sees of the others, and how long their pictures stand still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.call import Participant
from tests.support.chromium import eventually

# Everything that is heard of the others, and the longest time in which no picture of somebody came, whichever track
# and receiver it comes by.
OBSERVE = """
() => {
  const call = window.call;
  window.told = [];
  window.states = [call.connectionState];
  window.gaps = new Map();
  call.on('connectionstate', ({state}) => window.states.push(state));
  call.on('closed', ({code}) => window.told.push(`closed: ${code}`));
  call.on('participantjoined', ({participant}) => window.told.push(`${participant.name} joined`));
  call.on('participantleft', ({participant, reason}) => window.told.push(`${participant.name} left: ${reason}`));
  call.on('message', ({participant, payload}) => window.told.push(`${participant?.name}: ${payload}`));
  const known = new Map();
  call.on('participantchanged', ({participant}) => {  // or something else of theirs is another now
    if (participant === call.you || (known.get(participant) ?? 'connected') === participant.state) return;
    known.set(participant, participant.state);
    window.told.push(`${participant.name} ${participant.state}`);
  });
  call.on('tracksubscribed', ({participant, track, mediaTrack}) => {
    if (track.source === 'camera') watch(participant.name, mediaTrack);
  });

  async function watch(name, mediaTrack) {
    const reader = new MediaStreamTrackProcessor({track: mediaTrack}).readable.getReader();
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      value.close();
      const now = performance.now();
      const seen = window.gaps.get(name) ?? {frames: 0, last: now, longestMs: 0};
      seen.longestMs = Math.max(seen.longestMs, now - seen.last);
      seen.last = now;
      seen.frames += 1;
      window.gaps.set(name, seen);
    }
  }
}
"""
FORGET = """
() => {
  window.told.length = 0;
  window.states = [window.call.connectionState];
  window.stoodStillMs = 0;
  for (const seen of window.gaps.values()) seen.longestMs = 0;
}
"""


@dataclass(slots=True)
class Watched:
    """A participant, and what it has been told since the last `forget`."""

    participant: Participant

    @property
    def page(self) -> Any:
        return self.participant.page

    async def told(self) -> list[str]:
        said: list[str] = await self.page.evaluate("() => window.told")
        return said

    async def states(self) -> list[str]:
        seen: list[str] = await self.page.evaluate("() => window.states")
        return seen

    async def state(self) -> str:
        return (await self.states())[-1]

    async def forget(self) -> None:
        await self.page.evaluate(FORGET)

    async def frames(self, name: str) -> int:
        count: int = await self.page.evaluate("(name) => window.gaps.get(name)?.frames ?? 0", name)
        return count

    async def sees_more(self, name: str, frames: int = 15) -> None:
        until = await self.frames(name) + frames

        async def seen() -> bool:
            return await self.frames(name) >= until

        await eventually(seen, f"{self.participant.name} sees {frames} more pictures of {name}")

    async def gap_s(self, name: str) -> float:
        longest: float = await self.page.evaluate("(name) => window.gaps.get(name).longestMs", name)
        return longest / 1000

    async def becomes(self, state: str) -> None:
        async def so() -> bool:
            return await self.state() == state

        await eventually(so, f"{self.participant.name} is {state}")

    async def stood_still_s(self) -> float:
        return await self.participant.stood_still_ms() / 1000

    async def hears(self, *words: str) -> None:
        """Until exactly this has been told."""

        async def so() -> bool:
            return await self.told() == list(words)

        try:
            await eventually(so, f"{self.participant.name} hears {words}")
        except AssertionError as error:
            raise AssertionError(f"{error}; heard {await self.told()}") from None


async def observed(participant: Participant) -> Watched:
    await participant.page.evaluate(OBSERVE)
    return Watched(participant)


def report(what: str, *gaps_s: float) -> None:
    """For whoever reads the output (pytest -rP)."""
    print(f"{what}: pictures stood still for {', '.join(f'{gap:.2f} s' for gap in gaps_s)}")
