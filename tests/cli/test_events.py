"""`edge events` on a journal with a known story."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3

import pytest
from journals import live, recording

from edge.events.journal import Journal

DAY = 1_790_208_000.0  # 2026-09-24 00:00 UTC


@pytest.fixture
def path(tmp_path):
    """Two cameras on a morning, one of which is lost for a while, and a recording."""
    path = tmp_path / "journal.db"
    with Journal(path, now=lambda: DAY + 40_000.0) as journal:
        door, yard = live(journal, "door"), live(journal, "yard", hall="h")
        clip = recording(journal)

        def at(hour, scribe, kind, **more):
            scribe.utc_s = DAY + hour * 3600
            journal.append([scribe.said(kind, **more)])

        at(8, door, "started", rules=[])
        at(8, yard, "started", rules=[])
        door.utc_s = yard.utc_s = DAY + 9 * 3600
        journal.append([door.crossed(), door.crossed(name="car"), door.crossed(way="out")])
        journal.append([yard.entered(1)])
        at(10, door, "source_lost", reason="timed out")
        door.session += 1
        at(10.01, door, "source_restored", gap_s=36.0)
        journal.append([clip.crossed()])
        journal.delivered("mqtt", 6)
    return path


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def kinds(text: str) -> list[str]:
    return [event["type"] for event in events(text)]


def test_tail_shows_the_newest_a_line_each(edge, path):
    result = edge("events", "tail", path, "-n", 4)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "       6  2026-09-24T09:00:00.000Z  yard zone_entered hall in person in 1 out 0",
        "       7  2026-09-24T10:00:00.000Z  door source_lost timed out",
        "       8  2026-09-24T10:00:36.000Z  door source_restored gap_s 36.0",
        "       9  0.100 s of clip  clip line_crossed gate in person in 1 out 0",
    ]


def test_tail_filters_and_gives_json(edge, path):
    result = edge("events", "tail", path, "--source", "door", "--type", "line_crossed", "--json")
    assert [e["seq"] for e in events(result.out)] == [2, 3, 4]
    assert edge("events", "tail", path, "--rule", "hall", "--json").out.count("\n") == 1
    assert edge("events", "tail", path, "-n", 0).out == ""


def test_tail_follows_while_another_process_writes(edge_process, path):
    with Journal(path) as journal:
        process = edge_process(
            *("events", "tail", path, "-n", 1, "--follow", "--json", "--type", "line_crossed"),
            PYTHONUNBUFFERED="1",
        )
        assert json.loads(process.stdout.readline())["source"]["id"] == "clip"
        door = live(journal)
        journal.append([door.said("started", rules=[]), door.crossed()])
        assert json.loads(process.stdout.readline())["event_id"] == door.made[1].event["event_id"]
        journal.append([door.crossed(), door.crossed()])
        got = [json.loads(process.stdout.readline())["seq"] for _ in range(2)]
        assert got == [door.seq - 1, door.seq]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_export_gives_every_event_as_it_was(edge, path, tmp_path):
    with Journal.reading(path) as journal:
        lines = "".join(row.line + "\n" for row in journal.all_after(0))
    assert edge("events", "export", path) == (0, lines, "")
    out = tmp_path / "out.jsonl"
    assert edge("events", "export", path, "-o", out) == (0, "", "")
    assert out.read_text() == lines


def test_export_by_time_and_place(edge, path):
    at_nine = ("--from", "2026-09-24T09:00", "--to", "2026-09-24T10:00:00Z")
    assert kinds(edge("events", "export", path, *at_nine).out) == [
        *["line_crossed"] * 3,
        "zone_entered",
    ]
    assert kinds(edge("events", "export", path, *at_nine, "--source", "yard").out) == [
        "zone_entered"
    ]
    in_zone = ("--from", "2026-09-24T12:00:00+02:00", "--source", "door")
    assert kinds(edge("events", "export", path, *in_zone).out) == ["source_lost", "source_restored"]
    assert kinds(edge("events", "export", path, "--after", 8).out) == ["line_crossed"]


def test_export_as_csv(edge, path):
    result = edge("events", "export", path, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert len(rows) == 9
    assert rows[3] | {"event_id": "", "track_uid": ""} == {
        "position": "4", "event_id": "", "seq": "3", "type": "line_crossed",
        "utc": "2026-09-24T09:00:00.000Z", "media_s": "0.3", "source": "door", "session": "1",
        "rule": "gate", "direction": "in", "delta": "1", "in": "2", "out": "0", "class": "car",
        "track_uid": "", "confidence": "0.9", "occupancy": "", "dwell_s": "", "gap_s": "",
        "reason": "",
    }  # fmt: skip
    assert (rows[4]["out"], rows[6]["reason"], rows[7]["gap_s"]) == ("1", "timed out", "36.0")


def test_what_can_still_be_read_of_a_damaged_journal(edge, path):
    with Journal(path) as journal:
        door = live(journal)
        journal.append([door.crossed() for _ in range(300)])
    data = bytearray(path.read_bytes())
    page = data.index(door.made[150].line.encode()) // 4096 * 4096
    data[page : page + 4096] = os.urandom(4096)
    path.write_bytes(data)
    result = edge("events", "export", path)
    assert result.code == 5
    assert result.err.startswith(f"edge: {path}: expected every event, got ")
    missing = int(result.err.split("got ")[1].split()[0])
    assert len(events(result.out)) == 309 - missing
    assert 0 < missing < 20


def test_export_to_a_place_that_is_none(edge, path, tmp_path):
    result = edge("events", "export", path, "-o", tmp_path / "no" / "a.csv")
    expected = (
        f"edge: {tmp_path}/no/a.csv: expected to write events, got: no such file or directory\n"
    )
    assert result == (5, "", expected)


def test_replay_prints_events_again(edge, path):
    assert edge("events", "replay", path).out == edge("events", "export", path).out
    assert kinds(edge("events", "replay", path, "--source", "yard").out) == [
        "started",
        "zone_entered",
    ]


def test_replay_sets_a_sink_back(edge, path):
    result = edge("events", "replay", path, "--sink", "mqtt", "--from", "2026-09-24T09:00")
    assert result == (0, "", "mqtt: delivers again from position 3: 4 events\n")
    with Journal.reading(path) as journal:
        assert journal.position("mqtt") == 2
    result = edge("events", "replay", path, "--sink", "mqtt", "--after", 8)  # not yet there
    assert result == (0, "", "mqtt: delivers again from position 9: 0 events\n")
    with Journal.reading(path) as journal:
        assert journal.position("mqtt") == 2


def test_replay_that_cannot_be(edge, path, tmp_path):
    result = edge("events", "replay", path, "--sink", "web")
    expected = "edge: --sink: expected one that has delivered before, got web (known: mqtt)\n"
    assert result == (2, "", expected)
    result = edge("events", "replay", path, "--sink", "mqtt", "--to", "2026-09-24")
    assert (result.code, "--to: expected nothing with --sink" in result.err) == (2, True)
    result = edge("events", "replay", tmp_path / "none.db", "--sink", "mqtt")
    assert result.code == 5
    assert not (tmp_path / "none.db").exists()
    with Journal(path):
        result = edge("events", "replay", path, "--sink", "mqtt")
        assert (result.code, f"in use by process {os.getpid()}" in result.err) == (5, True)


def test_totals(edge, path):
    result = edge("events", "totals", path)
    assert (result.code, result.err) == (0, "")
    rows = [[c.strip() for c in line.strip("│").split("│")] for line in result.out.splitlines()]
    assert [row for row in rows if len(row) == 7] == [
        ["clip", "gate", "all", "1", "0", "1", "the beginning"],
        ["", "", "person", "1", "0", "1", "the beginning"],
        ["door", "gate", "all", "2", "1", "1", "1970-01-01T00:16:40Z"],
        ["", "", "person", "1", "1", "0", "1970-01-01T00:16:40Z"],
        ["", "", "car", "1", "0", "1", "1970-01-01T00:16:40Z"],
        ["yard", "hall", "all", "1", "0", "1", "1970-01-01T00:16:40Z"],
        ["", "", "person", "1", "0", "1", "1970-01-01T00:16:40Z"],
    ]


def test_totals_as_json(edge, path):
    clip, door, _ = json.loads(edge("events", "totals", path, "--json").out)
    assert (clip["source"], clip["source_key"], clip["since"]) == ("clip", "k", None)
    assert door | {"source_key": ""} == {
        "source": "door", "source_key": "", "rule": "gate", "in": 2, "out": 1, "net": 1,
        "by_class": {"person": {"in": 1, "out": 1}, "car": {"in": 1, "out": 0}},
        "since": "1970-01-01T00:16:40Z",
    }  # fmt: skip


def test_audit_of_a_sound_journal(edge, path):
    result = edge("events", "audit", path)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "total: clip gate: in 1 out 0 = sum of the events",
        "total: door gate: in 2 out 1 = sum of the events",
        "total: yard hall: in 1 out 0 = sum of the events",
        "gap: door: 2026-09-24T10:00:00Z to 2026-09-24T10:00:36Z (36.0 s): timed out",
        "9 events, 3 totals: balanced",
    ]


def test_audit_of_a_journal_that_somebody_changed(edge, path):
    with Journal(path) as journal:
        journal.dead_letter("web", journal.after(0, 2), "422")
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM events WHERE position = 4")
        connection.execute("UPDATE tallies SET count_out = 7 WHERE rule_id = 'hall'")
    connection.close()
    result = edge("events", "audit", path)
    assert (result.code, result.err) == (1, "")
    assert result.out.splitlines() == [
        "damage: position 4: counted, but no event is there",
        "total: clip gate: in 1 out 0 = sum of the events",
        "wrong: door gate: in 2 out 1, but the events add up to in 1 out 1",
        "wrong: yard hall: in 1 out 7, but the events add up to in 1 out 0",
        "wrong: yard hall: in 1 out 7, but its classes add up to in 1 out 0",
        "wrong: yard hall: in 1 out 7, but the newest event says in 1 out 0",
        "missing: door: seq 3 to 3, and nothing says why",
        "gap: door: 2026-09-24T10:00:00Z to 2026-09-24T10:00:36Z (36.0 s): timed out",
        "dead letters: web: 2",
        "8 events, 3 totals: NOT BALANCED",
    ]
    found = json.loads(edge("events", "audit", path, "--json").out)
    assert not found["is_balanced"]
    assert [rule["is_balanced"] for rule in found["rules"]] == [True, False, False]
    assert found["dead_letters"] == {"web": 2}


@pytest.mark.parametrize("command", ["tail", "export", "replay", "totals", "audit"])
def test_a_journal_that_is_none(edge, command, tmp_path):
    result = edge("events", command, tmp_path / "none.db")
    expected = f"edge: {tmp_path}/none.db: expected a journal, got no such file\n"
    assert result == (5, "", expected)


def test_a_time_that_is_none(edge, path):
    result = edge("events", "export", path, "--from", "yesterday")
    assert result.code == 2
    assert "--from: expected a time such as 2026-09-24 or" in result.err


@pytest.mark.parametrize("command", ["tail", "export", "replay", "totals", "audit"])
def test_every_command_has_help_with_an_example(edge, command):
    result = edge("events", command, "--help")
    assert result.code == 0
    assert f"Example: edge events {command} journal.db" in " ".join(result.out.split())
