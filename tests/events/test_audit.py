"""The audit finds what is wrong, and nothing else."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from journals import live, loss, recording

from edge.events.audit import Missing
from edge.events.journal import Entry, Journal
from edge.events.outages import KILLED, STOPPED, Gap


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    with Journal(path, now=lambda: 5000.0) as opened:
        yield opened


@pytest.fixture
def tamper(path):
    """Change the file behind the journal's back."""

    def run(statement, *values):
        with sqlite3.connect(path) as connection:
            connection.execute(statement, values)
        connection.close()

    return run


@pytest.fixture
def door(journal):
    """Ten passages, one of them taken back, and a stay."""
    door = live(journal, gate="g", hall="h")
    batch = [door.crossed(way=way) for way in ("in", "out") * 5]
    journal.append([*batch, door.crossed(delta=-1), door.entered(1)])
    return door


def test_a_sound_journal_is_balanced(journal, door):
    audit = journal.audit()
    assert audit.is_balanced
    assert audit.events == 12
    gate, hall = audit.rules
    assert (gate.total, gate.base, gate.deltas, gate.shown) == ((4, 5), (0, 0), (4, 5), (4, 5))
    assert (hall.total, hall.shown, hall.since_utc_s) == ((1, 0), (1, 0), 1000.0)
    assert (audit.missing, audit.gaps, audit.lost, audit.damage) == ([], [], {}, [])


def test_an_empty_journal_is_balanced(journal):
    assert journal.audit().is_balanced


def test_totals_that_were_changed(journal, door, tamper):
    tamper("UPDATE tallies SET count_in = count_in + 1 WHERE rule_id = 'gate'")
    audit = journal.audit()
    assert not audit.is_balanced
    assert [rule.is_balanced for rule in audit.rules] == [False, True]
    assert audit.damage == []


def test_a_line_that_was_changed(journal, door, tamper):
    tamper(
        "UPDATE events SET line = replace(line, '\"delta\":1', '\"delta\":2') WHERE position = 3"
    )
    audit = journal.audit()
    [text] = audit.damage
    assert "another delta than was counted" in text
    assert not audit.is_balanced


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"event_id":"x"}'])
def test_a_line_that_is_no_event(journal, door, tamper, line):
    tamper("UPDATE events SET line = ? WHERE position = 3", line)
    audit = journal.audit()
    assert len(audit.damage) == 1
    assert not audit.is_balanced


@pytest.mark.parametrize("position", [1, 5, 12])
def test_an_event_that_is_gone(journal, door, tamper, position):
    tamper("DELETE FROM events WHERE position = ?", position)
    audit = journal.audit()
    assert audit.missing == [Missing("door", position, position, False)]
    assert audit.damage == [f"position {position}: counted, but no event is there"]
    assert not audit.is_balanced


def test_totals_that_events_do_not_show(journal):
    """What a recording counted with other settings under the same ids."""
    clip = recording(journal)
    journal.append([clip.crossed()])
    clip.totals["gate"] = [5, 0]
    journal.append([clip.crossed()])
    [rule] = journal.audit().rules
    assert (rule.total, rule.shown, rule.is_balanced) == ((2, 0), (6, 0), False)


def test_lost_events_explain_missing_numbers(journal):
    door = live(journal)
    first, *gone, last = [door.crossed() for _ in range(6)]
    lost = door.lost("door", loss(gone))
    journal.append([first, Entry("door", None, lost, _line(lost)), last])
    audit = journal.audit()
    assert audit.missing == [Missing("door", 2, 4, True)]  # the loss itself has number 5
    assert audit.lost == {"door": 4}
    assert audit.is_balanced
    assert audit.rules[0].total == (6, 0)
    assert len(gone) == 4


