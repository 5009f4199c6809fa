"""The books of each source: sessions, numbers, totals by rule, stays. Entered with the events.

All functions work inside the caller's transaction. Imports sqlite3 and its own folder only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge.events.info import Tally

Deltas = dict[str, tuple[int, int]]  # rule id -> what is added to in and to out


@dataclass(frozen=True, slots=True)
class Entry:
    """One event on its way into the journal.

    `source_key` is the content key of a file, or None for a live source. `event` is what
    `Encoder` made and `line` the same as text; without `event` it is read from the line.
    """

    source_id: str
    source_key: str | None
    event: Mapping[str, Any] | None
    line: str

    def read(self) -> Mapping[str, Any]:
        """The event, from the line if need be."""
        if self.event is not None:
            return self.event
        event: dict[str, Any] = json.loads(self.line)
        return event


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a source goes on: what its counters and its encoder begin with."""

    source_id: str
    source_key: str  # goes into the event ids: the file's content key, or the journal's id
    session: int  # of a live source: one that was never used before; of a file: 1
    seq: int  # last one used, so the next event has one more; 0 for a file, which begins again
    totals: Mapping[str, Tally]  # by rule id; zero for a file, which is counted again from 0
    resets: Mapping[str, Tally] = field(default_factory=dict)  # of changed rules: what ended
    state: dict[str, Any] | None = None  # as saved last
    # zone_entered and overcrowding_started that nothing has ended yet
    open_stays: tuple[dict[str, Any], ...] = ()


def deltas_of(event: Mapping[str, Any]) -> Deltas:
    """What an event adds to the totals of which rules.

    >>> rule = {"id": "gate", "direction": "in"}
    >>> deltas_of({"type": "line_crossed", "rule": rule, "count": {"delta": 1}})
    {'gate': (1, 0)}
    >>> lost = {"events": 4, "rules": [{"rule_id": "gate", "in": 3, "out": 1}]}
    >>> deltas_of({"type": "events_lost", "lost": lost})
    {'gate': (3, 1)}
    """
    if "lost" in event:
        return {rule["rule_id"]: (rule["in"], rule["out"]) for rule in event["lost"]["rules"]}
    rule, delta = event.get("rule", {}), event.get("count", {}).get("delta", 0)
    if not delta or "direction" not in rule:
        return {}
    return {rule["id"]: (delta, 0) if rule["direction"] == "in" else (0, delta)}


