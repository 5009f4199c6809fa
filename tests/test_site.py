"""Cameras of a site and their journal: reload, restart and a full disk cost no count."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from feeds import NAMES, Script, play, seen, wall
from live import wait_for

from edge import openings
from edge import site as site_module
from edge.cli.live import close_ledger
from edge.config import Config
from edge.errors import EdgeError, SinkError
from edge.events.journal import JournalError
from edge.ledger import Ledger
from edge.sinks.rotating import RotatingFile
from edge.site import Site
from edge.types import Notice, Stamp

CLIP = Path(__file__).parent / "data" / "people.mp4"
MODEL = SimpleNamespace(
    class_names=NAMES,
    session=SimpleNamespace(file=SimpleNamespace(sha256="0" * 64), provider="cpu"),
)
MIDDLE = {"a": [0.5, 0.0], "b": [0.5, 1.0]}
LEFT = {"polygon": [[0, 0], [0.45, 0], [0.45, 1], [0, 1]]}
WIDER = {"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}


def config_of(**cameras) -> Config:
    """Cameras with these rules and settings."""
    sections = {n: {"source": f"rtsp://10.0.0.1/{n}", **rest} for n, rest in cameras.items()}
    return Config.model_validate({"cameras": sections})


@pytest.fixture(autouse=True)
def feeds(monkeypatch):
    opened = []

    def open_script(address, settings, session, name, wake):
        opened.append(name)
        return Script()

    monkeypatch.setattr(site_module, "open_live", open_script)
    return opened


@contextmanager
def running(folder, config, **more):
    """A site that has begun, and its ledger."""
    with_ledger = Ledger(folder / "journal.db", config)
    site = Site(MODEL, with_ledger, threading.Event(), **more)
    try:
        site.apply(config)
        yield site, with_ledger
    finally:
        site.close()
        with_ledger.close(1.0)


def until_lanes(site, count):
    """Recordings are opened on threads of their own."""
    deadline = time.monotonic() + 30
    while len(site.lanes) < count:
        site.save()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def events_of(ledger) -> list[dict]:
    assert ledger.flush()
    return [json.loads(row.line) for row in ledger.journal.all_after(0)]


def totals_of(ledger) -> dict[tuple[str, str], tuple[int, int, dict]]:
    assert ledger.flush()
    return {
        (t.source_id, t.rule_id): (t.tally.count_in, t.tally.count_out, dict(t.tally.by_class))
        for t in ledger.journal.totals()
    }


def agree(ledger) -> None:
    """Totals are the sum of deltas, classes add up to them, and events state what is booked."""
    audit = ledger.journal.audit()
    assert audit.is_balanced, audit
    last = {}
    for event in events_of(ledger):
        if "rule" in event and event["type"] != "counter_reset":
            last[event["source"]["id"], event["rule"]["id"]] = event["count"]
    for key, (ins, outs, by_class) in totals_of(ledger).items():
        assert (ins, outs) == tuple(sum(b[k] for b in by_class.values()) for k in (0, 1)), key
        if key in last:
            assert (last[key]["in"], last[key]["out"]) == (ins, outs), key


def slow(ledger, monkeypatch, seconds=0.3):
    """Let the disk take a while for each batch."""
    append, pause = ledger.journal.append, threading.Event()

    def later(batch, states=None):
        pause.wait(seconds)
        return append(batch, states)

    monkeypatch.setattr(ledger.journal, "append", later)


def test_a_camera_that_is_opened_anew_goes_on_from_what_waits_for_the_disk(tmp_path, monkeypatch):
    rules = {"lines": {"middle": MIDDLE}, "zones": {"hall": LEFT}}
    with running(tmp_path, config_of(gate=rules)) as (site, ledger):
        slow(ledger, monkeypatch)
        play(site.lanes[0], seen(0.0, 1.0))  # inside the zone
        site.apply(config_of(gate={**rules, "max_fps": 5}))
        play(site.lanes[0], seen(0.0, 4.0))
        found = events_of(ledger)
        assert [e["seq"] for e in found] == list(range(1, len(found) + 1))
        assert [e["type"] for e in found].count("started") == 2
        assert not [e for e in found if e.get("end_reason") == "interrupted"]
        assert totals_of(ledger)["gate", "hall"][:2] == (2, 2)
        agree(ledger)


@pytest.mark.parametrize("after", [{**LEFT, "dwell_s": 3}, WIDER])
def test_who_is_in_a_zone_that_is_changed_leaves_it_before(tmp_path, after):
    with running(tmp_path, config_of(gate={"zones": {"hall": LEFT}})) as (site, ledger):
        play(site.lanes[0], seen(0.0, 1.0))
        site.apply(config_of(gate={"zones": {"hall": after}}))
        kinds = [e["type"] for e in events_of(ledger)]
        assert kinds.index("zone_exited") < kinds.index("config_changed")
        play(site.lanes[0], seen(1.0, 4.0))
        is_moved = after is WIDER
        assert totals_of(ledger)["gate", "hall"][:2] == ((1, 1) if is_moved else (2, 2))
        agree(ledger)
        resets = [e for e in events_of(ledger) if e["type"] == "counter_reset"]
        assert [(e["before"]["in"], e["before"]["out"]) for e in resets] == [(1, 1)] * is_moved


def test_the_end_of_a_lost_camera_states_totals_once(tmp_path):
    before = {"lines": {"middle": MIDDLE}}
    after = {"lines": {"middle": {**MIDDLE, "classes": ["person"]}}}
    with running(tmp_path, config_of(gate=before)) as (site, ledger):
        lane = site.lanes[0]
        play(lane, seen(0.0, 4.0))
        lane.feed.items = [Notice("source_lost", Stamp(40, 4.0, wall(4.0)), 1, reason="gone")]
        assert lane.poll() is None
        site.apply(config_of(gate=after))
        site.close()
        stopped = events_of(ledger)[-1]
        [count] = [c["count"] for c in stopped["counts"]]
        assert count["in"] + count["out"] == 1
        agree(ledger)


def full_disk(ledger, monkeypatch) -> dict[str, bool]:
    """A disk that is full while `is_full` is true."""
    state = {"is_full": True}
    append, stream = ledger.journal.append, ledger.journal.stream

    def checked(call):
        def do(*arguments, **more):
            if state["is_full"]:
                raise JournalError("j: expected room on the disk, got a full one")
            return call(*arguments, **more)

        return do

    monkeypatch.setattr(ledger.journal, "append", checked(append))
    monkeypatch.setattr(ledger.journal, "stream", checked(stream))
    return state


def broken(*_):
    raise JournalError("j: expected room on the disk, got a full one")


def test_a_reload_on_a_full_disk_costs_no_camera(tmp_path, monkeypatch):
    monkeypatch.setattr("edge.ledger.FLUSH_S", 0.1)
    rules = {"lines": {"middle": MIDDLE}}
    old = config_of(gate=rules, door=rules)
    new = config_of(
        gate={**rules, "max_fps": 5}, door={"zones": {"hall": LEFT}}, yard={"zones": {"hall": LEFT}}
    )
    with running(tmp_path, old) as (site, ledger):
        disk = full_disk(ledger, monkeypatch)
        play(site.lanes[0], seen(0.0, 1.0))
        with pytest.raises(SinkError, match="cameras are as they were"):
            site.apply(new)
        assert [lane.name for lane in site.lanes] == ["gate", "door"]
        disk["is_full"] = False
        assert ledger.flush(100.0)
        site.apply(new)
        assert {lane.name for lane in site.lanes} == {"gate", "door", "yard"}
        assert set(site.lanes[0].events.encoder.tallies()) == {"hall"}  # the door
        agree(ledger)


def test_a_camera_whose_books_cannot_be_opened_is_opened_later(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(site_module, "SAVE_EVERY_S", 0.0)
    rules = {"lines": {"middle": MIDDLE}}
    with running(tmp_path, config_of(gate=rules)) as (site, ledger):
        stream = ledger.journal.stream
        monkeypatch.setattr(ledger.journal, "stream", broken)
        with caplog.at_level(logging.ERROR):
            site.apply(config_of(gate=rules, yard=rules, door={"zones": {"hall": LEFT}}))
        assert "yard: " in caplog.text
        assert [lane.name for lane in site.lanes] == ["gate"]
        lost = {s.name: s.reason for s in site.statuses() if s.state == "lost"}
        assert lost == dict.fromkeys(
            ("yard", "door"), "not opened: j: expected room on the disk, got a full one"
        )
        site.save()  # the next attempt fails as well
        monkeypatch.setattr(ledger.journal, "stream", stream)
        site.save()
        assert {lane.name for lane in site.lanes} == {"gate", "yard", "door"}
        assert [s.name for s in site.statuses()] == [lane.name for lane in site.lanes]


def test_a_camera_removed_while_its_books_are_closed_stays_away(tmp_path, monkeypatch):
    monkeypatch.setattr(site_module, "SAVE_EVERY_S", 0.0)
    rules = {"lines": {"middle": MIDDLE}}
    with running(tmp_path, config_of(gate=rules)) as (site, ledger):
        stream = ledger.journal.stream
        monkeypatch.setattr(ledger.journal, "stream", broken)
        site.apply(config_of(gate=rules, yard=rules))
        monkeypatch.setattr(ledger.journal, "stream", stream)
        site.apply(config_of(gate=rules))
        site.save()
        assert [lane.name for lane in site.lanes] == ["gate"]


def test_a_start_on_a_full_disk_is_an_error(tmp_path, monkeypatch):
    config = config_of(gate={"lines": {"middle": MIDDLE}})
    ledger = Ledger(tmp_path / "journal.db", config)
    disk = full_disk(ledger, monkeypatch)
    with pytest.raises(SinkError, match="full one"):
        Site(MODEL, ledger, threading.Event()).apply(config)
    disk["is_full"] = False
    ledger.close(1.0)


def test_a_sink_may_have_any_name_beside_that_of_the_command_line(tmp_path):
    class Kept:
        def __init__(self):
            self.lines = []

        def send(self, lines):
            self.lines += lines

        def close(self):
            pass

    file = tmp_path / "events.jsonl"
    sinks = {"events": {"type": "file", "path": str(file)}}
    config = config_of(gate={"lines": {"middle": MIDDLE}})
    config = config.model_copy(update={"sinks": Config.model_validate({"sinks": sinks}).sinks})
    kept = Kept()
    ledger = Ledger(tmp_path / "journal.db", config, kept)
    site = Site(MODEL, ledger, threading.Event())
    site.apply(config)
    site.close()
    ledger.close(5.0)
    assert kept.lines == file.read_text().splitlines()


@pytest.mark.parametrize("method", ["write", "read"])
def test_a_journal_that_hangs_does_not_hold_up_the_end(tmp_path, monkeypatch, method):
    config = config_of(gate={"lines": {"middle": MIDDLE}})
    ledger = Ledger(tmp_path / "journal.db", config)
    site = Site(MODEL, ledger, threading.Event())
    site.apply(config)
    assert ledger.flush()
    goes_on = threading.Event()
    database = ledger.journal._database
    plain = getattr(database, method)

    @contextmanager
    def hanging():
        with plain() as connection:
            goes_on.wait(60)
            yield connection

    monkeypatch.setattr(database, method, hanging)
    site.close()

    def end():
        with suppress(SinkError):
            close_ledger(ledger, 0.2)

    ends = threading.Thread(target=end, daemon=True)
    ends.start()
    ends.join(10)
    is_over = not ends.is_alive()
    goes_on.set()
    ends.join(10)
    assert is_over


def test_windows_go_on_after_a_kill_and_none_comes_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(site_module, "SAVE_EVERY_S", 3600.0)
    config = config_of(gate={"lines": {"middle": MIDDLE}})
    config = config.model_copy(update={"snapshot_every_s": 1.0})
    with running(tmp_path, config) as (site, ledger):
        play(site.lanes[0], seen(0.0, 0.5))
        site.save(is_due=True)
        play(site.lanes[0], seen(0.5, 2.5))  # what it needs to go on is saved with its snapshots
        site.lanes.clear()  # killed
        windows = [e["window"] for e in events_of(ledger) if e["type"] == "count_snapshot"]
        assert len(windows) == 2
    with running(tmp_path, config) as (site, ledger):
        play(site.lanes[0], seen(2.6, 4.0))
        windows = [e["window"] for e in events_of(ledger) if e["type"] == "count_snapshot"]
        assert len({w["start"] for w in windows}) == len(windows) == 3


def test_a_recording_among_cameras_leaves_their_books_alone(tmp_path):
    config = Config.model_validate({"cameras": {"clip": {"source": str(CLIP)}}})
    config = config.model_copy(update={"snapshot_every_s": 1.0})
    with running(tmp_path, config) as (site, ledger):
        until_lanes(site, 1)
        site.lanes[0].events._windows.update(seen(0.0, 0.2)[0][0].stamp)
        site.save(is_due=True)
        assert ledger.flush()
        with ledger.journal._database.read() as connection:
            keys = connection.execute("SELECT source_key FROM sources").fetchall()
        assert keys == [(site.lanes[0].events.encoder._envelope.source.source_key,)]


class Unfinished(Script):
    """A recording of which more is to come."""

    ended = False


def recorded(start_s, until_s):
    """The walker as a recording has it, without world time."""
    for frame, instances in seen(start_s, until_s):
        yield replace(frame, stamp=Stamp(frame.stamp.frame, frame.stamp.media_s)), instances


def test_a_recording_that_is_stopped_and_counted_again_gives_what_one_run_gives(tmp_path):
    """Nobody leaves a zone, no window ends, for being stopped."""
    crowded = {**LEFT, "overcrowded": 1}
    camera = {"source": str(CLIP), "lines": {"middle": MIDDLE}, "zones": {"hall": crowded}}
    config = Config.model_validate({"cameras": {"clip": camera}, "snapshot_every_s": 1.0})

    def run(folder, until_s, is_whole):
        with running(folder, config) as (site, ledger):
            until_lanes(site, 1)
            site.lanes[0].feed.close()
            site.lanes[0].feed = Script() if is_whole else Unfinished()
            play(site.lanes[0], recorded(0.0, until_s))
            site.close()
            assert ledger.flush()
            agree(ledger)
            return [row.line for row in ledger.journal.all_after(0)]

    (tmp_path / "once").mkdir()
    once = run(tmp_path / "once", 4.0, True)
    (tmp_path / "thrice").mkdir()
    for until_s in (1.25, 2.75):  # inside the zone, and amid a window
        cut = run(tmp_path / "thrice", until_s, False)
        assert cut == once[: len(cut)]
        assert 2 < len(cut) < len(once)
    assert run(tmp_path / "thrice", 4.0, True) == once
    kinds = [json.loads(line)["type"] for line in once]
    assert kinds[-1] == "stopped"
    assert {"zone_entered", "overcrowding_started", "count_snapshot"} < set(kinds)


def test_a_recording_that_is_read_ahead_is_not_at_its_end_for_being_closed(tmp_path):
    config = Config.model_validate({"cameras": {"clip": {"source": str(CLIP)}}})
    with running(tmp_path, config) as (site, ledger):
        wait_for(lambda: site.save() or site.lanes)
        lane = site.lanes[0]
        frames = []
        wait_for(lambda: frames.append(lane.poll()) or frames[-1])
        lane.take(frames[-1], seen(0.0, 0.2)[0][1])
        site.close()
        assert [e["type"] for e in events_of(ledger)] == ["started"]


@pytest.mark.parametrize("end", ["lost", "changed", "stopped", "killed"])
def test_overcrowding_ends_with_the_pictures(tmp_path, end):
    crowded = {**LEFT, "overcrowded": 1}
    config = config_of(gate={"zones": {"hall": crowded}})
    with running(tmp_path, config) as (site, ledger):
        lane = site.lanes[0]
        play(lane, seen(0.0, 1.5))
        if end == "lost":
            lane.feed.items = [Notice("source_lost", Stamp(15, 1.5, wall(1.5)), 1, reason="gone")]
            assert lane.poll() is None
        elif end == "changed":
            site.apply(config_of(gate={"zones": {"hall": {**crowded, "dwell_s": 9}}}))
        elif end == "stopped":
            site.close()
        else:
            site.save(is_due=True)
            site.lanes.clear()
    with running(tmp_path, config) as (_, ledger):
        found = [e for e in events_of(ledger) if "zone" in e and "end_reason" in e]
        assert [(e["type"], e["zone"]["occupancy"]) for e in found] == [
            ("zone_exited", 0),
            ("overcrowding_ended", 0),
        ]
        assert all(e["zone"]["dwell_s"] >= 1.0 for e in found[:1])
        agree(ledger)


def test_a_recording_that_hangs_while_it_is_opened_holds_up_nobody(tmp_path, monkeypatch):
    goes_on, asked = threading.Event(), []
    plain = openings.open_source

    def hanging(source, reads_ahead):
        asked.append(source)
        if len(asked) == 1:
            goes_on.wait(30)
        return plain(str(CLIP), reads_ahead)

    monkeypatch.setattr(openings, "open_source", hanging)
    gate = {"source": "rtsp://10.0.0.1/gate"}

    def config(**clips):
        return Config.model_validate({"cameras": {"gate": gate, **clips}})

    with running(tmp_path, config(clip={"source": "/net/a.mp4"})) as (site, _):
        assert [(s.name, s.state) for s in site.statuses()][1:] == [("clip", "opening")]
        site.apply(config(clip={"source": "/net/a.mp4"}, other={"source": "/net/b.mp4"}))
        until_lanes(site, 2)
        assert [lane.name for lane in site.lanes] == ["gate", "other"]
        site.apply(config(clip={"source": "/net/c.mp4"}))  # what hangs is not wanted any more
        until_lanes(site, 2)
        first = site.lanes[1]
        goes_on.set()
        site.lanes[0].feed.items = []
        deadline = time.monotonic() + 30
        while any("edge-open" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < deadline
        site.save()
        assert site.lanes[1:] == [first]
    assert asked == ["/net/a.mp4", "/net/b.mp4", "/net/c.mp4"]


def test_a_recording_that_cannot_be_opened_is_left_out_and_said(tmp_path, caplog):
    missing = str(tmp_path / "none.mp4")
    config = Config.model_validate({"cameras": {"clip": {"source": missing}}})
    with running(tmp_path, config) as (site, _):
        deadline = time.monotonic() + 30
        while [s.state for s in site.statuses()] != ["lost"]:
            site.save()
            assert time.monotonic() < deadline
        assert "no such file" in site.statuses()[0].reason
        assert "clip: " in caplog.text


BAD = {
    "class": {"cameras": {"gate": {"source": "rtsp://10.0.0.1/gate", "classes": ["ghost"]}}},
    "kind": {"cameras": {"gate": {"source": "gst:fakesrc ! appsink"}}},
    "sink": {"sinks": {"broker": {"type": "mqtt", "host": "h", "prefix": "a/#"}}},
    "moved": {"sinks": {"kept": {"type": "file", "path": "/none/at/all.jsonl"}}},
    "folder": {"sinks": {"file": {"type": "file", "path": "/none/at/all.jsonl"}}},
}


@pytest.mark.parametrize("bad", BAD)
def test_a_config_that_cannot_be_applied_changes_nothing(tmp_path, bad):
    def config(**more):
        sections = {
            "cameras": {"gate": {"source": "rtsp://10.0.0.1/gate", "lines": {"middle": MIDDLE}}},
            "sinks": {"kept": {"type": "file", "path": str(tmp_path / "kept.jsonl")}},
        }
        return Config.model_validate({**sections, **more})

    before = config()
    other = {"type": "file", "path": str(tmp_path / "other.jsonl")}
    wrong = BAD[bad]
    new = config(**{**wrong, "sinks": {"other": other, **wrong.get("sinks", {})}})
    with running(tmp_path, before) as (site, ledger):
        lane = site.lanes[0]
        with pytest.raises(EdgeError):
            site.apply(new)
        assert site.lanes == [lane]
        assert site.config is before
        assert [sink.name for sink in ledger.sink_statuses()] == ["kept"]
        play(lane, seen(0.0, 4.0))
        assert ledger.flush()
    lines = (tmp_path / "kept.jsonl").read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines][-1] == "stopped"


def test_a_sink_that_hangs_does_not_hold_up_a_reload(tmp_path, monkeypatch):
    goes_on, path = threading.Event(), tmp_path / "events.jsonl"
    plain = RotatingFile.send

    def send(self, lines):
        if lines and not goes_on.is_set():
            goes_on.wait(30)
        plain(self, lines)

    monkeypatch.setattr(RotatingFile, "send", send)

    def config(**file):
        sinks = {"file": {"type": "file", "path": str(path), **file}}
        camera = {"source": "rtsp://10.0.0.1/gate", "lines": {"middle": MIDDLE}}
        return Config.model_validate({"cameras": {"gate": camera}, "sinks": sinks})

    with running(tmp_path, config()) as (site, ledger):
        assert ledger.flush()
        old = ledger._deliveries["file"]
        site.apply(config(keep=3))
        site.apply(config(keep=4))
        assert old.is_alive  # nobody has waited for it
        assert [delivery.name for delivery in ledger._leaving] == ["file", "file"]
        play(site.lanes[0], seen(0.0, 4.0))
        goes_on.set()
        wanted = [e["event_id"] for e in events_of(ledger)]
        deadline = time.monotonic() + 30
        while len(path.read_text().splitlines()) < len(wanted):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert [json.loads(line)["event_id"] for line in path.read_text().splitlines()] == wanted


def test_a_camera_that_hangs_does_not_hold_up_a_reload(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(Script, "close", lambda self, patience_s=0.0: waited.append(patience_s))
    rules = {"lines": {"middle": MIDDLE}}
    with running(tmp_path, config_of(gate=rules, yard=rules)) as (site, _):
        site.apply(config_of(gate={**rules, "max_fps": 5}))
        assert waited == [0.0, 0.0]


def test_what_is_old_is_deleted_soon_after_a_start(tmp_path, monkeypatch):
    """A box that is switched off every evening, or every few minutes, needs it as well."""
    config = Config.model_validate({"journal": {"keep_days": 3}})
    ledger = Ledger(tmp_path / "journal.db", config)
    asked = []
    monkeypatch.setattr(ledger.journal, "retain", lambda *given: asked.append(given))
    for _ in range(3):
        ledger.retain()
    ledger._retiring.join(30)
    assert [given[0] for given in asked] == [3 * 86_400.0]
    ledger.apply(config.model_copy(update={"journal": Config().journal}), [])
    ledger._retained_s = -1e9
    ledger.retain()
    ledger._retiring.join(30)
    assert asked[-1][0] == 90 * 86_400.0  # as a reload has it
    ledger.close(1.0)


class Encoding:
    """What a ledger needs of an encoder here."""

    def lost(self, *arguments):
        raise AssertionError


def said(number: int) -> dict:
    return {
        "event_id": f"{number:032x}", "seq": number, "type": "started", "time": {},
        "source": {"id": "clip", "session": 1},
    }  # fmt: skip


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_recording_that_waits_for_a_disk_can_be_stopped(tmp_path, monkeypatch, end):
    ledger, stop = Ledger(tmp_path / "journal.db", Config()), threading.Event()
    send = ledger.sender("clip", "k", Encoding(), 3, stop)
    disk = full_disk(ledger, monkeypatch)
    if end == "crash":
        monkeypatch.setattr(ledger.journal, "append", lambda *_: 1 / 0)
    failures = []

    def count():
        try:
            for number in range(1, 6):
                send(said(number))
        except SinkError as error:
            failures.append(error)

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    if end == "stop":
        counting.join(0.5)
        assert counting.is_alive()  # the fourth waits
        stop.set()
    counting.join(30)
    assert not counting.is_alive()
    assert len(failures) == (end == "crash")
    disk["is_full"] = False
    assert ledger.flush() is (end == "stop")
    with suppress(SinkError):
        ledger.close(1.0)


def test_events_that_could_not_be_written_by_the_end_are_an_error(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "journal.db", Config())
    send = ledger.sender("clip", "k", Encoding())
    full_disk(ledger, monkeypatch)
    send(said(1))
    with pytest.raises(SinkError, match="got 1 that could not be written"):
        close_ledger(ledger, 0.1)
