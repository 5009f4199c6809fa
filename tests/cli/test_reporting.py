"""`edge report` on events and journals, whole and damaged."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sqlite3
from pathlib import Path

import pytest
from happenings import DAY, Teller
from journals import live, recording, totals
from live import RtspServer

from edge.cli.reporting import RunReport
from edge.errors import SinkError
from edge.events.journal import Entry, Journal

CLIP = Path(__file__).parent.parent / "data" / "people.mp4"
GOLDEN = Path(__file__).parent.parent / "golden" / "people.events.jsonl"
SAID = [
    "people left: in 2 out 0 net 2",
    "people middle: in 3 out 2 net 1",
    "people right: in 6 out 5 net 1",
    "people path: entered 9 left 8 net 1",
]


def written(path: Path, events: list[dict], end: str = "\n") -> Path:
    path.write_text("\n".join(json.dumps(event) for event in events) + end)
    return path


def of_a_file(entry: Entry) -> Entry:
    """The event as a recording tells it."""
    event = {**entry.event, "source": {**entry.event["source"], "kind": "file"}}
    return Entry(entry.source_id, entry.source_key, event, json.dumps(event))


def table(path: Path) -> dict[tuple[str, str, str], int]:
    """Sums of current parts by source, rule and direction."""
    found: dict[tuple[str, str, str], int] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["is_current"] == "true":
                key = row["source"], row["rule"], row["direction"]
                found[key] = found.get(key, 0) + int(row["count"])
    return found


def test_everything_at_once(edge, tmp_path):
    out, png, table_ = tmp_path / "r.html", tmp_path / "png", tmp_path / "t.csv"
    result = edge("report", GOLDEN, "--out", out, "--png", png, "--csv", table_)
    assert (result.code, result.out) == (0, "")
    assert result.err.splitlines() == [
        *SAID,
        f"wrote {out}",
        f"wrote {png} (7 pictures)",
        f"wrote {table_} (160 rows)",
    ]
    assert "<h1>Count report: people</h1>" in out.read_text()


def test_quiet_and_compressed(edge, tmp_path):
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(GOLDEN.read_bytes()))
    assert edge("report", packed, "-o", tmp_path / "a.html", "-q") == (0, "", "")
    assert edge("report", GOLDEN, "-o", tmp_path / "b.html", "-q") == (0, "", "")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_damaged_last_line_is_told_and_the_rest_reported(edge, tmp_path):
    path = tmp_path / "events.jsonl"
    text = GOLDEN.read_text()
    path.write_text(text[: len(text) - 700])
    result = edge("report", path, "--out", tmp_path / "r.html")
    assert result.code == 0
    assert result.err.startswith("warning: The last line is damaged and was left out: ")
    assert f'{path}:43: expected an event as JSON, got \'{{"schema"' in result.err
    assert result.err.splitlines()[1:5] == SAID
    assert "The last line is damaged" in (tmp_path / "r.html").read_text()


def test_a_cut_compressed_file_is_told_and_the_rest_reported(edge, tmp_path):
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(GOLDEN.read_bytes())[:-600])
    result = edge("report", path, "--out", tmp_path / "r.html")
    assert result.code == 0
    assert "warning: The last line is damaged and was left out" in result.err
    assert "people left: in" in result.err


def test_a_damaged_line_in_between_is_an_error(edge, tmp_path):
    lines = GOLDEN.read_text().splitlines()
    lines[16] = lines[16][:100]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines) + "\n")
    result = edge("report", path, "--out", tmp_path / "r.html")
    assert result.code == 2
    assert f'edge: {path}:17: expected an event as JSON, got \'{{"schema"' in result.err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"frame": 0}\n',
            ":1: expected a count event with schema count-event/1.x, got {'frame': 0}",
        ),
        ("[1]\n", ":1: expected a count event with schema count-event/1.x, got [1]"),
        ("hello\nworld\n", ":1: expected an event as JSON, got 'hello'"),
        ('{"schema": NaN}\n{}\n', ":1: expected an event as JSON, got"),
        ("[" * 100_000 + "\n[]\n", ":1: expected an event as JSON, got"),
    ],
)
def test_what_is_no_event_is_named(edge, tmp_path, text, message):
    path = tmp_path / "events.jsonl"
    path.write_text(text)
    result = edge("report", path, "--out", tmp_path / "r.html")
    assert result.code == 2
    assert f"{path}{message}" in result.err


def test_empty_inputs_give_a_report_that_says_so(edge, tmp_path):
    (tmp_path / "events.jsonl").write_text("")
    with Journal(tmp_path / "journal.db"):
        pass
    for path in (tmp_path / "events.jsonl", tmp_path / "journal.db"):
        result = edge("report", path, "--out", tmp_path / "r.html")
        assert (result.code, result.err.splitlines()[0]) == (0, "no events")
        assert "There are no events" in (tmp_path / "r.html").read_text()


def test_wrong_arguments(edge, tmp_path):
    out = tmp_path / "r.html"
    for arguments, code, message in (
        ([tmp_path / "none", "--out", out], 3, "expected events or a journal, got: no such file"),
        (
            [GOLDEN],
            2,
            "expected --out FILE.html, --png DIR, --csv FILE or --parquet FILE, got none",
        ),
        ([GOLDEN, "-o", out, "--interval", "7min"], 2, "parts of an hour such as 10s, 5min"),
        ([GOLDEN, "-o", out, "--timezone", "Mars/Crater"], 2, "a time zone such as Europe/Berlin"),
        ([GOLDEN, "-o", out, "--timezone", "../../etc/passwd"], 2, "a time zone such as"),
        ([GOLDEN, "-o", out, "--from", "noon"], 2, "--from: expected a time such as 2026-09-24"),
        ([GOLDEN, "-o", out, "--tracks", tmp_path / "no"], 2, "no: expected a row of tracks"),
        ([GOLDEN, "-o", tmp_path / "no" / "r.html"], 5, "expected a folder that exists, got"),
        ([GOLDEN, "-o", GOLDEN], 2, "expected another file for results, got the events themselves"),
    ):
        result = edge("report", *arguments)
        assert result.code == code, result.err
        assert message in result.err


def test_several_files_are_one_report(edge, tmp_path):
    door, yard = Teller("door"), Teller("yard")
    door.crossed(1.0)
    yard.crossed(2.0, "out")
    first = written(tmp_path / "1.jsonl", [*door.told, *yard.told])
    door.crossed(90_000.0)
    second = written(tmp_path / "2.jsonl", [door.told[-1]])
    result = edge("report", first, second, "--csv", tmp_path / "t.csv", "-o", tmp_path / "r.html")
    assert result.err.splitlines()[:2] == [
        "door gate: in 2 out 0 net 2",
        "yard gate: in 0 out 1 net -1",
    ]
    result = edge("report", first, "-o", tmp_path / "r.html", "--background", tmp_path / "x.jpg")
    assert result.code == 2
    assert "--background: expected SOURCE=FILE with one of door, yard, got" in result.err


def test_local_time_chooses_a_day(edge, tmp_path):
    teller = Teller()
    for hour in range(48):
        teller.crossed(3600.0 * hour + 1)
    path = written(tmp_path / "e.jsonl", teller.told)
    days = ("--from", "2026-09-25", "--to", "2026-09-26", "--timezone", "Europe/Berlin")
    result = edge("report", path, "-o", tmp_path / "r.html", *days)
    assert result.err.splitlines()[0] == "door gate: in 24 out 0 net 24"
    assert (
        "2026-09-25 00:00:00 to 2026-09-25 23:59:59 (Europe/Berlin)"
        in (tmp_path / "r.html").read_text()
    )


def test_tracks_detections_and_a_background(edge, tmp_path):
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "b.png"), np.full((576, 768, 3), 50, np.uint8))
    (tmp_path / "t.csv").write_text("1,1,100,100,20,40,0.9,-1,-1,-1\n")
    detections = GOLDEN.with_name("people.jsonl.gz")
    out = tmp_path / "r.html"
    extra = ("--background", tmp_path / "b.png")
    assert edge("report", GOLDEN, "-o", out, "--tracks", tmp_path / "t.csv", *extra).code == 0
    assert "1 feet in the picture" in out.read_text()
    given = f"people={detections}"
    assert edge("report", GOLDEN, "-o", out, "--detections", given, *extra).code == 0
    found = int(out.read_text().split(" feet in the picture")[0].rsplit(">", 1)[1].replace(",", ""))
    assert found > 500


def test_a_journal_gives_its_own_totals(edge, tmp_path):
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        door, clip = live(journal, "door"), recording(journal)
        door.utc_s = DAY
        journal.append([door.said("started", rules=[]), door.crossed(), door.crossed(way="out")])
        journal.append([clip.said("started", rules=[]), clip.crossed(), clip.crossed()])
        wrong = door.crossed(name="car")
        journal.append([wrong, door.crossed(name="car", delta=-1)])
        again = recording(journal)  # the same clip once more: known events
        journal.append([again.said("started", rules=[]), again.crossed(), again.crossed()])
        kept = totals(journal)
    result = edge("report", path, "--csv", tmp_path / "t.csv")
    assert result.code == 0
    found = table(tmp_path / "t.csv")
    assert kept == {
        (s, r): (found[s, r, "in"], found[s, r, "out"]) for s, r, way in found if way == "in"
    }
    assert found["clip", "gate", "in"] == 2


def test_a_recording_counted_again_with_a_moved_line(edge, tmp_path):
    """The moved line's events are there for each place; the journal says which one counts."""
    path = tmp_path / "journal.db"

    def count(passages, **geometry):
        with Journal(path) as journal:
            clip = recording(journal, "clip", "k", **geometry)
            clip.source_key = str(sorted(geometry.items()))  # goes into the ids
            entries = [of_a_file(clip.crossed(r)) for r, n in passages.items() for _ in range(n)]
            journal.append(entries)
            return totals(journal)

    def reported():
        assert edge("report", path, "--csv", tmp_path / "t.csv", "-q").code == 0
        found = table(tmp_path / "t.csv")
        return {(s, r): (n, found[s, r, "out"]) for (s, r, way), n in found.items() if way == "in"}

    assert count({"gate": 3}, gate="g1", ramp="r") == {
        ("clip", "gate"): (3, 0),
        ("clip", "ramp"): (0, 0),
    }
    moved = count({"gate": 1}, gate="g2", ramp="r")
    assert reported()["clip", "gate"] == moved["clip", "gate"] == (1, 0)
    back = count({}, gate="g1", ramp="r")
    assert reported()["clip", "gate"] == back["clip", "gate"] == (3, 0)
    nowhere = count({}, gate="g3", ramp="r")
    assert reported().get(("clip", "gate"), (0, 0)) == nowhere["clip", "gate"] == (0, 0)


