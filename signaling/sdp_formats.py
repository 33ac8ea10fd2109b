"""Payload formats of an m-line: which of the offered ones this server forwards, and how they are written back.

Codecs are taken in the order of the m-line, so the remote's preference stands; of each codec the first payload type
that fits. Their RTX (RFC 4588) comes along, and so does RED of Opus (RFC 2198), in front: browsers send what stands
there. Everything else (FEC, comfort noise, DTMF, other codecs) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sfu.core.types import Codec, Kind, PayloadFormat
from signaling.sdp import Media, is_token, malformed, number

# Feedback that we send or understand. No `nack` for audio: a repeat of 20 ms of sound comes too late to be of use.
FEEDBACK: Final[Mapping[Kind, tuple[str, ...]]] = {
    "audio": ("transport-cc",),
    "video": ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
}
# Of it, what we never send: who has transport-cc, too, sends that (Chromium and Firefox do), and others nothing else by
# which their path could be known. So it is asked of who receives, and not promised to who sends.
ONLY_UNDERSTOOD: Final = ("goog-remb",)
# Others are not kept: a description may name thousands, of all payload types at once.
_KNOWN_FEEDBACK: Final = frozenset(name for names in FEEDBACK.values() for name in names)

# What we would like to get of Opus: packets from 10 ms on (fewer stalls at low delay), in-band FEC against loss, and in
# silence next to nothing (DTX).
OPUS_PARAMETERS: Final = {"minptime": "10", "useinbandfec": "1", "usedtx": "1"}
H264_PARAMETERS: Final = {
    "level-asymmetry-allowed": "1",
    "packetization-mode": "1",
    "profile-level-id": "42e01f",
}

# Level 3.1 is 720p at 30; what is sent is the publisher's affair.
AV1_PARAMETERS: Final = {"level-idx": "5", "profile": "0", "tier": "0"}
VP9_PARAMETERS: Final = {"profile-id": "0"}

# In the order in which we offer them: the first is what a subscriber of ours would send, and what all browsers decode.
_CODECS: Final[Mapping[Kind, tuple[tuple[Codec, int, int], ...]]] = {
    "audio": ((Codec.OPUS, 48000, 2), (Codec.RED, 48000, 2)),
    "video": ((Codec.VP8, 90000, 1), (Codec.H264, 90000, 1), (Codec.VP9, 90000, 1), (Codec.AV1, 90000, 1)),
}
# Parameters that name a profile; of these codecs only 0 is forwarded, which is also what no parameter means.
_PROFILES: Final[Mapping[Codec, str]] = {Codec.VP9: "profile-id", Codec.AV1: "profile"}
_PROFILE_LEVEL_ID = re.compile(r"[0-9a-fA-F]{6}")
_BLOCKS = re.compile(r"\d{1,3}(?:/\d{1,3})+")  # of RED: the payload types of a packet's blocks


@dataclass(frozen=True, slots=True)
class OfferedFormat:
    """One payload type of an m-line, with all that is said of it. `feedback` is of what FEEDBACK has, and includes what
    is said of `*`."""

    payload_type: int
    name: str  # lower case
    clock_rate: int
    channels: int
    parameters: Mapping[str, str]
    feedback: frozenset[str]
    blocks: frozenset[str] = frozenset()  # of RED: their payload types


@dataclass(frozen=True, slots=True)
class AcceptedFormat:
    """A codec that both sides know, as it is written into a description."""

    codec: Codec
    payload_type: int
    rtx_payload_type: int | None
    clock_rate: int
    channels: int
    parameters: Mapping[str, str]
    feedback: tuple[str, ...]
    blocks: int | None = None  # of RED: the payload type of all of them


def read_formats(media: Media) -> list[OfferedFormat]:
    """The payload types that have an `a=rtpmap`, in the order of the m-line. Raises ProtocolError."""
    listed = list(dict.fromkeys(number(word, media.line, 127) for word in media.formats))
    names = _names(media)
    parameters = _parameters(media)
    blocks = _blocks(media)
    feedback: dict[str, set[str]] = {}
    for attribute in media.every("rtcp-fb"):
        subject, _, name = attribute.value.partition(" ")
        if (known := name.strip().lower()) in _KNOWN_FEEDBACK:
            feedback.setdefault(subject, set()).add(known)
    return [
        OfferedFormat(
            payload_type,
            *names[payload_type],
            parameters.get(payload_type, {}),
            frozenset(feedback.get(str(payload_type), set()) | feedback.get("*", set())),
            blocks.get(str(payload_type), frozenset()),
        )
        for payload_type in listed
        if payload_type in names
    ]


def accept_formats(
    kind: Kind, offered: Sequence[OfferedFormat], *, redundancy: bool = True
) -> tuple[AcceptedFormat, ...]:
    """What we forward of it, in the same order, with RED in front unless it is not wanted."""
    accepted: dict[Codec, AcceptedFormat] = {}
    h264 = _best_h264(offered)
    for one in offered:
        codec = _codec(kind, one)
        if codec in (None, Codec.RED) or codec in accepted or (codec is Codec.H264 and one is not h264):
            continue
        accepted[codec] = AcceptedFormat(
            codec,
            one.payload_type,
            _rtx_of(one, offered),
            one.clock_rate,
            one.channels,
            _answered_parameters(codec, one.parameters),
            tuple(name for name in FEEDBACK[kind] if name in one.feedback),
        )
    opus = accepted.get(Codec.OPUS) if redundancy else None
    red = None if opus is None else _red_of(opus, offered)
    return tuple(accepted.values()) if red is None else (red, *accepted.values())


def own_formats(kind: Kind, payload_types: Mapping[Codec, tuple[int, int | None]]) -> tuple[AcceptedFormat, ...]:
    """What we offer ourselves, under these payload types; a codec without any is not offered."""
    own_parameters = {
        Codec.OPUS: OPUS_PARAMETERS,
        Codec.H264: H264_PARAMETERS,
        Codec.VP9: VP9_PARAMETERS,
        Codec.AV1: AV1_PARAMETERS,
    }
    return tuple(
        AcceptedFormat(
            codec,
            *payload_types[codec],
            clock_rate,
            channels,
            own_parameters.get(codec, {}),
            FEEDBACK[kind] if codec is not Codec.RED else (),
            payload_types[Codec.OPUS][0] if codec is Codec.RED else None,
        )
        for codec, clock_rate, channels in _CODECS[kind]
        if codec in payload_types
    )


def to_payload_formats(accepted: Iterable[AcceptedFormat]) -> tuple[PayloadFormat, ...]:
    """For the plane: one per payload type, RTX included."""
    formats: list[PayloadFormat] = []
    for one in accepted:
        formats.append(PayloadFormat(one.payload_type, one.codec, one.clock_rate))
        if one.rtx_payload_type is not None:
            formats.append(PayloadFormat(one.rtx_payload_type, one.codec, one.clock_rate, repairs=one.payload_type))
    return tuple(formats)


def listed_payload_types(accepted: Iterable[AcceptedFormat]) -> list[str]:
    """For the m-line."""
    return [str(one.payload_type) for one in to_payload_formats(accepted)]


def write_formats(accepted: Iterable[AcceptedFormat], *, sends: bool = False) -> list[str]:
    """The attribute lines of these formats. `sends`: the remote is sent such, and reports on it."""
    lines = []
    for one in accepted:
        channels = f"/{one.channels}" if one.channels > 1 else ""
        lines.append(f"a=rtpmap:{one.payload_type} {one.codec}/{one.clock_rate}{channels}")
        feedback = [name for name in one.feedback if sends or name not in ONLY_UNDERSTOOD]
        lines += [f"a=rtcp-fb:{one.payload_type} {name}" for name in feedback]
        if one.parameters:
            pairs = ";".join(f"{key}={value}" for key, value in one.parameters.items())
            lines.append(f"a=fmtp:{one.payload_type} {pairs}")
        if one.blocks is not None:
            lines.append(f"a=fmtp:{one.payload_type} {one.blocks}/{one.blocks}")
        if one.rtx_payload_type is not None:
            lines.append(f"a=rtpmap:{one.rtx_payload_type} rtx/{one.clock_rate}")
            lines.append(f"a=fmtp:{one.rtx_payload_type} apt={one.payload_type}")
    return lines


def is_constrained_baseline(profile_level_id: str) -> bool:
    """RFC 6184 §8.1, table 5: three ways to say it. The level is free: it limits the sender, not us."""
    profile, constraints = _profile(profile_level_id)
    return (
        (profile == 0x42 and constraints & 0x4F == 0x40)
        or (profile == 0x4D and constraints & 0x8F == 0x80)
        or (profile == 0x58 and constraints & 0xCF == 0xC0)
    )


def is_baseline(profile_level_id: str) -> bool:
    """Baseline without constraints. Its extras (flexible macroblock order and the like) are in no encoder that speaks
    WebRTC, and FFmpeg's WHIP muxer calls its constrained stream so."""
    profile, constraints = _profile(profile_level_id)
    return profile == 0x42 and constraints & 0x4F == 0


