"""What a description says of the Transport: BUNDLE, ICE, DTLS role and fingerprints, data channels; and our side of it.

There is one Transport per connection, so one BUNDLE group. The parameters are those of its tagged m-line, the
first of the group (RFC 8843 §7.1.2), or of the session. The remote's candidates are not read: an ICE-lite
agent answers checks and needs none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from sfu.control import Candidate, Fingerprint, IceParameters, TransportOpened
from signaling.sdp import Attribute, Description, Media, Section, malformed, number, unsupported

# An endpoint has one certificate and states it in two or three hashes.
MAX_FINGERPRINTS: Final = 8
# RFC 8841 §5: what browsers and aiortc use, too.
SCTP_PORT: Final = 5000
# A message is held whole in memory; 64 KiB is what a peer assumes when nothing is said (RFC 8841 §6.1).
MAX_DATA_MESSAGE_BYTES: Final = 65536

Setup = Literal["actpass", "active", "passive"]

_DIGEST_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_SETUPS: Final[dict[str, Setup]] = {"actpass": "actpass", "active": "active", "passive": "passive"}
_USERNAME_FRAGMENT = re.compile(r"[0-9A-Za-z+/]{4,256}")
_PASSWORD = re.compile(r"[0-9A-Za-z+/]{22,256}")
_HEX_PAIRS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    ice: IceParameters
    fingerprints: list[Fingerprint]
    setup: Setup | None
    line: int  # where it is said, for errors


def read_bundle(description: Description) -> tuple[str, ...] | None:
    """The mids of the first BUNDLE group, the tagged one first; None: there is no group."""
    for attribute in description.session.every("group"):
        semantics, *mids = attribute.value.split() or [""]
        if semantics == "BUNDLE":
            return tuple(mids)
    return None


def is_live(media: Media) -> bool:
    """Port 0 rejects an m-line, except that a bundled one has no port of its own (RFC 8843 §6)."""
    return media.port != 0 or media.has("bundle-only")


def read_transport(media: Media, session: Section) -> RemoteTransport:
    """Raises ProtocolError when something is missing, or no fingerprint has a hash we know."""
    return RemoteTransport(
        IceParameters(
            _credential("ice-ufrag", _USERNAME_FRAGMENT, media, session),
            _credential("ice-pwd", _PASSWORD, media, session),
        ),
        _fingerprints(media, session),
        _setup(media, session),
        media.line,
    )


def read_fragment(fragment: Description) -> IceParameters | None:
    """The credentials in a fragment (RFC 8840 §4.4): of its first m-line that has any, or of all. None: it has none.
    Raises ProtocolError."""
    for section in (*fragment.media, fragment.session):
        if section.has("ice-ufrag") or section.has("ice-pwd"):
            return IceParameters(
                _credential("ice-ufrag", _USERNAME_FRAGMENT, section, fragment.session),
                _credential("ice-pwd", _PASSWORD, section, fragment.session),
            )
    return None


def write_fragment(answer: Description, local: TransportOpened) -> list[str]:
    """What `answer` says of ICE, with other credentials: the tagged m-line is all that has any (RFC 8840 §4.4)."""
    group = answer.session.first("group")
    (tagged, *_) = [media for media in answer.media if media.has("candidate") or media.has("end-of-candidates")]
    return [
        "a=ice-lite",
        *([f"a=group:{group.value}"] if group else []),
        f"m={tagged.kind} {tagged.port} {tagged.protocol} {' '.join(tagged.formats)}",
        *(f"a=mid:{mid.value}" for mid in tagged.every("mid")),
        *_write_ice(local),
        *write_candidates(local.candidates),
    ]


def read_sctp_port(media: Media) -> int:
    attribute = media.first("sctp-port")
    return SCTP_PORT if attribute is None else number(attribute.value, attribute.line, 65535)


def write_transport(local: TransportOpened, setup: Setup) -> list[str]:
    """For every m-line that is not rejected, although one per group would do: some readers look at each alone."""
    return [
        *_write_ice(local),
        *(f"a=fingerprint:{one.algorithm} {one.value}" for one in local.fingerprints),
        f"a=setup:{setup}",
    ]


def write_candidates(candidates: list[Candidate]) -> list[str]:
    """For the tagged m-line. Foundations differ, as every address is a base of its own (RFC 8445 §5.1.1.3)."""
    lines = [
        f"a=candidate:{foundation} 1 udp {one.priority} {one.host} {one.port} typ host"
        for foundation, one in enumerate(candidates, start=1)
    ]
    return [*lines, "a=end-of-candidates"]


def write_session(version: int, session_id: int, mids: list[str]) -> list[str]:
    """The session section, the same for offers and answers."""
    return [
        "v=0",
        f"o=- {session_id} {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {' '.join(mids)}"] if mids else []),
        "a=msid-semantic: WMS *",
        "a=ice-lite",
    ]


def session_id_of(local: TransportOpened) -> int:
    """A number for `o=` that stays with the connection and tells it from others (RFC 8866 §5.2). From the random
    username fragment, which is public, as there is no other random here."""
    return int.from_bytes(local.ice.username_fragment.encode()[-7:], "big")


def _write_ice(local: TransportOpened) -> list[str]:
    return [f"a=ice-ufrag:{local.ice.username_fragment}", f"a=ice-pwd:{local.ice.password}"]


def _credential(name: str, form: re.Pattern[str], media: Section, session: Section) -> str:
    attribute = _own_or_session(name, media, session)
    if attribute is None:
        raise malformed(media.line, f"a={name} is missing")
    if not form.fullmatch(attribute.value):
        raise malformed(attribute.line, f"not an a={name}")
    return attribute.value


def _fingerprints(media: Media, session: Section) -> list[Fingerprint]:
    stated = media.every("fingerprint") or session.every("fingerprint")
    if not stated:
        raise malformed(media.line, "this m-line has no a=fingerprint")
    if len(stated) > MAX_FINGERPRINTS:
        raise unsupported(stated[MAX_FINGERPRINTS].line, f"more than {MAX_FINGERPRINTS} fingerprints")
    known = []
    for attribute in stated:
        algorithm, _, value = attribute.value.partition(" ")
        algorithm, value = algorithm.lower(), value.strip().upper()
        if algorithm not in _DIGEST_BYTES:
            continue
        if not _HEX_PAIRS.fullmatch(value) or len(value) != 3 * _DIGEST_BYTES[algorithm] - 1:
            raise malformed(attribute.line, f"not a fingerprint by {algorithm}")
        known.append(Fingerprint(algorithm, value))
    if not known:
        raise unsupported(stated[0].line, f"no fingerprint by {', '.join(_DIGEST_BYTES)}")
    return known


def _setup(media: Media, session: Section) -> Setup | None:
    attribute = _own_or_session("setup", media, session)
    if attribute is None:
        return None
    if attribute.value not in _SETUPS:
        raise unsupported(attribute.line, f"a=setup with {attribute.value[:20]!r}")
    return _SETUPS[attribute.value]


def _own_or_session(name: str, media: Section, session: Section) -> Attribute | None:
    return media.first(name) or session.first(name)
