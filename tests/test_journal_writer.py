"""The writer: never waits, loses nothing that it can keep, says exactly what it could not."""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from journals import Scribe, live, totals

from edge.errors import SinkError
from edge.events.journal import Entry, Journal, JournalError
from edge.journal_writer import JournalWriter

CHILD = Path(__file__).parent / "journal_child.py"


class Faulty:
    """A journal whose disk can be full, or hang."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.is_full = False
        self.room: int | None = None  # most entries in one batch
        self.hangs = threading.Event()
        self.goes_on = threading.Event()
        self.batches: list[int] = []

    def append(self, batch, states):
        if self.hangs.is_set():
            self.hangs.clear()
            self.goes_on.wait(30)
        if self.is_full or (self.room is not None and len(batch) > self.room):
            raise JournalError("j: expected room on the disk, got a full one")
        self.batches.append(len(batch))
        return self.journal.append(batch, states)


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


@pytest.fixture
def faulty(journal):
    return Faulty(journal)


@pytest.fixture
def door(journal):
    return live(journal)


@pytest.fixture
def start():
    writers = []

    def make(journal, *scribes, **options):
        def lost(source_id, loss):
            [scribe] = [s for s in scribes if s.source_id == source_id]
            return scribe.lost(source_id, loss)

        writers.append(JournalWriter(journal, lost, retry_s=0.01, **options))
        return writers[-1]

    yield make
    for writer in writers:
        writer.close(1)


def until(condition, every_s=0.01) -> None:
    """Wait for what another thread or process does."""
    for _ in range(int(60 / every_s)):
        if condition():
            return
        time.sleep(every_s)
    raise AssertionError("it did not happen")


def seqs(journal) -> list[int]:
    return [json.loads(row.line)["seq"] for row in journal.all_after(0)]


def kinds(journal) -> Counter[str]:
    return Counter(json.loads(row.line)["type"] for row in journal.all_after(0))


def test_what_is_put_is_written_in_order(journal, door, start):
    written = threading.Event()
    writer = start(journal, door, on_written=written.set)
    for _ in range(500):
        writer.put(door.crossed())
    assert writer.flush(30)
    assert (writer.waiting, writer.failing_since_s, writer.lost) == (0, None, {})
    assert written.is_set()
    assert seqs(journal) == list(range(1, 501))
    assert totals(journal) == {("door", "gate"): (500, 0)}


def test_what_waits_goes_in_together(journal, faulty, door, start):
    faulty.hangs.set()
    writer = start(faulty, door)
    writer.put(door.crossed())
    until(lambda: not faulty.hangs.is_set())
    for _ in range(2500):
        writer.put(door.crossed())
    assert writer.waiting == 2501
    faulty.goes_on.set()
    assert writer.flush(30)
    assert faulty.batches == [1, 1000, 1000, 500]


def test_flush_waits_for_what_is_being_written(journal, faulty, door, start):
    faulty.hangs.set()
    writer = start(faulty, door)
    writer.put(door.crossed())
    assert not writer.flush(0.05)
    faulty.goes_on.set()
    assert writer.flush(30)


def test_states_go_in_with_the_events_before_them(journal, faulty, door, start):
    faulty.is_full = True
    writer = start(faulty, door)
    for _ in range(1500):
        writer.put(door.crossed())
        writer.save_state("door", None, {"seq": door.seq})
    writer.save_state("door", None, {"seq": 1500, "clock": 1})
    writer.save_state("other", None, {"a": 1})
    until(lambda: writer.failing_since_s is not None)
    faulty.is_full = False
    assert writer.flush(30)
    assert journal.stream("door", None, {}, 0.0).state == {"seq": 1500, "clock": 1}
    assert journal.stream("other", None, {}, 0.0).state == {"a": 1}


def test_a_state_never_comes_before_its_events(journal, faulty, door, start):
    """At any time the saved state is of no later event than the newest in the journal."""
    writer = start(faulty, door)
    real = faulty.journal.append
    seen = []

    def append(batch, states):
        added = real(batch, states)
        seen.append((journal.newest, [state["seq"] for state in states.values()]))
        return added

    faulty.append = append
    for _ in range(3000):
        writer.put(door.crossed())
        writer.save_state("door", None, {"seq": door.seq})
    assert writer.flush(30)
    assert all(seq <= newest for newest, states in seen for seq in states)
    assert seen[-1] == (3000, [3000])


def test_what_belongs_together_is_never_divided(journal, faulty, door, start):
    """Snapshots of one window go in with the state that says so, or not at all."""
    faulty.is_full = True
    writer = start(faulty, door)
    writer.put(door.crossed())
    for _ in range(700):  # more than fit into one transaction
        with writer.together("door", lambda: {"seq": door.seq}):
            for _ in range(3):
                writer.put(door.crossed())
    until(lambda: writer.failing_since_s is not None)
    real, seen = faulty.journal.append, []

    def append(batch, states):
        added = real(batch, states)
        seen.append((journal.newest, journal.stream("door", None, {}, 0.0).state))
        return added

    faulty.append = append
    assert writer.flush(30)
    assert len(seen) > 3
    assert seen[0] == (1, None)
    assert all((newest - 1) % 3 == 0 for newest, _ in seen)
    assert all(state == {"seq": newest} for newest, state in seen[1:])


def test_while_the_disk_is_full_events_wait_in_memory(journal, faulty, door, start, caplog):
    faulty.is_full = True
    writer = start(faulty, door)
    with caplog.at_level(logging.INFO, "edge.journal"):
        for _ in range(50):
            writer.put(door.crossed())
        until(lambda: writer.failing_since_s is not None)
        for _ in range(50):
            writer.put(door.crossed())
        assert not writer.flush(0.1)
        assert (writer.waiting, writer.lost, journal.newest) == (100, {}, 0)
        faulty.is_full = False
        assert writer.flush(30)
    assert seqs(journal) == list(range(1, 101))
    assert totals(journal) == {("door", "gate"): (100, 0)}
    until(lambda: writer.failing_since_s is None)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("j: expected room on the disk, got a full one; events wait in mem")
    assert said[1].startswith("the journal works again after")
    assert len(said) == 2


def test_a_disk_with_little_room_is_filled_step_by_step(journal, faulty, door, start):
    faulty.room = 10
    writer = start(faulty, door)
    for _ in range(300):
        writer.put(door.crossed())
    until(lambda: journal.newest > 40)
    faulty.room = None
    assert writer.flush(30)
    assert seqs(journal) == list(range(1, 301))


def test_beyond_the_bound_the_oldest_go_and_are_stated(journal, faulty, start, caplog):
    door, yard = live(journal, "door"), live(journal, "yard", gate="g", side="s")
    faulty.is_full = True
    writer = start(faulty, door, yard, max_waiting=100)
    for n in range(130):
        writer.put(door.crossed(way=("in", "out")[n % 2]))
        writer.put(yard.crossed(rule=("gate", "side")[n % 2]))
    until(lambda: writer.failing_since_s is not None)
    assert writer.waiting == 100
    lost = writer.lost
    assert sum(lost.values()) == 160
    faulty.is_full = False
    assert writer.flush(30)
    assert kinds(journal) == {"events_lost": 2, "line_crossed": 100}
    stated = {}
    for row in journal.all_after(0):
        event = json.loads(row.line)
        if event["type"] == "events_lost":
            stated[event["source"]["id"]] = event["lost"]
    assert {source: each["events"] for source, each in stated.items()} == lost
    assert sum(r["in"] + r["out"] for r in stated["door"]["rules"]) == lost["door"]
    assert {r["rule_id"] for r in stated["yard"]["rules"]} == {"gate", "side"}
    [rule] = stated["door"]["rules"]  # what is next begins where this ends
    assert rule["count"]["in"] == rule["count"]["by_class"]["person"]["in"] == rule["in"]
    # Totals are those of all that was seen, and can be derived from what is there.
    assert totals(journal) == {
        ("door", "gate"): (65, 65),
        ("yard", "gate"): (65, 0),
        ("yard", "side"): (65, 0),
    }
    audit = journal.audit()
    assert audit.is_balanced, audit
    assert audit.lost == lost
    assert any("the oldest are dropped" in record.getMessage() for record in caplog.records)


def test_losses_while_a_batch_hangs(journal, faulty, door, start):
    """The batch in flight is kept, what follows it is dropped, and all of it adds up."""
    writer = start(faulty, door, max_waiting=10)
    faulty.hangs.set()
    writer.put(door.crossed())
    until(lambda: not faulty.hangs.is_set())
    for _ in range(30):
        writer.put(door.crossed())
    faulty.is_full = True
    faulty.goes_on.set()
    until(lambda: writer.failing_since_s is not None)
    for _ in range(5):
        writer.put(door.crossed())
    faulty.is_full = False
    assert writer.flush(30)
    audit = journal.audit()
    assert audit.is_balanced, audit
    assert audit.lost == writer.lost == {"door": 26}
    numbers = seqs(journal)
    assert numbers == sorted(numbers)  # the loss stands where the events would
    assert totals(journal) == {("door", "gate"): (36, 0)}


def test_random_failures(journal, faulty, start):
    """Whatever fails when, everything is either there in order or stated as lost."""
    rng = random.Random(4)
    scribes = [live(journal, name) for name in ("a", "b", "c")]
    writer = start(faulty, *scribes, max_waiting=20)
    for _ in range(60):
        faulty.is_full = rng.random() < 0.6
        for _ in range(rng.randrange(12)):
            writer.put(rng.choice(scribes).crossed(way=rng.choice(["in", "out"])))
        if rng.random() < 0.3:
            writer.flush(0.02)
    faulty.is_full = False
    assert writer.flush(30)
    audit = journal.audit()
    assert audit.is_balanced, audit
    assert audit.lost == writer.lost
    for scribe in scribes:
        assert totals(journal)[scribe.source_id, "gate"] == tuple(scribe.totals["gate"])


def test_classes_of_what_is_lost_are_in_the_totals(journal, faulty, start):
    """Also if nothing counts after the loss: the next run begins with them."""
    door = live(journal)
    faulty.is_full = True
    writer = start(faulty, door, max_waiting=4)
    for n in range(10):
        writer.put(door.crossed(name=("person", "car")[n % 2]))
    for _ in range(4):
        writer.put(door.said("frames_dropped", frames=1))
    until(lambda: writer.failing_since_s is not None)
    faulty.is_full = False
    assert writer.flush(30)
    assert writer.lost == {"door": 10}
    assert journal.audit().is_balanced
    tally = journal.stream("door", None, {"gate": "g"}, 0.0).totals["gate"]
    assert (tally.count_in, tally.by_class) == (10, {"person": (5, 0), "car": (5, 0)})


def test_put_never_waits_for_the_disk(journal, faulty, door, start):
    faulty.hangs.set()
    writer = start(faulty, door, max_waiting=50)
    for _ in range(5000):  # would never end
        writer.put(door.crossed())
    assert writer.waiting <= 51
    faulty.goes_on.set()


def test_after_the_end_nothing_is_taken(journal, door, start):
    writer = start(journal, door)
    assert writer.close(30)
    assert writer.close(30)
    with pytest.raises(SinkError, match="expected no event after its end, got one"):
        writer.put(door.crossed())


def test_an_end_without_room_is_said(journal, faulty, door, start, caplog):
    faulty.is_full = True
    writer = start(faulty, door)
    writer.put(door.crossed())
    assert not writer.close(0.1)
    assert caplog.records[-1].getMessage() == "closed with 1 events that are not in the journal"


def test_a_mistake_of_ours_reaches_whoever_puts_next(journal, door, start, caplog):
    writer = start(journal, door)
    writer.put(Entry("door", None, {}, "{}"))
    assert not writer.flush(10)
    with pytest.raises(SinkError, match="expected to go on, got KeyError"):
        writer.put(door.crossed())


# Real faults


def test_kill_9_at_any_moment_loses_and_doubles_nothing(tmp_path):
    path, count = tmp_path / "journal.db", 6000
    rng = random.Random(9)
    for _ in range(3):
        _killed(path, count, path.exists)  # while it makes the file
    reached = 0
    for _ in range(25):
        due = _reaches(path, reached + rng.randrange(1, 200))
        # The child has no more to do than that: a fast one would be at its end by the first kill.
        _killed(path, reached + count // 25, due, rng.uniform(0, 0.01))
        with Journal.reading(path) as journal:
            assert journal.newest > reached
            reached = journal.newest
            audit = journal.audit()
            assert audit.is_balanced, audit
            assert json.loads(_state(journal))["seq"] <= reached
    child = _child(path, count)
    assert child.communicate(timeout=100)[0].splitlines() == ["ready", "done"]
    with Journal(path) as journal:
        rows = list(journal.all_after(0))
        assert seqs(journal) == list(range(1, count + 1))
        assert len({row.event_id for row in rows}) == count
        events = [json.loads(row.line) for row in rows]
        expected = Counter((e["rule"]["id"], e["rule"]["direction"]) for e in events)
        assert totals(journal) == {
            ("clip", rule): (expected[rule, "in"], expected[rule, "out"])
            for rule in ("gate", "side")
        }
        assert journal.audit().is_balanced


def _killed(path, count, is_due, later_s=0.0):
    """Run the child until something is so, and a moment later kill it."""
    child = _child(path, count)
    until(lambda: is_due() or child.poll() is not None, every_s=0.001)
    time.sleep(later_s)
    child.kill()
    child.communicate()


def _reaches(path, position):
    """A question: does the journal hold that many events?"""

    def ask():
        try:
            with Journal.reading(path) as journal:
                return journal.newest >= position
        except JournalError:  # it is being made at this moment
            return False

    return ask


def _child(path, count):
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(path), str(count)], stdout=subprocess.PIPE, text=True
    )


def _state(journal):
    [(state,)] = journal._all("SELECT state FROM sources")
    return state


@pytest.fixture
def limited_files():
    """No file may grow beyond a megabyte, which SQLite cannot tell from a bad disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or before[0], before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)


