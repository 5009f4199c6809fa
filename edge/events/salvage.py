"""Reading what a damaged journal still holds. Imports its own folder only."""

from __future__ import annotations

from collections.abc import Iterator

from edge.events.database import DamagedJournalError
from edge.events.journal import ALL, Choice, Journal, Row

_PAGE = 1000


def salvaged(journal: Journal, position: int, choice: Choice = ALL) -> Iterator[Row | int]:
    """Every event after a position; a number stands for positions that cannot be read.

    Of a sound journal this is `journal.all_after`, at the same cost.

    Raises:
        JournalError: nothing at all can be read.
    """
    newest = journal.newest
    while position < newest:
        try:
            page = journal.after(position, _PAGE, choice)
        except DamagedJournalError:
            last = min(newest, position + _PAGE)
            yield from _one_by_one(journal, range(position + 1, last + 1), choice)
            position = last
        else:
            yield from page
            position = page[-1].position if page else newest


def _one_by_one(journal: Journal, positions: range, choice: Choice) -> Iterator[Row | int]:
    for position in positions:
        try:
            row = journal.row(position, choice)
        except DamagedJournalError:
            yield 1
        else:
            if row is not None:
                yield row
