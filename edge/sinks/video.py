"""Annotated video, encoded by PyAV on its own thread. Imports av, opencv, numpy, edge.types."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from edge.errors import SinkError
from edge.types import U8, check

TICK = Fraction(1, 90_000)  # seconds; the usual clock of video, exact for 10, 25, 30, 29.97 Hz
WAITING = 4  # pictures waiting to be encoded before `write` waits
KEY_FRAME_S = 1.0
ENCODERS = {
    ".mp4": ("libx264", "libopenh264", "libvpx-vp9"),
    ".mov": ("libx264", "libopenh264"),
    ".mkv": ("libx264", "libopenh264", "libvpx-vp9"),
    ".webm": ("libvpx-vp9", "libvpx"),
}
OPTIONS = {
    # Measured, 768 x 576, one core: superfast 5.6 ms a picture and 8 kB, ultrafast 4.2 ms and
    # 12 kB, veryfast 8.4 ms and 4 kB. Encoding must not starve the model.
    "libx264": {"preset": "superfast", "crf": "23"},
    "libvpx-vp9": {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "crf": "32",
        "b": "0",
    },
    "libvpx": {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "crf": "12",
        "b": "2M",
    },
}


class VideoSink:
    """Writes pictures with their media times to a video file that browsers play.

    H.264 where the installed PyAV has an encoder for it, else VP9. The file is written as
    one-second fragments and turned into an ordinary indexed file by `close`: after a power
    cut it plays up to the last second or so. An odd width or height is padded by one pixel.

    Args:
        path: File to write, replaced if it exists: .mp4, .mov, .mkv or .webm.
        width: Pixels of every picture.
        height: Likewise.
        fps: Usual rate, which only guides the encoder: times are those given to `write`.

    Raises:
        SinkError: The file cannot be created.
    """

    def __init__(
        self, path: str | os.PathLike[str], width: int, height: int, fps: float = 25.0
    ) -> None:
        self.path = Path(path)
        self._size = width, height
        self._container = _created(self.path)
        try:
            self._stream = _stream(self._container, self.path, width, height, fps)
            # The file's header waits for the first picture: FFmpeg 8 crashes when it has to
            # finish a hybrid file that holds none.
            self._stream.codec_context.open()
        except (FFmpegError, ValueError) as error:
            self._abandon()
            raise self._failure(error) from error
        except SinkError:
            self._abandon()
            raise
        self._last_pts = -1
        self._next_key_s = 0.0
        self._failed: Exception | None = None
        self._closed = False
        self._queue: queue.Queue[tuple[U8, float] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="edge-video", daemon=True)
        self._thread.start()

    def write(self, image: U8, media_s: float) -> None:
        """Hand over one picture; waits while the encoder is behind, and never drops one.

        Args:
            image: BGR uint8 (height, width, 3). It is not copied: leave it alone afterwards.
            media_s: Its time, later than that of the picture before.

        Raises:
            SinkError: An earlier picture could not be written, or the sink is closed.
            ShapeError: The picture has another size.
        """
        width, height = self._size
        check("VideoSink.write", image, np.uint8, (height, width, 3))
        if self._closed:
            raise SinkError(f"{self.path}: expected an open video file, got a closed one")
        if self._failed is not None:
            raise self._failure(self._failed) from self._failed
        self._queue.put((image, media_s))

    def close(self) -> None:
        """Encode what is waiting and finish the file; may be called again.

        Raises:
            SinkError: Some of the video could not be written.
        """
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        if self._failed is not None:
            raise self._failure(self._failed) from self._failed

    def __enter__(self) -> VideoSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A full disk must not hide the error that ended the block.
        with contextlib.suppress(SinkError) if error else contextlib.nullcontext():
            self.close()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._failed is None:  # else only keep `write` from waiting for ever
                try:
                    self._encode(*item)
                except Exception as error:
                    self._failed = error
        try:
            if self._failed is None:
                self._container.mux(self._stream.encode(None))
        except Exception as error:
            self._failed = error
        try:
            self._container.close()
        except Exception as error:
            self._failed = self._failed or error

    def _encode(self, image: U8, media_s: float) -> None:
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        # OpenCV converts in 0.4 ms (768 x 576) what takes swscale 2.2 ms at the same accuracy.
        yuv: U8 = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)
        frame = VideoFrame.from_ndarray(yuv, format="yuv420p")
        frame.time_base = TICK
        frame.pts = self._last_pts = max(self._last_pts + 1, round(media_s / TICK))
        if media_s >= self._next_key_s:
            frame.pict_type = PictureType.I
            self._next_key_s = media_s + KEY_FRAME_S
        self._container.mux(self._stream.encode(frame))

    def _abandon(self) -> None:
        with contextlib.suppress(FFmpegError, ValueError):
            self._container.close()

    def _failure(self, error: Exception) -> SinkError:
        got = getattr(error, "strerror", None) or str(error)
        return SinkError(f"{self.path}: expected to write video, got: {got}")


def _created(path: Path) -> OutputContainer:
    if path.suffix.lower() not in ENCODERS:
        raise SinkError(
            f"{path}: expected a name that ends in {', '.join(ENCODERS)}, "
            f"got {path.suffix or 'no ending'}"
        )
    if not path.parent.is_dir():
        raise SinkError(f"{path}: expected an existing folder, got none; mkdir -p {path.parent}")
    if path.is_dir():
        raise SinkError(f"{path}: expected a file to write, got a folder")
    try:
        path.open("wb").close()  # PyAV creates the file only with the first picture
        return av.open(os.path.abspath(path), "w", options=_container_options(path))
    except (FFmpegError, OSError, ValueError) as error:
        got = getattr(error, "strerror", None) or str(error)
        raise SinkError(f"{path}: expected a file to write, got: {got}") from error


def _container_options(path: Path) -> dict[str, str]:
    options = {"flush_packets": "1"}
    if path.suffix.lower() in (".mp4", ".mov"):
        # Fragments while it grows, so that a power cut spares them; indexed when it is closed.
        # The header waits for the first second: it then says that the first picture is at 0 s.
        options["movflags"] = "frag_keyframe+hybrid_fragmented+delay_moov"
    else:
        options["cluster_time_limit"] = "1000"  # milliseconds
    return options


def _stream(
    container: OutputContainer, path: Path, width: int, height: int, fps: float
) -> VideoStream:
    wanted = ENCODERS[path.suffix.lower()]
    name = next((n for n in wanted if n in av.codecs_available), None)
    if name is None:
        raise SinkError(
            f"{path}: expected PyAV with one of {', '.join(wanted)}, got none of them; "
            f"pip install --upgrade av"
        )
    rate = Fraction(fps if fps > 0 else 25.0).limit_denominator(1001)
    stream = container.add_stream(name, rate=rate)
    if not isinstance(stream, VideoStream):
        raise SinkError(f"{path}: expected {name} to encode video, got {stream.type}")
    stream.width, stream.height = width + width % 2, height + height % 2
    stream.pix_fmt = "yuv420p"
    stream.time_base = TICK
    stream.codec_context.time_base = TICK
    stream.codec_context.thread_count = 1  # leave the cores to the model
    stream.options = dict(OPTIONS.get(name, {}))
    return stream