def test_a_damaged_journal_is_told_and_the_rest_reported(edge, tmp_path):
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        door = live(journal, "door")
        door.utc_s = DAY
        journal.append([door.crossed() for _ in range(400)])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray(path.read_bytes())
    place = data.rindex(b'"seq":200,')
    page = place // 4096 * 4096
    data[page : page + 4096] = b"\x99" * 4096
    path.write_bytes(data)
    result = edge("report", path, "--out", tmp_path / "r.html")
    assert result.code == 0, result.err
    assert "The journal is damaged:" in result.err
    assert "door gate: in " in result.err


def test_real_runs_into_a_journal(edge, tmp_path):
    """Counted, counted again with a line elsewhere, and again as at first."""
    path, events, csv_ = tmp_path / "journal.db", tmp_path / "e.jsonl", tmp_path / "t.csv"
    for x, every_s in ((0.65, 60), (0.63, 2), (0.65, 1)):
        rules = ("--line", f"right={x},0,{x},1", "--zone", "all=0,0,1,0,1,1,0,1")
        run = ("run", CLIP, "--journal", path, "--events", events, "--quiet", *rules)
        often = ("--snapshot-every", every_s)
        assert edge(*run, *often, "--max-frames", 40, "--input-size", 480).code == 0
        with Journal.reading(path) as journal:
            kept = totals(journal)
        assert sum(kept["people", "all"]) > 0
        assert sum(kept["people", "right"]) > 0
        assert edge("report", path, "--csv", csv_, "-q").code == 0
        found = table(csv_)
        assert kept == {key: (found[(*key, "in")], found[(*key, "out")]) for key in kept}


