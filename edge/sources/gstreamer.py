"""Pictures of GStreamer pipelines, by an OpenCV built with GStreamer, as a Jetson's own is."""

from __future__ import annotations

import contextlib
import re
import time
import zlib
from collections.abc import Generator, Iterator

import cv2
import numpy as np

from edge.errors import SourceError
from edge.sources.picture import GREY_WH, Picture
from edge.sources.settings import LiveSettings
from edge.types import U8

TIMEOUTS_SINCE = (4, 8)  # OpenCV; before, a pipeline that is asked for them does not start


def check_gstreamer() -> None:
    """Refuse to go on without GStreamer.

    Raises:
        SourceError: this OpenCV was built without it.
    """
    if re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()) is None:
        raise SourceError(
            "gst: expected an OpenCV built with GStreamer, got one without; the opencv-python of "
            "pip has none, JetPack's own OpenCV has it (`edge doctor` shows which is used)"
        )


@contextlib.contextmanager
def opened(address: str, settings: LiveSettings) -> Generator[Iterator[Picture | None], None, None]:
    """Start the pipeline behind `gst:`, which must end in an appsink that takes BGR.

    OpenCV knows time-outs from 4.8 on; a read of an earlier one waits for a picture for ever.
    They are of the appsink alone: elements that block while they start are waited for.

    Raises:
        SourceError: it does not start or, while iterating, gives nothing more.
    """
    check_gstreamer()
    pipeline = address.partition(":")[2]
    capture = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER, _timeouts(settings))
    try:
        if not capture.isOpened():
            raise SourceError("cannot connect: the pipeline does not start")
        yield _pictures(capture, settings)
    finally:
        capture.release()


def _timeouts(settings: LiveSettings) -> list[int]:
    """Names and values of properties, if this OpenCV knows them."""
    if tuple(int(part) for part in re.findall(r"\d+", cv2.__version__)[:2]) < TIMEOUTS_SINCE:
        return []
    return [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(1e3 * settings.open_timeout_s)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(1e3 * settings.read_timeout_s)),
    ]


def _pictures(capture: cv2.VideoCapture, settings: LiveSettings) -> Iterator[Picture | None]:
    while True:
        asked_s = time.monotonic()
        try:
            is_good, image = capture.read()
            arrived_s = time.monotonic()
            pts_s = max(0.0, capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
        except cv2.error as error:
            raise SourceError(f"broken off: {error.err}") from error
        if not is_good and arrived_s - asked_s >= settings.read_timeout_s:
            raise SourceError(f"stalled: no picture for {settings.read_timeout_s:g} s")
        if not is_good:
            raise SourceError("broken off: the pipeline gives no more pictures")
        if image.ndim != 3 or image.shape[2] != 3:
            raise SourceError(
                f"expected a pipeline that ends in BGR pictures, got an array {image.shape}; "
                "put `videoconvert ! video/x-raw,format=BGR` before its appsink"
            )
        yield CapturedPicture(image.astype(np.uint8, copy=False), arrived_s, pts_s or None)


class CapturedPicture:
    """A picture of OpenCV."""

    def __init__(self, image: U8, arrived_s: float, pts_s: float | None) -> None:
        """Keep it."""
        self.arrived_s, self.pts_s = arrived_s, pts_s
        self.utc_s: float | None = None
        self.size = image.shape[1], image.shape[0]
        self._image = image

    def image(self) -> U8:
        """BGR uint8 (H, W, 3)."""
        return self._image

    def fingerprint(self) -> int:
        """Checksum of all bytes."""
        return zlib.crc32(self._image.tobytes())

    def grey(self) -> U8:
        """A small grey version, uint8 (72, 96)."""
        small = cv2.resize(self._image, GREY_WH, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
