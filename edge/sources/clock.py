"""Media time from a stream's own timestamps. Imports edge.sources.faults."""

from __future__ import annotations

from fractions import Fraction

from edge.sources.faults import Faults

JUMP_S = 1  # a step back of this much is a new recording, a smaller one a frame out of order


class MediaClock:
    """Turns presentation timestamps into seconds that start at 0.0 and strictly increase.

    Sums are kept as fractions, so that frame k of a 10 Hz clip is at exactly k / 10 s.

    >>> clock = MediaClock(Fraction(1, 10), Faults())
    >>> [clock.media_s(pts, Fraction(1, 90000)) for pts in (126000, 135000, 135000, None)]
    [0.0, 0.1, None, 0.2]
    """

    def __init__(self, interval_s: Fraction, faults: Faults) -> None:
        self._interval_s = interval_s  # usual distance of two frames, for those without a time
        self._faults = faults
        self._origin_s: Fraction | None = None  # stream time at media time 0
        self._last_s: Fraction | None = None

    def media_s(self, pts: int | None, time_base: Fraction) -> float | None:
        """Media time of the next frame in seconds, or None: skip it, it is out of order."""
        expected_s = Fraction(0) if self._last_s is None else self._last_s + self._interval_s
        if pts is None:
            self._faults.missing_times += 1
            time_s = expected_s
        else:
            if self._origin_s is None:
                self._origin_s = pts * time_base - expected_s
            time_s = pts * time_base - self._origin_s
            if self._last_s is not None and time_s <= self._last_s:
                if time_s > self._last_s - JUMP_S:
                    self._faults.repeated_times += 1
                    return None
                self._faults.time_jumps += 1
                self._origin_s += time_s - expected_s
                time_s = expected_s
        self._last_s = time_s
        return float(time_s)
