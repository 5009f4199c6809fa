"""What goes wrong in the field: one sentence and the right exit code, or a right result."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli.app import main
from edge.errors import ConfigError
from edge.events import Event
from edge.sources import VideoFile

MIDDLE = "middle=.5,0,.5,1"


@pytest.fixture
def count(edge, square_model):
    """`edge run ... --line MIDDLE` with the square's model."""
    return lambda *arguments: edge(
        "run", *arguments, "--model", square_model, "--line", MIDDLE, "--quiet"
    )


@pytest.fixture
def clip(scene):
    return scene()


def totals(text: str) -> tuple[int, int]:
    last = json.loads(text.splitlines()[-1])
    assert last["type"] == "stopped"
    return last["counts"][0]["count"]["in"], last["counts"][0]["count"]["out"]


def refused(result, code: int, message: str) -> None:
    """One sentence on standard error, nothing else, and this exit code."""
    assert result.code == code, result
    assert re.fullmatch(rf"edge: .*{message}.*\n", result.err), result.err
    assert "Traceback" not in result.err
    assert result.out == ""


# Sources that cannot be read: exit code 3


def broken(path: Path, clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    data[len(data) // 2 :] = os.urandom(len(data) - len(data) // 2)
    data[40:800] = bytes(760)  # the index
    path.write_bytes(data)


def audio(path: Path, clip: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))


UNREADABLE = {
    "broken.mp4": (broken, "expected a video file, got "),
    "no-index.mp4": (lambda p, c: p.write_bytes(c.read_bytes()[:300]), "expected a video file"),
    "empty.mp4": (lambda p, c: p.write_bytes(b""), "expected a video file, got an empty file"),
    "zeros.mp4": (lambda p, c: p.write_bytes(bytes(5000)), "got something that is none"),
    "noise.mp4": (lambda p, c: p.write_bytes(os.urandom(5000)), "expected a video file, got "),
    "sound.wav": (audio, "expected a video file, got sound only"),
    "notes.txt": (lambda p, c: p.write_text("hello\n" * 99), "expected a video file, got "),
    "picture.png": (lambda p, c: cv2.imwrite(str(p), np.zeros((9, 9, 3))), "got a single picture"),
    "folder": (lambda p, c: p.mkdir(), "expected pictures .*, got a folder without any"),
    "missing.mp4": (lambda p, c: None, "expected a video file, got no such file"),
    "null": (lambda p, c: p.symlink_to("/dev/null"), "got a device or pipe"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_source_that_cannot_be_read(count, clip, tmp_path, name):
    make, message = UNREADABLE[name]
    make(tmp_path / name, clip)
    refused(count(tmp_path / name), 3, message)


@pytest.mark.parametrize(
    ("source", "code", "sentence"),
    [
        ("rtsp://admin:secret@10.0.0.5/live", 2, "expected the password as"),
        ("rtsp://admin:${NO_SUCH_NAME}@10.0.0.5/live", 2, "environment variable NO_SUCH_NAME"),
        ("gst: v4l2src", 3, "expected an OpenCV built with GStreamer"),
        ("ftp://10.0.0.5/live", 3, "expected rtsp://"),
    ],
)
def test_cameras_that_cannot_be_read(edge, square_model, source, code, sentence, tmp_path):
    journal = ("--journal", tmp_path / "journal.db", "--quiet")
    result = edge("run", source, "--model", square_model, *journal)
    refused(result, code, sentence)
    assert "secret" not in result.err


def test_an_unreadable_source_keeps_what_was_counted_before_it(count, clip, tmp_path):
    (tmp_path / "zeros.mp4").write_bytes(bytes(5000))
    result = count(clip, tmp_path / "zeros.mp4", clip)
    assert result.code == 3
    assert totals(result.out) == (1, 1)


def test_a_source_that_is_not_there_is_said_before_anything_is_done(
    edge, clip, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edge.build.configured_segmenter", lambda *given: pytest.fail("too late"))
    result = edge("run", clip, "nope.mp4", "--web", "127.0.0.1:0", "--journal", "journal.db")
    refused(result, 3, f"nope.mp4: expected a video file, got no such file in {tmp_path}$")
    assert result.err.count("\n") == 1, "no address of a page"
    assert not (tmp_path / "journal.db").exists()


def test_a_run_that_fails_reports_what_it_counted(count, edge, clip, tmp_path):
    events, report, again = (tmp_path / name for name in ("e.jsonl", "r.html", "again.html"))
    broken = tmp_path / "zeros.mp4"
    broken.write_bytes(bytes(5000))
    assert count(broken, "--report", report).code == 3
    assert not report.exists()
    assert count(clip, broken, "--events", events, "--report", report).code == 3
    assert edge("report", events, "--out", again, "-q").code == 0
    tables = [re.findall(r"(?s)<table.*?</table>", p.read_text()) for p in (report, again)]
    assert tables[0] == tables[1] != []
    (tmp_path / "folder.html").mkdir()
    result = count(clip, broken, "--report", tmp_path / "folder.html")
    assert result.code == 3  # the error that came first
    assert "warning: report: not written: " in result.err


# Odd sources that can: right results


def test_a_truncated_file_gives_what_is_there_and_says_so(edge, square_model, scene, tmp_path):
    data = scene(frames=100).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 2 // 3])
    result = edge("run", path, "--model", square_model, "--line", MIDDLE)
    assert result.code == 0
    assert totals(result.out)[1] == 1
    assert "warning: cut: the recording is cut off before its end" in result.err.splitlines()


def test_damage_in_the_middle_loses_only_that(edge, square_model, scene):
    path = scene("damaged.mkv", frames=120)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(60)
    path.write_bytes(data)
    result = edge("run", path, "--model", square_model, "--line", MIDDLE)
    assert result.code == 0
    assert sum(totals(result.out)) >= 3  # of 5 passages in 120 frames


def test_one_pixel(count, scene):
    result = count(scene("one.mkv", 5, size=(1, 1), codec="ffv1", pix_fmt="yuv444p"))
    assert (result.code, totals(result.out), result.err) == (0, (0, 0), "")


def test_portrait(count, scene):
    """The model sees it at half its size, between two bars."""
    result = count(scene("portrait.mp4", size=(48, 96), side=32, step_px=1, frames=32))
    assert (result.code, totals(result.out), result.err) == (0, (1, 1), "")


def test_variable_rate_counts_at_the_true_times(count, scene):
    steady = count(scene("steady.mp4"))
    pts = [2 * k if k < 20 else 3 * k for k in range(60)]
    varying = count(scene("varying.mp4", pts=pts))
    times = [
        [e["time"]["media_s"] for e in map(json.loads, r.out.splitlines()) if "object" in e]
        for r in (steady, varying)
    ]
    assert totals(varying.out) == totals(steady.out) == (1, 1)
    assert times[1] == pytest.approx([2 * times[0][0], 3 * times[0][1]], abs=1e-5)


def test_ten_thousand_frames(count, scene):
    """312 walks there and back, and once more there: all are counted, as one track's."""
    result = count(scene("long.mp4", 10_000, codec="mpeg4", step_px=3))
    assert result.code == 0
    assert totals(result.out) == (312, 313)
    last = json.loads(result.out.splitlines()[-2])
    assert last["object"]["track_uid"] == "long:1:1"


# Models: exit code 4


def test_a_model_that_is_a_picture(edge, clip, tmp_path):
    path = tmp_path / "model.onnx"
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((9, 9, 3)))
    (tmp_path / "p.png").rename(path)
    refused(edge("run", clip, "--model", path), 4, "expected an ONNX model .* got a picture")


@pytest.mark.parametrize("content", [b"", b"onnx", bytes(5000)])
def test_a_model_that_is_none(edge, clip, tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    refused(edge("run", clip, "--model", path), 4, "model.onnx: expected an ONNX model")


def test_a_model_that_is_missing(edge, clip):
    refused(edge("run", clip, "--model", "nano"), 4, "nano: expected a file or one of person-veh")


def test_a_provider_that_is_not_there(edge, clip, square_model, caplog):
    asked = ("run", clip, "--model", square_model, "--provider", "tensorrt", "--max-frames", 3)
    had = r"an onnxruntime [0-9.]+ that has cpu; install edgecount\[gpu\]"
    refused(edge(*asked, "--strict-provider"), 4, f"expected provider tensorrt, got {had}")
    result = edge(*asked)
    assert result.code == 0
    assert re.search(f"square.onnx runs on cpu, not on tensorrt: {had}", caplog.text)
    started = json.loads(result.out.splitlines()[0])
    assert started["device"]["provider"] == "cpu"


# Arguments and config: exit code 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a source or --config FILE with cameras, got neither"),
        ([""], "SOURCE: expected a file, folder or camera, got an empty name"),
        (["a.mp4", "--line", "door"], r"--line: expected NAME=x1,y1,x2,y2.* with numbers"),
        (["a.mp4", "--line", "door=0,0,640,480"], "expected two numbers in 0..1, got "),
        (["a.mp4", "--zone", "hall=0,0,1,1"], "--zone: expected NAME=x1,y1,x2,y2,x3,y3,"),
        (["a.mp4", "--provider", "gpu"], "provider: expected 'auto', .* got 'gpu'"),
        (["a.mp4", "--input-size", "100"], "input_size: expected a multiple of 32, got 100"),
        (["a.mp4", "--track-format", "coco"], "--track-format: expected mots or mot, got 'coco'"),
        (["--config", "none.yaml"], "none.yaml: expected a config file, got: no such file"),
    ],
)
def test_wrong_arguments(edge, arguments, message):
    refused(edge("run", *arguments), 2, message)


@pytest.mark.parametrize("arguments", [["--max-frames", "0"], ["--threads", "x"], ["--lime", "a"]])
def test_arguments_of_the_wrong_kind(edge, arguments):
    result = edge("run", "a.mp4", *arguments)
    assert result.code == 2
    assert arguments[0] in result.err
    assert "Traceback" not in result.err


def test_a_class_that_the_model_does_not_know(count, clip):
    refused(count(clip, "--classes", "persn"), 2, "got 'persn', did you mean 'person'")


def test_a_config_with_a_typo(edge, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text("cameras:\n  gate:\n    source: a.mp4\n    lins: {}\n")
    refused(edge("run", "--config", path), 2, "site.yaml:4: .*unknown key 'lins', did you mean")


# Sinks: exit code 5


def test_events_into_a_missing_folder(count, clip, tmp_path):
    result = count(clip, "--events", tmp_path / "no" / "events.jsonl")
    refused(result, 5, "events.jsonl: expected to write events, got: no such file or directory")


def test_events_into_a_folder(count, clip, tmp_path):
    refused(count(clip, "--events", tmp_path), 5, "expected to write events, got: is a directory")


FILES = [
    ("--events", "e.jsonl"),
    ("--save-detections", "d.jsonl"),
    ("--save-detections", "d.jsonl.gz"),
    ("--save-tracks", "t.txt"),
    ("--save-video", "v.mp4"),
    ("--save-video", "v.mkv"),
]


@pytest.mark.parametrize(("option", "name"), FILES)
def test_a_full_disk(count, clip, tmp_path, option, name):
    (tmp_path / name).symlink_to("/dev/full")
    result = count(clip, option, tmp_path / name)
    assert result.code == 5
    assert re.fullmatch(rf"edge: .*{name}: .*no space left on device\n", result.err, re.IGNORECASE)
    if option != "--events":  # what was counted is there nevertheless
        assert json.loads(result.out.splitlines()[-1])["type"] == "stopped"


@pytest.mark.parametrize(("option", "name"), FILES)
def test_no_such_folder(count, clip, tmp_path, option, name):
    refused(count(clip, option, tmp_path / "no" / name), 5, name)


def test_a_reader_who_goes_away(edge_process, clip, square_model):
    process = edge_process("run", clip, "--model", square_model, "--line", MIDDLE, "-q")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 5
    expected = "edge: standard output: expected a reader, got none: it closed the pipe\n"
    assert process.stderr.read() == expected


def test_standard_output_on_a_full_disk(clip, square_model):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge", "run", clip, "--model", square_model, "-q"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    expected = "edge: standard output: expected to write events, got: no space left on device\n"
    assert (done.returncode, done.stderr) == (5, expected)


# Stopping early: exit code 130, nothing lost


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_all_that_was_counted(
    edge_process, scene, square_model, tmp_path, number
):
    path = scene(frames=8000, codec="mpeg4")
    events, video = tmp_path / "events.jsonl", tmp_path / "out.mp4"
    process = edge_process(
        *("run", path, "--model", square_model, "--line", MIDDLE),
        *("--events", events, "--save-video", video),
    )
    deadline = time.monotonic() + 60
    while not (events.exists() and events.read_text().count("line_crossed") >= 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    found = [json.loads(line) for line in events.read_text().splitlines()]
    for line in found:
        Event.model_validate(line)
    crossings = [e["rule"]["direction"] for e in found if e["type"] == "line_crossed"]
    assert totals(events.read_text()) == (crossings.count("in"), crossings.count("out"))
    frames = int(re.search(r"scene: interrupted after (\d+) frames", err)[1])
    assert found[-1]["time"]["frame"] == frames - 1
    assert frames < 8000
    with VideoFile(video) as annotated:
        assert sum(1 for _ in annotated) == frames


def test_a_second_ctrl_c_does_not_wait():
    """As it must not while a network drive hangs; a second SIGTERM is no hurry."""
    script = (
        "import signal, threading\n"
        "from edge.cli.signals import stop_on_signal\n"
        "stop = stop_on_signal()\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "assert stop.is_set()\n"
        "signal.raise_signal(signal.SIGTERM)\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip().endswith("KeyboardInterrupt")


def test_an_interrupt_outside_a_run_is_no_traceback(edge, monkeypatch):
    def interrupted(prog_name):
        raise KeyboardInterrupt

    monkeypatch.setattr("edge.cli.app.app", interrupted)
    result = edge()
    assert (result.code, result.err) == (130, "edge: interrupted\n")


def test_debug_keeps_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["edge", "run"])
    monkeypatch.setenv("EDGE_DEBUG", "1")
    with pytest.raises(ConfigError, match="expected a source"):
        main()


@pytest.mark.parametrize("option", ["--events", "--save-video", "--save-tracks"])
def test_results_never_replace_the_recording(count, clip, option):
    before = clip.read_bytes()
    refused(count(clip, option, clip), 2, "expected another file for results, got the source")
    assert clip.read_bytes() == before


def test_a_wrong_source_leaves_the_events_of_an_earlier_run(count, tmp_path):
    events = tmp_path / "events.jsonl"
    events.write_text("earlier\n")
    refused(count(tmp_path / "nothere.mp4", "--events", events), 3, "no such file")
    assert events.read_text() == "earlier\n"


def test_a_mistyped_address_is_named_without_its_password(
    edge, tmp_path, square_model, monkeypatch
):
    monkeypatch.setenv("DOOR", "hunter2")
    path = tmp_path / "site.yaml"
    path.write_text("cameras: {door: {source: 'rtsp:/me:${DOOR}@10.0.0.5/1'}}\n")
    result = edge("run", "--config", path, "--model", square_model)
    assert result.code == 3
    assert "hunter2" not in result.err
    assert "rtsp:/me:***@10.0.0.5/1" in result.err
