"""FFmpeg's own WHIP muxer, as PyAV brings it: publishes a bot's picture in H.264 and its tone in Opus, in real time."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signaling.demo import picture, tone
from signaling.demo.picture import Picture
from signaling.demo.tone import Tone
from tests.support.server import ROOT, STOP_TIMEOUT_S

FRAMES_PER_S = 15
# The muxer does not hear requests for key frames, so they come by themselves.
GOP_FRAMES = 15


@dataclass(frozen=True, slots=True)
class Certificate:
    """The muxer's own certificate is over secp224r1, which OpenSSL refuses."""

    certificate: Path
    key: Path


def new_certificate(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ffmpeg")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return made


@contextlib.asynccontextmanager
async def ffmpeg_publishes(url: str, token: str, sender: int, certificate: Certificate) -> AsyncIterator[None]:
    """Publishes until the end of the block, which fails if it failed. `sender` is whom it draws.

    In a process of its own: the muxer waits for the server's answer without letting Python go on.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.ffmpeg_whip", url, str(sender)),
        *(str(certificate.certificate), str(certificate.key)),
        stdin=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(f"{token}\n".encode())
        yield
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    assert process.returncode == 0, "the publisher failed"


def main() -> None:
    url, sender, certificate, key = sys.argv[1:]
    token = sys.stdin.readline().strip()
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    _publish(url, token, int(sender), Certificate(Path(certificate), Path(key)), over)


def _publish(url: str, token: str, sender: int, certificate: Certificate, over: threading.Event) -> None:
    options = {
        "authorization": token,
        "cert_file": str(certificate.certificate),
        "key_file": str(certificate.key),
    }
    with av.open(url, "w", format="whip", options=options) as output:
        video, audio = _video(output), _audio(output)
        drawn, played = Picture("FFmpeg", sender), Tone(tone.pitch_hz(sender))
        began_s = time.monotonic()
        frames = samples = 0
        while not over.is_set():
            now_s = time.monotonic() - began_s
            if frames / FRAMES_PER_S <= now_s:
                planes = drawn.planes(frames, time.time())
                frame = av.VideoFrame.from_ndarray(
                    np.concatenate([plane.reshape(-1) for plane in planes]).reshape(-1, picture.WIDTH), "yuv420p"
                )
                frame.pts, frame.time_base = frames, Fraction(1, FRAMES_PER_S)
                output.mux(video.encode(frame))
                frames += 1
            if samples / tone.SAMPLE_RATE <= now_s:
                mono = played.frame()
                sound = av.AudioFrame.from_ndarray(np.repeat(mono, 2).reshape(1, -1), format="s16", layout="stereo")
                sound.sample_rate = tone.SAMPLE_RATE
                sound.pts, sound.time_base = samples, Fraction(1, tone.SAMPLE_RATE)
                output.mux(audio.encode(sound))
                samples += tone.FRAME_SAMPLES
            time.sleep(0.004)


def _video(output: OutputContainer) -> VideoStream:
    video = output.add_stream("libx264", rate=FRAMES_PER_S)
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = picture.WIDTH, picture.HEIGHT, "yuv420p"
    video.bit_rate = 400_000
    video.codec_context.gop_size = GOP_FRAMES
    video.codec_context.max_b_frames = 0
    video.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    return video


def _audio(output: OutputContainer) -> AudioStream:
    audio = output.add_stream("libopus", rate=tone.SAMPLE_RATE)
    assert isinstance(audio, AudioStream)
    audio.codec_context.layout = "stereo"
    audio.codec_context.format = "s16"
    audio.options = {"frame_duration": "20"}
    return audio


if __name__ == "__main__":
    main()
