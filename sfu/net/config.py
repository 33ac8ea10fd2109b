"""Limits and intervals of Transports, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TransportConfig:
    # Liveness. We are ICE-lite and send no checks: what counts is the time since the remote's last valid one.
    silent_reconnecting_s: float = 10.0  # Chromium checks every 2.5 s, Firefox every 5: two or more lost in a row
    silent_gone_s: float = 30.0  # RFC 7675 §5.1: consent expires after 30 s
    path_silent_s: float = 5.0  # one lost check is normal; then a path that still gets checks takes over
    connect_timeout_s: float = 30.0  # from `open` until the remote's parameters come: a person may be asked first
    handshake_timeout_s: float = 15.0  # from `connect` until DTLS is done: four of its retransmissions (1+2+4+8 s)

    # ICE
    paths: int = 8  # as PlaneConfig.paths_per_transport: a path the plane forgot cannot be selected
    credential_generations: int = 4  # a remote that restarts again before it has used the last answer
    old_credentials_s: float = 10.0  # checks sent before the restart may still be under way, on any of its paths
    stun_error_answers_per_s: int = 20  # to strangers, all together: enough to debug a client, no use as a reflector

    # DTLS and SCTP
    dtls_queue: int = 256  # datagrams of one remote per turn of the loop; SCTP repeats what does not fit
    early_dtls: int = 4  # a handshake's first flight that overtakes the remote's parameters, else lost for 1 s
    data_channels: int = 32  # open at once: applications use a handful
    data_streams: int = 1024  # SCTP streams kept in memory; what Chromium's channel ids stay below
    data_unread_bytes: int = 2 << 20  # of unfinished messages; aiortc grants 1 MiB but does not enforce it
