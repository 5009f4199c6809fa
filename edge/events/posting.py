"""Entering a batch of events in the journal, with all that they change, in one transaction.

Imports sqlite3 and its own folder only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from edge.events.books import Entry, counts_of, deltas_of, new_tally, source_row
from edge.events.envelope import utc_s_of


class Posting:
    """Takes events one by one and then brings the books up to date; of no use after that."""

    def __init__(self, connection: sqlite3.Connection, journal_id: str, now_unix_s: float) -> None:
        """Begin inside the caller's transaction."""
        self._connection = connection
        self._journal_id = journal_id
        self._now_unix_s = now_unix_s
        self._sources: dict[tuple[str, str], int] = {}
        self._numbers: dict[int, tuple[int, int]] = {}  # source -> last session and seq
        self._tallies: dict[tuple[int, str], int] = {}
        self._sums: dict[int, tuple[int, int]] = {}  # tally -> added to in and out
        self._by_class: dict[int, str] = {}  # tally -> by_class of the newest event

    def add(self, entry: Entry) -> bool:
        """Enter one event; False if it is already known, and then nothing changes."""
        event = entry.read()
        if self._is_known(event["event_id"], is_live=entry.source_key is None):
            return False
        source = self._source(entry.source_id, entry.source_key)
        rule = event.get("rule", {})
        position = self._connection.execute(
            "INSERT INTO events (event_id, source, seq, type, rule_id, at_unix_s,"
            " received_unix_s, line) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event["event_id"],
                source,
                event["seq"],
                event["type"],
                rule.get("id"),
                _unix_s(event, self._now_unix_s),
                self._now_unix_s,
                entry.line,
            ),
        ).lastrowid
        session, seq = self._numbers.get(source, (0, 0))
        self._numbers[source] = (
            max(session, event["source"]["session"]),
            max(seq, event["seq"]),
        )
        for rule_id, (count_in, count_out) in deltas_of(event).items():
            self._count(source, rule_id, (int(position or 0), count_in, count_out))
        for rule_id, count in counts_of(event).items():
            self._by_class[self._tally(source, rule_id)] = _compact(count["by_class"])
        if entry.source_key is None:
            self._follow(source, event, entry.line)
        return True

    def save_state(
        self, source_id: str, source_key: str | None, state: Mapping[str, Any] | None
    ) -> None:
        """Remember this as the state of a source."""
        source = self._source(source_id, source_key)
        text = None if state is None else json.dumps(state, separators=(",", ":"))
        self._connection.execute("UPDATE sources SET state = ? WHERE id = ?", (text, source))

    def finish(self) -> None:
        """Bring sessions, numbers and totals up to date."""
        self._connection.executemany(
            "UPDATE sources SET session = max(session, ?), seq = max(seq, ?) WHERE id = ?",
            [(session, seq, source) for source, (session, seq) in self._numbers.items()],
        )
        self._connection.executemany(
            "UPDATE tallies SET count_in = count_in + ?, count_out = count_out + ? WHERE id = ?",
            [(ins, outs, tally) for tally, (ins, outs) in self._sums.items()],
        )
        self._connection.executemany(
            "UPDATE tallies SET by_class = ? WHERE id = ?",
            [(text, tally) for tally, text in self._by_class.items()],
        )

    def _is_known(self, event_id: str, is_live: bool) -> bool:
        tables = ["events"]
        if not is_live:  # only a file is replayed after retention may have deleted its events
            tables.append("forgotten")
        return any(
            self._connection.execute(
                f"SELECT 1 FROM {t} WHERE event_id = ?", (event_id,)
            ).fetchone()
            for t in tables
        )

    def _source(self, source_id: str, source_key: str | None) -> int:
        what = (source_id, self._journal_id if source_key is None else source_key)
        if what not in self._sources:
            self._sources[what] = source_row(self._connection, *what)
        return self._sources[what]

    def _tally(self, source: int, rule_id: str) -> int:
        what = (source, rule_id)
        if what not in self._tallies:
            row = self._connection.execute(
                "SELECT id FROM tallies WHERE source = ? AND rule_id = ? AND is_current", what
            ).fetchone()
            # An event must be kept even where nobody has opened the books for its rule.
            self._tallies[what] = row[0] if row else new_tally(self._connection, *what, "", None)
        return self._tallies[what]

    def _count(self, source: int, rule_id: str, delta: tuple[int, int, int]) -> None:
        position, count_in, count_out = delta
        tally = self._tally(source, rule_id)
        self._connection.execute(
            "INSERT INTO deltas VALUES (?, ?, ?, ?)", (position, tally, count_in, count_out)
        )
        ins, outs = self._sums.get(tally, (0, 0))
        self._sums[tally] = ins + count_in, outs + count_out

    def _follow(self, source: int, event: Mapping[str, Any], line: str) -> None:
        """Note what an event begins, until another one ends it."""
        if event["type"] in ("zone_entered", "overcrowding_started"):
            self._connection.execute(
                "INSERT OR REPLACE INTO stays VALUES (?, ?, ?, ?)",
                (source, event["rule"]["id"], _who(event), line),
            )
        elif event["type"] in ("zone_exited", "overcrowding_ended"):
            self._connection.execute(
                "DELETE FROM stays WHERE source = ? AND rule_id = ? AND track_uid = ?",
                (source, event["rule"]["id"], _who(event)),
            )
        elif event["type"] == "counter_reset":
            self._connection.execute(
                "DELETE FROM resets WHERE source = ? AND rule_id = ?",
                (source, event["rule"]["id"]),
            )


def _who(event: Mapping[str, Any]) -> str:
    uid: str = event.get("object", {}).get("track_uid", "")
    return uid


def _unix_s(event: Mapping[str, Any], otherwise_s: float) -> float:
    try:
        return utc_s_of(event["time"].get("utc"))
    except (AttributeError, ValueError):  # unknown, as of recordings
        return otherwise_s


def _compact(by_class: Mapping[str, Mapping[str, int]]) -> str:
    return json.dumps(
        {name: [both["in"], both["out"]] for name, both in by_class.items()}, separators=(",", ":")
    )
