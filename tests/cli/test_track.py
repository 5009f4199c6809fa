from __future__ import annotations

import json
import re

import numpy as np
import pytest

from edge import masks, rle

MIDDLE = "middle=.5,0,.5,1"


@pytest.fixture
def recorded(edge, scene, square_model, tmp_path):
    """A run with all its files: detections, events, tracks."""
    paths = {n: tmp_path / n for n in ("d.jsonl.gz", "events.jsonl", "tracks.txt")}
    result = edge(
        *("run", scene(frames=120), "--model", square_model, "--line", MIDDLE, "-q"),
        *("--zone", "left=0,0,.5,0,.5,1,0,1", "--events", paths["events.jsonl"]),
        *("--save-detections", paths["d.jsonl.gz"], "--save-tracks", paths["tracks.txt"]),
    )
    assert result.code == 0
    return paths


def test_a_replay_gives_the_same_bytes(edge, recorded, tmp_path):
    events, tracks = tmp_path / "e2.jsonl", tmp_path / "t2.txt"
    rules = ("--line", MIDDLE, "--zone", "left=0,0,.5,0,.5,1,0,1")
    for _ in range(2):
        result = edge(
            "track", recorded["d.jsonl.gz"], *rules, "--events", events, "--out", tracks, "-q"
        )
        assert result == (0, "", "")
        assert events.read_bytes() == recorded["events.jsonl"].read_bytes()
        assert tracks.read_bytes() == recorded["tracks.txt"].read_bytes()
    kinds = {json.loads(line)["type"] for line in events.read_text().splitlines()}
    assert kinds >= {"line_crossed", "zone_entered", "zone_exited"}


def test_the_sample_clip_replays_to_the_same_bytes(edge, tmp_path):
    """With the real model: float scores, overlapping masks, several tracks."""
    clip = "tests/data/people.mp4"
    detections = tmp_path / "d.jsonl.gz"
    rules = ("--line", "right=.651,0,.651,1", "--classes", "person", "--quiet")
    live = edge(
        *("run", clip, *rules, "--input-size", 320, "--provider", "cpu", "--max-frames", 40),
        *("--save-detections", detections, "--save-tracks", tmp_path / "a.txt"),
    )
    replay = edge("track", detections, *rules, "--events", "-", "--out", tmp_path / "b.txt")
    assert live.code == replay.code == 0
    assert live.out == replay.out
    assert live.out.count("line_crossed") >= 2
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()


def test_other_rules_can_be_tried_on_a_recording(edge, recorded):
    events = edge("track", recorded["d.jsonl.gz"], "--line", "l=.3,1,.3,0", "--events", "-", "-q")
    found = [json.loads(line) for line in events.out.splitlines()]
    assert [e["rule"]["direction"] for e in found if e["type"] == "line_crossed"][:2] == [
        "in",
        "out",
    ]


def test_the_table_and_boxes(edge, recorded, tmp_path):
    out = tmp_path / "boxes.txt"
    result = edge(
        "track", recorded["d.jsonl.gz"], "--line", MIDDLE, "--out", out, "--format", "mot"
    )
    assert (result.code, result.out) == (0, "")
    assert "scene: counted 120 frames, 11.9 s of video in" in result.err
    assert {line.count(",") for line in out.read_text().splitlines()} == {9}


def test_several_recordings_keep_their_names_apart(edge, recorded, tmp_path):
    path = recorded["d.jsonl.gz"]
    out = tmp_path / "t.txt"
    result = edge("track", path, path, "--line", MIDDLE, "--events", "-", "--out", out, "-q")
    started = [e for e in map(json.loads, result.out.splitlines()) if e["type"] == "started"]
    assert len(started) == 2


def test_a_recording_of_others_needs_no_provenance(edge, tmp_path):
    dense = np.zeros((1, 48, 64), bool)
    dense[0, 10:30, 20:30] = True
    [run] = rle.encoded(masks.packed(dense))
    instance = {"class": "dog", "score": 0.9, "box": [20, 10, 30, 30], "rle": run}
    rows = [
        {"frame": k, "time_s": k / 10, "size": [48, 64], "instances": [instance]} for k in range(9)
    ]
    path = tmp_path / "yard.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = edge("track", path, "--zone", "z=0,0,1,0,1,1,0,1", "--events", "-", "-q")
    assert (result.code, result.err) == (0, "")
    found = [json.loads(line) for line in result.out.splitlines()]
    assert found[0]["source"]["id"] == "yard"
    assert [e["object"]["class"] for e in found if e["type"] == "zone_entered"] == ["dog"]


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("none.jsonl", None, 3, "expected recorded detections, got No such file"),
        ("empty.jsonl", "", 3, "expected detections, got an empty file"),
        ("bad.jsonl", "{}\n", 3, "bad.jsonl:1: expected a frame as JSON, got "),
        ("events.jsonl", '{"schema":"count-event/1.0"}\n', 3, "events.jsonl:1: expected a frame"),
    ],
)
def test_what_is_no_recording(edge, tmp_path, name, content, code, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    result = edge("track", tmp_path / name)
    assert (result.code, result.out) == (code, "")
    assert re.fullmatch(rf"edge: .*{message}.*\n", result.err)


def test_wrong_arguments(edge, recorded, tmp_path):
    path = recorded["d.jsonl.gz"]
    for arguments, code, message in (
        (["--format", "coco"], 2, "--format: expected mots or mot, got 'coco'"),
        (["--out", tmp_path / "no" / "t.txt"], 5, "cannot write tracks: No such file"),
        (["--classes", "dog"], 2, "expected a class of the model, got 'dog'"),
    ):
        result = edge("track", path, "-q", *arguments)
        assert result.code == code
        assert message in result.err
        assert "Traceback" not in result.err


def test_a_recording_that_was_cut_off_keeps_what_was_counted(edge, recorded):
    path = recorded["d.jsonl.gz"]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    result = edge("track", path, "--line", MIDDLE, "--events", "-", "-q")
    assert result.code == 3
    assert json.loads(result.out.splitlines()[-1])["type"] == "stopped"
