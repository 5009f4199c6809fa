"""What a config needs: secrets, model, sources, folders, receivers."""

import hashlib
import json
import os
import shutil
import socket
from pathlib import Path

import pytest
import yaml
from scenes import CLIP

from edge.cli.doctor import config as needs
from edge.cli.doctor import machine
from edge.cli.doctor.finding import Finding

ROOT = Path(__file__).parents[2]
LINE = {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}}
SECRET = "s3cret-that-nobody-may-see"


@pytest.fixture
def doctor(edge, tmp_path, monkeypatch):
    """Findings of `edge doctor` with a config of these sections, by name, and its exit code.

    Of several with one name the worst.
    """
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def run(cameras=None, **sections):
        path = tmp_path / "site.yaml"
        given = {"gate": {"source": str(CLIP), "lines": LINE}} if cameras is None else cameras
        path.write_text(yaml.safe_dump({"cameras": given, **sections}, sort_keys=False))
        result = edge("doctor", path, "--json")
        assert SECRET not in result.out + result.err
        found: dict[str, Finding] = {}
        order = ("ok", "note", "problem")
        for each in json.loads(result.out)["findings"]:
            before = found.get(each["what"])
            if before is None or order.index(each["state"]) > order.index(before.state):
                found[each["what"]] = Finding(**each)
        return found, result.code

    return run


def deciding(found):
    """What decides the exit code."""
    return [what for what, each in found.items() if each.decides]


def test_a_config_that_has_all_it_needs(doctor):
    found, code = doctor(sinks={"file": {"type": "file", "path": "events.jsonl"}})
    assert (code, deciding(found)) == (0, [])
    assert found["config"].found.endswith("site.yaml: cameras 1, rules 1, sinks 1")
    assert found["camera gate"].found == f"{CLIP}: 768 x 576"
    assert found["model opens"].state == "ok"
    assert "/state: " in found["journal"].found
    assert found["sink file"].state == "ok"


@pytest.mark.parametrize("form", ["list", "file"])
def test_a_model_is_read_as_the_config_says(doctor, square_model, tmp_path, form):
    names: list[str] | str = ["forklift"]
    if form == "file":
        (tmp_path / "yard.names").write_text("forklift\n")
        names = "yard.names"
    model = {"name": str(square_model), "class_names": names}
    gate = {"gate": {"source": str(CLIP), "lines": LINE, "classes": ["forklift"]}}
    found, code = doctor(gate, model=model)
    assert (code, deciding(found)) == (0, [])
    assert "square.onnx: yolo with forklift; sha256" in found["model opens"].found
    found, code = doctor(gate, model=model | {"family": "rfdetr"})
    assert (code, deciding(found)) == (1, ["model opens"])
    assert "expected outputs dets" in found["model opens"].found
    found, code = doctor(gate, model=model | {"class_names": "none.names"})
    assert (code, deciding(found)) == (1, ["model opens"])
    assert "none.names: expected class names" in found["model opens"].found


def test_no_such_config(edge, tmp_path):
    result = edge("doctor", tmp_path / "none.yaml", "--json")
    found = json.loads(result.out)["findings"]
    [config] = [each for each in found if each["what"] == "config"]
    assert (result.code, config["state"]) == (1, "problem")
    assert config["found"].endswith(
        "none.yaml: expected a config file, got: no such file or directory"
    )
    assert "model opens" not in [each["what"] for each in found]  # which one, nobody knows


def test_a_config_with_mistakes(doctor):
    found, code = doctor({"gate": {"sorce": "a"}}, tracker={"low_score": 2})
    assert (code, deciding(found)) == (1, ["config"])
    assert "unknown key 'sorce', did you mean 'source'?" in found["config"].found
    assert "tracker.low_score: expected at most 1" in found["config"].found
    assert found["config"].remedy.startswith("`edge check ")


def test_a_source_that_is_not_there(doctor, tmp_path):
    found, code = doctor({"gate": {"source": "video.mp4"}, "yard": {"source": str(tmp_path)}})
    assert (code, deciding(found)) == (1, ["camera gate", "camera yard"])
    assert found["camera gate"].found == (
        f"video.mp4: expected a video file, got no such file in {Path.cwd()}"
    )
    assert str(tmp_path) in found["camera gate"].remedy
    assert "got a folder without any" in found["camera yard"].found


