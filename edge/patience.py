"""How long a delivery waits between two tries, and which events it gives up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from edge.events.rows import Row

STEADY_S = 600.0  # a sink must fail so long before old events are given up: it may just boot
CLOCK_WAS_SET = 1.6e9  # Unix seconds; before, a device had no time yet


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to wait after a failure: doubled with each one more, first again after success."""

    first_s: float = 1.0
    longest_s: float = 60.0

    def after(self, failures: int, asked_s: float = 0.0) -> float:
        """What to wait after so many failures in a row, if the receiver asks for `asked_s`.

        >>> [Pace().after(failures) for failures in (1, 2, 3, 7, 10_000)]
        [1.0, 2.0, 4.0, 60.0, 60.0]
        >>> Pace().after(1, asked_s=20.0), Pace().after(1, asked_s=86_400.0)
        (20.0, 60.0)
        """
        doubled_s = self.first_s * 2.0 ** min(max(failures, 1) - 1, 64)
        return min(max(doubled_s, asked_s), self.longest_s)


USUAL = Pace()


@dataclass(frozen=True, slots=True)
class Limits:
    """When an event is set aside that a sink does not take; None: never."""

    dead_letter_s: float | None = None  # its age, whatever keeps the sink from taking it
    refused_s: float | None = None  # for how long it alone was refused for what it says

    def too_old(self, rows: Iterable[Row], failing_s: float, now_unix_s: float) -> list[Row]:
        """The rows from the first on that are too old, after so long without success.

        Age counts from when the device's clock was set; before, by the time without success.

        >>> rows = [Row(1, "a", "{}", 1.7e9), Row(2, "b", "{}", 1.7e9 + 500)]
        >>> [row.position for row in Limits(900.0).too_old(rows, 700.0, 1.7e9 + 1000)]
        [1]
        """
        limit_s = self.dead_letter_s
        if limit_s is None or failing_s < min(limit_s, STEADY_S):
            return []

        def is_old(row: Row) -> bool:
            has_time = row.received_unix_s > CLOCK_WAS_SET
            return (now_unix_s - row.received_unix_s if has_time else failing_s) >= limit_s

        return list(takewhile(is_old, rows))

    def is_refused(self, failing_s: float) -> bool:
        """Whether an event that alone was refused so long has been refused for good."""
        return self.refused_s is not None and failing_s >= self.refused_s


NEVER = Limits()