def test_a_run_gathers_its_report(tmp_path, make_step):
    """As `edge run --report` does: events go on, feet and the first picture come along."""
    report, sent = RunReport(tmp_path / "r.html"), []
    send = report.tapped(sent.append)
    events = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    for event in events:
        send(event)
    for frame in range(3):
        report.footprints("people", ()).write(make_step(frame, [(0, 0, 20, 30)], with_image=True))
        report.footprints("other", ()).write(make_step(frame, [(0, 0, 20, 30)]))
    report.write()
    assert sent == events
    text = (tmp_path / "r.html").read_text()
    assert "3 feet in the picture" in text
    assert "<h1>Count report: people</h1>" in text
    with pytest.raises(SinkError, match="expected a folder that exists"):
        RunReport(tmp_path / "no" / "r.html")


def test_a_run_writes_the_report_of_its_own_events(edge, tmp_path):
    """The same totals as in `edge report` of the events that it sent."""
    out, again, events = (tmp_path / name for name in ("r.html", "again.html", "e.jsonl"))
    rules = ("--line", "left=.3255,0,.3255,1", "--zone", "all=.1,.1,.9,.1,.9,.9,.1,.9")
    short = ("--max-frames", 60, "--input-size", 480)
    result = edge("run", CLIP, *rules, *short, "--events", events, "--report", out)
    assert result.code == 0
    assert f"wrote {out}" in result.err.replace("\n", "")
    assert edge("report", events, "--out", again, "-q").code == 0
    text = out.read_text()
    tables = re.findall(r"(?s)<table.*?</table>", text)
    assert tables == re.findall(r"(?s)<table.*?</table>", again.read_text())
    assert "feet in the picture" in text
    assert "data:image/" in text  # the view under the heatmap
    assert edge("run", CLIP, *rules, "--report", tmp_path / "no/r.html").code == 5


