"""Where `edge report` takes events from: JSON Lines, also compressed, or a journal."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from edge.errors import ConfigError, EdgeError, SourceError
from edge.events.database import DamagedJournalError
from edge.events.journal import Journal, Row
from edge.events.salvage import salvaged
from edge.report import Gathering, without_null

_JOURNAL = b"SQLite format 3\0"
_PAGE = 1000
_MOST_BYTES = 1 << 20  # of a line


class Read(NamedTuple):
    """How far reading has come: events, and the share of the input, 0..1."""

    events: int
    share: float


def gathered(path: Path, into: Gathering, notes: list[str]) -> Iterator[Read]:
    """Give all events of a file or journal to `into`, and tell about it now and then.

    Args:
        path: of JSON Lines, of such compressed as .gz, or of a journal.
        into: takes the events.
        notes: gets a sentence for everything that was amiss and did not stop it.

    Raises:
        SourceError: no such file.
        ConfigError: a line, but for the last, that is no event.
        JournalError: a journal that cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            is_journal = file.read(len(_JOURNAL)) == _JOURNAL
    except OSError as error:
        got = (error.strerror or str(error)).lower()
        raise SourceError(f"{path}: expected events or a journal, got: {got}") from error
    return _of_journal(path, into, notes) if is_journal else _of_lines(path, into, notes)


def _of_lines(path: Path, into: Gathering, notes: list[str]) -> Iterator[Read]:
    size = max(1, path.stat().st_size)
    failed: ConfigError | None = None
    number = 0
    with path.open("rb") as raw:
        # A compressed file that is still written, or was cut off, has no proper end.
        lines = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        try:
            while line := lines.readline(_MOST_BYTES):
                number += 1
                if not line.strip():
                    continue
                if failed is not None:  # it was not the last one
                    raise failed
                try:
                    into.add(_parsed(line))
                except ConfigError as error:
                    failed = ConfigError(f"{path}:{number}: {error}")
                    if line.endswith(b"\n") and _is_whole(line):
                        raise failed from error
                if number % _PAGE == 0:
                    yield Read(into.events, raw.tell() / size)
        except (EOFError, zlib.error, OSError) as error:
            failed = ConfigError(f"{path}:{number + 1}: expected a line, got: {error}")
    if failed is not None:
        notes.append(f"The last line is damaged and was left out: {failed}")
    yield Read(into.events, 1.0)


def _parsed(line: bytes) -> dict[str, object]:
    try:
        event = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        shown = line[:40].decode("utf-8", "replace").strip()
        raise ConfigError(f"expected an event as JSON, got {shown!r}") from error
    return cast("dict[str, object]", without_null(event) if b"null" in line else event)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _is_whole(line: bytes) -> bool:
    """Whether it is JSON: then it was not cut off, but is no event."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _of_journal(path: Path, into: Gathering, notes: list[str]) -> Iterator[Read]:
    unreadable = 0
    newest_key: dict[str, str] = {}  # by source: for events whose own cannot be read
    with Journal.reading(path) as journal:
        newest = max(1, journal.newest)
        found = salvaged(journal, 0)
        while page := list(islice(found, _PAGE)):
            rows = [row for row in page if not isinstance(row, int)]
            unreadable += sum(row for row in page if isinstance(row, int))
            if not rows:
                continue
            keys = _keys(journal, rows)
            for row in rows:
                try:
                    event = _parsed(row.line.encode())
                    name = _source_id(event)
                    newest_key[name] = keys.get(row.position, newest_key.get(name, ""))
                    into.add(event, newest_key[name])
                except ConfigError as error:
                    raise ConfigError(f"{path}: event {row.position}: {error}") from error
            yield Read(into.events, rows[-1].position / newest)
        try:
            for each in journal.totals():
                total = (each.tally.count_in, each.tally.count_out)
                into.state(each.source_id, each.source_key, each.rule_id, total)
        except EdgeError as error:
            notes.append(f"The totals that the journal keeps cannot be read: {error}")
    if unreadable:
        notes.append(f"The journal is damaged: {unreadable} events cannot be read.")
    yield Read(into.events, 1.0)


def _source_id(event: object) -> str:
    source = event.get("source") if isinstance(event, dict) else None
    return str(source.get("id")) if isinstance(source, dict) else ""


def _keys(journal: Journal, rows: list[Row]) -> dict[int, str]:
    """The key of each row's source, one by one where the journal is damaged."""
    try:
        return journal.source_keys(rows[0].position, rows[-1].position)
    except DamagedJournalError:
        keys: dict[int, str] = {}
        for row in rows:
            with suppress(DamagedJournalError):
                keys |= journal.source_keys(row.position, row.position)
        return keys
