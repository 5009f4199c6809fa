"""Media time and world time of live pictures. Imports edge.types."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from edge.types import Wall

log = logging.getLogger("edge.source")

DRIFT_S = 1.0  # a stream's times may differ so much from the arrivals
WINDOW_S = 5.0  # a delay counts as drift once every picture of so long has it
LEAST_STEP_S = 1e-3
ARRIVAL_MS = 500.0  # exposure, coding, network and buffers of most cameras
LEAST_RTCP_S = 0.02
DOUBT_S = 5.0  # a camera whose clock is further off than this does not know the time
STEP_S = 0.5


class Timed(Protocol):
    """What a picture says of its time, and when it came."""

    @property
    def arrived_s(self) -> float:
        """`time.monotonic()`."""

    @property
    def pts_s(self) -> float | None:
        """Seconds in the stream's own time."""

    @property
    def utc_s(self) -> float | None:
        """Unix seconds by the camera's clock."""


class LiveClock:
    """Media time over all sessions of a source: seconds since it was opened.

    Within a session the stream's own times count, so that the network's jitter does not matter.
    A session begins at its first picture's arrival, so that gaps have their true length. Times
    that leave the arrivals by more than a second are drawn back to them.
    """

    def __init__(self, opened_s: float) -> None:
        """Begin; `opened_s` is `time.monotonic()` at media time 0."""
        self._opened_s = opened_s
        self._last_s = 0.0
        self._before: tuple[float, float] | None = None  # arrival, stream time of the last one
        self._shift_s: float | None = None  # media time minus stream time
        self._delays: deque[tuple[float, float]] = deque()  # media time, delay of the arrival

    def begin(self) -> None:
        """A new session, whose stream time may begin anywhere."""
        self._before = self._shift_s = None
        self._delays.clear()

    def media_s(self, picture: Timed) -> float | None:
        """Media time of a picture, later than the one before; None: it is out of order."""
        arrival_s = picture.arrived_s - self._opened_s
        stream_s = picture.pts_s
        if stream_s is None:
            media_s = max(arrival_s, self._last_s + LEAST_STEP_S)
            self._last_s = media_s
            return media_s
        if self._shift_s is None or self._has_jumped(arrival_s, stream_s):
            self.begin()
            self._shift_s = max(arrival_s, self._last_s + LEAST_STEP_S) - stream_s
        media_s = self._steered(stream_s + self._shift_s, arrival_s)
        if media_s <= self._last_s:
            return None
        self._shift_s = media_s - stream_s
        self._before = arrival_s, stream_s
        self._last_s = media_s
        return media_s

    def now_s(self, monotonic_s: float) -> float:
        """Media time of a moment between pictures; those that follow are not before it."""
        self._last_s = max(self._last_s, monotonic_s - self._opened_s)
        return self._last_s

    def _has_jumped(self, arrival_s: float, stream_s: float) -> bool:
        """Whether the camera set its stream's time: it went back, or on by what did not pass."""
        if self._before is None:
            return False
        step_s = stream_s - self._before[1]
        return step_s < -DRIFT_S or step_s - (arrival_s - self._before[0]) > DRIFT_S

    def _steered(self, media_s: float, arrival_s: float) -> float:
        """Media time, moved towards the arrival if it has drifted away from it."""
        delay_s = arrival_s - media_s
        if delay_s < -DRIFT_S:  # it runs ahead: at half its speed until it does not
            return max(arrival_s, (media_s + self._last_s) / 2)
        self._delays.append((media_s, delay_s))
        if media_s - self._delays[0][0] > WINDOW_S:
            least_s = min(delay for _, delay in self._delays)
            if least_s > DRIFT_S:  # not one late burst, but all pictures of the window
                self._delays.clear()
                return media_s + least_s
            self._delays.popleft()
        return media_s


class WorldTime:
    """World time of pictures: the camera's own where it tells it credibly, else the arrival."""

    def __init__(self, name: str = "", utc: Callable[[], float] = time.time) -> None:
        """Begin. `name` is for the log; `utc` gives Unix seconds."""
        self._name = name
        self._utc = utc
        self._delay_s: float | None = None  # from the camera's time to the arrival, smoothed
        self._is_doubted = False

    def wall(self, picture: Timed, monotonic_s: float) -> Wall:
        """World time of a picture, asked for at `monotonic_s`.

        Nothing arrives before it was taken, and seldom much later: if this machine's clock is
        right, the camera's cannot be off by more than the two times differ.
        """
        arrival_utc_s = self._utc() - (monotonic_s - picture.arrived_s)
        if picture.utc_s is None:
            return Wall(arrival_utc_s, "arrival", ARRIVAL_MS)
        delay_s = arrival_utc_s - picture.utc_s
        if abs(delay_s) > DOUBT_S:
            if not self._is_doubted:
                log.warning(
                    "%s: its clock differs from this machine's by %.0f s; the time of arrival is "
                    "taken; set both by NTP",
                    self._name,
                    -delay_s,
                )
            self._is_doubted, self._delay_s = True, None
            return Wall(arrival_utc_s, "arrival", ARRIVAL_MS)
        self._is_doubted = False
        before_s = delay_s if self._delay_s is None else self._delay_s
        self._delay_s = before_s + 0.05 * (delay_s - before_s)
        uncertainty_ms = 1e3 * max(LEAST_RTCP_S, abs(delay_s), abs(self._delay_s))
        return Wall(picture.utc_s, "rtcp_sr", round(uncertainty_ms, 1))

    def now(self) -> Wall:
        """World time of this moment."""
        return Wall(self._utc(), "arrival", ARRIVAL_MS)


class ClockSteps:
    """Tells when this machine's clock was set.

    Slow corrections, as NTP makes them, are followed without a word.

    >>> steps = ClockSteps(100.0, 0.0)
    >>> steps.step_s(101.0, 1.0), steps.step_s(3702.0, 2.0), steps.step_s(3703.1, 3.0)
    (None, 3600.0, None)
    """

    def __init__(self, utc_s: float, monotonic_s: float) -> None:
        """Begin with both clocks."""
        self._offset_s = utc_s - monotonic_s

    def step_s(self, utc_s: float, monotonic_s: float) -> float | None:
        """By how much it was set since the last call, seconds forward; None: it was not."""
        before_s, self._offset_s = self._offset_s, utc_s - monotonic_s
        step_s = self._offset_s - before_s
        return step_s if abs(step_s) > STEP_S else None