def test_a_device(doctor, tmp_path, monkeypatch):
    found, code = doctor({"gate": {"source": "/dev/video97"}, "yard": {"source": "98"}})
    assert (code, deciding(found)) == (1, ["camera gate", "camera yard"])
    assert found["camera yard"].found == "/dev/video98: no such device"
    device = tmp_path / "video0"
    device.touch()
    assert needs._device("camera gate", str(device)).state == "ok"
    monkeypatch.setattr(needs.os, "access", lambda path, mode: False)
    assert needs._device("camera gate", str(device)).found == f"{device}: may not be opened"


def test_a_pipeline(doctor, monkeypatch):
    source = "gst:nvsrc location=http://127.0.0.1:1/a ! video/x-raw ! conv ! nvsrc ! appsink"
    monkeypatch.setattr(needs, "has_element", lambda name: not name.startswith("nv"))
    found, code = doctor({"gate": {"source": source}})
    assert (code, found["camera gate"].found) == (1, "GStreamer lacks nvsrc")
    assert needs._pipeline("", source.replace("nv", "")).found == "GStreamer has its 3 elements"
    monkeypatch.setattr(needs, "has_element", lambda name: None)
    assert needs._pipeline("", source).state == "note"


def test_an_opencv_without_gstreamer(doctor, monkeypatch):
    monkeypatch.setattr("cv2.getBuildInformation", lambda: "GStreamer: NO")
    found, code = doctor({"gate": {"source": "gst:videotestsrc ! appsink"}})
    assert code == 1
    assert found["GStreamer"].decides


def test_secrets_are_named_and_the_rest_is_checked(doctor, monkeypatch):
    monkeypatch.setenv("DOOR_PASSWORD", SECRET)
    monkeypatch.delenv("YARD_PASSWORD", raising=False)
    cameras = {
        "door": {"source": "rtsp://me:${DOOR_PASSWORD}@127.0.0.1:1/x"},
        "yard": {"source": "rtsp://me:${YARD_PASSWORD}@127.0.0.1:1/x"},
        "roof": {"source": "no.mp4"},
    }
    hook = {"type": "webhook", "url": "http://127.0.0.1:1", "secret": "${file:/none/such}"}
    found, code = doctor(cameras, sinks={"office": hook})
    assert (code, deciding(found)) == (1, ["secrets", "camera roof"])
    assert found["secrets"].found == "not set: YARD_PASSWORD, file:/none/such"
    assert found["camera yard"].found == "127.0.0.1:1: connection refused"
    assert found["sink office"].state == "note"


def test_secrets_that_are_set(doctor, monkeypatch, tmp_path):
    monkeypatch.setenv("DOOR_PASSWORD", SECRET)
    (tmp_path / "token").write_text(SECRET)
    cameras = {
        "door": {"source": "rtsp://me:${DOOR_PASSWORD}@127.0.0.1:1/x"},
        "odd": {"source": "${DOOR_PASSWORD}.mp4"},
    }
    hook = {"type": "webhook", "url": "http://127.0.0.1:1", "token": f"${{file:{tmp_path}/token}}"}
    found, code = doctor(cameras, sinks={"office": hook})
    assert found["secrets"].found == f"set: DOOR_PASSWORD, file:{tmp_path}/token"
    assert found["camera odd"].found == (
        f"***.mp4: expected a video file, got no such file in {Path.cwd()}"
    )
    assert code == 1


def test_an_address_that_is_a_secret(doctor, monkeypatch):
    monkeypatch.delenv("BROKER", raising=False)
    found, code = doctor(sinks={"broker": {"type": "mqtt", "host": "${BROKER}"}})
    assert (code, found["sink broker"].state) == (1, "note")
    assert found["sink broker"].found == "not checked: its address is a secret that is not set"
    hook = {"type": "webhook", "url": "${BROKER}"}
    found, code = doctor(sinks={"office": hook})  # what should be there cannot be guessed
    assert deciding(found) == ["config"]
    assert "environment variable BROKER to be set" in found["config"].found


def test_receivers_and_cameras_that_answer_or_do_not(doctor):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found, code = doctor(
            {
                "up": {"source": f"rtsp://127.0.0.1:{port}/x"},
                "down": {"source": "http://127.0.0.1:1/x"},
            },
            sinks={
                "up": {"type": "mqtt", "host": "127.0.0.1", "port": port},
                "down": {"type": "webhook", "url": "http://127.0.0.1:1/x"},
            },
            web={"listen": f"127.0.0.1:{port}"},
        )
    assert (code, deciding(found)) == (0, [])
    for kind in ("camera", "sink"):
        assert found[f"{kind} up"].found == f"127.0.0.1:{port} answers"
        assert found[f"{kind} down"].found == "127.0.0.1:1: connection refused"
        assert found[f"{kind} down"].state == "note"
    assert found["page"].found == f"127.0.0.1:{port}: address already in use"
    assert found["page"].state == "note"


