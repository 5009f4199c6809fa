"""Deleting from the journal: what goes first, what stays in the totals, what is said."""

from __future__ import annotations

import logging

import pytest
from journals import live, recording, totals

from edge.events.journal import Journal

DAY_S = 86_400.0


class Clock:
    def __init__(self):
        self.now_s = 1_000_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def journal(tmp_path, clock):
    with Journal(tmp_path / "journal.db", now=clock) as opened:
        yield opened


def positions(journal) -> list[int]:
    return [row.position for row in journal.all_after(0)]


def filled(journal, clock, days: int, each: int = 2):
    """A source that counts `each` times a day."""
    door = live(journal)
    for _ in range(days):
        journal.append([door.crossed() for _ in range(each)])
        clock.now_s += DAY_S
    return door


def test_old_events_go_once_all_sinks_have_them(journal, clock):
    filled(journal, clock, days=5)
    journal.delivered("fast", 9)
    journal.delivered("slow", 3)
    found = journal.retain(2.5 * DAY_S, None, ["fast", "slow"])
    assert (found.deleted, found.undelivered) == (3, {})
    assert positions(journal) == [4, 5, 6, 7, 8, 9, 10]
    journal.delivered("slow", 10)
    assert journal.retain(2.5 * DAY_S, None, ["fast", "slow"]).deleted == 3
    assert journal.retain(2.5 * DAY_S, None, ["fast", "slow"]).deleted == 0
    assert positions(journal) == [7, 8, 9, 10]


def test_a_sink_that_is_new_has_nothing_yet(journal, clock):
    filled(journal, clock, days=5)
    assert journal.retain(DAY_S, None, ["new"]).deleted == 0
    assert journal.retain(DAY_S, None, []).deleted == 8  # no sinks: nobody waits for them


def test_totals_and_numbers_stay_when_all_events_go(journal, clock):
    door = filled(journal, clock, days=3)
    journal.append([door.crossed(way="out")])
    assert journal.retain(None, 0, []).deleted == 7
    assert (journal.newest, positions(journal)) == (7, [])
    assert totals(journal) == {("door", "gate"): (6, 1)}
    audit = journal.audit()
    assert audit.is_balanced
    assert (audit.rules[0].base, audit.rules[0].deltas) == ((6, 1), (0, 0))
    assert audit.missing == []
    journal.append([door.crossed()])
    assert positions(journal) == [8]
    assert journal.audit().rules[0].total == (7, 1)
    assert journal.stream("door", None, {"gate": "g"}, 0.0).seq == 8


def test_a_file_is_not_counted_twice_after_its_events_are_deleted(journal):
    clip = recording(journal)
    journal.append([clip.crossed() for _ in range(3)])
    journal.retain(None, 0, [])
    assert journal.append(clip.made) == 0
    assert totals(journal) == {("clip", "gate"): (3, 0)}


def test_too_large_a_file_shrinks_from_the_oldest_delivered_on(journal):
    door = live(journal)
    for _ in range(20):
        journal.append([door.crossed() for _ in range(100)])
    before = journal.size_bytes
    journal.delivered("mqtt", 1900)
    found = journal.retain(None, before // 2, ["mqtt"])
    assert found.undelivered == {}
    left = positions(journal)
    assert left == list(range(left[0], 2001))
    assert 0.3 * before < journal.size_bytes <= before // 2
    assert journal.audit().is_balanced


def test_the_disk_gets_its_space_back(journal):
    door = live(journal)
    for _ in range(20):
        journal.append([door.crossed() for _ in range(100)])
    journal.retain(None, None, [])  # nothing to do, nothing done
    path = journal.path
    journal.close()
    before = path.stat().st_size
    with Journal(path) as journal:
        journal.retain(None, before // 4, [])
    assert path.stat().st_size <= before // 4


def test_undelivered_events_go_last_and_loudly(journal, caplog):
    door = live(journal)
    journal.append([door.crossed() for _ in range(10)])
    journal.delivered("ahead", 8)
    journal.delivered("behind", 3)
    journal.dead_letter("behind", journal.after(0, 1), "422")
    with caplog.at_level(logging.INFO, "edge.journal"):
        found = journal.retain(None, 0, ["ahead", "behind", "new"])
    assert found.deleted == 10
    assert found.dead_letters == 1
    assert found.undelivered == {"ahead": 2, "behind": 7, "new": 10}
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert "2 of ahead, 7 of behind, 10 of new" in record.getMessage()
    dropped = {sink.name: sink.dropped for sink in journal.sinks()}
    assert dropped == {"ahead": 2, "behind": 7, "new": 10}
    assert journal.audit().dropped == dropped


def test_delivery_goes_on_behind_what_was_dropped(journal):
    door = live(journal)
    for _ in range(30):
        journal.append([door.crossed() for _ in range(30)])
    journal.delivered("mqtt", 10)
    journal.retain(None, journal.size_bytes // 2, ["mqtt"])
    [sink] = journal.sinks()
    [first] = journal.after(journal.position("mqtt"), 1)
    assert first.position == 10 + sink.dropped + 1
    assert sink.dropped > 0


def test_dead_letters_grow_old_too(journal, clock):
    door = live(journal)
    journal.append([door.crossed(), door.crossed()])
    journal.dead_letter("web", journal.after(0, 1), "422")
    clock.now_s += DAY_S
    journal.dead_letter("web", journal.after(1, 1), "422")
    found = journal.retain(DAY_S / 2, None, ["web"])
    assert (found.deleted, found.dead_letters) == (0, 1)
    assert [letter.position for letter in journal.dead_letters()] == [2]
