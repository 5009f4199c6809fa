"""Where frames come from: recorded video, folders of pictures, recorded detections, cameras.

A recording gives frames of one size, that of its first: what is larger or smaller it scales and
counts in `warnings`, or refuses. A camera that changes its size begins a new session. Rules, which
are shares of the frame, and tracks rely on it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.errors import SourceError
from edge.sources.address import is_live, kind_of, masked
from edge.sources.faults import Faults
from edge.sources.feed import PacedFeed, RecordedFeed
from edge.sources.file import VideoFile, check_file
from edge.sources.folder import ImageFolder
from edge.sources.gstreamer import check_gstreamer
from edge.sources.live import LiveSource
from edge.sources.settings import LiveSettings, LiveStats

__all__ = [
    "Faults",
    "ImageFolder",
    "LiveSettings",
    "LiveSource",
    "LiveStats",
    "PacedFeed",
    "RecordedFeed",
    "VideoFile",
    "check_live",
    "check_recorded",
    "is_live",
    "masked",
    "open_live",
    "open_source",
]


def open_source(text: str, reads_ahead: bool = True) -> VideoFile | ImageFolder:
    """The recording that a command line or config names.

    Args:
        text: a file or a folder of pictures.
        reads_ahead: on a thread of its own; else a frame is read when it is asked for.

    Raises:
        SourceError: It does not exist, cannot be read, or is a live camera.

    Example:
        >>> with open_source("tests/data/people.mp4") as video:
        ...     frames = [frame for frame, _ in zip(video, range(3))]
        >>> video.width, video.height, video.fps
        (768, 576, 10.0)
        >>> [frame.stamp.media_s for frame in frames], frames[0].image.shape
        ([0.0, 0.1, 0.2], (576, 768, 3))
    """
    path = Path(text)
    if path.is_dir():
        return ImageFolder(path, reads_ahead=reads_ahead)
    if is_live(text):
        raise SourceError(
            f"{masked(text)}: expected a file or a folder of pictures, got a live camera; "
            f"count it with `edge run`"
        )
    return VideoFile(path, reads_ahead=reads_ahead)


def check_recorded(text: str) -> None:
    """Refuse a recording that is not there, or cannot be read, without decoding anything.

    Raises:
        SourceError: No such file, or an empty one.
    """
    if not Path(text).is_dir():
        check_file(Path(text))


def check_live(text: str) -> None:
    """Refuse a kind of camera that cannot be read here, without opening it.

    Raises:
        SourceError: No such kind of camera, or this OpenCV has no GStreamer.
    """
    if kind_of(text) == "gst":
        check_gstreamer()


def open_live(
    text: str,
    settings: LiveSettings,
    session: int = 1,
    name: str = "",
    on_ready: Callable[[], None] | None = None,
) -> LiveSource:
    """The camera that a command line or config names; it is opened on a thread of its own.

    Args:
        text: `rtsp://`, `http://`, the number of a device, or `gst:PIPELINE`.
        settings: time-outs and limits.
        session: number of its first session.
        name: of the camera, for messages.
        on_ready: called on the camera's thread whenever `poll` has something new.

    Raises:
        SourceError: No such kind of camera, or this OpenCV has no GStreamer. One that cannot be
            reached is no error: it is lost until it can.
    """
    return LiveSource(text, settings, session, name, on_ready)
