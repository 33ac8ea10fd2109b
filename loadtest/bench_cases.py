"""What the micro-benchmarks measure. A case prepares and returns the call; those of the plane return ns themselves.

Imports happen inside, so that in a revision without one of the modules only its case is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

FEEDBACK_PACKETS = 20  # 100 ms of 200 packets/s


def _rtp_packet() -> bytes:
    from sfu.wire import rtp
    from sfu.wire.extensions import pack

    extension = pack([(1, b"0"), (3, b"\x00\x07"), (2, b"abc")])
    return rtp.build(
        payload_type=96, sequence_number=7, timestamp=9000, ssrc=77, payload=_vp8_payload(), extension=extension
    )


def _vp8_payload() -> bytes:
    return bytes((0x90, 0xE0, 0x80, 0x07, 0x03, 0x00, 0x11)) + bytes(1193)


def rtp_parse() -> Callable[[], object]:
    from sfu.wire import rtp

    packet = _rtp_packet()
    return lambda: rtp.parse(packet)


def rtp_build() -> Callable[[], object]:
    return _rtp_packet


def vp8_parse() -> Callable[[], object]:
    from sfu.wire import vp8

    payload = _vp8_payload()
    return lambda: vp8.parse(payload)


def demux() -> Callable[[], object]:
    from sfu.wire.demux import classify

    packet = _rtp_packet()
    return lambda: classify(packet)


def report_parse() -> Callable[[], object]:
    from sfu.wire.rtcp import parse

    compound = _report()
    return lambda: parse(compound)


def report_pack() -> Callable[[], object]:
    return _report


def _report() -> bytes:
    from sfu.wire.rtcp import ReceiverReport, ReportBlock, SourceDescription, pack_compound

    blocks = tuple(ReportBlock(ssrc, 0, 0, 1000, 20, 0, 0) for ssrc in (1, 2))
    return pack_compound([ReceiverReport(9, blocks), SourceDescription(9, "sfu")])


def feedback_build() -> Callable[[], object]:
    return _feedback


def feedback_parse() -> Callable[[], object]:
    from sfu.wire.rtcp import parse

    packed = _feedback()
    return lambda: parse(packed)


def _feedback() -> bytes:
    from sfu.wire import twcc

    return twcc.build(1, 2, 0, [(number, 10 + number * 0.005) for number in range(FEEDBACK_PACKETS)])


def check_parse() -> Callable[[], object]:
    """A connectivity check, with its integrity."""
    from aioice import stun as messages

    from sfu.net import stun

    request = messages.Message(messages.Method.BINDING, messages.Class.REQUEST, attributes={"USERNAME": "0abc:defg"})
    request.add_message_integrity(b"p" * 24)
    payload = bytes(request)

    def call() -> bool:
        check = stun.parse_check(payload)
        return check is not None and check.is_authentic("p" * 24)

    return call


def command_encode() -> Callable[[], object]:
    from sfu import control

    command = _command()
    return lambda: control.encode(command)


def command_decode() -> Callable[[], object]:
    from sfu import control

    frame = control.encode(_command())
    return lambda: control.decode(frame)


def _command() -> Any:
    from sfu.control import ConnectTransport, Fingerprint, IceParameters, RemoteParameters
    from sfu.wire.extensions import ExtensionIds

    remote = RemoteParameters(
        ice=IceParameters("abcdefgh", "p" * 24),
        fingerprints=[Fingerprint("sha-256", ":".join(["AB"] * 32))],
        dtls_client=False,
        receive_extensions=ExtensionIds(mid=1, transport_cc=3),
        send_extensions=ExtensionIds(mid=1, transport_cc=3),
    )
    return ConnectTransport(call=7, transport="17/transport/1", remote=remote)


def _plane(profile: str, subscribers: int, burst: int, name: str = "compiled") -> Callable[[], float]:
    def run() -> float:
        from loadtest.bench_plane import Case, measure

        return 1000 * measure(Case(name, profile, subscribers, burst), 20_000 if name == "compiled" else 2000)

    return run


CASES: Final[Mapping[str, Callable[[], Any]]] = {
    "wire: demux": demux,
    "wire: RTP parse": rtp_parse,
    "wire: RTP build": rtp_build,
    "wire: VP8 descriptor": vp8_parse,
    "wire: receiver report parse": report_parse,
    "wire: receiver report pack": report_pack,
    "wire: transport-cc parse (20 packets)": feedback_parse,
    "wire: transport-cc build (20 packets)": feedback_build,
    "net: check parse and verify": check_parse,
    "control: Command encode": command_encode,
    "control: Command decode": command_decode,
    "plane: compiled, GCM, 1 → 1, burst of 4": _plane("GCM", 1, 4),
    "plane: compiled, GCM, 1 → 50, burst of 4": _plane("GCM", 50, 4),
    "plane: compiled, CM, 1 → 50, burst of 4": _plane("CM", 50, 4),
    "plane: readable, GCM, 1 → 10, burst of 4": _plane("GCM", 10, 4, "fallback"),
}
