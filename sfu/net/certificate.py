"""The certificate that this process shows to every remote in DTLS.

Self-signed: what makes it trustworthy is its fingerprint, which travels through signaling. It is replaced well before
it expires. A Transport keeps the one it was opened with, since its remote was told that fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aiortc.rtcdtlstransport import RTCCertificate

from sfu.control import Fingerprint

# What aiortc issues: 30 days. Renewed when a third is left, so that a call of a week never outlives its certificate.
LIFETIME_S = 30 * 24 * 3600.0
RENEW_AFTER_S = LIFETIME_S * 2 / 3


@dataclass(frozen=True, slots=True)
class Certificate:
    rtc: RTCCertificate = field(repr=False)
    fingerprint: Fingerprint

    @classmethod
    def generate(cls) -> Certificate:
        """A new key and certificate, valid from now on (about 5 ms)."""
        rtc = RTCCertificate.generateCertificate()
        # Every browser understands sha-256, and one fingerprint is enough (RFC 8122 §5).
        value = next(entry.value for entry in rtc.getFingerprints() if entry.algorithm == "sha-256")
        return cls(rtc, Fingerprint("sha-256", value))


class CertificateStore:
    """Hands out the current certificate; `now` is the monotonic clock of everything else."""

    def __init__(self) -> None:
        self._current: Certificate | None = None
        self._renew_at = 0.0

    def current(self, now: float) -> Certificate:
        if self._current is None or now >= self._renew_at:
            self._current = Certificate.generate()
            self._renew_at = now + RENEW_AFTER_S
        return self._current