def test_a_loss_with_a_number_of_its_own_counts_too(journal):
    door = live(journal)
    first, *gone = [door.crossed() for _ in range(4)]
    door.seq += 1
    lost = door.lost("door", loss(gone)) | {"seq": 5}
    journal.append([first, Entry("door", None, lost, _line(lost))])
    audit = journal.audit()
    assert audit.missing == [Missing("door", 2, 4, True)]
    assert audit.is_balanced


def test_two_losses_in_a_row(journal):
    door = live(journal)
    batch = [door.crossed() for _ in range(8)]
    losses = [
        door.lost("door", loss(batch[:3])) | {"seq": 9},
        door.lost("door", loss(batch[3:7])) | {"seq": 10},
    ]
    entries = [Entry("door", None, lost, _line(lost)) for lost in losses]
    journal.append([*entries, batch[-1]])
    audit = journal.audit()
    assert audit.missing == [Missing("door", 1, 7, True)]
    assert (audit.is_balanced, audit.lost) == (True, {"door": 7})


def test_a_loss_that_states_too_few(journal):
    door = live(journal)
    batch = [door.crossed() for _ in range(6)]
    lost = door.lost("door", replace(loss(batch[1:5]), events=2))
    journal.append([batch[0], Entry("door", None, lost, _line(lost)), batch[-1]])
    audit = journal.audit()
    assert audit.damage == ["door: events_lost states 2 from seq 2 to 5, but 4 are missing"]


def test_a_changed_rule_keeps_its_old_totals_in_the_audit(journal, door):
    live(journal, gate="moved", hall="h")
    old, new, _ = journal.audit().rules
    assert (old.is_current, old.total, old.is_balanced) == (False, (4, 5), True)
    assert (new.is_current, new.total, new.shown) == (True, (0, 0), None)


def test_dead_letters_are_counted(journal, door):
    journal.dead_letter("web", journal.after(0, 3), "422")
    audit = journal.audit()
    assert audit.dead_letters == {"web": 3}
    assert audit.is_balanced


# Gaps


def test_outages(journal):
    door = live(journal)

    def at(utc_s, kind, **more):
        door.utc_s = utc_s
        journal.append([door.said(kind, **more)])

    at(100.0, "started", rules=[])
    at(150.0, "source_lost", reason="timed out")
    door.session += 1
    at(160.5, "source_restored", gap_s=10.0)
    door.session += 1
    at(200.0, "source_restored", gap_s=0.0)  # another size of pictures, without a gap
    at(300.0, "source_lost", reason="frozen")
    assert journal.audit().gaps == [
        Gap("door", "timed out", 150.0, 160.5, 10.0),
        Gap("door", "frozen", 300.0, None, None),
    ]
    at(310.0, "source_restored", gap_s=40.0)  # it had frozen long before that was known
    assert journal.audit().gaps[-1] == Gap("door", "frozen", 270.0, 310.0, 40.0)
    assert journal.audit().is_balanced


def test_times_in_which_the_program_did_not_run(journal):
    def session(start_s, *kinds):
        door = live(journal)
        for kind in kinds:
            door.utc_s = start_s
            journal.append([door.said(kind, rules=[], reason="gone")])
            start_s += 10

    session(100.0, "started", "stopped")
    session(200.0, "started", "frames_dropped")
    session(300.0, "started", "source_lost")
    session(400.0, "source_lost")  # still away after a restart
    session(500.0, "started", "source_lost", "stopped")
    assert journal.audit().gaps == [
        Gap("door", STOPPED, 110.0, 200.0, 90.0),
        Gap("door", KILLED, 210.0, 300.0, 90.0),
        Gap("door", "gone", 310.0, 500.0, 190.0),
        Gap("door", "gone", 510.0, None, None),
    ]


def test_recordings_have_no_gaps(journal):
    clip = recording(journal)
    journal.append([clip.said("started", rules=[]), clip.said("stopped", counts=[])])
    clip.session = 2
    journal.append([clip.said("started", rules=[])])
    assert journal.audit().gaps == []


def _line(event):
    from edge.events import dumps

    return dumps(event)
