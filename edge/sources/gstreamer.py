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
from edge.types import U8


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
def opened(address: str) -> Generator[Iterator[Picture | None], None, None]:
    """Start the pipeline behind `gst:`, which must end in an appsink that takes BGR.

    Its own time-outs count, not ours.

    Raises:
        SourceError: it does not start or, while iterating, gives nothing more.
    """
    check_gstreamer()
    capture = cv2.VideoCapture(address.partition(":")[2], cv2.CAP_GSTREAMER)
    try:
        if not capture.isOpened():
            raise SourceError("cannot connect: the pipeline does not start")
        yield _pictures(capture)
    finally:
        capture.release()


def _pictures(capture: cv2.VideoCapture) -> Iterator[Picture | None]:
    while True:
        try:
            is_good, image = capture.read()
            arrived_s = time.monotonic()
            pts_s = max(0.0, capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
        except cv2.error as error:
            raise SourceError(f"broken off: {error.err}") from error
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
