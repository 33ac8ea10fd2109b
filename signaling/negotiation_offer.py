"""We offer, the remote answers: a subscriber's connection, one m-line per Slot.

Every subscriber is offered the same payload types, extension ids and parameters, so that one layout of rewritten
headers fits all; what a browser lacks it leaves out of its answer, and then it is not sent to this one. M-lines
are never reordered and never vanish: a free one is inactive until another track takes it, and one that the remote
rejected (port 0) stays rejected, as a browser will not revive a stopped transceiver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sfu.control import RemoteParameters, TransportOpened
from sfu.core.types import Codec, Kind
from sfu.wire.extensions import ExtensionIds
from signaling import sdp, sdp_extensions, sdp_formats, sdp_streams, sdp_transport
from signaling.sdp_streams import Direction

# The numbers Chromium uses, so that a description is easy to compare; any from 96 to 127 would do, and from 35 to 63.
OFFERED_PAYLOAD_TYPES: Final[Mapping[Kind, dict[Codec, tuple[int, int | None]]]] = MappingProxyType(
    {
        "audio": {Codec.OPUS: (111, None), Codec.RED: (63, None)},
        "video": {
            Codec.VP8: (96, 97),
            Codec.H264: (102, 103),
            Codec.VP9: (98, 99),
            Codec.AV1: (104, 105),  # 45 and 46 in Chromium, which is below what RFC 3551 calls dynamic
        },
    }
)

# Below 15, for the short form of header extensions.
OFFERED_EXTENSIONS: Final = ExtensionIds(
    mid=1, abs_send_time=2, transport_cc=3, audio_level=4, video_orientation=5, playout_delay=6, dependency_descriptor=7
)

MAX_MSID_CHARACTERS: Final = 64  # RFC 8830 §2

_FORMATS: Final = {kind: sdp_formats.own_formats(kind, OFFERED_PAYLOAD_TYPES[kind]) for kind in OFFERED_PAYLOAD_TYPES}
_PROTOCOL = "UDP/TLS/RTP/SAVPF"


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One m-line. `stream` and `track` become its `a=msid`, so both are tokens of at most 64 characters (RFC 8830);
    the browser plays tracks of one stream in step. Both None: the Slot is free and the line inactive."""

    mid: str
    kind: Kind
    ssrc: int
    rtx_ssrc: int | None
    stream: str | None
    track: str | None

    def __post_init__(self) -> None:
        for name in (self.stream, self.track):
            if name is not None and not (sdp.is_token(name) and len(name) <= MAX_MSID_CHARACTERS):
                raise ValueError(f"{name!r} cannot be part of an msid")
        if (self.stream is None) != (self.track is None):
            raise ValueError("a Slot has both stream and track, or neither")


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    remote: RemoteParameters
    rejected: frozenset[str]  # mids offered to carry a track, which the remote will not receive
    payload_types: dict[str, dict[Codec, tuple[int, int | None]]]  # mid → codec → media and RTX, of lines not rejected


class Offerer:
    """One per connection on which we are the permanent offerer. The caller keeps one offer outstanding at a time."""

    def __init__(self) -> None:
        self._lines: tuple[SlotLine, ...] = ()
        self._stopped: frozenset[str] = frozenset()  # mids with port 0 in some answer
        self._outstanding = False
        self._dtls_client: bool | None = None
        self._session_id = 0
        self._version = 0

    def offer(self, local: TransportOpened, lines: Sequence[SlotLine]) -> str:
        """The whole offer. `lines` holds those of the last offer, with the same mids, kinds and SSRCs in the same
        order, perhaps more; ValueError if not. There is at least one."""
        lines = tuple(lines)
        before = [_identity(line) for line in self._lines]
        mids = {line.mid for line in lines}
        if not lines or len(mids) != len(lines) or [_identity(line) for line in lines[: len(before)]] != before:
            raise ValueError("m-lines may only be added, each with a mid of its own")
        self._lines, self._outstanding = lines, True
        self._version += 1
        self._session_id = self._session_id or sdp_transport.session_id_of(local)
        return sdp.write(self._write(local))

    def on_answer(self, text: str) -> ReadAnswer:
        """The answer to the last offer; ProtocolError if it does not fit that, and then it still waits for one."""
        if not self._outstanding:
            raise ValueError("there is no offer to be answered")
        description = sdp.parse(text)
        media = _matched(description, self._lines)
        stopped = (
            frozenset(line.mid for line, one in zip(self._lines, media, strict=True) if one.port == 0) | self._stopped
        )
        tagged = self._tagged(description, media, stopped)
        transport = sdp_transport.read_transport(tagged, description.session)
        dtls_client = self._role(transport)
        read = [
            _read_line(line, one, description.session, sdp_extensions.allows_mixed(description))
            for line, one in zip(self._lines, media, strict=True)
            if line.mid not in stopped
        ]
        receiving = {one.mid for one in read if one.payload_types}
        self._stopped |= stopped
        self._dtls_client, self._outstanding = dtls_client, False
        return ReadAnswer(
            RemoteParameters(
                ice=transport.ice,
                fingerprints=transport.fingerprints,
                dtls_client=dtls_client,
                receive_extensions=ExtensionIds(),
                send_extensions=sdp_extensions.to_ids(extension for one in read for extension in one.extensions),
            ),
            frozenset(line.mid for line in self._lines if line.stream is not None and line.mid not in receiving),
            {one.mid: one.payload_types for one in read if one.payload_types},
        )

    def _write(self, local: TransportOpened) -> list[str]:
        group = [line.mid for line in self._lines if line.mid not in self._stopped]
        lines = [*sdp_transport.write_session(self._version, self._session_id, group), "a=extmap-allow-mixed"]
        for line in self._lines:
            lines += _write_line(line, stopped=line.mid in self._stopped)
            if line.mid not in self._stopped:
                lines += sdp_transport.write_transport(local, "actpass")
            if line.mid in group[:1]:
                lines += sdp_transport.write_candidates(local.candidates)
        return lines

    def _tagged(self, description: sdp.Description, media: Sequence[sdp.Media], stopped: frozenset[str]) -> sdp.Media:
        """The m-line whose transport parameters count. All that live must be in the group with it."""
        live = {line.mid: one for line, one in zip(self._lines, media, strict=True) if line.mid not in stopped}
        if not live:
            raise sdp.unsupported(media[0].line, "every m-line is rejected")
        group = sdp_transport.read_bundle(description)
        if group is None and len(live) == 1:
            return next(iter(live.values()))
        outside = [one for mid, one in live.items() if mid not in (group or ())]
        if outside or not group or group[0] not in live:
            raise sdp.unsupported((outside or media)[0].line, "an m-line outside of the BUNDLE group")
        return live[group[0]]

    def _role(self, transport: sdp_transport.RemoteTransport) -> bool:
        """Whether we are the DTLS client."""
        if transport.setup not in ("active", "passive"):
            raise sdp.malformed(transport.line, "an answer says a=setup:active or a=setup:passive")
        dtls_client = transport.setup == "passive"
        if self._dtls_client not in (None, dtls_client):
            raise sdp.unsupported(transport.line, "the DTLS roles of a connection do not change")
        return dtls_client


