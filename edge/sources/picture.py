"""What is asked of a decoded picture. It is converted only when its frame is taken."""

from __future__ import annotations

from typing import Protocol

from edge.types import U8

GREY_WH = 96, 72  # of the small version in which darkness is judged


class Picture(Protocol):
    """One picture of a live source."""

    @property
    def arrived_s(self) -> float:
        """`time.monotonic()` when it had come, before it was decoded."""

    @property
    def pts_s(self) -> float | None:
        """Seconds in the stream's own time, which begins anywhere; None: it has none."""

    @property
    def utc_s(self) -> float | None:
        """Unix seconds at which it was taken, by the camera's clock; None: it does not say."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as it is to be seen, pixels."""

    def image(self) -> U8:
        """BGR uint8 (H, W, 3), upright.

        Raises:
            SourceError: it cannot be converted.
        """

    def fingerprint(self) -> int:
        """The same for pictures that are the same to the last bit, and hardly ever for others."""

    def grey(self) -> U8:
        """A small grey version, uint8 (72, 96), 0 is black."""
