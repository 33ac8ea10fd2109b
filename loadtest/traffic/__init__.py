"""Prepared media at full rate over real ICE, DTLS and SRTP, against any server: see traffic.py."""

from loadtest.traffic.connection import SRTP_PROFILES, Connection, SrtpChoice
from loadtest.traffic.counts import Counts, Histogram, StreamCounts
from loadtest.traffic.streams import IncomingStream, OutgoingStream, audio, video
from loadtest.traffic.traffic import Traffic, Unavailable

__all__ = [
    "SRTP_PROFILES",
    "Connection",
    "Counts",
    "Histogram",
    "IncomingStream",
    "OutgoingStream",
    "SrtpChoice",
    "StreamCounts",
    "Traffic",
    "Unavailable",
    "audio",
    "video",
]
