"""`edge run --web`: the page of recordings, and what a page begins with."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from types import SimpleNamespace

import pytest
from broker import free_port
from journals import live, recording
from live import wait_for

from edge.cli.page import LivePage, RecordedPage, rules_of
from edge.config import Config
from edge.events.journal import Journal
from edge.web.state import Told
from edge.web.status import CameraStatus, Status

MIDDLE = "middle=.5,0,.5,1"
SEGMENTER = SimpleNamespace(
    class_names=("person",),
    session=SimpleNamespace(
        file=SimpleNamespace(path=SimpleNamespace(name="nano")),
        provider="cpu",
        placement={"cpu": 616},
    ),
)


def got(address: str, path: str = "") -> bytes:
    with urllib.request.urlopen(address + path, timeout=20) as answer:
        return answer.read()


def address_in(read, timeout_s: float = 60.0) -> str:
    """The address that a command says, read from its output."""
    said, deadline_s = "", time.monotonic() + timeout_s
    while not (found := re.search(r"page on (http://\S+/)", said)):
        assert time.monotonic() < deadline_s, said
        said += read()
    return found[1]


def test_the_events_of_a_recording_are_the_same_with_a_page(
    edge_process, scene, square_model, tmp_path
):
    source = scene(frames=1200)
    plain, shown = tmp_path / "plain.jsonl", tmp_path / "shown.jsonl"
    common = ("run", source, "--model", square_model, "--line", MIDDLE, "--threads", 1)
    assert edge_process(*common, "--events", plain).wait(120) == 0
    process = edge_process(*common, "--events", shown, "--web", "127.0.0.1:0")
    address = address_in(process.stderr.readline)
    assert b"<title>edgecount</title>" in got(address)
    camera = {"state": "waiting"}
    while camera["state"] == "waiting":
        [camera] = json.loads(got(address, "api/state"))["cameras"]
    assert (camera["name"], camera["kind"]) == ("scene", "recording")
    assert camera["progress"]["total"] == 1200
    assert got(address, "live/scene/still.jpg")[:2] == b"\xff\xd8"
    assert json.loads(got(address, "healthz"))["alive"]
    metrics = got(address, "metrics")
    assert b"edgecount_frames_total" in metrics
    assert b'edgecount_model_nodes{provider="cpu"}' in metrics
    process.communicate(timeout=120)
    assert process.returncode == 0, "nobody sits at a terminal: it ends with the recording"
    assert shown.read_bytes() == plain.read_bytes()


def test_rules_of_a_recording_are_edited_for_the_next_run(
    edge_process, scene, square_model, tmp_path
):
    file = tmp_path / "site.yaml"
    lines = "lines: {middle: {a: [0.5, 0], b: [0.5, 1]}}"
    file.write_text(f"cameras: {{scene: {{source: {scene(frames=1200)}, {lines}}}}}\n")
    common = ("--model", square_model, "--threads", 1, "--events", tmp_path / "e.jsonl")
    process = edge_process("run", "--config", file, *common, "--web", "127.0.0.1:0")
    address = address_in(process.stderr.readline)
    assert json.loads(got(address, "api/state"))["has_editor"] is True
    facts = json.loads(got(address, "api/edit?camera=scene"))
    assert (facts["takes"], facts["reason"], facts["rules"][0]["name"]) == ("next", "", "middle")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_at_a_terminal_the_last_totals_stay_until_ctrl_c(scene, square_model, tmp_path):
    terminal, other = pty.openpty()
    command = ("run", scene(), "--model", square_model, "--line", MIDDLE, "--threads", 1)
    web = ("--events", tmp_path / "e.jsonl", "--web", "127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", *map(str, (*command, *web))],
        stderr=other,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(other)
    try:
        address = address_in(lambda: os.read(terminal, 4096).decode())

        def finished() -> bool:
            [camera] = json.loads(got(address, "api/state"))["cameras"]
            [rule] = camera["rules"]
            totals = rule["totals"]["in"], rule["totals"]["out"]
            return camera["state"] == "finished" and totals == (1, 1)

        wait_for(finished, 60)
        assert got(address, "live/scene/still.jpg")[:2] == b"\xff\xd8"
        assert json.loads(got(address, "healthz"))["alive"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        (
            "0.0.0.0:8080",
            "--web: expected 'token' for an address that others can reach, got none with "
            r"0\.0\.0\.0:8080; write token: \$\{NAME\} below web: in the config, or give "
            r"--web-token '\$\{NAME\}' to edge run, with NAME in the environment",
        ),
        ("here", "--web: expected ADDRESS:PORT, such as 127.0.0.1:8080, got 'here'"),
        ("127.0.0.1:99999", "expected a port of 0 to 65535"),
    ],
)
def test_addresses_that_are_refused(edge, scene, square_model, listen, said):
    result = edge("run", scene(), "--model", square_model, "--line", MIDDLE, "--web", listen)
    assert result.code == 2
    assert re.search(said, result.err)
    assert not [t for t in threading.enumerate() if t.name == "edge-web"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--web-token", "${TOKEN}"], "expected --web HOST:PORT or web.listen, got neither"),
        (["--web", "0.0.0.0:0", "--web-token", "hunter2"], "expected the token as .* written out"),
        (["--web", "0.0.0.0:0", "--web-token", "${NONE}"], "environment variable NONE to be set"),
        (["--web", "127.0.0.1:0", "--web-token", "${EMPTY}"], "expected text that is not empty"),
    ],
)
def test_tokens_that_are_refused(edge, scene, square_model, monkeypatch, options, said):
    monkeypatch.setenv("TOKEN", "t0ken-of-the-test")
    monkeypatch.setenv("EMPTY", "")
    result = edge("run", scene(), "--model", square_model, *options)
    assert result.code == 2
    assert re.match(f"edge: --web(-token)?: .*{said}", result.err)
    assert "hunter2" not in result.err


def test_a_token_opens_the_page_to_others_without_a_config(
    edge, scene, square_model, monkeypatch, tmp_path
):
    monkeypatch.setenv("TOKEN", "t0ken-of-the-test")
    asked = []

    class Page(RecordedPage):
        def serve(self):
            super().serve()
            port = int(self.address.rstrip("/").rpartition(":")[2])
            for shown in ("t0ken-of-the-test", "${TOKEN}"):
                request = urllib.request.Request(f"http://127.0.0.1:{port}/api/state")
                request.add_header("Authorization", f"Bearer {shown}")
                try:
                    with urllib.request.urlopen(request, timeout=20) as answer:
                        asked.append(answer.status)
                except urllib.error.HTTPError as error:
                    asked.append(error.code)

    monkeypatch.setattr("edge.cli.page.RecordedPage", Page)
    end = ("--web", "0.0.0.0:0", "--web-token", "${TOKEN}", "--events", tmp_path / "e.jsonl")
    result = edge("run", scene(), "--model", square_model, "--line", MIDDLE, *end)
    assert (result.code, asked) == (0, [200, 401])
    assert "t0ken-of-the-test" not in result.err + result.out


def config() -> Config:
    rules = {
        "lines": {"gate": {"a": [0.5, 0.0], "b": [0.5, 1.0], "in": "Into the shop"}},
        "zones": {"hall": {"polygon": [[0, 0], [1, 0], [1, 1]], "dwell_s": 30}},
        "classes": ["person"],
    }
    return Config.model_validate({"cameras": {"door": {"source": "rtsp://10.0.0.1/a", **rules}}})


def test_rules_are_shown_as_the_config_has_them():
    [gate, hall] = rules_of(config())["door"]
    assert (gate.id, gate.kind, gate.in_name, gate.out_name) == (
        "gate",
        "line",
        "Into the shop",
        None,
    )
    assert gate.points == ((0.5, 0.0), (0.5, 1.0))
    assert (hall.kind, hall.classes, hall.dwell_s) == ("zone", ("person",), 30)


def test_a_page_begins_with_what_the_journal_has_of_cameras(tmp_path):
    now_s = 1_790_237_700.0
    with Journal(tmp_path / "journal.db", lambda: now_s) as journal:
        door, clip = live(journal, "door"), recording(journal, "clip")
        for ago_s in (200_000.0, 90.0, 30.0):
            door.utc_s = now_s - ago_s
            door.crossed()
        door.crossed(delta=-1)
        clip.crossed()
        clips = [replace(e, line=e.line.replace('"rtsp"', '"file"')) for e in clip.made]
        journal.append([*door.made, *clips])
        status = CameraStatus("door", "connected", 1, 1, 1, 0, 0, 0, None)
        rules = rules_of(config())
        page = LivePage(config(), SEGMENTER, Told(lambda: [status], lambda: rules))
        try:
            page.begin_with(journal, now_s)
            wait_for(lambda: not [t for t in threading.enumerate() if t.name == "edge-web-past"])
            listen = {"listen": f"127.0.0.1:{free_port()}"}
            web = Config.model_validate({"web": listen}).web
            page.listen(web, page.status, lambda: 0.0)
            page.serve()
            state = json.loads(got(page.address, "api/state"))
            [camera] = state["cameras"]
            assert camera["rules"][0]["totals"]["in"] == 2
            assert [e["type"] for e in state["events"]] == [
                *["line_crossed"] * 3,
                "line_crossing_reverted",
            ]
            assert {e["camera"] for e in state["events"]} == {"door"}
            history = page._board.history
            assert sum(history.series("door", "gate", "hour", now_s)["in"]) == 1
            assert isinstance(page.status(), Status)
            assert page.status().nodes == {"cpu": 616}
            page.event("door", door.crossed().event)
            assert page._board.totals("door", "gate").count_in == 3
            page.forget("door")
            assert page._board.totals("door", "gate").count_in == 0
        finally:
            page.close()
