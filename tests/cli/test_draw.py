"""`edge draw`: a config begun, its camera found, rules tried and saved, nothing counted."""

from __future__ import annotations

import json
import re
import signal
import urllib.parse
import urllib.request
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from live import RtspServer, wait_for

from edge.cli import drawing
from edge.cli.draw import begin_config, camera_of
from edge.config import Config, load
from edge.errors import ConfigError, SourceError

MIDDLE = {"kind": "lines", "name": "middle", "points": [[0.5, 0.0], [0.5, 1.0]]}


class Page:
    """What the browser would ask of a page."""

    def __init__(self, process) -> None:
        said = ""
        while not (found := re.search(r"draw on (http://\S+/)", said)):
            line = process.stderr.readline()
            assert line, f"ended: {said}"
            said += line
        self.said, self.address = said, found[1]

    def get(self, path: str, body: object = None) -> bytes:
        headers = {}
        if body is not None:
            csrf = json.loads(self.get("api/session"))["csrf"]
            headers = {"Content-Type": "application/json", "X-CSRF-Token": csrf}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def edit(self, what: str = "", body: object = None, camera: str = "scene") -> dict:
        query = urllib.parse.urlencode({"camera": camera})
        return json.loads(self.get(f"api/edit{what and '/' + what}?{query}", body))


def test_rules_are_tried_on_what_is_seen_and_saved(
    edge_process, edge, scene, square_model, tmp_path
):
    source, file = scene(), tmp_path / "scene.yaml"
    command = ("draw", source, "--config", file, "--web", "127.0.0.1:0", "--model", square_model)
    process = edge_process(*command, "--threads", 1)
    page = Page(process)
    assert "scene.yaml made, with the camera 'scene'" in page.said
    assert b"<title>Edit rules: edgecount</title>" in page.get("")  # it leads to the editor
    assert page.get("live/scene/plain.jpg")[:2] == b"\xff\xd8"
    facts = page.edit()
    assert (facts["takes"], facts["rules"], facts["can_try"]) == ("never", [], True)

    def counted() -> bool:
        found = page.edit("try", {"rules": [MIDDLE]})["counts"][0]
        return (found["in"], found["out"]) == (1, 1)

    wait_for(lambda: page.edit()["recent_s"] > 0)
    wait_for(counted, 60)
    wait_for(lambda: json.loads(page.get("api/state"))["cameras"][0]["frames"] > 70, 60)
    assert counted(), "what is played again is not counted again"
    assert not load(file).cameras["scene"].rules, "nothing is saved by a trial"
    saved = page.edit("save", {"rules": [MIDDLE], "revision": facts["revision"]})
    assert saved["command"] == f"edge run --config {file}"
    assert page.edit()["rules"][0]["was"] == "middle"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stdout.read() == "", "no events"
    assert load(file).cameras["scene"].lines["middle"].path == ((0.5, 0.0), (0.5, 1.0))
    assert f"# Begun by edge draw. Count with: edge run --config {file}\n" in file.read_text()
    assert {p.name for p in tmp_path.iterdir()} == {"scene.mp4", "scene.yaml"}
    counts = edge("run", "--config", file, "--model", square_model, "--events", "-", "--quiet")
    crossings = [x for x in counts.out.splitlines() if '"line_crossed"' in x]
    assert len(crossings) == 2


def test_without_a_config_one_is_named_for_the_source(
    edge, edge_process, scene, tmp_path, monkeypatch
):
    result = edge("draw")
    assert (result.code, result.out) == (2, "")
    assert "expected a SOURCE to draw on, or --config FILE, got neither" in result.err
    source = scene()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    process = edge_process("draw", source, "--web", "127.0.0.1:0")
    page = Page(process)
    assert "scene.yaml made, with the camera 'scene'" in page.said
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert load(tmp_path / "here" / "scene.yaml").cameras["scene"].source == str(source)


def test_without_a_model_one_can_still_draw(edge_process, scene, tmp_path):
    source, file = scene(), tmp_path / "site.yaml"
    file.write_text(f"model: {{name: none.onnx}}\ncameras: {{door: {{source: {source}}}}}\n")
    process = edge_process("draw", "--config", file, "--web", "127.0.0.1:0")
    page = Page(process)
    assert "rules cannot be tried here" in page.said
    facts = page.edit(camera="door")
    assert (facts["can_try"], facts["classes"], facts["reason"]) == (False, [], "")
    assert page.get("live/door/plain.jpg")[:2] == b"\xff\xd8"
    assert page.edit("check", {"rules": [MIDDLE]}, "door") == {"findings": []}
    page.edit("save", {"rules": [MIDDLE], "revision": facts["revision"]}, "door")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert list(load(file).cameras["door"].lines) == ["middle"]


