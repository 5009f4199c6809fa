"""`scripts/bench_rivals` as a program, against a script that answers what it is told to."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
from rivals import theirs
from scenes import HEIGHT, SIDE, WIDTH, walk

from edge.errors import EdgeError

FRAMES = 60
ANSWERS = """
import json, sys
print(json.dumps({"versions": {"supervision": "0"}}), flush=True)
left = int(sys.argv[1])
for request in sys.stdin:
    what, *numbers = request.split()
    if what == "result":
        lines = {"left": [0, 0], "middle": [0, 1], "right": [1, 0]}
        tracks = [[1, 1, 0, 0, 16, 48]]
        answer = {"lines": [lines, lines], "tracks": tracks}
    else:
        done = min(left, int(numbers[0])) if what == "count" else int(numbers[0])
        left -= done if what == "count" else 0
        answer = {"frames": done, "spent_s": done * 0.5}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def program():
    """The program as a module."""
    return importlib.import_module("bench_rivals")


@pytest.fixture
def given(scene, square_model, tmp_path, monkeypatch):
    """Arguments for a scene whose truth is known, and a script that only pretends."""
    source = scene(frames=FRAMES)
    truth, script = tmp_path / "gt.txt", tmp_path / "pretends.py"
    top = (HEIGHT - SIDE) // 2
    truth.write_text(
        "".join(
            f"{k + 1},1,{left},{top},{SIDE},{SIDE},1,-1,-1,-1\n"
            for k, left in enumerate(walk(FRAMES, WIDTH - SIDE, 2))
        )
    )
    script.write_text(ANSWERS)
    monkeypatch.setattr(theirs, "environment", lambda cache: sys.executable)
    monkeypatch.setattr(theirs, "command", lambda *_: [sys.executable, script, FRAMES])
    files = ["--source", source, "--truth", truth, "--model", square_model]
    return [*map(str, files), "--threads", "1", "--round", "20"]


def test_both_take_turns_and_are_judged(program, given, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "SETTLE_S", 0.0)
    numbers = tmp_path / "numbers.json"
    assert program.main([*given, "--json", str(numbers)]) == 0
    said = capsys.readouterr()
    assert "3 rounds" in said.err
    ours, pretended = json.loads(numbers.read_text())["rows"]
    assert (ours["name"], ours["wrong"], ours["idf1"] > 0.9) == ("edge run", 0, True)
    assert (pretended["ms"], pretended["bare_ms"], pretended["ratio"]) == (500, 500, 1)
    assert 0 < pretended["wrong"] < pretended["true"] == ours["true"]
    assert pretended["idf1"] < 0.1
    assert "| supervision + trackers | 2.0 | 500.0 | 500.0 | 0.0 | 1.00 |" in said.out
    assert f"{WIDTH}" in said.out
    assert "times their frames a second" in said.out


def test_a_file_that_is_missing(program, given, capsys, tmp_path):
    assert program.main([*given, "--truth", str(tmp_path / "none.txt")]) != 0
    assert "none.txt" in capsys.readouterr().err


def test_a_script_that_ends_is_said(given, monkeypatch, tmp_path):
    monkeypatch.setattr(theirs, "command", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(EdgeError, match="expected an answer, got an end"):
        theirs.Theirs(tmp_path, tmp_path / "m.onnx", tmp_path / "v.mp4", (48, 64), [])


def test_an_environment_that_cannot_be_made(monkeypatch, tmp_path):
    monkeypatch.setattr(theirs, "PACKAGES", ("no such package ==",))
    with pytest.raises(EdgeError, match="expected it to succeed, got"):
        theirs.environment(tmp_path)
