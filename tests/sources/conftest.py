"""Small videos, sound and broken ones, made with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MakeVideo = Callable[..., Path]


def grey(k: int) -> int:
    """The grey value of picture k, so that a test can tell pictures apart."""
    return 30 + 20 * (k % 10)


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Makes a video whose picture k is plain grey(k), at the given times (in `tick`s)."""

    def make(
        name: str = "clip.mp4",
        pts: Iterable[int | None] = range(30),
        size: tuple[int, int] = (64, 48),
        tick: Fraction = Fraction(1, 10),
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        picture: Callable[[int], np.ndarray] | None = None,
    ) -> Path:
        path = tmp_path / name
        width, height = size
        with av.open(str(path), "w", options=container_options or {}) as container:
            stream = container.add_stream(codec, rate=Fraction(1) / tick)
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            stream.codec_context.time_base = tick
            stream.codec_context.thread_count = 1
            stream.options = {"preset": "ultrafast"} if codec == "libx264" else {}
            stream.options = {**stream.options, **(options or {})}
            for k, time in enumerate(pts):
                image = np.full((height, width, 3), grey(k), np.uint8)
                frame = av.VideoFrame.from_ndarray(
                    image if picture is None else picture(k), format="bgr24"
                )
                frame.pts, frame.time_base = time, tick
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
