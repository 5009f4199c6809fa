"""The journal: every event is kept here, with the totals it changes, before it goes anywhere.

Imports the standard library and its own folder only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.events.audit import Audit, audited
from edge.events.books import Entry, Stream, open_file, open_stream, tally_of
from edge.events.database import Database, JournalError
from edge.events.posting import Posting
from edge.events.retention import Retained, Retention, used_bytes
from edge.events.rows import ALL, Choice, DeadLetter, Row, RuleTotals, SinkPosition

__all__ = [
    "ALL",
    "Choice",
    "DeadLetter",
    "Entry",
    "Journal",
    "JournalError",
    "Retained",
    "Row",
    "RuleTotals",
    "SinkPosition",
    "Stream",
]


_ROW = "position, event_id, line, received_unix_s"


class Journal:
    """Events in the order in which they came, the books of each source, and sinks' positions.

    May be used by several threads; reading does not hold up writing. Everything that a method
    writes is on the disk when it returns, and all of it or nothing after a loss of power.
    """

    def __init__(self, path: Path | str, now: Callable[[], float] = time.time) -> None:
        """Open a journal, or make a new one, and keep others from writing to it.

        Args:
            path: of the SQLite file; PATH-wal, PATH-shm and PATH.lock lie next to it.
            now: the clock, Unix seconds.

        Raises:
            JournalError: in use by another process, no journal, written by a newer version,
                damaged, or not to be written.
        """
        self._open(Database(Path(path)), now)

    @classmethod
    def reading(cls, path: Path | str, now: Callable[[], float] = time.time) -> Journal:
        """Open an existing journal for reading only, even while another process writes to it.

        Raises:
            JournalError: there is none, or it cannot be read.
        """
        journal = cls.__new__(cls)
        journal._open(Database(Path(path), is_reading=True), now)
        return journal

    def _open(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self.path = database.path
        [(self.journal_id,)] = self._all("SELECT value FROM meta WHERE name = 'journal_id'")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others have it."""
        self._database.close()

    # Writing

    def stream(
        self,
        source_id: str,
        source_key: str | None,
        geometry: Mapping[str, str],
        now_utc_s: float | None,
    ) -> Stream:
        """Open the books of a source, before its first event or after its rules have changed.

        Events of it that still wait in a JournalWriter must be written before (`flush`).

        Args:
            source_id: name of the camera.
            source_key: content key of a file; None for a live source.
            geometry: fingerprint of the geometry of each rule, by rule id.
            now_utc_s: Unix seconds, from which new rules of a live source count.

        Raises:
            JournalError: it cannot be written.
        """
        with self._database.write() as connection:
            if source_key is None:
                return open_stream(connection, source_id, self.journal_id, geometry, now_utc_s)
            return open_file(connection, source_id, source_key, geometry)

    def append(
        self,
        batch: Sequence[Entry],
        states: Mapping[tuple[str, str | None], Mapping[str, Any] | None] | None = None,
    ) -> int:
        """Add events with all they change, in one transaction; known event ids are ignored.

        Args:
            batch: events in order.
            states: what to save as the state of which (source_id, source_key).

        Returns:
            How many were new.

        Raises:
            JournalError: it cannot be written; then nothing of the batch is in it.
        """
        with self._database.write() as connection:
            posting = Posting(connection, self.journal_id, self._now())
            added = sum([posting.add(entry) for entry in batch])
            for (source_id, source_key), state in (states or {}).items():
                posting.save_state(source_id, source_key, state)
            posting.finish()
        return added

    def save_state(
        self, source_id: str, source_key: str | None, state: Mapping[str, Any] | None
    ) -> None:
        """Remember what a source needs to go on, as JSON; `stream` gives it back.

        Raises:
            JournalError: it cannot be written.
        """
        self.append([], {(source_id, source_key): state})

    def delivered(self, sink: str, position: int) -> None:
        """Note that a sink has everything up to a position; it never goes back by this.

        Raises:
            JournalError: it cannot be written.
        """
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO sinks (name, position) VALUES (?, ?) ON CONFLICT (name) "
                "DO UPDATE SET position = max(position, excluded.position)",
                (sink, position),
            )

    def rewind(self, sink: str, position: int) -> None:
        """Have everything after a position delivered to a sink again.

        Raises:
            JournalError: it cannot be written.
        """
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO sinks (name, position) VALUES (?, ?) ON CONFLICT (name) "
                "DO UPDATE SET position = excluded.position",
                (sink, position),
            )

    def dead_letter(self, sink: str, rows: Sequence[Row], reason: str) -> None:
        """Set aside events that a sink gives up. Its position stays: call `delivered` then.

        Raises:
            JournalError: it cannot be written.
        """
        with self._database.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?)",
                [(sink, r.position, r.event_id, r.line, reason, self._now()) for r in rows],
            )

    def retain(
        self, max_age_s: float | None, max_bytes: int | None, sinks: Sequence[str]
    ) -> Retained:
        """Delete what is too old or too much, in small steps that let other writers in between.

        First goes what all sinks have and is older than `max_age_s`. If the file is still too
        large: what all sinks have, then dead letters, then what some sink does not have yet,
        the oldest first; that is logged and added to the sink's `dropped`. Deleted counts stay
        in the totals.

        Args:
            max_age_s: seconds since the event came; None: any age.
            max_bytes: size of the file; None: any size.
            sinks: names of the sinks that matter.

        Raises:
            JournalError: it cannot be written.
        """
        return Retention(self._database, tuple(sinks), self._now()).apply(max_age_s, max_bytes)

    # Reading: all raise JournalError where the file cannot be read.

    @property
    def newest(self) -> int:
        """Position of the newest event ever, also if it is deleted; 0 before the first."""
        rows = self._all("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        return int(rows[0][0]) if rows else 0

    @property
    def size_bytes(self) -> int:
        """What the events take up, without the space of deleted ones."""
        with self._database.read() as connection:
            return used_bytes(connection)

    def after(self, position: int, limit: int, choice: Choice = ALL) -> list[Row]:
        """Up to `limit` events that come after a position, in order."""
        condition, values = choice.sql()
        rows = self._all(
            f"SELECT {_ROW} FROM events WHERE position > ? AND {condition} "
            "ORDER BY position LIMIT ?",
            (position, *values, limit),
        )
        return [Row(*row) for row in rows]

    def last(self, count: int, choice: Choice = ALL) -> list[Row]:
        """The newest `count` events, in order."""
        condition, values = choice.sql()
        rows = self._all(
            f"SELECT {_ROW} FROM events WHERE {condition} ORDER BY position DESC LIMIT ?",
            (*values, count),
        )
        return [Row(*row) for row in reversed(rows)]

    def all_after(self, position: int, choice: Choice = ALL) -> Iterator[Row]:
        """Every event after a position, read a page at a time."""
        while page := self.after(position, 1000, choice):
            yield from page
            position = page[-1].position

    def source_keys(self, first: int, last: int) -> dict[int, str]:
        """By position, from `first` to `last`: the key of the recording, or of the live source."""
        rows = self._all(
            "SELECT position, source_key FROM events JOIN sources ON sources.id = source "
            "WHERE position BETWEEN ? AND ?",
            (first, last),
        )
        return dict(rows)

    def row(self, position: int, choice: Choice = ALL) -> Row | None:
        """The event at a position; None if there is none or it does not fit."""
        condition, values = choice.sql()
        rows = self._all(
            f"SELECT {_ROW} FROM events WHERE position = ? AND {condition}", (position, *values)
        )
        return Row(*rows[0]) if rows else None

    def state(self, source_id: str, source_key: str | None) -> dict[str, Any] | None:
        """What was saved last as the state of a source; None if nothing was."""
        rows = self._all(
            "SELECT state FROM sources WHERE source_id = ? AND source_key = ?",
            (source_id, self.journal_id if source_key is None else source_key),
        )
        return json.loads(rows[0][0]) if rows and rows[0][0] is not None else None

    def position(self, sink: str) -> int:
        """Up to where a sink has everything; 0 if it is new."""
        rows = self._all("SELECT position FROM sinks WHERE name = ?", (sink,))
        return int(rows[0][0]) if rows else 0

    def sinks(self) -> list[SinkPosition]:
        """All sinks that were ever delivered to, by name."""
        rows = self._all("SELECT name, position, dropped FROM sinks ORDER BY name")
        return [SinkPosition(*row) for row in rows]

    def dead_letters(self, sink: str | None = None) -> list[DeadLetter]:
        """What was set aside, for one sink or all, by sink and position."""
        rows = self._all(
            "SELECT sink, position, event_id, line, reason, at_unix_s FROM dead_letters "
            "WHERE sink = coalesce(?, sink) ORDER BY sink, position",
            (sink,),
        )
        return [DeadLetter(*row) for row in rows]

    def totals(self) -> list[RuleTotals]:
        """The present totals of all rules, by source and rule."""
        rows = self._all(
            "SELECT source_id, source_key, rule_id, count_in, count_out, by_class, since_utc_s "
            "FROM tallies JOIN sources ON sources.id = tallies.source WHERE is_current "
            "ORDER BY source_id, sources.id, rule_id"
        )
        return [RuleTotals(row[0], row[1], row[2], tally_of(row[3:])) for row in rows]

    def audit(self) -> Audit:
        """Check the totals against every event, and list what is missing or was not seen."""
        with self._database.snapshot() as connection:
            return audited(connection)

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._database.read() as connection:
            return connection.execute(query, values).fetchall()
