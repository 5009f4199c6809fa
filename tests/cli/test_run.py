from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from screen import Screen
from typer.main import get_command

from edge.cli.app import app
from edge.cli.recorded import named
from edge.events import Event
from edge.sources import VideoFile

CLIP = Path(__file__).parents[1] / "data" / "people.mp4"
MIDDLE = "middle=.5,0,.5,1"
SMALL = ("--input-size", 320, "--provider", "cpu", "--threads", 2, "--max-frames", 40)


def lines(text: str) -> list[dict]:
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        Event.model_validate(line)
    return found


def totals(text: str) -> dict[str, tuple[int, int]]:
    counts = lines(text)[-1]["counts"]
    return {c["rule_id"]: (c["count"]["in"], c["count"]["out"]) for c in counts}


def test_events_on_standard_output_and_all_else_on_standard_error(edge, scene, square_model):
    result = edge("run", scene(), "--model", square_model, "--line", MIDDLE)
    assert result.code == 0
    assert [e["type"] for e in lines(result.out)] == [
        "started",
        "line_crossed",
        "line_crossed",
        "stopped",
    ]
    assert totals(result.out) == {"middle": (1, 1)}
    first, headline, *table = result.err.splitlines()
    assert first.startswith("model square.onnx on cpu, ")
    assert headline.startswith("scene: counted 60 frames, 5.9 s of video in ")
    assert "│ middle │ person │  1 │   1 │   0 │        │" in table


def test_snapshots_are_sent_as_asked_on_the_command_line_or_in_the_config(
    edge, scene, square_model, tmp_path
):
    path, config = scene(), tmp_path / "site.yaml"
    rules = f"""snapshot_every_s: 2.0
cameras:
  scene:
    source: {path}
    lines: {{middle: {{a: [0.5, 0], b: [0.5, 1]}}}}
"""
    config.write_text(rules)
    common = ("--model", square_model, "--quiet")
    asked = edge("run", path, "--line", MIDDLE, "--snapshot-every", 2, *common)
    assert edge("run", "--config", config, *common).out == asked.out
    snapshots = [e for e in lines(asked.out) if e["type"] == "count_snapshot"]
    assert [e["window"]["end"] for e in snapshots] == [2.0, 4.0, 6.0]
    assert [e["coverage"] for e in snapshots] == [1.0, 1.0, 0.95]
    more = edge("run", "--config", config, "--snapshot-every", 3, *common).out
    assert [e["window"]["end"] for e in lines(more) if "window" in e] == [3.0, 6.0]
    assert edge("run", path, "--line", MIDDLE, "--snapshot-every", 0, *common).code == 2


def test_the_default_model_counts_people_in_the_sample_clip(edge, tmp_path):
    """The two counters on the right are passed within the first 40 frames."""
    events = tmp_path / "events.jsonl"
    rules = ("--line", "right=.651,0,.651,1", "--zone", "all=0,0,1,0,1,1,0,1")
    result = edge("run", CLIP, "--classes", "person", *rules, "--events", events, *SMALL)
    assert (result.code, result.out) == (0, "")
    found = lines(events.read_text())
    crossed = [e for e in found if e["type"] == "line_crossed"]
    assert len(crossed) >= 2
    assert {e["object"]["class"] for e in crossed} == {"person"}
    assert {e["type"] for e in found} >= {"started", "zone_entered", "stopped"}


def test_two_runs_give_the_same_bytes_whatever_the_hash_seed_and_without_a_display(edge_process):
    outputs = []
    for seed in ("1", "2"):
        rules = ("--line", "right=.651,0,.651,1", "--zone", "a=.3,0,.6,0,.6,1,.3,1")
        process = edge_process("run", CLIP, *rules, *SMALL, "--quiet", PYTHONHASHSEED=seed)
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        outputs.append(out)
    assert outputs[0] == outputs[1]
    assert outputs[0].count("\n") > 4


def test_a_copy_under_another_name_gives_the_same_event_ids(edge, scene, square_model, tmp_path):
    path = scene()
    shutil.copy(path, tmp_path / "copy.mp4")
    runs = [
        edge("run", p, "--model", square_model, "--line", MIDDLE, "-q")
        for p in (path, tmp_path / "copy.mp4")
    ]
    one, other = ([e["event_id"] for e in lines(r.out) if "object" in e] for r in runs)
    assert len(one) == 2
    assert one != other  # the camera's name is part of it
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(path, tmp_path / "elsewhere" / "scene.mp4")
    again = edge("run", moved, "--model", square_model, "--line", MIDDLE, "-q")
    assert again.out == runs[0].out