@pytest.mark.rtsp
def test_a_run_of_a_camera_writes_its_report_when_it_is_stopped(edge, tmp_path):
    out, again, events = (tmp_path / name for name in ("r.html", "again.html", "e.jsonl"))
    rules = ("--line", "door=.5,0,.5,1", "--zone", "all=.1,.1,.9,.1,.9,.9,.1,.9")
    with RtspServer() as server:
        own = ("--journal", tmp_path / "j.db", "--events", events, "--report", out)
        result = edge("run", server.url, *rules, *own, "--max-frames", 100, "-q")
    assert result.code == 0
    assert edge("report", events, "--out", again, "-q").code == 0
    text = out.read_text()
    tables = re.findall(r"(?s)<table.*?</table>", text)
    assert tables == re.findall(r"(?s)<table.*?</table>", again.read_text())
    assert "feet in the picture" in text


def test_a_long_file_is_streamed(tmp_path):
    """Memory for events does not grow with their number."""
    import tracemalloc

    from edge.cli.reporting_input import gathered
    from edge.events.outages import Outages
    from edge.report import Gathering

    teller = Teller()

    def peak_bytes(events: int) -> int:
        path = tmp_path / f"{events}.jsonl"
        with path.open("w") as file:
            for k in range(events):
                file.write(
                    json.dumps(teller.crossed(float(teller.seq % 3600), track=k % 50 + 1)) + "\n"
                )
                teller.told.clear()
        gathering = Gathering(Outages)
        tracemalloc.start()
        for _ in gathered(path, gathering, []):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert gathering.events == events
        return peak

    assert peak_bytes(6000) < peak_bytes(1500) + 1_500_000
