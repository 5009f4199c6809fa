"""Whether the totals are what the events say, what is missing, and when nothing was seen.

Imports sqlite3 and its own folder only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from edge.events.books import counts_of, deltas_of
from edge.events.outages import Gap, Outages

_LONGEST = 100  # of the list of what is wrong


@dataclass(frozen=True, slots=True)
class RuleAudit:
    """Totals of a rule since its last reset, and what its events add up to; pairs are in, out."""

    source_id: str
    source_key: str
    rule_id: str
    since_utc_s: float | None
    is_current: bool  # False: ended by a change of its geometry
    total: tuple[int, int]  # as they are kept
    base: tuple[int, int]  # of events that retention has deleted
    deltas: tuple[int, int]  # sum over the events in the journal
    shown: tuple[int, int] | None  # as the newest event states it; None where there is none
    classed: tuple[int, int]  # sum over the classes

    @property
    def is_balanced(self) -> bool:
        """Whether total = base + deltas, and classes and the newest event say the same."""
        summed = (self.base[0] + self.deltas[0], self.base[1] + self.deltas[1])
        return self.total == summed == self.classed and self.shown in (None, self.total)


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers of a source, in a row, that no event has."""

    source_id: str
    first_seq: int
    last_seq: int
    is_explained: bool  # an events_lost event states them


@dataclass(frozen=True, slots=True)
class Audit:
    """What `edge events audit` shows."""

    events: int
    rules: list[RuleAudit]
    missing: list[Missing]
    gaps: list[Gap]  # live sources, by source and time
    lost: dict[str, int]  # events that events_lost events state, by source
    dead_letters: dict[str, int]  # by sink
    dropped: dict[str, int]  # deleted before they were delivered, by sink
    damage: list[str] = field(default_factory=list)  # what is wrong with the file itself

    @property
    def is_balanced(self) -> bool:
        """Whether every total can be derived, no event is missing unsaid, and the file is sound."""
        return (
            all(rule.is_balanced for rule in self.rules)
            and all(missing.is_explained for missing in self.missing)
            and not self.damage
        )


def audited(connection: sqlite3.Connection) -> Audit:
    """Audit of one moment of the journal, from every line in it."""
    check = connection.execute(f"PRAGMA quick_check({_LONGEST})").fetchall()
    reader = _Reader([text for (text,) in check if text != "ok"])
    booked = _booked(connection)
    due = next(booked, None)
    for position, *row in connection.execute(
        "SELECT position, event_id, at_unix_s, line, source, source_id, source_key = "
        "(SELECT value FROM meta WHERE name = 'journal_id') "
        "FROM events JOIN sources ON sources.id = events.source ORDER BY position"
    ):
        while due is not None and due[0] < position:
            reader.complain(f"position {due[0]}: counted, but no event is there")
            due = next(booked, None)
        is_due = due is not None and due[0] == position
        reader.read(_Line(*row), due[1] if due is not None and is_due else {})
        due = next(booked, None) if is_due else due
    if due is not None:
        reader.complain(f"position {due[0]}: counted, but no event is there")
    missing = _missing(connection, reader)
    return Audit(
        events=reader.events,
        rules=[reader.rule(row) for row in connection.execute(_TALLIES).fetchall()],
        missing=missing,
        gaps=[gap for outages in reader.outages.values() for gap in outages.gaps],
        lost=reader.lost(),
        dead_letters=dict(connection.execute(_LETTERS).fetchall()),
        dropped=dict(connection.execute(_DROPPED).fetchall()),
        damage=reader.damage,
    )


_TALLIES = (
    "SELECT tallies.id, source_id, source_key, rule_id, since_utc_s, is_current, by_class, "
    "count_in, count_out, base_in, base_out FROM tallies JOIN sources ON sources.id = source "
    "ORDER BY source_id, sources.id, rule_id, tallies.id"
)
_LETTERS = "SELECT sink, count(*) FROM dead_letters GROUP BY sink ORDER BY sink"
_DROPPED = "SELECT name, dropped FROM sinks WHERE dropped > 0 ORDER BY name"
# A recording that is counted again with other rules is numbered anew, so its numbers prove nothing.
_RENUMBERED = (
    "SELECT source FROM events JOIN sources ON sources.id = source WHERE type = 'started' AND "
    "source_key != (SELECT value FROM meta WHERE name = 'journal_id') "
    "GROUP BY source HAVING count(*) > 1"
)
_HOLES = """
SELECT source, source_id, max(seq_before, deleted_seq) + 1, seq - 1 FROM (
    SELECT source, source_id, deleted_seq, events.seq AS seq,
        lag(events.seq, 1, 0) OVER (PARTITION BY source ORDER BY events.seq) AS seq_before
    FROM events JOIN sources ON sources.id = source
    UNION ALL
    SELECT id, source_id, deleted_seq, seq + 1,
        coalesce((SELECT max(seq) FROM events WHERE source = sources.id), 0) FROM sources
) WHERE seq - 1 > max(seq_before, deleted_seq) ORDER BY 2, 1, 3
"""


