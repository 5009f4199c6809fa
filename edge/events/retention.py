"""Deleting what is too old or too much, without losing a count. Imports sqlite3, own folder."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.events.database import Database

log = logging.getLogger("edge.journal")

_STEP = 1000  # most rows deleted in one transaction: other writers wait that long


@dataclass(frozen=True, slots=True)
class Retained:
    """What retention deleted."""

    deleted: int = 0  # events
    undelivered: Mapping[str, int] = field(default_factory=dict)  # of these, by sink without them
    dead_letters: int = 0


class Retention:
    """One round of deleting. The deltas of deleted events move into the base of their tally."""

    def __init__(self, database: Database, sinks: tuple[str, ...], now_unix_s: float) -> None:
        """Keep what is needed; nothing is deleted yet."""
        self._database = database
        self._sinks = sinks
        self._now_unix_s = now_unix_s
        self._deleted = 0
        self._dead_letters = 0
        self._undelivered: dict[str, int] = {}

    def apply(self, max_age_s: float | None, max_bytes: int | None) -> Retained:
        """Delete by age, then by size; see `Journal.retain`.

        Raises:
            JournalError: it cannot be written.
        """
        if max_age_s is not None:
            before_s = self._now_unix_s - max_age_s
            self._delete_letters("at_unix_s < ?", before_s)
            while self._delete(self._old(before_s)):
                pass
        if max_bytes is not None:
            while (excess := self._excess(max_bytes)) and self._delete(self._oldest(excess, False)):
                pass
            if self._excess(max_bytes):
                self._delete_letters("?", 1)
            while (excess := self._excess(max_bytes)) and self._delete(self._oldest(excess, True)):
                pass
        if self._deleted or self._dead_letters:
            self._database.give_back()
        if self._undelivered:
            text = ", ".join(f"{count} of {name}" for name, count in self._undelivered.items())
            log.error(
                "%s: over %s bytes: the oldest events are deleted before they were delivered: %s",
                self._database.path,
                max_bytes,
                text,
            )
        return Retained(self._deleted, dict(self._undelivered), self._dead_letters)

    def _excess(self, max_bytes: int) -> int:
        with self._database.read() as connection:
            return max(0, used_bytes(connection) - max_bytes)

    def _old(self, before_s: float) -> int:
        """Last position of some delivered events at the beginning that are all too old; or 0."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT position, received_unix_s FROM events WHERE position <= ? "
                "ORDER BY position LIMIT ?",
                (self._delivered(connection), _STEP),
            ).fetchall()
        last = 0
        for position, received_unix_s in rows:
            if received_unix_s >= before_s:
                break
            last = position
        return last

    def _oldest(self, excess_bytes: int, even_undelivered: bool) -> int:
        """Last position of about as many of the oldest events as are too many; or 0."""
        with self._database.read() as connection:
            last = 1 << 62 if even_undelivered else self._delivered(connection)
            rows = connection.execute(
                "SELECT position, length(line) FROM events WHERE position <= ? "
                "ORDER BY position LIMIT ?",
                (last, _STEP),
            ).fetchall()
        found = 0
        for position, length in rows:
            found = position
            excess_bytes -= length
            if excess_bytes <= 0:
                break
        return found

    def _delivered(self, connection: sqlite3.Connection) -> int:
        """Up to where all sinks have everything."""
        positions = dict(connection.execute("SELECT name, position FROM sinks").fetchall())
        return min((positions.get(name, 0) for name in self._sinks), default=1 << 62)

    def _delete_letters(self, condition: str, value: float) -> None:
        with self._database.write() as connection:
            cursor = connection.execute(f"DELETE FROM dead_letters WHERE {condition}", (value,))
            self._dead_letters += cursor.rowcount

    def _delete(self, last: int) -> int:
        """Delete all events up to a position in one transaction; returns how many."""
        if not last:
            return 0
        undelivered = {}
        with self._database.write() as connection:
            for name in self._sinks:
                undelivered[name] = _count_dropped(connection, name, last)
            _fold(connection, last)
            deleted = connection.execute("DELETE FROM events WHERE position <= ?", (last,)).rowcount
        self._deleted += deleted
        for name, count in undelivered.items():
            if count:
                self._undelivered[name] = self._undelivered.get(name, 0) + count
        return deleted


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the content of the file takes up, without free pages."""
    [(pages,)] = connection.execute("PRAGMA page_count").fetchall()
    [(free,)] = connection.execute("PRAGMA freelist_count").fetchall()
    [(page_bytes,)] = connection.execute("PRAGMA page_size").fetchall()
    return int((pages - free) * page_bytes)


def _count_dropped(connection: sqlite3.Connection, name: str, last: int) -> int:
    """Note, for a sink, the events up to a position that it does not have."""
    connection.execute("INSERT OR IGNORE INTO sinks (name) VALUES (?)", (name,))
    [(count,)] = connection.execute(
        "SELECT count(*) FROM events WHERE position <= ? "
        "AND position > (SELECT position FROM sinks WHERE name = ?)",
        (last, name),
    ).fetchall()
    connection.execute("UPDATE sinks SET dropped = dropped + ? WHERE name = ?", (count, name))
    return int(count)


def _fold(connection: sqlite3.Connection, last: int) -> None:
    """Keep of events up to a position what must survive them: deltas, numbers, ids of files."""
    sums = connection.execute(
        "SELECT sum(count_in), sum(count_out), tally FROM deltas WHERE position <= ? "
        "GROUP BY tally",
        (last,),
    ).fetchall()
    connection.executemany(
        "UPDATE tallies SET base_in = base_in + ?, base_out = base_out + ? WHERE id = ?", sums
    )
    connection.execute("DELETE FROM deltas WHERE position <= ?", (last,))
    numbers = connection.execute(
        "SELECT max(seq), source FROM events WHERE position <= ? GROUP BY source", (last,)
    ).fetchall()
    connection.executemany(
        "UPDATE sources SET deleted_seq = max(deleted_seq, ?) WHERE id = ?", numbers
    )
    connection.execute(
        "INSERT OR IGNORE INTO forgotten SELECT event_id FROM events WHERE position <= ? "
        "AND source IN (SELECT id FROM sources WHERE source_key != "
        "(SELECT value FROM meta WHERE name = 'journal_id'))",
        (last,),
    )
