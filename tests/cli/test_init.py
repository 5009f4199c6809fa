"""The starter config: what is asked, what is written, and that it loads."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import yaml
from typer.testing import CliRunner

from edge.cli.app import app
from edge.cli.init import RECEIVERS, starter
from edge.config import load

runner = CliRunner()


def asked(folder, answers, *arguments):
    return runner.invoke(app, ["init", str(folder / "c.yaml"), *arguments], input=answers)


@pytest.mark.parametrize("receiver", RECEIVERS)
@pytest.mark.parametrize("source", ["video.mp4", "rtsp://me:${PW}@10.0.0.7/a", "0", 'a "b".mp4'])
def test_every_starter_loads(tmp_path, monkeypatch, source, receiver):
    monkeypatch.setenv("PW", "pass-word")
    path = tmp_path / "c.yaml"
    path.write_text(starter(source, ["person", "car"], receiver))
    config = load(path)
    [camera] = config.cameras.values()
    assert camera.source == source.replace("${PW}", "pass-word")
    assert camera.classes == ("person", "car")
    assert list(camera.lines) == ["middle"]
    assert len(config.sinks) == (receiver != "none")


def test_nothing_is_asked_with_yes(edge, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = edge("init", "--yes")
    assert (result.code, result.err) == (0, "")
    said = result.out.splitlines()
    assert said[0] == "wrote edgecount.yaml; next:"
    line = int(re.fullmatch(r"  put .* into line (\d+): there is no video.mp4 here", said[1])[1])
    written = (tmp_path / "edgecount.yaml").read_text().splitlines()
    assert written[line - 1] == '    source: "video.mp4"'
    assert edge("check", "edgecount.yaml").code == 0
    for key in ("source", "classes", "journal", "sinks", "web"):  # each is explained
        lines = (tmp_path / "edgecount.yaml").read_text().splitlines()
        at = next(k for k, line in enumerate(lines) if line.strip().startswith(f"{key}:"))
        assert lines[at - 1].lstrip().startswith("#")


@pytest.mark.parametrize("yes", [True, False])
def test_a_source_that_is_given_is_not_asked_for(scene, tmp_path, yes):
    path = tmp_path / "c.yaml"
    clip = scene()
    arguments = ["init", path, "--source", clip, *(["--yes"] if yes else [])]
    result = runner.invoke(app, [str(a) for a in arguments], input=None if yes else "car\nmqtt\n")
    assert result.exit_code == 0
    [camera] = load(path).cameras.values()
    assert camera.source == str(clip)
    assert camera.classes == (("person",) if yes else ("car",))
    assert "put your camera or video" not in result.output
    assert "Camera or video" not in result.output


@pytest.mark.parametrize("source", ["rtsp://me:secret@h/s", "", " "])
def test_a_source_that_cannot_be_is_refused(edge, tmp_path, source):
    result = edge("init", tmp_path / "c.yaml", "--yes", "--source", source)
    assert result.code == 2
    assert result.err.startswith("edge: --source: expected ")
    assert "secret" not in result.err
    assert not (tmp_path / "c.yaml").exists()


@pytest.mark.parametrize("answers", ["", "0\n", "0\nperson\n"])
def test_without_answers_it_says_how_to_do_without(tmp_path, answers):
    command = [sys.executable, "-m", "edge", "init", str(tmp_path / "c.yaml")]
    done = subprocess.run(command, input=answers, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "edge: expected answers to three questions, got the end of the input; --yes asks nothing\n",
    )
    assert done.stdout.endswith(": \n")
    assert not (tmp_path / "c.yaml").exists()


def test_a_file_that_is_there_stays(edge, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    result = edge("init", path, "--yes")
    assert result.code == 2
    assert "expected a new file, got one; --force replaces it" in result.err
    assert path.read_text() == "mine"
    assert edge("init", path, "--yes", "--force").code == 0
    assert "cameras" in yaml.safe_load(path.read_text())
    assert "expected a folder" in edge("init", tmp_path / "no/c.yaml", "--yes").err


def test_wrong_answers_are_asked_again(tmp_path):
    answers = "rtsp://me:secret@h/s\nrtsp://me:${PW}@h/s\n , \nperson, car\nnowhere\nmqtt\n"
    result = asked(tmp_path, answers)
    assert result.exit_code == 0
    assert "  set in the environment: PW\n" in result.output
    text = (tmp_path / "c.yaml").read_text()
    assert "secret" not in text
    found = yaml.safe_load(text)
    assert found["sinks"]["broker"]["type"] == "mqtt"
    assert found["cameras"]["s"]["classes"] == ["person", "car"]


def test_at_a_terminal_ctrl_c_leaves_no_file(tmp_path):
    path = tmp_path / "c.yaml"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "edge", "init", str(path)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        said = b""
        ends_s = time.monotonic() + 60
        while b"Camera or video" not in said and time.monotonic() < ends_s:
            said += os.read(ours, 1000)
        try:
            # One that comes between the question and the reading is not seen.
            while process.poll() is None and time.monotonic() < ends_s:
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
            assert process.poll() == 130
        finally:
            process.kill()
    os.close(ours)
    assert b"Camera or video" in said
    assert not path.exists()


def test_debug_keeps_the_traceback(tmp_path):
    command = [sys.executable, "-m", "edge"]
    arguments = ["run", str(tmp_path / "none.mp4")]
    plain = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert plain.returncode == 3
    assert plain.stderr.splitlines()[-1].startswith("edge: ")
    assert "Traceback" not in plain.stderr
    full = subprocess.run(
        [*command, "--debug", *arguments], capture_output=True, text=True, check=False
    )
    assert "Traceback (most recent call last)" in full.stderr
    assert "SourceError" in full.stderr
