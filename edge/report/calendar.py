"""Time cut into intervals: of local time by the clock, or of a recording. Imports `edge.errors`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from edge.errors import ConfigError

DAY_S = 86_400
HOUR_S = 3600
MOST_INTERVALS = 50_000

# Up to which span of time which interval is shown, seconds.
_LADDER = (
    (60, 1),
    (600, 10),
    (2 * HOUR_S, 60),
    (12 * HOUR_S, 300),
    (2 * DAY_S, 900),
    (14 * DAY_S, HOUR_S),
)
_UNITS = {"s": 1, "min": 60, "h": HOUR_S, "hour": HOUR_S, "d": DAY_S, "day": DAY_S}
_TICKS_S = [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800]
_TICKS_S += [n * HOUR_S for n in (1, 2, 3, 6, 12)] + [n * DAY_S for n in (1, 2, 7, 14, 28, 91)]
_MONDAY_S = 4 * DAY_S  # the first Monday after the epoch


def fitting_interval_s(span_s: float) -> int:
    """The interval in which a span of time is best shown: 1 s to a day.

    >>> [fitting_interval_s(s) for s in (20, 79.5, 3600, 10 * 3600, 86_400, 7 * 86_400, 1e8)]
    [1, 10, 60, 300, 900, 3600, 86400]
    """
    return next((interval for most, interval in _LADDER if span_s <= most), DAY_S)


def interval_of(option: str, text: str) -> int:
    """Seconds of an interval such as 15min, hour or day.

    Raises:
        ConfigError: it is none, or hours and days do not consist of such.

    >>> interval_of("--interval", "15min"), interval_of("--interval", "day")
    (900, 86400)
    """
    found = re.fullmatch(r"(\d{0,5})\s*(s|min|h|hour|d|day)", text.strip().lower())
    interval_s = int(found[1] or 1) * _UNITS[found[2]] if found else 0
    if interval_s != DAY_S and (interval_s == 0 or HOUR_S % interval_s):
        raise ConfigError(
            f"{option}: expected day or parts of an hour such as 10s, 5min, 15min or hour, "
            f"got {text!r:.40}"
        )
    return interval_s


def zone_of(option: str, name: str) -> tzinfo:
    """A time zone by its name in the IANA database.

    Raises:
        ConfigError: there is none of that name here.
    """
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a name that is a folder is an OSError
        raise ConfigError(
            f"{option}: expected a time zone such as Europe/Berlin, got {name!r:.60} "
            f"(if it exists, install tzdata)"
        ) from error


@dataclass(frozen=True, slots=True)
class Calendar:
    """Intervals of one length of one source's time; each is named by its start.

    World time, in Unix seconds, is cut where the local clock shows a multiple of the length; a day
    is a local day, also if it has 23 or 25 hours. Media time is cut at multiples from 0.
    """

    interval_s: int  # a day, or a part of an hour
    zone: tzinfo
    is_utc: bool  # else media time

    def start(self, at_s: float) -> int:
        """Start of the interval in which a time lies.

        >>> berlin = Calendar(86_400, ZoneInfo("Europe/Berlin"), True)
        >>> berlin.start(1_790_208_000) == 1_790_208_000 - 2 * 3600
        True
        """
        if not self.is_utc:
            return int(at_s // self.interval_s) * self.interval_s
        at = datetime.fromtimestamp(at_s // 1, self.zone)
        if self.interval_s == DAY_S:
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            return int(midnight.timestamp())
        offset_s = _offset_s(at)
        return int((at_s + offset_s) // self.interval_s) * self.interval_s - offset_s

    def after(self, start: int) -> int:
        """Start of the next interval."""
        if not self.is_utc or self.interval_s != DAY_S:
            step = start + self.interval_s
            return max(self.start(step), start + 1) if self.is_utc else step
        return self.start(start + 25.5 * HOUR_S)  # whether the day has 23, 24 or 25 hours

    def starts(self, first_s: float, last_s: float) -> list[int]:
        """All intervals from that of one time to that of another.

        Raises:
            ConfigError: there are too many to show.
        """
        if (last_s - first_s) / self.interval_s > MOST_INTERVALS:
            raise ConfigError(
                f"--interval: expected at most {MOST_INTERVALS} intervals, got {self.interval_s} s "
                f"each from {self.when(first_s)} to {self.when(last_s)}; choose longer ones"
            )
        found = [self.start(first_s)]
        while (following := self.after(found[-1])) <= last_s:
            found.append(following)
        return found

    def when(self, at_s: float) -> str:
        """A moment in words, to the second.

        >>> Calendar(60, timezone.utc, True).when(1_790_237_702.9)
        '2026-09-24 08:15:02'
        >>> Calendar(60, timezone.utc, False).when(3725.5)
        '1:02:05'
        """
        if not self.is_utc:
            whole = int(at_s // 1)
            sign, whole = ("-", -whole) if whole < 0 else ("", whole)
            return f"{sign}{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
        return f"{datetime.fromtimestamp(at_s // 1, self.zone):%Y-%m-%d %H:%M:%S}"

    def label(self, start: int) -> str:
        """Name of an interval in a table."""
        if not self.is_utc:
            return self.when(start)
        day_only = self.interval_s == DAY_S
        form = "%Y-%m-%d" if day_only else "%Y-%m-%d %H:%M" if self.interval_s >= 60 else ""
        at = datetime.fromtimestamp(start, self.zone)
        return at.strftime(form or "%Y-%m-%d %H:%M:%S")

    def iso(self, start: int) -> str:
        """World time with its offset, for other programs.

        >>> Calendar(900, ZoneInfo("Europe/Berlin"), True).iso(1_790_237_700)
        '2026-09-24T10:15:00+02:00'
        """
        return datetime.fromtimestamp(start, self.zone).isoformat()

    def short(self, start: int) -> str:
        """The same under a chart: the time of day, at midnight the day."""
        if not self.is_utc:
            text = self.when(start)
            return text.removeprefix("0:") if self.interval_s < HOUR_S else text
        at = datetime.fromtimestamp(start, self.zone)
        if self.interval_s == DAY_S or (at.hour, at.minute, at.second) == (0, 0, 0):
            return f"{at.day} {at:%b}"
        return at.strftime("%H:%M" if self.interval_s >= 60 else "%H:%M:%S")

    def ticks(self, starts: list[int], most: int = 9) -> list[int]:
        """Indices of the intervals that get a label: at round times, and not too many."""
        local_s = [
            s + (_offset_s(datetime.fromtimestamp(s, self.zone)) if self.is_utc else 0)
            for s in starts
        ]
        for step_s in _TICKS_S:
            shift_s = _MONDAY_S if step_s > 2 * DAY_S and self.is_utc else 0
            found = [k for k, s in enumerate(local_s) if (s - shift_s) % step_s == 0]
            if step_s >= self.interval_s and len(found) <= most:
                return found or [0]
        every = -(-len(starts) // most)
        return list(range(0, len(starts), every))


def interval_text(seconds: int) -> str:
    """A length of intervals in words.

    >>> [interval_text(s) for s in (10, 60, 900, 3600, 86400)]
    ['10 s', '1 min', '15 min', '1 hour', '1 day']
    """
    for unit_s, unit in ((86_400, "day"), (3600, "hour"), (60, "min"), (1, "s")):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def seconds_text(seconds: float) -> str:
    """A length of time in words.

    >>> [seconds_text(s) for s in (0, 2.04, 59.96, 300, 754.0, 7200, 8000)]
    ['0 s', '2 s', '1 min', '5 min', '12 min 34 s', '2 h', '2 h 13 min']
    """
    tenths = round(seconds * 10)
    if tenths < 600:
        return f"{tenths / 10:g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole // 60 % 60} min" if whole // 60 % 60 else "")


def _offset_s(at: datetime) -> int:
    offset = at.utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