@dataclass(frozen=True, slots=True)
class _Line:
    event_id: str
    at_unix_s: float
    line: str
    source: int
    source_id: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class _Loss:
    source_id: str
    first_seq: int
    last_seq: int
    events: int
    seq: int  # of the events_lost event, which may stand in for the last one


class _Reader:
    """Adds up what the lines say, in the order of their positions."""

    def __init__(self, damage: list[str]) -> None:
        self.damage = damage
        self.events = 0
        self.outages: dict[int, Outages] = {}
        self.losses: dict[int, list[_Loss]] = {}  # by source
        self._sums: dict[int, tuple[int, int]] = {}  # by tally
        self._shown: dict[int, tuple[int, int] | None] = {}

    def complain(self, text: str) -> None:
        if len(self.damage) < _LONGEST:
            self.damage.append(text)

    def read(self, row: _Line, booked: Mapping[str, tuple[int, int, int]]) -> None:
        """Take one event, and (tally, in, out) by rule as they were entered with it."""
        self.events += 1
        try:
            event = json.loads(row.line)
            deltas = deltas_of(event)
            if event["event_id"] != row.event_id:
                raise ValueError("another event_id")
            if {rule: (ins, outs) for rule, (_, ins, outs) in booked.items()} != deltas:
                raise ValueError("another delta than was counted")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.complain(f"event {row.event_id}: expected what was entered, got {error!r}")
            return
        for rule_id, (tally, ins, outs) in booked.items():
            before = self._sums.get(tally, (0, 0))
            self._sums[tally] = before[0] + ins, before[1] + outs
            self._shown[tally] = _shown(event, rule_id)
        if "lost" in event:
            lost = event["lost"]
            loss = (row.source_id, lost["first_seq"], lost["last_seq"], lost["events"])
            self.losses.setdefault(row.source, []).append(_Loss(*loss, event["seq"]))
        if row.is_live:
            outages = self.outages.setdefault(row.source, Outages(row.source_id))
            outages.update(event, row.at_unix_s)

    def rule(self, row: tuple[Any, ...]) -> RuleAudit:
        tally, source_id, source_key, rule_id, since_utc_s, is_current, by_class, *numbers = row
        classes = list(json.loads(by_class).values())
        return RuleAudit(
            source_id=source_id,
            source_key=source_key,
            rule_id=rule_id,
            since_utc_s=since_utc_s,
            is_current=bool(is_current),
            total=(numbers[0], numbers[1]),
            base=(numbers[2], numbers[3]),
            deltas=self._sums.get(tally, (0, 0)),
            shown=self._shown.get(tally),
            classed=(sum(ins for ins, _ in classes), sum(outs for _, outs in classes)),
        )

    def lost(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for loss in (loss for losses in self.losses.values() for loss in losses):
            found[loss.source_id] = found.get(loss.source_id, 0) + loss.events
        return found


def _shown(event: Mapping[str, Any], rule_id: str) -> tuple[int, int] | None:
    count = counts_of(event).get(rule_id)
    return None if count is None else (count["in"], count["out"])


def _booked(
    connection: sqlite3.Connection,
) -> Iterator[tuple[int, dict[str, tuple[int, int, int]]]]:
    """By position: what was entered, (tally, in, out) by rule."""
    rows = connection.execute(
        "SELECT position, rule_id, tally, deltas.count_in, deltas.count_out FROM deltas "
        "JOIN tallies ON tallies.id = tally ORDER BY position"
    )
    for position, group in groupby(rows, key=lambda row: row[0]):
        yield position, {rule_id: (tally, ins, outs) for _, rule_id, tally, ins, outs in group}


def _missing(connection: sqlite3.Connection, reader: _Reader) -> list[Missing]:
    """Numbers that no event has; complains of losses that state another count of them."""
    missing = []
    found: dict[_Loss, int] = {}
    renumbered = {source for (source,) in connection.execute(_RENUMBERED).fetchall()}
    for source, source_id, first, last in connection.execute(_HOLES).fetchall():
        if source in renumbered:
            continue
        explained = 0
        for loss in reader.losses.get(source, []):
            if loss.first_seq <= last and first <= loss.last_seq:
                shared = min(last, loss.last_seq) - max(first, loss.first_seq) + 1
                found[loss] = found.get(loss, 0) + shared
                explained += shared
        missing.append(Missing(source_id, first, last, explained == last - first + 1))
    for source, deleted_seq in connection.execute("SELECT id, deleted_seq FROM sources").fetchall():
        for loss in reader.losses.get(source, []):
            itself = loss.first_seq <= loss.seq <= loss.last_seq
            count = found.get(loss, 0) + itself
            if loss.first_seq > deleted_seq and count != loss.events:
                reader.complain(
                    f"{loss.source_id}: events_lost states {loss.events} from seq "
                    f"{loss.first_seq} to {loss.last_seq}, but {count} are missing"
                )
    return missing
