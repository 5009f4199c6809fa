from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from live import RtspServer
from rich.console import Console
from screen import Screen

from edge.cli.status_line import Sight, lines
from edge.web.status import CameraStatus, SinkStatus


def camera(name="door", state="connected", dropped=0, reconnects=0, age_s=0.1, reason=""):
    return CameraStatus(name, state, 1, 900, 880, dropped, 0, reconnects, age_s, reason)


def shown(sights, sinks=(), rates=None, width=80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(lines(sights, sinks, rates or {}))
    return console.file.getvalue().splitlines()


TOTALS = "entrance 12 in 9 out, hall 3 in 1 out 2 inside"


def test_a_line_for_each_camera():
    sights = [
        Sight(camera(), TOTALS),
        Sight(camera("yard", "lost", reconnects=2, age_s=34.8, reason="no answer"), "no rules"),
        Sight(camera("gate", "opening", age_s=None), "no rules"),
        Sight(camera("lane", dropped=7), "no rules"),
    ]
    assert shown(sights, rates={"door": 9.96}) == [
        f"door  10.0 fps  {TOTALS}",
        "yard  lost for 35 s: no answer  2 reconnects",
        "gate  opening",
        "lane     - fps  no rules  7 dropped",
    ]


def test_receivers_that_do_not_have_all_are_named():
    sinks = [
        SinkStatus("mqtt", 120, 9.0, 3, 0, "away"),
        SinkStatus("file", 1, 0.0, 0, 0),  # on its way
    ]
    assert shown([], sinks) == ["sink mqtt: 120 events wait"]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_nothing_is_ever_wrapped(width):
    sights = [
        Sight(camera("a" * 60), TOTALS * 3),
        Sight(camera("b", "lost", reason="x" * 200), ""),
    ]
    found = shown(sights, width=width)
    assert len(found) == 2
    assert all(len(line) <= width for line in found)
    assert found[0].startswith("a" * 19 + "…"[: width - 19])


@pytest.fixture
def screen():
    with Screen() as made:
        yield made


@pytest.fixture
def camera_url():
    with RtspServer() as server:
        yield server.url


def started(url, tmp_path, *more, stderr, stdout=subprocess.DEVNULL):
    options = ("--line", "door=0.5,0,0.5,1", "--journal", str(tmp_path / "journal.db"), *more)
    command = [sys.executable, "-m", "edge", "run", url, *options]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    return subprocess.Popen(command, stderr=stderr, stdout=stdout, env=environment)


def until(is_so, process, timeout_s=90):
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@pytest.mark.rtsp
def test_a_terminal_shows_the_rate_the_counts_and_whole_log_lines(camera_url, screen, tmp_path):
    events = tmp_path / "events.jsonl"
    process = started(camera_url, tmp_path, "--events", str(events), stderr=screen.theirs)
    try:
        until(lambda: re.search(r"\d\.\d fps  door [1-9]\d* in \d+ out", screen.text), process)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    text = screen.settle(lambda text: "run: stopped" in text).replace("\r", "\n")
    assert re.search(r"^\S+Z INFO camera \w+: pictures come, 768 x 576 *$", text, re.M)
    assert re.search(r"^\S+Z INFO run: stopped *$", text, re.M)
    assert "Traceback" not in text
    assert [json.loads(line)["type"] for line in events.open()][-1] == "stopped"


@pytest.mark.rtsp
@pytest.mark.parametrize("why", ["quiet", "no terminal"])
def test_elsewhere_there_is_none(camera_url, screen, tmp_path, why):
    log = tmp_path / "log.txt"
    more = ["--max-frames", "15", "--events", str(tmp_path / "events.jsonl")]
    if why == "quiet":
        more.append("--quiet")
    with log.open("wb") as file:
        process = started(
            camera_url,
            tmp_path,
            *more,
            stderr=file if why == "no terminal" else screen.theirs,
            stdout=screen.theirs,
        )
        assert process.wait(90) == 0
    assert not screen.has_codes
    assert b"\x1b" not in log.read_bytes()
    assert " fps  " not in screen.text + log.read_text()


@pytest.mark.rtsp
def test_events_on_the_same_screen_stay_whole(camera_url, screen, tmp_path):
    process = started(
        camera_url, tmp_path, "--max-frames", "60", stderr=screen.theirs, stdout=screen.theirs
    )
    assert process.wait(90) == 0
    text = screen.settle(lambda text: "run: stopped" in text).replace("\r", "\n")
    assert " fps  door " in text
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert text.count('"schema"') == len(found) >= 3
