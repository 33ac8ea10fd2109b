"""`sfu mix DIR`: the recording's files in one, by its manifest. The same recording and layout give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import av

from recorder import manifest as manifests
from recorder.config import FilesConfig
from recorder.files.decoding import VIDEO_CLOCK
from recorder.files.laying import sound_frame
from recorder.files.names import FileNames
from recorder.files.output import WITH_VIDEO, Output
from recorder.manifest import File, Manifest
from recorder.media.sound import RATE
from recorder.mix.layouts import Layout
from recorder.mix.pictures import Painter
from recorder.mix.scenes import scenes
from recorder.mix.sound import SoundMix
from recorder.mix.sources import PictureSource, SoundSource

Progress = Callable[[float], None]  # from 0 to 1
_KEY_FRAME_INTERVAL_S = 2.0
_SOUND_STEP_S = 0.2


class CannotMix(Exception):
    """With words for who asked."""


def load(directory: Path) -> Manifest:
    """Raises CannotMix. Paths that lead out of the directory are refused, whoever wrote them."""
    path = directory / manifests.FILE_NAME
    try:
        manifest = manifests.decode(path.read_bytes())
    except OSError as error:
        raise CannotMix(f"{path}: {error.strerror} (`sfu recover` makes one)") from error
    except ValueError as error:
        raise CannotMix(f"{path}: {error}") from error
    if manifest.encrypted:
        raise CannotMix(f"{directory}: it was encrypted end to end; what its journal has cannot be decoded")
    root = directory.resolve()
    for file in manifest.files:
        if not (directory / file.path).resolve().is_relative_to(root):
            raise CannotMix(f"{path} names a file outside of its directory: {file.path}")
    return manifest


def mix(directory: Path, target: Path, layout: Layout, progress: Progress = lambda share: None) -> None:
    """Pictures and sound, or sound alone, as the ending of `target` says. Raises CannotMix."""
    manifest = load(directory)
    container = target.suffix.lstrip(".").lower()
    sounds = [SoundSource(directory / file.path, file.start_s) for file in manifest.files if file.has_sound]
    pictures: list[PictureSource] = []
    partial = target.with_name(f".{target.name}.partial")
    try:
        output = Output(partial, container)
        if container in WITH_VIDEO:
            painter = _painter(directory, manifest, layout, pictures)
            _write(output, manifest.duration_s, layout, painter, SoundMix(sounds), progress)
        else:
            _write(output, manifest.duration_s, layout, None, SoundMix(sounds), progress)
        output.close()
        partial.replace(target)
    except OSError as error:
        raise CannotMix(f"{target}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
        for sound in sounds:
            sound.close()
        for picture in pictures:
            picture.close()
    progress(1.0)


def stems(directory: Path, target: Path, container: str, progress: Progress = lambda share: None) -> list[Path]:
    """One file of sound per participant, all of one length, into the directory `target`. Raises CannotMix."""
    manifest = load(directory)
    by_participant: dict[str, list[File]] = {}
    for file in manifest.files:
        if file.has_sound:
            by_participant.setdefault(file.participant, []).append(file)
    names, written = FileNames(), []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for number, (identity, files) in enumerate(by_participant.items()):
            sounds = [SoundSource(directory / file.path, file.start_s) for file in files]
            path = target / f"{names.name(identity, '')}.{container}"
            output = Output(path, container)
            _write(output, manifest.duration_s, None, None, SoundMix(sounds), lambda share: None)
            output.close()
            written.append(path)
            for source in sounds:
                source.close()
            progress((number + 1) / len(by_participant))
    except OSError as error:
        raise CannotMix(f"{target}: {error.strerror or error}") from error
    return written


def _painter(directory: Path, manifest: Manifest, layout: Layout, opened: list[PictureSource]) -> Painter:
    sources: dict[tuple[str, bool], list[PictureSource]] = {}
    for file in manifest.files:
        if file.width is None:
            continue
        source = PictureSource(directory / file.path, file.start_s, file.turns)
        opened.append(source)
        sources.setdefault((file.participant, "screen" in file.sources), []).append(source)
    names = {one.identity: one.name for one in manifest.participants}
    return Painter(layout, scenes(manifest, layout), sources, names)


def _write(
    output: Output,
    duration_s: float,
    layout: Layout | None,
    painter: Painter | None,
    sound: SoundMix,
    progress: Progress,
) -> None:
    config = FilesConfig()
    video = None
    step_s = _SOUND_STEP_S
    if painter is not None and layout is not None:
        video = output.add_picture_encoder((layout.width, layout.height), config)
        step_s = 1 / layout.frames_per_s
    audio = output.add_sound_encoder(config)
    steps = max(1, math.ceil(duration_s / step_s - 1e-6))
    key_every = max(1, round(_KEY_FRAME_INTERVAL_S / step_s))
    for number in range(steps):
        at_s = number * step_s
        if painter is not None and video is not None:
            frame = painter.frame(at_s)
            frame.pts, frame.time_base = round(at_s * VIDEO_CLOCK.denominator), VIDEO_CLOCK
            frame.pict_type = av.video.frame.PictureType.I if number % key_every == 0 else 0
            output.mux(video.encode(frame))
        until = round(min((number + 1) * step_s, duration_s) * RATE)
        if until > sound.position:
            begin = sound.position
            output.mux(audio.encode(sound_frame(sound.take(until - begin), begin)))
        progress(number / steps)
    if video is not None:
        output.mux(video.encode(None))
    output.mux(audio.encode(None))