def test_files_that_may_not_grow(journal, door, start, limited_files):
    writer = start(journal, door, max_waiting=500)
    limited_files(300_000)
    _overfill(journal, door, writer, lambda: limited_files(None))


def test_the_log_before_the_events_gives_way_to_them(journal, door, limited_files):
    """SQLite's write-ahead log alone would reach the limit, and nothing would ever empty it."""
    limited_files(300_000)
    failures = 0
    while failures < 3:
        try:
            journal.append([door.crossed() for _ in range(10)])
            failures = 0
        except JournalError:
            failures += 1
    limited_files(None)
    assert journal.path.stat().st_size > 200_000
    journal.append(door.made)
    assert journal.audit().is_balanced


@pytest.fixture
def small_disk(tmp_path):
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.tmpfs
def test_a_full_disk(small_disk, start, caplog):
    path = small_disk / "journal.db"
    with Journal(path) as journal:
        door = live(journal)
        ballast = small_disk / "ballast"
        free = shutil.disk_usage(small_disk).free
        ballast.write_bytes(bytes(free - 100_000))
        writer = start(journal, door, max_waiting=500)
        _overfill(journal, door, writer, ballast.unlink)
        assert any("expected room on the disk" in r.getMessage() for r in caplog.records)
        assert writer.close(30)
    with Journal(path) as journal:
        assert live(journal).totals == {"gate": list(door.totals["gate"])}