def _profile(profile_level_id: str) -> tuple[int, int]:
    if not _PROFILE_LEVEL_ID.fullmatch(profile_level_id):
        return 0, 0
    return int(profile_level_id[:2], 16), int(profile_level_id[2:4], 16)


def _codec(kind: Kind, offered: OfferedFormat) -> Codec | None:
    # 64 … 95 with the marker bit look like RTCP on a shared port (RFC 5761 §4).
    if 64 <= offered.payload_type <= 95:
        return None
    for codec, clock_rate, channels in _CODECS[kind]:
        if (offered.name, offered.clock_rate, offered.channels) == (codec.lower(), clock_rate, channels):
            return codec if offered.parameters.get(_PROFILES.get(codec, ""), "0") == "0" else None
    return None


def _best_h264(offered: Sequence[OfferedFormat]) -> OfferedFormat | None:
    """Subscribers are offered constrained baseline in packetization-mode 1: that, or the nearest to it."""
    candidates = [
        one for one in offered if _codec("video", one) is Codec.H264 and one.parameters.get("packetization-mode") == "1"
    ]
    for suits in (is_constrained_baseline, is_baseline):
        for one in candidates:
            if suits(one.parameters.get("profile-level-id", "")):
                return one
    return None


def _rtx_of(media: OfferedFormat, offered: Sequence[OfferedFormat]) -> int | None:
    apt = str(media.payload_type)
    return next(
        (
            one.payload_type
            for one in offered
            if one.name == "rtx" and one.clock_rate == media.clock_rate and one.parameters.get("apt") == apt
        ),
        None,
    )


