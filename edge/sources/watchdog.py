"""Notices pictures that show nothing new, or nothing at all. Imports numpy."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from edge.types import U8

LOOK_EVERY_S = 1.0
BLACK = 20  # of 255; night pictures have noise and lights above it
LIT_SHARE = 0.02  # of the picture may be brighter: cameras write name and time into it
Fault = Literal["frozen", "black"]


class Seen(Protocol):
    """What is looked at."""

    @property
    def arrived_s(self) -> float:
        """Monotonic seconds."""

    def fingerprint(self) -> int:
        """The same for equal pictures."""

    def grey(self) -> U8:
        """Grey values, uint8 (h, w)."""


class Watchdog:
    """Looks at a picture about once a second, and at each one while something is wrong.

    Frozen is what is the same to the last bit: sensors make noise, so that two pictures of the
    stillest scene differ. A camera that codes one picture anew again and again goes unnoticed.
    """

    def __init__(self, frozen_s: float | None, black_s: float | None) -> None:
        """Begin; None: do not look for that."""
        self.fault: Fault | None = None
        self._frozen_s, self._black_s = frozen_s, black_s
        self._looked_s = -LOOK_EVERY_S
        self._fingerprint: int | None = None
        self._same_since_s = 0.0
        self._black_since_s: float | None = None

    def begin(self, now_s: float) -> None:
        """A new connection: it has the full time to show something else."""
        self._same_since_s = now_s
        if self._black_since_s is not None and self.fault != "black":
            self._black_since_s = now_s

    def look(self, picture: Seen) -> Fault | None:
        """What is wrong with the picture, if anything."""
        now_s = picture.arrived_s
        if self.fault is None and now_s - self._looked_s < LOOK_EVERY_S:
            return None
        self._looked_s = now_s
        if self._is_black(picture, now_s):
            self.fault = "black"
        elif self._is_frozen(picture, now_s):
            self.fault = "frozen"
        else:
            self.fault = None
        return self.fault

    @property
    def fault_since_s(self) -> float:
        """When what is wrong now began, to within a second: long before it was called wrong."""
        if self.fault == "black" and self._black_since_s is not None:
            return self._black_since_s
        return self._same_since_s

    def is_overdue(self, now_s: float) -> bool:
        """Whether this connection too has shown the frozen picture for its full time."""
        return (
            self.fault == "frozen"
            and self._frozen_s is not None
            and now_s - self._same_since_s >= self._frozen_s
        )

    def _is_black(self, picture: Seen, now_s: float) -> bool:
        if self._black_s is None:
            return False
        grey = picture.grey()
        if np.count_nonzero(grey > BLACK) > LIT_SHARE * grey.size:
            self._black_since_s = None
            return False
        if self._black_since_s is None:
            self._black_since_s = now_s
        return self.fault == "black" or now_s - self._black_since_s >= self._black_s

    def _is_frozen(self, picture: Seen, now_s: float) -> bool:
        if self._frozen_s is None:
            return False
        before, self._fingerprint = self._fingerprint, picture.fingerprint()
        if self._fingerprint != before:
            self._same_since_s = now_s
            return False
        return self.fault == "frozen" or now_s - self._same_since_s >= self._frozen_s