def test_quiet_prints_nothing(edge, scene, square_model, tmp_path):
    events = tmp_path / "e.jsonl"
    result = edge(
        "run", scene(), "--model", square_model, "--line", MIDDLE, "--events", events, "-q"
    )
    assert result == (0, "", "")
    assert totals(events.read_text()) == {"middle": (1, 1)}


def test_everything_that_can_be_saved(edge, scene, square_model, tmp_path):
    video, tracks, detections = (tmp_path / n for n in ("out.mp4", "t.txt", "d.jsonl.gz"))
    saved = ("--save-video", video, "--save-tracks", tracks, "--save-detections", detections)
    result = edge("run", scene(), "--model", square_model, "--line", MIDDLE, *saved)
    assert result.code == 0
    with VideoFile(video) as annotated:
        assert [f.stamp.media_s for f in annotated] == [k / 10 for k in range(60)]
    assert len(gzip.decompress(detections.read_bytes()).splitlines()) == 60
    rows = [line.split(" ") for line in tracks.read_text().splitlines()]
    assert {tuple(row[1:5]) for row in rows} == {("1", "2", "48", "64")}
    assert len(rows) >= 58
    assert (tmp_path / "t.classes.txt").read_text() == "2 person\n"


@pytest.mark.parametrize(
    ("name", "options", "fields"),
    [
        ("t.txt", ("--track-format", "mot"), 10),
        ("t.mot.txt", (), 10),
        ("t.CSV", (), 10),
        ("t.csv", ("--track-format", "mots"), 6),
        ("t.txt", (), 6),
    ],
)
def test_the_format_of_tracks_follows_the_file_name_unless_given(
    edge, scene, square_model, tmp_path, name, options, fields
):
    path = tmp_path / name
    saved = ("--save-tracks", path, "--max-frames", 12, "-q", *options)
    assert edge("run", scene(), "--model", square_model, *saved).code == 0
    separator = "," if fields == 10 else " "
    rows = [line.split(separator) for line in path.read_text().splitlines()]
    assert {row[1] for row in rows} == {"1"}
    assert {len(row) for row in rows} == {fields}


def test_several_sources_are_counted_one_after_the_other(edge, scene, square_model, tmp_path):
    a, b = scene("a.mp4", 60), scene("b.mp4", 30)
    result = edge(
        *("run", a, b, a, "--model", square_model, "--line", MIDDLE),
        *("--save-tracks", tmp_path / "t.txt", "--save-video", tmp_path / "v.mp4"),
    )
    assert result.code == 0
    found = lines(result.out)
    ended = [e for e in found if e["type"] == "stopped"]
    counts = [(e["source"]["id"], e["counts"][0]["count"]["in"]) for e in ended]
    assert counts == [("a", 1), ("b", 0), ("a-2", 1)]
    names = {p.name for p in tmp_path.iterdir()}
    for camera in ("a", "b", "a-2"):
        assert names >= {f"t.{camera}.txt", f"t.{camera}.classes.txt", f"v.{camera}.mp4"}


def test_a_folder_of_pictures(edge, square_model, tmp_path):
    for k in range(24):
        image = np.zeros((48, 64, 3), np.uint8)
        image[16:32, 2 * k : 2 * k + 16] = 255
        cv2.imwrite(str(tmp_path / f"{k}.png"), image)
    result = edge("run", tmp_path, "--model", square_model, "--line", MIDDLE, "-q")
    assert result.code == 0
    assert lines(result.out)[0]["source"]["kind"] == "folder"
    assert totals(result.out)["middle"] == (0, 1)


