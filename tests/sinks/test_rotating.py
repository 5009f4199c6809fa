from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SinkError
from edge.sinks.rotating import RotatingFile

TODAY = time.strftime("%Y-%m-%d", time.gmtime())


def line(k, day=None):
    stamp = {"media_s": k / 10} if day is None else {"utc": f"{day}T12:00:{k % 60:02}.000Z"}
    return json.dumps({"event_id": f"{k:032x}", "time": stamp}, separators=(",", ":"))


def ids(*paths):
    return [int(json.loads(x)["event_id"], 16) for p in paths for x in p.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def test_lines_are_appended_across_runs(path):
    for k in range(3):
        sink = RotatingFile(path)
        sink.send([line(2 * k), line(2 * k + 1)])
        sink.send([])
        sink.close()
        sink.close()
    assert path.read_text() == "".join(f"{line(k)}\n" for k in range(6))


def test_repeats_are_left_out_in_a_run_and_after_a_restart(path):
    sink = RotatingFile(path)
    sink.send([line(1), line(2), line(2)])
    sink.send([line(2), line(3)])
    sink.close()
    sink = RotatingFile(path)
    sink.send([line(2), line(3), line(4)])
    assert ids(path) == [1, 2, 3, 4]


def test_repeats_are_known_across_a_rotation(path):
    sink = RotatingFile(path, max_bytes=2 * len(line(0)) + 2)
    sink.send([line(k) for k in range(3)])
    sink.close()
    again = RotatingFile(path, max_bytes=2 * len(line(0)) + 2)
    again.send([line(k) for k in range(4)])
    assert ids(path.with_name(f"events.{TODAY}.jsonl"), path) == [0, 1, 2, 3]


def test_by_size_the_newest_are_kept(path):
    sink = RotatingFile(path, max_bytes=3 * len(line(0)) + 3, keep=2)
    for k in range(13):
        sink.send([line(k)])
    kept = [path.with_name(f"events.{TODAY}.{n}.jsonl") for n in (2, 3)]
    assert sorted(path.parent.iterdir()) == sorted([path, *kept])
    assert ids(*kept, path) == list(range(6, 13))
    assert max(p.stat().st_size for p in kept) <= 3 * len(line(0)) + 3


def test_without_keeping_any(path):
    sink = RotatingFile(path, max_bytes=10, keep=0)
    sink.send([line(k) for k in range(3)])
    assert list(path.parent.iterdir()) == [path]
    assert ids(path) == [2]


def test_by_day_of_the_events(path):
    sink = RotatingFile(path, daily=True)
    sink.send([line(1, "2026-11-21"), line(2, "2026-11-22"), line(3, "2026-11-21")])
    sink.close()
    sink = RotatingFile(path, daily=True)  # it reads the day off its last lines
    sink.send([line(4, "2026-11-22"), line(5, "2026-11-23")])
    days = [path.with_name(f"events.2026-11-{day}.jsonl") for day in (21, 22)]
    assert [ids(p) for p in (*days, path)] == [[1], [2, 3, 4], [5]]


def test_a_file_without_world_time_has_the_day_of_its_last_change(path):
    RotatingFile(path).send([line(1)])
    os.utime(path, (1.7e9, 1.7e9))
    sink = RotatingFile(path, daily=True)
    sink.send([line(2)])
    assert ids(path.with_name("events.2023-11-14.jsonl"), path) == [1, 2]


@pytest.mark.parametrize("rest", [b'{"event_id":"' + b"0" * 31, b"\0" * 300, b'{"a":{"b":1}'])
def test_a_line_cut_short_is_taken_back(rest, path, caplog):
    RotatingFile(path).send([line(1)])
    with path.open("ab") as file:
        file.write(rest)
    with caplog.at_level(logging.WARNING, "edge.sink"):
        sink = RotatingFile(path)
    assert f"took back {len(rest)} bytes" in caplog.text
    sink.send([line(2)])
    assert ids(path) == [1, 2]


def test_a_whole_line_without_its_newline_is_completed(path):
    path.write_text(f"{line(1)}\n{line(2)}")
    RotatingFile(path).send([line(2), line(3)])
    assert ids(path) == [1, 2, 3]


def test_another_program_may_rename_or_delete_the_file(path):
    sink = RotatingFile(path)
    sink.send([line(1)])
    path.rename(path.with_name("events.jsonl.1"))
    sink.send([line(2)])
    assert ids(path) == [2]
    path.unlink()
    sink.send([line(3)])
    assert ids(path) == [3]
    with path.open("r+") as file:  # logrotate's copytruncate
        file.truncate()
    sink.send([line(4)])
    assert ids(path) == [4]


def test_a_folder_that_is_gone_is_named_and_may_come_back(tmp_path):
    folder = tmp_path / "usb"
    folder.mkdir()
    path = folder / "events.jsonl"
    sink = RotatingFile(path)
    path.unlink()
    folder.rmdir()
    with pytest.raises(SinkError) as caught:
        sink.send([line(1)])
    message = f"{path}: expected to write events, got: no such file or directory"
    assert str(caught.value) == f"{message}; mkdir -p {folder}"
    folder.mkdir()
    sink.send([line(1)])
    assert ids(path) == [1]


def test_what_is_no_file(tmp_path):
    with pytest.raises(SinkError, match=r"got: is a directory$"):
        RotatingFile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match="expected a file, got a pipe or device"):
        RotatingFile(tmp_path / "pipe")
    with pytest.raises(SinkError, match="mkdir -p"):
        RotatingFile(tmp_path / "none" / "events.jsonl")


def test_a_full_disk_takes_back_what_was_begun_and_is_tried_again(path):
    """A file size limit stands in for the disk: it too takes a part before it refuses."""
    code = f"""
import resource, signal, sys
from pathlib import Path
from edge.errors import SinkError
from edge.sinks.rotating import RotatingFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = RotatingFile(Path(sys.argv[1]))
line = {line(0)[:-1]!r} + ',"more":"' + 500 * "x" + '"}}'
lines = [line.replace(32 * "0", f"{{k:032x}}") for k in range(20)]
sink.send(lines[:2])
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
try:
    sink.send(lines)
except SinkError as error:
    print(error)
print(Path(sys.argv[1]).read_text().count("\\n"), Path(sys.argv[1]).stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sink.send(lines)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    said, sizes = done.stdout.splitlines()
    assert said == f"{path}: expected to write events, got: file too large"
    count, size = map(int, sizes.split())
    assert count == 2
    assert size < 2048
    assert ids(path) == list(range(20))


@given(
    batches=st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=8),
    restarts=st.sets(st.integers(0, 8)),
    max_lines=st.integers(1, 5),
)
def test_each_id_is_written_once_in_order_of_first_arrival(
    batches, restarts, max_lines, tmp_path_factory
):
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    max_bytes = max_lines * (len(line(0)) + 1)
    sink = RotatingFile(path, max_bytes=max_bytes, keep=100)
    for k, batch in enumerate(batches):
        again = batches[k - 1] if k else []  # a delivery repeats at most its last batch
        if k in restarts:
            sink.close()
            sink = RotatingFile(path, max_bytes=max_bytes, keep=100)
        sink.send([line(100 * (k - 1) + x) for x in again])
        sink.send([line(100 * k + x) for x in batch])
    sink.close()
    older = sorted(
        (p for p in path.parent.iterdir() if p != path),
        key=lambda p: int(p.name.split(".")[2]) if p.name.count(".") == 3 else 0,
    )
    wanted = [100 * k + x for k, batch in enumerate(batches) for x in dict.fromkeys(batch)]
    assert ids(*older, path) == wanted