def counts_of(event: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The totals of which rules an event states, as they are after it.

    >>> counts_of({"rule": {"id": "gate"}, "count": {"in": 7}})
    {'gate': {'in': 7}}
    >>> counts_of({"lost": {"rules": [{"rule_id": "gate", "in": 3, "out": 1, "count": {"in": 7}}]}})
    {'gate': {'in': 7}}
    """
    if "lost" in event:
        return {r["rule_id"]: r["count"] for r in event["lost"]["rules"] if "count" in r}
    rule, count = event.get("rule"), event.get("count")
    return {rule["id"]: count} if rule and count else {}


@dataclass(frozen=True, slots=True)
class Loss:
    """Events of one source that could not be kept: how many, their numbers, what they counted."""

    events: int
    first_seq: int
    last_seq: int
    deltas: Deltas
    # by rule: seq of its last one, and the totals after it
    counts: Mapping[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)

    def joined(self, other: Loss) -> Loss:
        """Both losses as one, whichever was first.

        >>> Loss(1, 7, 7, {"gate": (1, 0)}).joined(Loss(2, 8, 9, {"gate": (0, 1)}))
        Loss(events=3, first_seq=7, last_seq=9, deltas={'gate': (1, 1)}, counts={})
        """
        deltas = dict(self.deltas)
        for rule_id, (ins, outs) in other.deltas.items():
            before = deltas.get(rule_id, (0, 0))
            deltas[rule_id] = before[0] + ins, before[1] + outs
        counts = dict(self.counts)
        for rule_id, (seq, count) in other.counts.items():
            if rule_id not in counts or seq > counts[rule_id][0]:
                counts[rule_id] = seq, count
        return Loss(
            self.events + other.events,
            min(self.first_seq, other.first_seq),
            max(self.last_seq, other.last_seq),
            deltas,
            counts,
        )


def loss_of(event: Mapping[str, Any]) -> Loss:
    """The loss of one event."""
    seq = event["seq"]
    counts = {rule_id: (seq, count) for rule_id, count in counts_of(event).items()}
    return Loss(1, seq, seq, deltas_of(event), counts)


class MakeLostEvent(Protocol):
    """Makes the `events_lost` event of a source; called in the thread of the writer.

    Give it the `seq` last_seq: it stands in for the last lost event, so that numbers and
    positions keep the same order; and an `event_id` that follows from its arguments.
    """

    def __call__(self, source_id: str, loss: Loss) -> dict[str, Any]:
        """What is lost of a source."""


def open_stream(
    connection: sqlite3.Connection,
    source_id: str,
    source_key: str,
    geometry: Mapping[str, str],
    now_utc_s: float | None,
) -> Stream:
    """Begin a session of a live source: books go on; a changed rule begins again at 0."""
    source = source_row(connection, source_id, source_key)
    connection.execute("UPDATE sources SET session = session + 1 WHERE id = ?", (source,))
    [(session, seq, state)] = connection.execute(
        "SELECT session, seq, state FROM sources WHERE id = ?", (source,)
    ).fetchall()
    totals = {}
    for rule_id, its_geometry in geometry.items():
        row = _current(connection, source, rule_id)
        if row is not None and row[1] != its_geometry:
            connection.execute("UPDATE tallies SET is_current = 0 WHERE id = ?", (row[0],))
            connection.execute(  # exits would count in the new one; overcrowding counts nothing
                "DELETE FROM stays WHERE source = ? AND rule_id = ? AND track_uid != ''",
                (source, rule_id),
            )
            # Until its event is in the journal, each start tells it.
            connection.execute(
                "INSERT OR REPLACE INTO resets VALUES (?, ?, ?)", (source, rule_id, row[0])
            )
            row = None
        if row is None:
            new_tally(connection, source, rule_id, its_geometry, now_utc_s)
            totals[rule_id] = Tally(since_utc_s=now_utc_s)
        else:
            totals[rule_id] = tally_of(row[2:])
    stays = connection.execute(
        "SELECT rule_id, line FROM stays WHERE source = ? "
        "ORDER BY rule_id, track_uid = '', track_uid",
        (source,),
    ).fetchall()
    untold = connection.execute(
        "SELECT resets.rule_id, count_in, count_out, by_class, since_utc_s FROM resets "
        "JOIN tallies ON tallies.id = tally WHERE resets.source = ?",
        (source,),
    ).fetchall()
    return Stream(
        source_id=source_id,
        source_key=source_key,
        session=session,
        seq=seq,
        totals=totals,
        resets={rule_id: tally_of(tuple(row)) for rule_id, *row in untold if rule_id in geometry},
        state=None if state is None else json.loads(state),
        open_stays=tuple(json.loads(line) for rule_id, line in stays if rule_id in geometry),
    )


def open_file(
    connection: sqlite3.Connection, source_id: str, source_key: str, geometry: Mapping[str, str]
) -> Stream:
    """Begin a file: it is counted again from 0, and events that are already known are ignored."""
    source = source_row(connection, source_id, source_key)
    connection.execute("UPDATE sources SET session = 1 WHERE id = ?", (source,))
    [(state,)] = connection.execute("SELECT state FROM sources WHERE id = ?", (source,)).fetchall()
    for rule_id, its_geometry in geometry.items():
        connection.execute(
            "UPDATE tallies SET is_current = (geometry = ?) WHERE source = ? AND rule_id = ?",
            (its_geometry, source, rule_id),
        )
        row = _current(connection, source, rule_id)
        if row is None:
            new_tally(connection, source, rule_id, its_geometry, None)
    return Stream(
        source_id=source_id,
        source_key=source_key,
        session=1,
        seq=0,
        totals={rule_id: Tally() for rule_id in geometry},
        state=None if state is None else json.loads(state),
    )


def source_row(connection: sqlite3.Connection, source_id: str, source_key: str) -> int:
    """Row of a source, made where there is none yet."""
    what = (source_id, source_key)
    connection.execute("INSERT OR IGNORE INTO sources (source_id, source_key) VALUES (?, ?)", what)
    [(row,)] = connection.execute(
        "SELECT id FROM sources WHERE source_id = ? AND source_key = ?", what
    ).fetchall()
    return int(row)


def new_tally(
    connection: sqlite3.Connection,
    source: int,
    rule_id: str,
    geometry: str,
    since_utc_s: float | None,
) -> int:
    """Row of a new tally of zero."""
    cursor = connection.execute(
        "INSERT INTO tallies (source, rule_id, geometry, since_utc_s) VALUES (?, ?, ?, ?)",
        (source, rule_id, geometry, since_utc_s),
    )
    return int(cursor.lastrowid or 0)


def tally_of(row: tuple[int, int, str, float | None]) -> Tally:
    """A tally from its columns count_in, count_out, by_class and since_utc_s."""
    count_in, count_out, by_class, since_utc_s = row
    return Tally(
        count_in,
        count_out,
        {name: (both[0], both[1]) for name, both in json.loads(by_class).items()},
        since_utc_s,
    )


def _current(connection: sqlite3.Connection, source: int, rule_id: str) -> Any:
    return connection.execute(
        "SELECT id, geometry, count_in, count_out, by_class, since_utc_s FROM tallies "
        "WHERE source = ? AND rule_id = ? AND is_current",
        (source, rule_id),
    ).fetchone()
