"""Recorded video, read by PyAV on a thread of its own. Imports av, opencv, numpy, edge.types."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from edge.errors import SourceError
from edge.sources.clock import MediaClock
from edge.sources.faults import Faults
from edge.sources.orientation import display_matrix, oriented
from edge.sources.prefetch import Prefetch
from edge.types import U8, Frame, Stamp

USUAL_FPS = Fraction(25)  # where a file names no rate and no times
PROBE_PACKETS = 1000  # a file whose first this many packets hold no picture is refused
CUT_S = 0.5  # a recording that stops this long before its announced end was cut off
HEADED_FORMATS = {"mov", "matroska", "avi"}  # their headers tell the true duration
# FFmpeg "plays" text files as terminal art and single pictures as one-frame videos.
NO_VIDEO_FORMATS = {"tty": "a text file", "bin": "a text file", "image2": "a single picture"}
SAMPLE_BYTES = 1 << 20


class VideoFile:
    """A recorded video as an iterator of frames, with every frame at its own media time.

    Opening decodes the first frame, so that a file which cannot be read is refused at once.
    If it `reads_ahead`, decoding then runs ahead on another thread, which waits when frames are
    not taken: a file never drops frames. Use it in a `with` block, or close it; it is read once.

    `Stamp.frame` numbers the decoded pictures from 0 in display order, the skipped ones
    included. `Stamp.media_s` is the picture's timestamp minus that of the first one. A broken
    picture is skipped, a file that stops short ends early; `warnings` counts what was amiss.
    Oblong pixels and interlacing are left as they are.

    Attributes:
        width: Pixels of a frame, after the rotation that the file asks for.
        height: Likewise.
        fps: Average rate that the file names; times never come from it.
        frame_count: Estimated number of frames for a progress bar, or None.
        duration_s: As the file names it, or None.
        warnings: Faults found so far.

    Raises:
        SourceError: The file is missing, unreadable, or holds no video.
    """

    def __init__(
        self, path: str | os.PathLike[str], decoder_threads: int = 1, reads_ahead: bool = True
    ) -> None:
        self.path = Path(path)
        self.warnings = Faults()
        self._container, self._stream = _opened(self.path)
        # One thread decodes 768 x 576 H.264 in 1.5 ms and leaves the cores to the model.
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = decoder_threads
        self._reformatter = VideoReformatter()  # kept, because it keeps its tables
        self._closed = False
        self._reads_ahead = reads_ahead
        self._prefetch: Prefetch | None = None

        rate = self._stream.average_rate or self._stream.guessed_rate or USUAL_FPS
        self.fps = float(rate)
        self.duration_s = _duration_s(self._container, self._stream)
        estimate = None if self.duration_s is None else max(1, round(self.duration_s * rate))
        self.frame_count = self._stream.frames or estimate
        self._clock = MediaClock(1 / Fraction(rate), self.warnings)

        pictures = self._pictures()
        first = next(pictures, None)
        if first is None:
            self._container.close()
            raise SourceError(f"{self.path}: expected a video file, got no picture that decodes")
        _, picture = first
        self._coded_wh = picture.width, picture.height
        self._matrix = display_matrix(picture)
        self.height, self.width = self._bgr(picture).shape[:2]
        self._frames = self._stamped(chain([first], pictures))

    @cached_property
    def content_key(self) -> str:
        """Hexadecimal SHA-256 of the file's size, first and last MiB: its identity.

        Independent of name and place, and as quick for a file of many GB.
        """
        return content_key(self.path)

    def __iter__(self) -> VideoFile:
        return self

    def __next__(self) -> Frame:
        if self._closed:
            raise StopIteration
        if not self._reads_ahead:
            return next(self._frames)
        if self._prefetch is None:
            self._prefetch = Prefetch(self._frames)
        return next(self._prefetch)

    def close(self) -> None:
        """Stop reading, at any time and as often as you like."""
        if self._closed:
            return
        self._closed = True
        if self._prefetch is None or self._prefetch.close():
            self._container.close()
            # They hold this object, and it holds 1 MB of the decoder: not until the next garbage
            # collection, which knows nothing of that.
            self._frames, self._prefetch = iter(()), None

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _stamped(self, pictures: Iterator[tuple[int, VideoFrame]]) -> Iterator[Frame]:
        for index, picture in pictures:
            time_base = picture.time_base or self._stream.time_base or 1 / USUAL_FPS
            media_s = self._clock.media_s(picture.pts, time_base)
            if picture.is_corrupt:
                self.warnings.broken_frames += 1
            elif media_s is not None:
                yield Frame(Stamp(index, media_s), self._bgr(picture))

    def _pictures(self) -> Iterator[tuple[int, VideoFrame]]:
        """Decoded pictures in display order, numbered; broken ones only leave a gap."""
        reached_s, index, tried = 0.0, 0, 0
        try:
            for packet in self._container.demux():
                if self._closed or (index == 0 and tried > PROBE_PACKETS):
                    return
                if packet.pts is not None and packet.time_base is not None:
                    end = packet.pts + (packet.duration or 0)
                    reached_s = max(reached_s, float(end * packet.time_base))
                if packet.stream.index == self._stream.index:
                    tried += 1
                    try:
                        for picture in self._stream.decode(packet):
                            yield index, picture
                            index += 1
                    except FFmpegError:
                        self.warnings.broken_frames += 1
                        index += index > 0
        except InvalidDataError:  # the container itself breaks off
            self.warnings.truncated = True
        except FFmpegError as error:
            raise SourceError(
                f"{self.path}: expected more video after {reached_s:.1f} s, got {error.strerror}"
            ) from error
        if self._announced_end_s() - reached_s > CUT_S:
            self.warnings.truncated = True

    def _announced_end_s(self) -> float:
        """Stream time at which the header says that the last track ends; 0 if it does not."""
        kind = self._container.format.name
        if HEADED_FORMATS.isdisjoint(kind.split(",")):
            return 0.0
        duration_s = (self._container.duration or 0) / av.time_base
        if kind == "avi":  # FFmpeg shortens its duration to what is there, but not its count
            duration_s = max(duration_s, self._stream.frames / self.fps)
        return (self._container.start_time or 0) / av.time_base + duration_s

    def _bgr(self, picture: VideoFrame) -> U8:
        width, height = self._coded_wh
        if (picture.width, picture.height) != (width, height):
            self.warnings.resized_frames += 1
        try:
            # Measured, 768 x 576: 0.2 ms; `picture.to_ndarray` without the kept reformatter
            # 2.9 ms, as it sets up its tables and a thread for each core every time.
            plain = self._reformatter.reformat(picture, width, height, "bgr24", threads=1)
        except (FFmpegError, ValueError) as error:
            raise SourceError(
                f"{self.path}: expected pictures that convert to BGR, got {picture.format.name}"
            ) from error
        image: U8 = plain.to_ndarray().astype(np.uint8, copy=False)
        return oriented(image, self._matrix)


def content_key(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's size, first and last MiB.

    Raises:
        SourceError: The file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(f"{size}\n".encode())
            for start in sorted({0, max(0, size - SAMPLE_BYTES)}):
                file.seek(start)
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got {error.strerror}") from error
    return digest.hexdigest()


def _opened(path: Path) -> tuple[InputContainer, VideoStream]:
    check_file(path)
    try:
        container = av.open(
            os.path.abspath(path),  # a relative name with a colon would be taken for a URL
            metadata_errors="ignore",
            options={"protocol_whitelist": "file"},  # a playlist must not reach the network
        )
    except (FFmpegError, UnicodeError) as error:
        raise SourceError(
            f"{path}: expected a video file, got something that is none "
            f"(or a recording that was interrupted before its index was written)"
        ) from error
    kind = container.format.name
    if kind in NO_VIDEO_FORMATS or kind.endswith("_pipe"):
        container.close()
        got = NO_VIDEO_FORMATS.get(kind, "a single picture")
        raise SourceError(f"{path}: expected a video file, got {got}")
    got = "sound only" if container.streams.audio else "no video track"
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:  # the cover of a song
            continue
        if stream.codec_context is not None:
            return container, stream
        got = "video of an unknown or damaged kind"
    container.close()
    raise SourceError(f"{path}: expected a video file, got {got}")


def check_file(path: Path) -> None:
    """Refuse what is no file with something in it that we may read.

    Raises:
        SourceError: It is none; a relative path is told with the folder it was looked for in.
    """
    try:
        if path.is_dir():
            got = "a folder"
        elif not path.exists():
            place = "" if path.is_absolute() else f" in {path.absolute().parent}"
            got = f"no such file{place}"
        elif not path.is_file():
            got = "a device or pipe"
        else:
            with path.open("rb") as file:
                if file.read(1):
                    return
            got = "an empty file"
    except OSError as error:
        got = (error.strerror or str(error)).lower()
    raise SourceError(f"{path}: expected a video file, got {got}")


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
