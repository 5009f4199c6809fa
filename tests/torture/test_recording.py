"""Power cuts and full disks while events are written; replays that must not differ."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from replay import film, person
from strategies import standing

from edge.errors import SinkError
from edge.sinks.detections import DetectionsSink
from edge.sinks.jsonl import JsonLinesSink
from edge.testing import times
from edge.types import Step

LINE = "middle=.5,0,.5,1"
FRAMES = 800


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody walks to and fro over the middle: a passage every 2 s, for 80 s."""
    walker = person((0, 100, 180), (2, 220, 180), (4, 100, 180))
    folder = tmp_path_factory.mktemp("recording")
    with DetectionsSink(folder / "cycle.jsonl", ("person",), {"source_id": "door"}) as sink:
        for stamp, instances in film([walker], times(4, 10)):
            sink.write(Step(stamp, None, instances, standing({})[0], ()))
    cycle = [json.loads(line) for line in (folder / "cycle.jsonl").read_text().splitlines()]
    path = folder / "recording.jsonl"
    with path.open("w") as file:
        for k in range(FRAMES):
            line = cycle[k % len(cycle)] | {"frame": k, "time_s": k / 10}
            if k:
                line.pop("provenance", None)
            file.write(json.dumps(line) + "\n")
    return path


def events_of(edge, recording: Path, path: Path) -> bytes:
    """Events of an undisturbed run in this process."""
    result = edge("track", recording, "--line", LINE, "--events", path, "--quiet")
    assert result.code == 0
    return path.read_bytes()


def test_a_run_killed_in_mid_write_leaves_a_prefix_of_whole_lines(
    edge, edge_process, recording, tmp_path
):
    path = tmp_path / "events.jsonl"
    process = edge_process("track", recording, "--line", LINE, "--events", path, "--quiet")
    deadline = time.monotonic() + 200
    while not (path.exists() and path.read_bytes().count(b"\n") >= 6):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait(60)
    left = path.read_bytes()
    complete = left[: left.rfind(b"\n") + 1]
    assert len(complete.splitlines()) >= 6
    assert all(json.loads(line)["schema"] for line in complete.splitlines())
    # The next run begins anew: what the killed one left, torn or not, is replaced.
    whole = events_of(edge, recording, path)
    assert whole.startswith(left)
    assert left != whole
    types = [json.loads(line)["type"] for line in whole.splitlines()]
    assert types.count("line_crossed") == FRAMES // 20
    assert types[-1] == "stopped"


def test_a_disk_that_fills_up_keeps_whole_lines_only(monkeypatch, tmp_path):
    """The disk takes half of a line and then nothing: that half is taken back."""
    path = tmp_path / "events.jsonl"
    write, room = os.write, 100

    def filling(file: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        took = write(file, data[:room])
        room -= took
        return took

    lines = [json.dumps({"seq": k, "text": "x" * 20}) for k in range(5)]
    with JsonLinesSink(path) as sink:
        monkeypatch.setattr(os, "write", filling)
        for line in lines[:2]:
            sink.send(line)
        with pytest.raises(SinkError, match="no space left"):
            sink.send(lines[2])
        assert path.read_text().splitlines() == lines[:2]
        room = 10_000  # somebody has made room
        sink.send(lines[2])
    assert path.read_text().splitlines() == lines[:3]