@pytest.mark.rtsp
def test_a_camera_that_is_lost_comes_back_with_other_tracks(edge_process, square_model, tmp_path):
    file = tmp_path / "site.yaml"
    with RtspServer(fps=10) as server:
        common = ("--config", file, "--web", "127.0.0.1:0", "--model", square_model)
        page = Page(process := edge_process("draw", server.url, *common))

        def state() -> dict:
            return json.loads(page.get("api/state"))["cameras"][0]

        wait_for(lambda: state()["frames"] > 5, 60)
        assert page.get("live/clip/plain.jpg")[:2] == b"\xff\xd8"
        wait_for(lambda: page.edit(camera="clip")["recent_s"] > 1.0, 60)
        server.kill()
        wait_for(lambda: state()["state"] == "lost", 60)
        frames = state()["frames"]
        server.start()
        wait_for(lambda: state()["frames"] > frames, 60)
        assert state()["state"] == "connected"
        assert page.edit(camera="clip")["recent_s"] < 30.0
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_model_that_was_asked_for_must_be_there(edge, scene, tmp_path):
    result = edge("draw", scene(), "--config", tmp_path / "a.yaml", "--model", "none.onnx")
    assert result.code == 4


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        (None, ConfigError, "a SOURCE to begin one"),
        ("none.mp4", SourceError, "none.mp4"),
        ("rtsp://me:secret@192.0.2.1/1", ConfigError, "other users see the command line"),
        ("rtsp://me:${NOT_SET_AT_ALL}@192.0.2.1/1", ConfigError, "NOT_SET_AT_ALL"),
    ],
)
def test_what_begins_no_config(tmp_path, source, error, said):
    file = tmp_path / "site.yaml"
    with pytest.raises(error, match=said):
        begin_config(file, source)
    assert list(tmp_path.iterdir()) == []


def test_a_config_is_begun_for_a_camera_without_asking_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DOOR", "p@ss")
    file = tmp_path / "site.yaml"
    begin_config(file, 'rtsp://me:${DOOR}@192.0.2.1/a"b')
    assert "p@ss" not in file.read_text()
    [(name, camera)] = load(file).cameras.items()
    assert (name, camera.source) == ("a-b", 'rtsp://me:p%40ss@192.0.2.1/a"b')
    assert camera_of(load(file), file, 'rtsp://me:${DOOR}@192.0.2.1/a"b') == "a-b"
    with pytest.raises(ConfigError, match=rf"a folder that is there, got .*mkdir -p {tmp_path}/no"):
        begin_config(tmp_path / "no" / "site.yaml", "0")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError) as told:
        begin_config(tmp_path / "folder.yaml", "0")
    assert str(told.value).endswith("expected a file that can be made, got: is a directory")


def test_options_of_the_model_and_for_privacy_are_those_of_a_run(edge, tmp_path, monkeypatch):
    file = tmp_path / "site.yaml"
    file.write_text("cameras: {gate: {source: a.mp4}}\n")
    shown: list[Config] = []
    monkeypatch.setattr(drawing, "show", lambda config, *given: shown.append(config))
    assert edge("draw", "--config", file).code == 0
    assert edge("draw", "--config", file, "--blur-people", "--input-size", 320).code == 0
    found = [(config.blur_people, config.model.input_size) for config in shown]
    assert found == [(False, Config().model.input_size), (True, 320)]


def test_a_config_that_is_given_as_the_source_is_told(edge, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text("cameras: {gate: {source: a.mp4}}\n")
    result = edge("draw", file)
    assert (result.code, f"did you mean --config {file}?" in result.err) == (2, True)


class OneFrame:
    """A recording with so many pictures, all at its beginning."""

    opened = 0

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __call__(self, source: str):
        type(self).opened += 1
        frame = SimpleNamespace(stamp=SimpleNamespace(media_s=0.0))
        return nullcontext([frame] * self.frames)


@pytest.mark.parametrize("frames", [0, 1])
def test_a_recording_of_one_picture_or_none_waits_between_its_rounds(monkeypatch, frames):
    source = OneFrame(frames)
    monkeypatch.setattr(drawing, "open_source", source)
    monkeypatch.setattr(drawing, "time", SimpleNamespace(monotonic=lambda: 0.0))
    waits: list[float] = []

    class Stop:
        def wait(self, timeout_s: float) -> bool:
            waits.append(timeout_s)
            return len(waits) == 3 * (frames + 1)

    shown = drawing.Shown("gate")
    played = list(drawing._played(SimpleNamespace(source="a"), Stop(), shown))
    assert [number for number, _ in played] == [1, 2, 3] * frames
    between = waits[frames :: frames + 1]
    assert between == [drawing.ROUND_S] * 3, "no round at once after another"
    assert (shown.state == "lost") is (frames == 0)


def test_a_camera_of_the_config_is_found_by_name_or_source(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text("cameras: {gate: {source: a.mp4}, yard: {source: b.mp4}}\n")
    config = load(file)
    assert camera_of(config, file, "gate") == "gate"
    assert camera_of(config, file, "b.mp4") == "yard"
    for source, got in ((None, "no name"), ("c.mp4", "c.mp4")):
        with pytest.raises(ConfigError, match=rf"one of its cameras \(gate, yard\), got {got}"):
            camera_of(config, file, source)
    one = config.model_copy(update={"cameras": {"gate": config.cameras["gate"]}})
    assert camera_of(one, file, None) == "gate"


def test_another_address_needs_a_token(edge, scene, tmp_path):
    source, file = scene(), tmp_path / "site.yaml"
    file.write_text(f"cameras: {{door: {{source: {source}}}}}\n")
    result = edge("draw", "--config", file, "--web", "0.0.0.0:0")
    assert (result.code, "token" in result.err) == (2, True)
    assert Path(file).read_text().count("\n") == 1