def _red_of(opus: AcceptedFormat, offered: Sequence[OfferedFormat]) -> AcceptedFormat | None:
    for one in offered:
        if _codec("audio", one) is Codec.RED and one.blocks == {str(opus.payload_type)}:
            return AcceptedFormat(
                Codec.RED, one.payload_type, None, one.clock_rate, one.channels, {}, (), opus.payload_type
            )
    return None


def _answered_parameters(codec: Codec, offered: Mapping[str, str]) -> Mapping[str, str]:
    if codec is Codec.OPUS:
        # Browsers send two channels only when asked for them, and ask when they want to send them.
        return {**OPUS_PARAMETERS, **({"stereo": "1"} if offered.get("stereo") == "1" else {})}
    # Of H.264 and AV1 the level, too, as the sender likes it: what comes is passed on unseen.
    return {} if codec is Codec.VP8 else offered


def _names(media: Media) -> dict[int, tuple[str, int, int]]:
    names: dict[int, tuple[str, int, int]] = {}
    for attribute in media.every("rtpmap"):
        words = attribute.value.split()
        parts = words[1].split("/") if len(words) == 2 else []
        if len(parts) not in (2, 3) or not is_token(parts[0]):
            raise malformed(attribute.line, "not `a=rtpmap:<payload type> <name>/<clock rate>`")
        payload_type = number(words[0], attribute.line, 127)
        channels = number(parts[2], attribute.line, 255) if len(parts) == 3 else 1
        meaning = parts[0].lower(), number(parts[1], attribute.line, 1_000_000), channels
        if names.setdefault(payload_type, meaning) != meaning:
            raise malformed(attribute.line, f"payload type {payload_type} has two meanings")
    return names


def _parameters(media: Media) -> dict[int, dict[str, str]]:
    parameters: dict[int, dict[str, str]] = {}
    for attribute in media.every("fmtp"):
        subject, _, text = attribute.value.partition(" ")
        pairs = parameters.setdefault(number(subject, attribute.line, 127), {})
        for part in text.split(";"):
            key, equals, value = part.strip().partition("=")
            # Others are lists without keys (RED: `_blocks`; DTMF, which nobody here reads).
            if equals and is_token(key):
                pairs[key.lower()] = value.strip()
    return parameters


def _blocks(media: Media) -> dict[str, frozenset[str]]:
    """Of RED, by its own payload type: the first list that is one."""
    found: dict[str, frozenset[str]] = {}
    for attribute in media.every("fmtp"):
        subject, _, text = attribute.value.partition(" ")
        if _BLOCKS.fullmatch(text.strip()):
            found.setdefault(subject, frozenset(text.strip().split("/")))
    return found
