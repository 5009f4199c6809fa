"""What is read from the journal, and which of it. Imports its own folder only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from edge.events.info import Tally


class Row(NamedTuple):
    """One event as the journal keeps it; positions rise and are never used twice."""

    position: int
    event_id: str
    line: str
    received_unix_s: float


class RuleTotals(NamedTuple):
    """The present totals of one rule of one source."""

    source_id: str
    source_key: str
    rule_id: str
    tally: Tally


class SinkPosition(NamedTuple):
    """How far a sink has come, and how many events were deleted before it had them."""

    name: str
    position: int
    dropped: int


class DeadLetter(NamedTuple):
    """An event that a sink gave up."""

    sink: str
    position: int
    event_id: str
    line: str
    reason: str
    at_unix_s: float


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events: all that fit everything that is given; times in Unix seconds, end excluded."""

    source_id: str | None = None
    types: tuple[str, ...] = ()
    rule_id: str | None = None
    from_unix_s: float | None = None
    to_unix_s: float | None = None

    def sql(self) -> tuple[str, list[Any]]:
        """A condition on the table events, and its values."""
        marks = ", ".join("?" * len(self.types))
        conditions = (
            ("source IN (SELECT id FROM sources WHERE source_id = ?)", self.source_id),
            ("rule_id = ?", self.rule_id),
            ("at_unix_s >= ?", self.from_unix_s),
            ("at_unix_s < ?", self.to_unix_s),
        )
        texts = [text for text, value in conditions if value is not None]
        values = [value for _, value in conditions if value is not None]
        if self.types:
            texts.append(f"type IN ({marks})")
        return " AND ".join(["1", *texts]), [*values, *self.types]


ALL = Choice()