@dataclass(frozen=True, slots=True)
class _AnsweredLine:
    mid: str
    payload_types: dict[Codec, tuple[int, int | None]]  # empty: the remote does not receive
    extensions: tuple[sdp_extensions.Extension, ...]


def _matched(description: sdp.Description, lines: Sequence[SlotLine]) -> tuple[sdp.Media, ...]:
    """The m-lines of the answer, in the order of the offer's. Raises ProtocolError when they are others."""
    media = description.media
    if len(media) != len(lines):
        raise sdp.malformed(media[-1].line, f"{len(media)} m-lines answer {len(lines)}")
    for line, one in zip(lines, media, strict=True):
        mid = sdp_streams.read_mid(one)
        if one.kind != line.kind or (mid != line.mid and (one.port or mid is not None)):
            raise sdp.malformed(one.line, f"the offer has {line.kind} with mid {line.mid} here")
    return media


def _read_line(line: SlotLine, media: sdp.Media, session: sdp.Section, mixed: bool) -> _AnsweredLine:
    if not media.has("rtcp-mux"):
        raise sdp.unsupported(media.line, "an m-line without a=rtcp-mux")
    accepted = sdp_formats.accept_formats(line.kind, sdp_formats.read_formats(media))
    numbering = sdp_extensions.Numbering(mixed)
    extensions = numbering.take(media, session, sdp_extensions.SENT[line.kind])
    receives = line.stream is None or sdp_streams.read_direction(media, session).receives
    return _AnsweredLine(
        line.mid,
        {one.codec: (one.payload_type, one.rtx_payload_type) for one in accepted} if receives else {},
        tuple(
            one for one in extensions if one.direction.receives and one.number == getattr(OFFERED_EXTENSIONS, one.name)
        ),
    )


def _write_line(line: SlotLine, *, stopped: bool) -> list[str]:
    formats = _FORMATS[line.kind]
    payload_types = " ".join(sdp_formats.listed_payload_types(formats))
    carrying = line.stream is not None and not stopped
    return [
        f"m={line.kind} {0 if stopped else 9} {_PROTOCOL} {payload_types}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{line.mid}",
        f"a={Direction(sends=carrying, receives=False)}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *sdp_extensions.write_offered(OFFERED_EXTENSIONS, line.kind),
        *sdp_formats.write_formats(formats, sends=True),
        *(_write_msid(line) if carrying else []),
        *([] if stopped else _write_ssrcs(line)),
    ]


def write_sent(line: SlotLine) -> list[str]:
    """What an m-line that sends says of its stream, whoever offered it."""
    return [*_write_msid(line), *_write_ssrcs(line)]


def _write_msid(line: SlotLine) -> list[str]:
    return [] if line.stream is None else [f"a=msid:{line.stream} {line.track}"]


def _write_ssrcs(line: SlotLine) -> list[str]:
    """Of free lines too: when an SSRC leaves Chromium's description and the same one returns, it decodes the frames but
    shows none of them."""
    ssrcs = [line.ssrc] if line.rtx_ssrc is None else [line.ssrc, line.rtx_ssrc]
    group = [f"a=ssrc-group:FID {line.ssrc} {line.rtx_ssrc}"] if line.rtx_ssrc is not None else []
    return [*group, *(f"a=ssrc:{ssrc} cname:{line.stream or 'free'}" for ssrc in ssrcs)]


def _identity(line: SlotLine) -> tuple[str, Kind, int, int | None]:
    return line.mid, line.kind, line.ssrc, line.rtx_ssrc
