"""Counts against true totals, and the crossings in a file of events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ConfigError
from edge.evaluate.crossings import DIRECTIONS, Crossing, Direction

LineTotals = Mapping[str, Mapping[Direction, int]]  # line name -> in and out


@dataclass(frozen=True, slots=True)
class LineCount:
    """One line: what was counted, and what is true."""

    line: str
    got_in: int
    got_out: int
    truth_in: int
    truth_out: int

    @property
    def wrong(self) -> int:
        """|got - truth| of both directions together: errors in one do not cancel the other's."""
        return abs(self.got_in - self.truth_in) + abs(self.got_out - self.truth_out)


@dataclass(frozen=True, slots=True)
class CountQuality:
    """All lines. Both errors are shares of the true passages; NaN if there are none.

    `directional_error` sums |got - truth| over lines and directions. `bias` sums got - truth:
    near 0 while the directional error is large, misses and double counts hide each other.
    """

    lines: tuple[LineCount, ...]
    directional_error: float
    bias: float
    notes: tuple[str, ...]


def count_quality(truth: LineTotals, crossings: Iterable[Crossing]) -> CountQuality:
    """Reported crossings against the true totals of each line.

    Args:
        truth: true totals; a missing direction is 0.
        crossings: what was reported; those on other lines are noted, and not judged.
    """
    got = {name: dict.fromkeys(DIRECTIONS, 0) for name in truth}
    others: dict[str, int] = {}
    for crossing in crossings:
        if crossing.line in got:
            got[crossing.line][crossing.direction] += 1
        else:
            others[crossing.line] = others.get(crossing.line, 0) + 1
    lines = tuple(
        LineCount(n, got[n]["in"], got[n]["out"], truth[n].get("in", 0), truth[n].get("out", 0))
        for n in truth
    )
    whole = sum(c.truth_in + c.truth_out for c in lines)
    surplus = sum(c.got_in + c.got_out for c in lines) - whole
    wrong = sum(c.wrong for c in lines)
    return CountQuality(
        lines,
        wrong / whole if whole else float("nan"),
        surplus / whole if whole else float("nan"),
        tuple(f"line '{n}' has {k} events and no truth: left out" for n, k in others.items()),
    )


def totals(crossings: Iterable[Crossing], lines: Sequence[str]) -> LineTotals:
    """Crossings of each line and direction; lines without any have zeros."""
    counted: dict[str, dict[Direction, int]] = {n: dict.fromkeys(DIRECTIONS, 0) for n in lines}
    for crossing in crossings:
        counted[crossing.line][crossing.direction] += 1
    return counted


def checked_totals(where: str, raw: Any) -> LineTotals:
    """True totals `{"line": {"in": 18, "out": 14}, ...}` as read from JSON.

    Raises:
        ConfigError: anything else.
    """
    fits = isinstance(raw, dict) and all(
        isinstance(t, dict) and all(d in DIRECTIONS and _is_count(n) for d, n in t.items())
        for t in raw.values()
    )
    if not fits or not raw:
        raise ConfigError(f'{where}: expected {{"line": {{"in": 18, "out": 14}}}}, got {raw!r:.80}')
    checked: LineTotals = raw
    return checked


def read_events(path: Path) -> list[Crossing]:
    """The crossings in an events file (JSON Lines, `count-event/1.0`), in its order.

    Events of other types, and those that add nothing to a count, are left out. An event that
    adds n is n crossings; one that was taken back later is none.

    Raises:
        ConfigError: no such file, or a line that is no event.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable events file, got {error}") from error
    found: dict[str, list[Crossing]] = {}  # by event id
    for number, line in enumerate(lines, 1):
        if line.strip():
            event_id, corrects, crossings = _crossings(f"{path}:{number}", line)
            found.pop(corrects, None)
            # Whoever wrote these lines without ids meant each of them.
            found[event_id or f"line {number}"] = crossings
    return [crossing for crossings in found.values() for crossing in crossings]


def _crossings(where: str, line: str) -> tuple[str, str, list[Crossing]]:
    """Id of the event, id of the one that it takes back, and the crossings that it adds."""
    try:
        event = json.loads(line)
        ids = str(event.get("event_id", "")), str(event.get("corrects", ""))
        if event["type"] != "line_crossed":
            return *ids, []
        direction: Direction = event["rule"]["direction"]
        crossing = Crossing(
            str(event["rule"]["id"]),
            direction,
            float(event["time"]["media_s"]),
            int((event.get("object") or {}).get("track_id", 0)),
        )
        delta = int(event["count"]["delta"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{where}: expected a count-event/1.0, got {line[:60]!r} ({error!r})"
        ) from error
    if direction not in DIRECTIONS:
        raise ConfigError(f"{where}: expected rule.direction 'in' or 'out', got {direction!r}")
    return *ids, [crossing] * delta


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
