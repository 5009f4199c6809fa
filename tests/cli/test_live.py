"""What a reload takes over at once, and what it says of the rest."""

from __future__ import annotations

from edge.cli.live import _for_the_next_start
from edge.config import Config


def config(**sections) -> Config:
    return Config.model_validate(sections)


def test_what_the_journal_keeps_changes_at_once_and_where_it_is_later():
    before = config(journal={"path": "a.db", "keep_days": 90})
    assert _for_the_next_start(before, config(journal={"path": "a.db", "keep_days": 3})) == []
    assert _for_the_next_start(before, config(journal={"path": "b.db"})) == ["journal.path"]


def test_what_waits_for_the_next_start_is_named():
    after = config(log={"level": "debug"}, model={"threads": 1}, blur_people=True)
    assert _for_the_next_start(config(), after) == ["model", "log", "blur_people"]
    assert _for_the_next_start(after, after) == []
    sinks = config(sinks={"file": {"type": "file", "path": "a.jsonl"}})
    assert _for_the_next_start(config(), sinks) == []
