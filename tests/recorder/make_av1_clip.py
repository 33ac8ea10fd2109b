"""Makes `clap.av1.ivf` anew: `python -m tests.recorder.make_av1_clip`.

The one encoder of AV1 that comes with PyAV, SVT-AV1, gives the thread that opens it the highest real-time priority
where it may, and on a machine whose cores are busy it now and then waits for a picture for ever. So it does not run in
the tests, which read what it made once.
"""

from __future__ import annotations

from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext

from tests.recorder import ivf
from tests.recorder.clap import AV1_CLIP, AV1_CLIP_S, FPS, HEIGHT, KEY_FRAME_EVERY, WIDTH, encode


def main() -> None:
    context = CodecContext.create("libsvtav1", "w")
    assert isinstance(context, VideoCodecContext)
    context.bit_rate = 0
    options = f"pred-struct=1:lookahead=0:rc=0:lp=1:keyint={KEY_FRAME_EVERY}"
    context.options = {"preset": "12", "svtav1-params": options}
    encoded = encode(context, AV1_CLIP_S, WIDTH, HEIGHT)
    assert all(is_key == (number % KEY_FRAME_EVERY == 0) for number, (_, is_key) in enumerate(encoded))
    ivf.write(AV1_CLIP, b"AV01", (WIDTH, HEIGHT), FPS, [picture for picture, _ in encoded])


if __name__ == "__main__":
    main()
