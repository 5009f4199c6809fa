"""The journal: what goes in comes out, once, in order, and the totals are the sum of it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journals import Scribe, live, loss, recording, totals

from edge.errors import SinkError
from edge.events.database import Database
from edge.events.info import Tally
from edge.events.journal import Choice, Entry, Journal, JournalError, Row


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    with Journal(path, now=lambda: 5000.0) as opened:
        yield opened


def ids(rows) -> list[str]:
    return [row.event_id for row in rows]


def made(scribe) -> list[str]:
    return [entry.event["event_id"] for entry in scribe.made]


# Events and totals


def test_what_goes_in_comes_out_in_order(journal):
    door = live(journal)
    for _ in range(5):
        door.crossed()
    assert journal.append(door.made) == 5
    rows = journal.after(0, 100)
    assert rows == [
        Row(n + 1, entry.event["event_id"], entry.line, 5000.0) for n, entry in enumerate(door.made)
    ]
    assert ids(journal.after(2, 2)) == made(door)[2:4]
    assert ids(journal.last(2)) == made(door)[3:]
    assert ids(journal.all_after(1)) == made(door)[1:]
    assert journal.row(2) == rows[1]
    assert journal.row(6) is None
    assert journal.newest == 5


def test_totals_change_with_the_events_by_direction_and_class(journal):
    door = live(journal, gate="g", side="s")
    door.crossed()
    door.crossed(name="car")
    door.crossed("side", "out")
    door.crossed("gate", "in", -1)  # taken back
    door.said("frames_dropped", frames=3)
    journal.append(door.made)
    assert totals(journal) == {("door", "gate"): (1, 0), ("door", "side"): (0, 1)}
    [gate, _] = journal.totals()
    assert gate.tally == Tally(1, 0, {"person": (0, 0), "car": (1, 0)}, 1000.0)


def test_a_known_event_changes_nothing(journal):
    door = live(journal)
    first = door.crossed()
    assert journal.append([first, first]) == 1
    assert journal.append([first, door.crossed()]) == 1
    assert totals(journal) == {("door", "gate"): (2, 0)}
    assert [row.position for row in journal.after(0, 9)] == [1, 2]  # without holes: lag is exact


def test_an_event_is_read_from_its_line_if_need_be(journal):
    door = live(journal)
    entry = door.crossed()
    journal.append([Entry("door", None, None, entry.line)])
    assert totals(journal) == {("door", "gate"): (1, 0)}


def test_lost_events_count_in_the_totals(journal):
    door = live(journal)
    gone = [door.crossed(way=way) for way in ("in", "out", "in", "in")]
    lost = door.lost("door", loss(gone))
    journal.append([Entry("door", None, lost, "{}")])
    assert totals(journal) == {("door", "gate"): (3, 1)}


def test_an_event_is_kept_even_if_nobody_opened_the_books_of_its_rule(journal):
    door = live(journal)
    journal.append([door.crossed("new")])
    assert totals(journal)["door", "new"] == (1, 0)


def test_a_batch_goes_in_whole_or_not_at_all(journal):
    door = live(journal)
    with pytest.raises(KeyError):
        journal.append([door.crossed(), Entry("door", None, {"event_id": "x"}, "{}")])
    assert journal.newest == 0
    assert totals(journal) == {("door", "gate"): (0, 0)}
    assert journal.append([door.made[0]]) == 1


# Streams


def test_a_live_source_goes_on_where_it_was(path):
    with Journal(path) as journal:
        door = live(journal)
        assert (door.session, door.seq) == (1, 0)
        for _ in range(3):
            door.crossed()
        journal.append(door.made, {("door", None): {"clock": 7}})
        key = journal.journal_id
    with Journal(path) as journal:
        stream = journal.stream("door", None, {"gate": "g", "new": "n"}, 2000.0)
        assert (stream.session, stream.seq, stream.source_key) == (2, 3, key)
        assert stream.totals == {
            "gate": Tally(3, 0, {"person": (3, 0)}, 1000.0),
            "new": Tally(since_utc_s=2000.0),
        }
        assert stream.state == {"clock": 7}
        assert stream.resets == {}
        assert stream.open_stays == ()


def test_a_session_that_an_event_shows_is_never_used_again(journal):
    door = live(journal)
    door.session = 6  # after five reconnects
    journal.append([door.said("source_restored", gap_s=1.0)])
    assert live(journal).session == 7


def test_a_rule_that_was_moved_begins_again_at_zero(journal):
    door = live(journal, gate="g", hall="h")
    door.crossed()
    door.crossed("hall")
    journal.append(door.made)
    stream = journal.stream("door", None, {"gate": "g2", "hall": "h"}, 2000.0)
    assert stream.resets == {"gate": Tally(1, 0, {"person": (1, 0)}, 1000.0)}
    assert stream.totals["gate"] == Tally(since_utc_s=2000.0)
    assert stream.totals["hall"].count_in == 1
    # Moved back it begins again too: nobody counted there meanwhile.
    stream = journal.stream("door", None, {"gate": "g", "hall": "h"}, 3000.0)
    assert stream.totals["gate"] == Tally(since_utc_s=3000.0)
    assert journal.audit().is_balanced


def test_a_rule_that_was_left_out_goes_on_when_it_is_back(journal):
    door = live(journal)
    journal.append([door.crossed()])
    journal.stream("door", None, {}, 2000.0)
    assert journal.stream("door", None, {"gate": "g"}, 3000.0).totals["gate"].count_in == 1


def test_a_file_is_counted_again_from_zero_and_its_repeats_are_ignored(journal):
    first = recording(journal)
    for _ in range(4):
        first.crossed()
    journal.append(first.made[:2])  # and the process was killed
    again = recording(journal)
    assert (again.session, again.seq) == (1, 0)
    assert again.totals == {"gate": [0, 0]}
    for _ in range(4):
        again.crossed()
    assert made(again) == made(first)
    assert journal.append(again.made) == 2
    assert totals(journal) == {("clip", "gate"): (4, 0)}


def test_each_geometry_of_a_rule_of_a_file_has_totals_of_its_own(journal):
    journal.append([recording(journal, gate="a").crossed()])
    other = recording(journal, gate="b")
    other.seq = 10
    journal.append([other.crossed(), other.crossed()])
    assert totals(journal) == {("clip", "gate"): (2, 0)}
    assert recording(journal, gate="a").totals == {"gate": [0, 0]}
    assert totals(journal) == {("clip", "gate"): (1, 0)}


def test_stays_stay_open_until_somebody_ends_them(journal):
    door = live(journal, hall="h", gone="g")
    first, second = door.entered(1), door.entered(2)
    other = door.entered(3, "gone")
    journal.append([first, second, other, door.exited("door:1:1")])
    stream = journal.stream("door", None, {"hall": "h"}, 2000.0)
    assert stream.open_stays == (second.event,)
    later = live(journal, hall="h")
    journal.append([later.exited("door:1:2")])
    assert journal.stream("door", None, {"hall": "h"}, 2000.0).open_stays == ()
    assert journal.stream("door", None, {"gone": "g"}, 2000.0).open_stays == (other.event,)
    assert journal.stream("door", None, {"gone": "moved"}, 2000.0).open_stays == ()


def test_stays_outlive_their_events(journal):
    door = live(journal, hall="h")
    entered = door.entered(1)
    journal.append([entered])
    journal.retain(None, 0, [])
    assert journal.stream("door", None, {"hall": "h"}, 2000.0).open_stays == (entered.event,)


def test_state_is_saved_with_the_events_or_alone(path):
    with Journal(path) as journal:
        journal.save_state("door", None, {"a": 1})
        journal.save_state("clip", "k", {"b": 2})
        journal.save_state("clip", "k", None)
    with Journal(path) as journal:
        assert journal.stream("door", None, {}, 0.0).state == {"a": 1}
        assert journal.stream("clip", "k", {}, None).state is None


# Sinks


def test_a_sink_goes_forward_and_back_only_when_told(journal):
    door = live(journal)
    journal.append([door.crossed() for _ in range(5)])
    assert journal.position("mqtt") == 0
    journal.delivered("mqtt", 4)
    journal.delivered("mqtt", 2)  # late, from a batch before
    assert journal.position("mqtt") == 4
    journal.rewind("mqtt", 1)
    assert [(s.name, s.position, s.dropped) for s in journal.sinks()] == [("mqtt", 1, 0)]


def test_dead_letters(journal):
    door = live(journal)
    journal.append([door.crossed(), door.crossed()])
    rows = journal.after(0, 2)
    for _ in range(2):  # once more after a crash
        journal.dead_letter("web", rows[:1], "422")
    [letter] = journal.dead_letters("web")
    assert (letter.position, letter.event_id, letter.line) == rows[0][:3]
    assert (letter.reason, letter.at_unix_s) == ("422", 5000.0)
    assert journal.dead_letters("mqtt") == []
    assert journal.position("web") == 0


# Choosing


def test_choices(journal):
    door, yard = live(journal, "door"), live(journal, "yard")
    door.utc_s = 100.0
    yard.utc_s = 200.5
    batch = [door.crossed(), yard.crossed(), yard.crossed("side"), door.said("started", rules=[])]
    journal.append(batch)

    def positions(**choice):
        return [row.position for row in journal.after(0, 10, Choice(**choice))]

    assert positions() == [1, 2, 3, 4]
    assert positions(source_id="yard") == [2, 3]
    assert positions(types=("started",)) == [4]
    assert positions(types=("started", "line_crossed"), source_id="door") == [1, 4]
    assert positions(rule_id="side") == [3]
    assert positions(from_unix_s=200.5) == [2, 3]
    assert positions(to_unix_s=200.5) == [1, 4]
    assert positions(source_id="'; DROP TABLE events; --") == []
    assert [row.position for row in journal.last(1, Choice("door"))] == [4]


def test_without_world_time_an_event_is_as_old_as_its_arrival(journal):
    clip = recording(journal)
    journal.append([clip.crossed()])
    assert journal.after(0, 1, Choice(from_unix_s=5000.0))
    assert not journal.after(0, 1, Choice(to_unix_s=5000.0))


# Files that cannot be used


def test_a_second_user_is_refused_with_the_pid_of_the_first(journal, path):
    code = (
        "import sys; from edge.events.journal import Journal, JournalError\n"
        "try: Journal(sys.argv[1])\n"
        "except JournalError as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert found.stdout == (
        f"{path}: expected a journal that nobody else writes, got one in use by process "
        f"{os.getpid()} (stop that process, or choose another journal)\n"
    )


def test_the_lock_is_free_after_close(path):
    for _ in range(2):
        Journal(path).close()


def test_reading_beside_a_writer(journal, path):
    door = live(journal)
    with Journal.reading(path) as reader:
        journal.append([door.crossed()])
        assert (reader.newest, reader.journal_id) == (1, journal.journal_id)
        assert totals(reader) == {("door", "gate"): (1, 0)}
        with pytest.raises(JournalError, match="expected a journal to write, got it for reading"):
            reader.append([door.crossed()])


@pytest.mark.parametrize("is_reading", [False, True])
@pytest.mark.parametrize("content", [b"{}\n", b"SQLite format 4\0" * 99, b"a,b\n" * 9999])
def test_a_file_of_another_kind_is_refused_and_left_alone(path, content, is_reading):
    path.write_bytes(content)
    with pytest.raises(JournalError, match="expected a journal, got a file of another kind"):
        (Journal.reading if is_reading else Journal)(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("is_reading", [False, True])
def test_a_database_of_another_program_is_refused_and_left_alone(path, is_reading):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE stamps (value)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="got a database of another program"):
        (Journal.reading if is_reading else Journal)(path)
    assert path.read_bytes() == before


def test_a_newer_journal_is_refused(path):
    Journal(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version=3")
    other.close()
    with pytest.raises(JournalError, match=r"version 2 or older, got version 3 \(a newer edge"):
        Journal(path)
    with pytest.raises(JournalError, match="update this one"):
        Journal.reading(path)


def test_a_journal_of_the_first_version_gets_what_it_lacks(path):
    with Journal(path) as journal:
        journal.append([live(journal).crossed()])
    other = sqlite3.connect(path)
    other.executescript("DROP TABLE resets; PRAGMA user_version=1")
    other.close()
    with Journal.reading(path) as journal:
        assert totals(journal) == {("door", "gate"): (1, 0)}
    with Journal(path) as journal:
        live(journal, gate="moved")
        assert live(journal, gate="moved").totals == {"gate": [0, 0]}


def test_a_reset_is_told_at_each_start_until_it_is_in_the_journal(journal):
    journal.append([live(journal).crossed()])
    assert journal.stream("door", None, {"gate": "moved"}, 5.0).resets["gate"].count_in == 1
    # Killed before the event was written.
    again = journal.stream("door", None, {"gate": "moved"}, 6.0)
    assert again.resets["gate"].count_in == 1
    assert again.totals["gate"].count_in == 0
    rule = {"id": "gate", "kind": "line", "config_rev": "x"}
    count = {"delta": 0, "in": 0, "out": 0, "net": 0, "by_class": {}}
    journal.append([Scribe(again).said("counter_reset", rule=rule, count=count)])
    assert journal.stream("door", None, {"gate": "moved"}, 7.0).resets == {}


def test_overcrowding_that_nobody_ended_is_known_at_the_next_start(journal):
    hall = live(journal, hall="h")
    journal.append([hall.entered(1), hall.said("overcrowding_started", rule={"id": "hall"})])
    begun = [b["type"] for b in journal.stream("door", None, {"hall": "h"}, 5.0).open_stays]
    assert begun == ["zone_entered", "overcrowding_started"]
    # Exits of the old zone would count in the new one; that it is not crowded any more does not.
    begun = [b["type"] for b in journal.stream("door", None, {"hall": "moved"}, 6.0).open_stays]
    assert begun == ["overcrowding_started"]
    journal.append([hall.said("overcrowding_ended", rule={"id": "hall"})])
    assert journal.stream("door", None, {"hall": "moved"}, 7.0).open_stays == ()


def test_an_empty_file_becomes_a_journal(path):
    path.touch()
    with pytest.raises(JournalError, match="expected a journal, got an empty file"):
        Journal.reading(path)
    Journal(path).close()
    Journal.reading(path).close()


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(JournalError, match="expected a journal, got no such file"):
        Journal.reading(tmp_path / "none.db")
    with pytest.raises(JournalError, match="expected to open the journal, got: no such file or"):
        Journal(tmp_path / "none" / "a.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(JournalError, match="got: is a directory"):
        Journal(tmp_path / "folder.db")
    assert issubclass(JournalError, SinkError)


def test_a_damaged_journal_says_what_to_do(path):
    with Journal(path) as journal:
        door = live(journal)
        journal.append([door.crossed() for _ in range(500)])
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = os.urandom(len(data) - 4096 * 2)
    path.write_bytes(data)
    remedy = r"got a damaged file \(move it away, and a new one is begun; `edge events export`"
    with pytest.raises(JournalError, match=remedy), Journal(path) as journal:
        list(journal.all_after(0))


def test_names_with_strange_characters(tmp_path):
    path = tmp_path / "a b#?%20é.db"
    with Journal(path) as journal:
        journal.append([live(journal).crossed()])
    assert Journal.reading(path).newest == 1
    assert path.exists()


# Threads


def test_threads_share_a_journal(journal):
    """Two write, two deliver, one reads totals; nothing is lost and nothing is out of order."""
    scribes = [live(journal, name) for name in ("a", "b")]
    batches = [[[s.crossed() for _ in range(5)] for _ in range(20)] for s in scribes]
    failures: list[BaseException] = []
    got: dict[str, list[int]] = {"x": [], "y": []}

    def write(its):
        for batch in its:
            journal.append(batch)

    def deliver(name):
        while len(got[name]) < 200:
            rows = journal.after(journal.position(name), 7)
            got[name] += [row.position for row in rows]
            if rows:
                journal.delivered(name, rows[-1].position)

    def guarded(work, argument):
        try:
            work(argument)
        except BaseException as error:
            failures.append(error)

    jobs = [(write, its) for its in batches] + [(deliver, name) for name in got]
    threads = [threading.Thread(target=guarded, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert got == {"x": list(range(1, 201)), "y": list(range(1, 201))}
    assert totals(journal) == {("a", "gate"): (100, 0), ("b", "gate"): (100, 0)}


def test_a_reader_does_not_hold_up_a_writer(journal, path):
    door = live(journal)
    journal.append([door.crossed()])
    with Database(path, is_reading=True).snapshot() as slow:
        assert slow.execute("SELECT count(*) FROM events").fetchone() == (1,)
        journal.append([door.crossed()])
        assert slow.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert journal.newest == 2


# Any order of everything


class AnyOrder(RuleBasedStateMachine):
    """Appends, repeats, restarts, retention and deliveries in any order."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.clock_s = 1000.0
        self.journal = Journal(Path(self.folder.name) / "j.db", now=lambda: self.clock_s)
        self.line = "g"
        self.counted = {"live": [0, 0], "file": [0, 0]}
        self.kept: list[str] = []  # ids in order of arrival
        self.expected: list[str] = []  # of these, not yet with the sink
        self.got: list[str] = []
        self.open_all()

    def open_all(self):
        self.live = live(self.journal, "live", gate=self.line)
        self.file = recording(self.journal, "file")
        self.is_replaying = 0

    @rule(ways=st.lists(st.sampled_from(["in", "out"]), min_size=1, max_size=5))
    def count_live(self, ways):
        batch = [self.live.crossed(way=way) for way in ways]
        assert self.journal.append(batch) == len(batch)
        for way in ways:
            self.counted["live"][way == "out"] += 1
        self.kept += [entry.event["event_id"] for entry in batch]

    @rule(count=st.integers(1, 5), repeats=st.booleans())
    def count_file(self, count, repeats):
        """The file's passages alternate, so that a replay gives the same ones."""
        batch = [self.file.crossed(way=("in", "out")[self.file.seq % 2]) for _ in range(count)]
        new = [e for e in batch if e.event["event_id"] not in set(self.kept)]
        assert self.journal.append(batch) == len(new)
        for entry in new:
            self.counted["file"][entry.event["rule"]["direction"] == "out"] += 1
        self.kept += [entry.event["event_id"] for entry in new]
        if repeats:
            assert self.journal.append(batch) == 0

    @rule()
    def restart(self):
        path = self.journal.path
        self.journal.close()
        self.journal = Journal(path, now=lambda: self.clock_s)
        self.open_all()

    @rule()
    def move_the_line(self):
        self.line += "!"
        self.counted["live"] = [0, 0]
        self.open_all()

    @rule(limit=st.integers(1, 4))
    def deliver(self, limit):
        rows = self.journal.after(self.journal.position("sink"), limit)
        self.got += ids(rows)
        if rows:
            self.journal.delivered("sink", rows[-1].position)

    @rule(later_s=st.integers(0, 100), max_age_s=st.integers(0, 100))
    def retain_by_age(self, later_s, max_age_s):
        self.clock_s += later_s
        assert self.journal.retain(max_age_s, None, ["sink"]).undelivered == {}

    @precondition(lambda self: self.journal.after(self.journal.position("sink"), 1) == [])
    @rule()
    def retain_nothing(self):
        found = self.journal.retain(None, 0, ["sink"])
        assert (found.undelivered, self.journal.after(0, 1)) == ({}, [])

    @invariant()
    def nothing_is_lost_or_doubled(self):
        if not hasattr(self, "journal"):
            return
        rest = ids(self.journal.all_after(self.journal.position("sink")))
        assert self.got + rest == self.kept
        assert {s: list(t) for (s, _), t in totals(self.journal).items()} == self.counted
        audit = self.journal.audit()
        assert audit.is_balanced, audit
        assert audit.missing == []

    def teardown(self):
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=15, stateful_step_count=20)
