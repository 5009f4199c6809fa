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
    first, second = recorded["d.jsonl.gz"], tmp_path / "again.jsonl.gz"
    second.write_bytes(first.read_bytes())
    out = tmp_path / "new" / "tracks"
    result = edge("track", first, second, "--line", MIDDLE, "--events", "-", "--out", out, "-q")
    events = [json.loads(line) for line in result.out.splitlines()]
    ids = [e["source"]["id"] for e in events if e["type"] == "started"]
    assert ids == ["scene", "scene-2"]
    for name in ("d.txt", "again.txt"):
        assert (out / name).read_bytes() == recorded["tracks.txt"].read_bytes()


def test_snapshots_are_replayed_too(edge, scene, square_model, tmp_path):
    detections, live, replay = (tmp_path / n for n in ("d.jsonl", "live.jsonl", "replay.jsonl"))
    rules = ("--line", MIDDLE, "--snapshot-every", 3, "-q", "--events")
    clip = scene(frames=120)
    files = (live, "--save-detections", detections)
    assert edge("run", clip, "--model", square_model, *rules, *files).code == 0
    assert edge("track", detections, *rules, replay).code == 0
    assert replay.read_bytes() == live.read_bytes()
    assert b"count_snapshot" in live.read_bytes()


def test_one_recording_into_a_folder(edge, recorded, tmp_path):
    out = tmp_path / "tracks"
    out.mkdir()
    assert edge("track", recorded["d.jsonl.gz"], "--out", out, "-q").code == 0
    assert (out / "d.txt").read_bytes() == recorded["tracks.txt"].read_bytes()


def test_the_format_follows_the_file_name_unless_given(edge, recorded, tmp_path):
    def commas(name, *options):
        result = edge("track", recorded["d.jsonl.gz"], "--out", tmp_path / name, "-q", *options)
        assert result.code == 0
        return (tmp_path / name).read_text().splitlines()[0].count(",")

    assert (commas("t.csv"), commas("t.mot.txt"), commas("u.txt")) == (9, 9, 0)
    assert (commas("v.csv", "--format", "mots"), commas("v.txt", "--format", "mot")) == (0, 9)


def test_each_recording_has_the_rules_of_its_camera(edge, recorded, tmp_path):
    config = tmp_path / "site.yaml"
    rule = "lines: {{{}: {{a: [0.5, 0], b: [0.5, 1]}}}}"
    config.write_text(
        "cameras:\n"
        f"  other: {{source: x.mp4, {rule.format('wrong')}}}\n"
        f"  scene: {{source: y.mp4, {rule.format('middle')}}}\n"
    )
    result = edge("track", recorded["d.jsonl.gz"], "--config", config, "--events", "-", "-q")
    assert result.code == 0
    rules = {e["rule"]["id"] for e in map(json.loads, result.out.splitlines()) if "rule" in e}
    assert rules == {"middle"}
    config.write_text(config.read_text().replace("scene:", "third:"))
    result = edge("track", recorded["d.jsonl.gz"], "--config", config, "-q")
    assert result.code == 2
    assert "expected a recording of other or third, the cameras of the" in result.err


def yard(path, sizes):
    """A recording of a dog that stands still, in frames this many times as large as 48 x 64."""
    rows = []
    for k, n in enumerate(sizes):
        dense = np.zeros((1, 48 * n, 64 * n), bool)
        dense[0, 10 * n : 30 * n, 20 * n : 30 * n] = True
        [run] = rle.encoded(masks.packed(dense))
        box = [20 * n, 10 * n, 30 * n, 30 * n]
        dog = {"class": "dog", "score": 0.9, "box": box, "rle": run}
        rows.append({"frame": k, "time_s": k / 10, "size": run["size"], "instances": [dog]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_frames_of_another_size_are_scaled_and_said(edge, tmp_path):
    zone = ("--zone", "z=0.2,0,0.6,0,0.6,1,0.2,1", "--events", "-")
    plain, mixed = (tmp_path / n / "yard.jsonl" for n in ("plain", "mixed"))
    for path, sizes in ((plain, [1] * 9), (mixed, [1, 1, 2, 1, 1, 3, 1, 1, 1])):
        path.parent.mkdir()
        yard(path, sizes)
    expected, result = edge("track", plain, *zone), edge("track", mixed, *zone)
    assert (result.code, result.out) == (0, expected.out)
    said = "warning: yard: 2 resized frames scaled to the first one's size"
    assert said in result.err
    assert "warning" not in expected.err


def test_a_recording_of_others_needs_no_provenance(edge, tmp_path):
    path = yard(tmp_path / "yard.jsonl", [1] * 9)
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
    path, other = recorded["d.jsonl.gz"], tmp_path / "other.jsonl.gz"
    other.write_bytes(path.read_bytes())
    for arguments, code, message in (
        (["--format", "coco"], 2, "--format: expected mots or mot, got 'coco'"),
        (["--out", tmp_path / "no" / "t.txt"], 5, "cannot write tracks: No such file"),
        (["--classes", "dog"], 2, "expected a class of the model, got 'dog'"),
        ([path, "--out", tmp_path / "t.txt"], 2, "--out: expected a folder for 2 inputs"),
        ([path, "--out", tmp_path], 2, "--out: expected inputs of different names, got 'd' twice"),
        (["--out", path], 2, "expected another file for results, got the source itself"),
        (["--events", path], 2, "expected another file for results, got the source itself"),
        ([other, "--out", path / "folder"], 5, "expected a folder for tracks, got Not a directory"),
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
