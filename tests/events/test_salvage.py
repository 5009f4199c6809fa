"""What a damaged journal still gives."""

from __future__ import annotations

import os

from journals import live

from edge.events.journal import Choice, Journal
from edge.events.salvage import salvaged


def filled(path, count):
    with Journal(path) as journal:
        door = live(journal)
        journal.append([door.crossed() for _ in range(count)])
    return door


def test_a_sound_journal_is_read_as_ever(tmp_path):
    filled(tmp_path / "a.db", 2500)
    with Journal.reading(tmp_path / "a.db") as journal:
        assert list(salvaged(journal, 100)) == list(journal.all_after(100))
        assert list(salvaged(journal, 0, Choice("nobody"))) == []


def test_pages_that_cannot_be_read_are_left_out_and_counted(tmp_path):
    path = tmp_path / "a.db"
    door = filled(path, 1500)
    data = bytearray(path.read_bytes())
    line = door.made[700].line.encode()
    page = data.index(line) // 4096 * 4096
    data[page : page + 4096] = os.urandom(4096)
    path.write_bytes(data)
    with Journal.reading(path) as journal:
        found = list(salvaged(journal, 0))
    rows = [row for row in found if not isinstance(row, int)]
    missing = sum(count for count in found if isinstance(count, int))
    assert len(rows) + missing == 1500
    assert 0 < missing < 20
    assert [row.line for row in rows] == [door.made[row.position - 1].line for row in rows]