def _overfill(journal: Journal, door: Scribe, writer: JournalWriter, make_room) -> None:
    """Fill the disk, then the memory; make room; nothing may be missing that is not stated."""
    while writer.flush(0.2):
        for _ in range(20):
            writer.put(door.crossed())
    held = writer.waiting
    for _ in range(200):  # all of these can be kept
        writer.put(door.crossed())
    assert (writer.waiting, writer.lost) == (held + 200, {})
    assert not writer.flush(0.1)
    while not writer.lost.get("door", 0) >= 50:
        writer.put(door.crossed())
    lost = writer.lost["door"]
    assert totals(journal)["door", "gate"][0] < door.seq  # readable all the time
    make_room()
    assert writer.flush(60)
    assert writer.lost == {"door": lost}
    audit = journal.audit()
    assert audit.is_balanced, audit
    assert audit.lost == {"door": lost}
    stated = kinds(journal)["events_lost"]  # once, or twice if a last bit of room was found
    assert stated in (1, 2)
    assert audit.events == door.seq - lost + stated
    assert totals(journal) == {("door", "gate"): (door.seq, 0)}
    numbers = seqs(journal)
    assert numbers == sorted(numbers)
    writer.put(door.crossed())
    assert writer.flush(30)
    assert os.path.exists(journal.path)