def test_a_config_and_options_that_override_it(edge, scene, square_model, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(
        f"model: {{name: {square_model}}}\n"
        f"cameras:\n  gate:\n    source: {scene()}\n"
        "    lines: {door: {a: [0.5, 1], b: [0.5, 0], in: Hall, out: Street}}\n"
    )
    result = edge("run", "--config", path, "-q", "--max-frames", 30)
    assert totals(result.out) == {"door": (1, 0)}
    [crossed] = [e for e in lines(result.out) if e["type"] == "line_crossed"]
    assert crossed["rule"]["direction_name"] == "Hall"
    result = edge("run", "--config", path, "-q", "--max-frames", 30, "--line", MIDDLE)
    assert totals(result.out) == {"middle": (0, 1)}


def test_without_rules_the_table_says_what_is_missing(edge, scene, square_model):
    result = edge("run", scene(frames=5), "--model", square_model)
    assert result.code == 0
    assert "give --line or --zone to count" in result.err


def test_names_for_several_sources():
    assert named(Path("out.mp4"), "gate") == Path("out.gate.mp4")
    assert named(Path("a/out"), "gate") == Path("a/out.gate")


def below(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and those below it, each with its path."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from below(inner, (*path, name))


COMMANDS = dict(below(get_command(app)))
OPTIONS = {o for c in COMMANDS.values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
OPTIONS.add("--help")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_a_command_does(edge, path):
    result = edge(*path, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"Usage: edge {' '.join(path)}".rstrip() in result.out
    said = [line.strip() for line in result.out.splitlines() if line.strip()][1]
    assert len(said.split()) >= 3, result.out
    assert "bool" not in result.out.lower(), "a flag takes no value"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_ends_with_an_example_whose_options_exist(path):
    words = COMMANDS[path].epilog.split()
    assert words[:2] == ["Example:", "edge"]
    assert tuple(words[2 : 2 + len(path)]) == path
    assert {word for word in words if word.startswith("--")} <= OPTIONS


@pytest.mark.parametrize(
    ("words", "expected"),
    [("edge r", "run report"), ("edge models v", "verify"), ("edge run --blur", "--blur-people")],
)
def test_completion_in_bash(tmp_path, words, expected):
    """In a real bash, by the function that --install-completion installs."""
    command = tmp_path / "edge"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m edge "$@"\n')
    command.chmod(0o755)
    code = f"""
        source <(_EDGE_COMPLETE=source_bash edge)
        COMP_WORDS=({words}) COMP_CWORD={len(words.split()) - 1}
        _edge_completion edge
        echo "${{COMPREPLY[@]}}"
    """
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(
        ["bash", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (said.stdout.strip(), said.stderr) == (expected, "")


def test_version(edge):
    assert edge("--version").out == "edgecount 0.1.0\n"


@pytest.mark.parametrize("file", ["scripts/demo", "README.md", "docs/evaluation.md"])
def test_documents_name_only_options_that_exist(file):
    text = (Path(__file__).parents[2] / file).read_text()
    found = re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)
    bench = Path(__file__).parents[2] / "scripts/bench_tracking.py"  # has options of its own
    others = set(re.findall(r'"(--[a-z-]+)"', bench.read_text()))
    assert set(found) <= OPTIONS | others


@pytest.mark.parametrize("file", ["scripts/demo", "README.md"])
def test_documents_name_only_commands_that_exist(file):
    text = (Path(__file__).parents[2] / file).read_text()
    known = {" ".join(path) for path in COMMANDS}
    for found in re.findall(r"(?m)(?:^|`|bin/)edge ([a-z]+)", text):
        assert found in known


@pytest.fixture
def on_screen(scene, square_model):
    """`edge run` of a clip with a terminal as standard error; all that it showed."""

    def run(*more: object, has_output: bool = False) -> str:
        options = ("--model", square_model, "--line", "gate=0.5,0,0.5,1", *more)
        command = [sys.executable, "-m", "edge", "run", *map(str, (scene(), *options))]
        with Screen() as screen:
            subprocess.run(
                command,
                stdout=screen.theirs if has_output else subprocess.DEVNULL,
                stderr=screen.theirs,
                env={**os.environ, "TERM": "xterm-256color"},
                timeout=60,
                check=True,
            )
            assert screen.has_codes
            return screen.settle(lambda text: "rule" in text).replace("\r", "\n")

    return run


def test_a_terminal_shows_a_bar_with_rate_counts_and_time_left(on_screen, tmp_path):
    text = on_screen("--events", tmp_path / "events.jsonl")
    assert re.search(r"\d/\d+ +\d+\.\d fps +-?[\d:-]+ +gate \d/\d", text)


def test_events_on_the_same_screen_stay_whole(on_screen):
    text = on_screen(has_output=True)
    assert " fps " in text
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert text.count('"schema"') == len(found)
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert found[-1]["type"] == "stopped"
