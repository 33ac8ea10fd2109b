"""When somebody spoke and how loudly, from the levels that packets carry (RFC 6464): one Track's last two seconds.

Time is cut into frames of 20 ms, one bit each: was there something that may be speech? It is when louder than the noise
that this microphone always hears, and than breath. What is shorter than 60 ms is a key or a click. All the rest,
who is speaking and who is heard, is made of counts of these bits (`speakers.py`, `loudest.py`).
"""

from __future__ import annotations

FRAME_S = 0.02  # one Opus packet, most of the time
HISTORY_FRAMES = 100
MAX_PACKET_FRAMES = 6  # Opus packets last up to 120 ms. A longer gap is a silence that was not sent (DTX, mute)

# Quieter than this is breath and the next room, dBov: breathing close to a microphone makes -44 to -41, speech
# after a browser's gain control -15 to -35. LiveKit draws the line at -35.
QUIETEST_SPEECH = 40
# So much above the noise floor. Music sounds on between its notes and moves by 10 dB, speech falls silent between its
# words. Lower: music takes the stage; higher: nobody does in a loud office.
ABOVE_NOISE_DB = 12
# The noise floor is the quietest of this long. Speech pauses every second or two; longer: a fan that is switched on
# speaks for as long.
NOISE_BLOCKS = 6
NOISE_BLOCK_FRAMES = 25
# A struck key lasts 10 to 30 ms and reaches two frames; no syllable is that short.
SHORTEST_SOUND_FRAMES = 3
# How fast `loudness` falls in silence. A speaker at -20 is as loud as a room at -60 after two seconds: longer than the
# pause between two sentences.
RELEASE_DB_PER_S = 20.0

SILENT = 127  # on the wire: quieter than anything

_HISTORY = (1 << HISTORY_FRAMES) - 1


def frame_of(at_s: float) -> int:
    return int(at_s / FRAME_S)


class Activity:
    """Feed it with the levels of one Track in the order of their arrival. Frames count as `frame_of` does."""

    def __init__(self) -> None:
        self._frame = -HISTORY_FRAMES  # the latest
        self._history = 0  # bit 0 is the latest frame
        self._quietest = [SILENT] * NOISE_BLOCKS  # of each block, in dB above silence; the last is being filled
        self._block = 0
        self._peak_dbov = -float(SILENT)
        self._peak_frame = 0

    @property
    def is_active(self) -> bool:
        """Whether the latest packet may hold speech."""
        return self._history & 1 == 1

    def on_level(self, level: int, at_s: float) -> None:
        """`level`: 0 loud … 127 silent."""
        now = frame_of(at_s)
        # Packets that arrive in a bunch were not spoken at once: each has the next frame, a little way ahead.
        frame = max(now, min(self._frame + 1, now + MAX_PACKET_FRAMES))
        is_active = self._may_be_speech(level, frame)
        gap = frame - self._frame
        if gap <= 0:
            self._history |= is_active
        elif gap <= MAX_PACKET_FRAMES:
            # A packet that lasts longer, or a late one: the frames between two alike were like them.
            between = (1 << gap) - 2 if is_active and self._history & 1 else 0
            self._history = (self._history << gap | between | is_active) & _HISTORY
        else:
            self._history = self._history << min(gap, HISTORY_FRAMES) & _HISTORY | is_active
        self._frame = max(frame, self._frame)
        if -level > self.loudness_dbov(now):
            self._peak_dbov, self._peak_frame = -float(level), now

    def spoke(self, frame: int, frames: int, ago: int = 0) -> int:
        """In how many of the `frames` up to `frame` (or up to `ago` before it) there was a sound of some length."""
        run = self._history
        for _ in range(SHORTEST_SOUND_FRAMES - 1):
            run &= run >> 1
        for _ in range(SHORTEST_SOUND_FRAMES - 1):
            run |= run << 1
        passed = max(0, frame - self._frame)  # since the last packet, in silence
        first = ago - passed
        window = (1 << frames) - 1
        window = window << first if first >= 0 else window >> min(-first, frames)
        return (run & window).bit_count()

    def loudness_dbov(self, frame: int) -> float:
        """The loudest of late, sinking as a needle does: 0 … -127."""
        passed_s = max(0, frame - self._peak_frame) * FRAME_S
        return max(-float(SILENT), self._peak_dbov - RELEASE_DB_PER_S * passed_s)

    def _may_be_speech(self, level: int, frame: int) -> bool:
        above_silence_db = SILENT - level
        block = frame // NOISE_BLOCK_FRAMES
        if block > self._block:
            passed = min(block - self._block, NOISE_BLOCKS)
            self._quietest = self._quietest[passed:] + [SILENT] * passed
            self._block = block
        was_silent = frame - self._frame > MAX_PACKET_FRAMES
        self._quietest[-1] = 0 if was_silent else min(self._quietest[-1], above_silence_db)
        return level <= QUIETEST_SPEECH and above_silence_db >= min(self._quietest) + ABOVE_NOISE_DB
