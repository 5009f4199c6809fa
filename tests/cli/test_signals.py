"""Signals while recordings are counted and while a model is loaded, to real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
import yaml
from scenes import CLIP, MIDDLE

LINE = {"a": [0.5, 0.0], "b": [0.5, 1.0]}
# PyDLL: it holds the GIL while it works, as onnxruntime does up to 1.20 at least.
BUSY = """
import ctypes, sys
from edge import build
def configured_segmenter(config, *_):
    print("loading", flush=True)
    ctypes.PyDLL(None).sleep(600)
build.configured_segmenter = configured_segmenter
from edge.cli.app import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("source", ["rtsp://127.0.0.1:9/x", str(CLIP)], ids=["camera", "recording"])
def test_a_model_that_takes_minutes_does_not_hold_up_the_end(tmp_path, number, source):
    arguments = ["run", source, "--journal", str(tmp_path / "j.db")]
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(number)
        assert process.wait(60) == -number  # a clean end to systemd, and 130 or 143 to a shell


def config_of(tmp_path, scene, square_model):
    clip = scene(frames=8000, codec="mpeg4")
    config = {
        "cameras": {"scene": {"source": str(clip), "lines": {"middle": LINE}}},
        "model": {"name": str(square_model), "threads": 1},
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def wait_for_crossings(process, events, count):
    deadline = time.monotonic() + 60
    while not (events.exists() and events.read_text().count("line_crossed") >= count):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_reload_does_not_end_the_counting_of_a_recording(tmp_path, scene, square_model):
    events, config = tmp_path / "events.jsonl", config_of(tmp_path, scene, square_model)
    arguments = ["run", "--config", config, "--events", events, "--watch", "-q"]
    no = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, "-m", "edge", *arguments],
        stdin=no,
        stdout=no,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for_crossings(process, events, 2)
        process.send_signal(signal.SIGHUP)
        wait_for_crossings(process, events, 6)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "edge: SIGHUP: only cameras take over a changed config; this goes on as it began" in err
    assert "--watch: expected cameras, got recordings" in err
    assert json.loads(events.read_text().splitlines()[-1])["type"] == "stopped"


def test_a_terminal_that_is_closed_stops_the_counting_of_a_recording(tmp_path, scene, square_model):
    events, clip = tmp_path / "events.jsonl", scene(frames=8000, codec="mpeg4")
    arguments = ["run", clip, "--model", square_model, "--line", MIDDLE, "--events", events, "-q"]
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "edge", *arguments], stderr=theirs) as process:
        wait_for_crossings(process, events, 2)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 130
    for one in (ours, theirs):
        os.close(one)
    assert json.loads(events.read_text().splitlines()[-1])["type"] == "stopped"