def test_an_address_that_is_none(doctor):
    found, code = doctor({"a": {"source": "rtsp:///x"}, "b": {"source": "ftp://host/x"}})
    assert (code, deciding(found)) == (1, ["camera a", "camera b"])
    assert found["camera a"].remedy == "rtsp://HOST[:PORT]/PATH"
    assert "expected rtsp://, rtsps://" in found["camera b"].found


def test_a_provider_that_is_asked_for_strictly(doctor):
    for strict, expected in ((True, ["provider openvino"]), (False, [])):
        found, code = doctor(model={"provider": "openvino", "strict_provider": strict})
        assert (code, deciding(found)) == (int(strict), expected)
        assert found["provider openvino"].state == "problem"


def test_models(doctor, tmp_path, square_model):
    found, code = doctor(model={"name": "no-such"})
    assert (code, deciding(found)) == (1, ["model opens"])
    assert found["model opens"].found.startswith("no-such: expected a file or one of ")
    shutil.copy(square_model, tmp_path / "own.onnx")
    found, code = doctor(model={"name": "own.onnx"})
    digest = hashlib.sha256(square_model.read_bytes()).hexdigest()
    assert (code, found["model opens"].found) == (
        0,
        f"own.onnx: yolo with person; sha256 {digest}",
    )
    (tmp_path / "bad.onnx").write_text("text")
    found, code = doctor(model={"name": "bad.onnx"})
    assert deciding(found) == ["model opens"]
    assert found["model opens"].found.startswith("bad.onnx: expected an ONNX model")


def test_a_class_that_the_model_does_not_know(doctor):
    found, code = doctor({"gate": {"source": str(CLIP), "classes": ["persn"]}})
    assert (code, deciding(found)) == (1, ["classes"])
    assert "did you mean 'person'?" in found["classes"].found


def test_folders(doctor, tmp_path, monkeypatch):
    found, code = doctor(
        journal={"path": "kept/journal.db", "max_mb": 1e9},
        evidence={"folder": "pictures"},
        sinks={
            "file": {"type": "file", "path": "none/events.jsonl"},
            "broker": {
                "type": "mqtt",
                "host": "127.0.0.1",
                "port": 1,
                "tls": True,
                "ca_file": "ca.pem",
            },
        },
    )
    assert (code, deciding(found)) == (1, ["sink file", "sink broker"])
    assert found["sink file"].remedy == "mkdir -p none"
    assert found["sink broker"].found == "ca.pem: cannot be read"
    assert found["journal"].state == "note"
    assert found["journal"].remedy == "make room: it may need 1000000.0 GB"
    assert found["evidence"].found.startswith(f"{tmp_path}/pictures: ")
    monkeypatch.setattr(machine.os, "access", lambda path, mode: not mode & os.W_OK)
    found, code = doctor(journal={"path": "kept/journal.db"})
    assert deciding(found) == ["journal"]


def test_a_journal_of_another_user(doctor, tmp_path, monkeypatch):
    (tmp_path / "journal.db").touch()
    allowed = os.access
    monkeypatch.setattr(
        machine.os, "access", lambda path, mode: allowed(path, mode) and Path(path).is_dir()
    )
    [found] = needs._file("journal", tmp_path / "journal.db", 0)
    assert found.decides
    assert found.found.startswith(f"{tmp_path}/journal.db: cannot be written by ")


def test_a_network_that_cannot_be_asked_is_a_finding(doctor, monkeypatch):
    def refuse(addresses):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(needs, "asked", refuse)
    found, code = doctor({"gate": {"source": "rtsp://127.0.0.1:1/x"}})
    assert (code, found["network"].found) == (
        0,
        "not checked: RuntimeError: can't start new thread",
    )


def test_recordings_alone_need_no_journal(doctor):
    found, _ = doctor()
    assert "journal" not in found
    assert "page" not in found


@pytest.mark.parametrize("name", ["file", "site", "jetson", "reference"])
def test_the_configs_that_come_along(edge, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(needs, "asked", lambda addresses: lambda: dict.fromkeys(addresses, ""))
    result = edge("doctor", ROOT / "configs" / f"{name}.yaml")
    expected = {"file": "camera gate", "site": "secrets", "jetson": "secrets", "reference": ""}
    assert result.code == (name != "reference")
    assert expected[name] in result.out.rpartition("\n\n")[2]
    found = result.out.replace("elements not checked: no gst-inspect-1.0", "")  # not everywhere
    assert "not checked" not in found
