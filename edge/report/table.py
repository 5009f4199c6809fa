"""Counts as a table for other programs: CSV, and Parquet if pyarrow is installed.

One row for each interval, rule, direction and class. Imports its own folder and `edge.errors`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from edge.errors import SinkError
from edge.report.summary import Rule, Source, Summary

# Unknown is empty, in Parquet null: media time of live sources, world time of recordings.
COLUMNS = {
    "source": "string",
    "rule": "string",
    "rule_kind": "string",
    "part": "int32",  # 1, and one more after each move of the rule
    "is_current": "bool",
    "direction": "string",
    "direction_name": "string",
    "class": "string",
    "interval_start_utc": "timestamp",
    "interval_start_local": "string",
    "interval_start_media_s": "float64",
    "interval_length_s": "int32",
    "seen_share": "float64",
    "count": "int64",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BATCH = 50_000

Row = tuple[Any, ...]


def rows_of(summary: Summary) -> Iterator[Row]:
    """The rows; a class that a rule never counted has none, an interval without passages has 0."""
    for source in summary.sources:
        for rule in source.rules:
            for start in source.starts:
                yield from _rows(source, rule, start)


def _rows(source: Source, rule: Rule, start: int) -> Iterator[Row]:
    calendar = source.calendar
    at_utc = datetime.fromtimestamp(start, timezone.utc) if source.is_live else None
    counts = rule.by_interval.get(start, {})
    for name in rule.classes or [None]:
        for way, display in (("in", rule.in_name), ("out", rule.out_name)):
            yield (
                source.label,
                rule.id,
                rule.kind,
                rule.part,
                rule.is_current,
                way,
                display,
                name,
                at_utc,
                calendar.iso(start) if source.is_live else None,
                None if source.is_live else float(start),
                calendar.after(start) - start,
                round(source.coverage.get(start, 0.0), 4),
                counts.get((way, name), 0),
            )


def write_csv(summary: Summary, path: Path) -> int:
    """Write the table as CSV in UTF-8; how many rows.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Raises:
        SinkError: it cannot be written.
    """
    number = 0
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in rows_of(summary):
                number += 1
                writer.writerow([_plain(value) for value in row])
    except OSError as error:
        raise SinkError(f"{path}: expected to write a table, got: {error.strerror}") from error
    return number


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_parquet(summary: Summary, path: Path) -> int:
    """Write the table as Parquet; how many rows.

    Raises:
        SinkError: pyarrow is not installed, or it cannot be written.
    """
    arrow, parquet = require_pyarrow(path)
    types = {
        "string": arrow.string(),
        "bool": arrow.bool_(),
        "int32": arrow.int32(),
        "int64": arrow.int64(),
        "float64": arrow.float64(),
        "timestamp": arrow.timestamp("s", tz="UTC"),
    }
    schema = arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    rows, number = rows_of(summary), 0
    try:
        with parquet.ParquetWriter(path, schema) as writer:
            while batch := list(islice(rows, _BATCH)):
                columns = [list(column) for column in zip(*batch, strict=True)]
                arrays = [arrow.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
                writer.write_table(arrow.table(arrays, schema=schema))
                number += len(batch)
    except (OSError, arrow.ArrowException) as error:
        raise SinkError(f"{path}: expected to write a table, got: {error}") from error
    return number


def require_pyarrow(path: Path) -> tuple[Any, Any]:
    """The packages that write Parquet; `path` is what is to be written.

    Raises:
        SinkError: pyarrow is not installed.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise SinkError(
            f"{path}: expected pyarrow for Parquet, got no such package "
            "(`scripts/install parquet` or pip install pyarrow; or write --csv)"
        ) from error
