"""The SQLite file under the journal: lock, connections, errors. Knows no events.

Imports the standard library, `edge.errors` and its own folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import SinkError
from edge.events.tables import APPLICATION_ID, SCHEMA, SINCE_1, VERSION

_WAL_LIMIT_BYTES = 16 << 20  # what is kept of the write-ahead log once its content is in the file
_DAMAGE = ("malformed", "not a database", "Could not decode")  # what SQLite says of a bad page
_BUSY_S = 5.0  # another program may hold the file for a moment


class JournalError(SinkError):
    """The journal cannot be opened, read or written: in use, no journal, disk full, damaged."""


class DamagedJournalError(JournalError):
    """Part of the file is not what was written."""


class Database:
    """One writing and one reading connection, each for one thread at a time.

    In WAL mode the two do not wait for each other.
    """

    def __init__(self, path: Path, is_reading: bool = False) -> None:
        """Open the file; unless `is_reading`, lock it, and create it where there is none.

        Raises:
            JournalError: in use by another process, no journal, newer than this program,
                damaged, or not to be read or written.
        """
        self.path = path
        self._is_reading = is_reading
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._lock_file = None if is_reading else _locked(path)
        try:
            self._check_is_database()
            if not is_reading:
                self._create()
            with self.read() as connection:
                self._check_schema(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on the disk when the block ends, or nothing of it.

        Raises:
            JournalError: it cannot be written.
        """
        with self._writing:
            if self._is_reading:
                raise JournalError(f"{self.path}: expected a journal to write, got it for reading")
            try:
                if self._writer is None:
                    self._writer = _connected(f"{self.path.absolute().as_uri()}?mode=rwc")
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                # A connection that failed is not trusted again: closing it also rolls back.
                self._close_writer()
                if "is full" in str(error) or "I/O" in str(error):  # which a quota gives
                    self._make_room()
                raise self._explained(error) from error
            except BaseException:
                if self._writer is not None:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The reading connection. Fetch all of a result: an open one holds up checkpoints.

        Raises:
            JournalError: it cannot be read.
        """
        with self._reading:
            try:
                if self._reader is None:
                    self._reader = self._opened_for_reading()
                yield self._reader
            except sqlite3.Error as error:
                raise self._explained(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own on which all queries see one and the same moment.

        Raises:
            JournalError: it cannot be read.
        """
        connection = None
        try:
            connection = self._opened_for_reading()
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise self._explained(error) from error
        finally:
            if connection is not None:
                connection.close()

    def give_back(self) -> None:
        """Hand the space of deleted rows back to the file system.

        Raises:
            JournalError: it cannot be written.
        """
        while self._give_back_some():
            pass
        with self.read() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _give_back_some(self, pages: int = 1000) -> bool:
        with self.write() as connection:
            connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            [(left,)] = connection.execute("PRAGMA freelist_count").fetchall()
        return bool(left)

    def close(self) -> None:
        """Close all and unlock; the lock file stays, because removing it would be a race."""
        with self._writing:
            self._close_writer()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _make_room(self) -> None:
        """Empty the write-ahead log into the file, if that is possible: it may be the larger."""
        with suppress(sqlite3.Error):
            connection = _connected(f"{self.path.absolute().as_uri()}?mode=rw")
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.close()

    def _close_writer(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.close()
            self._writer = None

    def _opened_for_reading(self) -> sqlite3.Connection:
        uri = self.path.absolute().as_uri()
        if not self._is_reading:
            connection = _connected(f"{uri}?mode=rw")
            connection.execute("PRAGMA query_only=ON")
            return connection
        wal = self.path.with_name(self.path.name + "-wal")
        if not wal.exists() and not os.access(self.path.parent, os.W_OK):
            # Nobody writes, and we may not create what readers of a WAL database share.
            return _connected(f"{uri}?mode=ro&immutable=1")
        return _connected(f"{uri}?mode=ro")

    def _check_is_database(self) -> None:
        """Refuse a file of something else before SQLite touches it."""
        try:
            head = b"" if not self.path.exists() else self.path.open("rb").read(16)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise JournalError(f"{self.path}: expected a journal, got: {reason}") from error
        if not head and self._is_reading:
            found = "an empty file" if self.path.exists() else "no such file"
            raise JournalError(f"{self.path}: expected a journal, got {found}")
        if head and head != b"SQLite format 3\0":
            raise JournalError(
                f"{self.path}: expected a journal, got a file of another kind "
                "(choose another path, or move that file away)"
            )

    def _create(self) -> None:
        """Make the tables of a new file, or what an older one lacks, in one transaction."""
        try:
            connection = _connected(f"{self.path.absolute().as_uri()}?mode=rwc")
        except sqlite3.Error as error:
            raise self._explained(error) from error
        try:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                self._bring_up_to_date(connection)
                return
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # counts before the first table
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            connection.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            journal_id = secrets.token_hex(8)
            connection.execute("INSERT INTO meta VALUES ('journal_id', ?)", (journal_id,))
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._explained(error) from error
        finally:
            connection.close()

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        [(application_id,)] = connection.execute("PRAGMA application_id").fetchall()
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
        if (application_id, version) == (APPLICATION_ID, 1):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(SINCE_1)
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        [(application_id,)] = connection.execute("PRAGMA application_id").fetchall()
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
        if application_id != APPLICATION_ID:
            raise JournalError(
                f"{self.path}: expected a journal, got a database of another program "
                "(choose another path, or move that file away)"
            )
        if version > VERSION:
            raise JournalError(
                f"{self.path}: expected a journal of version {VERSION} or older, got version "
                f"{version} (a newer edgecount wrote it: update this one)"
            )

    def _explained(self, error: sqlite3.Error) -> JournalError:
        text = str(error)
        if "is full" in text:
            return JournalError(
                f"{self.path}: expected room on the disk, got a full one (free some space)"
            )
        if any(sign in text for sign in _DAMAGE):
            return DamagedJournalError(
                f"{self.path}: expected a sound journal, got a damaged file (move it away, and a "
                f"new one is begun; `edge events export` saves what can still be read of it)"
            )
        verb = "read" if self._is_reading else "write"
        return JournalError(f"{self.path}: expected to {verb} the journal, got: {text}")


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}")
    return connection


def _locked(path: Path) -> int:
    """The descriptor that holds the lock of a journal.

    Raises:
        JournalError: another process, or this one, has it open; or there is no such folder.
    """
    name = path.with_name(path.name + ".lock")
    try:
        file = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise JournalError(f"{path}: expected to open the journal, got: {reason}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(file)
        raise JournalError(
            f"{path}: expected a journal that nobody else writes, got one in use by process "
            f"{holder} (stop that process, or choose another journal)"
        ) from error
    except OSError:  # locked, but the disk is too full to say by whom
        pass
    return file
