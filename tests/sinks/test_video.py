from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from browser import Browser

import edge.sinks.video
from edge.errors import ShapeError, SinkError
from edge.sinks.video import VideoSink
from edge.sources.faults import Faults
from edge.sources.file import VideoFile
from edge.types import U8, Frame


def picture(k: int, width: int = 64, height: int = 48) -> U8:
    """A smooth picture, different for every k."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = 40 + 5 * k
    image[:, :, 1] = np.linspace(60, 180, width).astype(np.uint8)
    image[:, :, 2] = np.linspace(200, 60, height).astype(np.uint8)[:, None]
    return image


def write(path: Path, times: list[float], width: int = 64, height: int = 48) -> None:
    with VideoSink(path, width, height, fps=10) as sink:
        for k, media_s in enumerate(times):
            sink.write(picture(k, width, height), media_s)


def read(path: Path) -> list[Frame]:
    with VideoFile(path) as video:
        frames = list(video)
        assert video.warnings == Faults()
    return frames


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".MP4"])
def test_read_back(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write(path, [k / 10 for k in range(30)])
    frames = read(path)
    assert [f.stamp.media_s for f in frames] == [k / 10 for k in range(30)]
    for k, frame in enumerate(frames):
        error = np.abs(frame.image.astype(int) - picture(k))
        assert error.mean() < 4
        assert error.max() < 25


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30), Fraction(30000, 1001)])
def test_times_are_exact(tmp_path, rate):
    times = [float(k / rate) for k in range(12)]
    write(tmp_path / "out.mp4", times)
    assert [f.stamp.media_s for f in read(tmp_path / "out.mp4")] == times


def test_variable_rate_and_long_gaps(tmp_path):
    times = [0.0, 0.1, 0.15, 2.5, 2.6, 9.0, 3609.0]
    write(tmp_path / "out.mp4", times)
    assert [f.stamp.media_s for f in read(tmp_path / "out.mp4")] == times


def test_times_that_do_not_increase_are_nudged(tmp_path):
    write(tmp_path / "out.mp4", [0.0, 0.1, 0.1, 0.2])
    assert [round(f.stamp.media_s, 4) for f in read(tmp_path / "out.mp4")] == [0, 0.1, 0.1, 0.2]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (65, 49), (64, 49), (48, 96)])
def test_odd_sizes_are_padded(tmp_path, width, height):
    write(tmp_path / "out.mp4", [0.0, 0.1], width, height)
    image = read(tmp_path / "out.mp4")[0].image
    assert image.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(image[:height, :width].astype(int) - picture(0, width, height)).mean() < 6


def test_the_finished_file_is_an_ordinary_indexed_mp4(tmp_path):
    write(tmp_path / "out.mp4", [k / 10 for k in range(30)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.codec_context.pix_fmt) == (30, "yuv420p")
        assert stream.codec_context.name == "h264"
    data = (tmp_path / "out.mp4").read_bytes()
    boxes, at = [], 0
    while at < len(data):
        boxes.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    assert boxes == [b"ftyp", b"free", b"mdat", b"moov"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_power_cut_loses_about_a_second(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(edge.sinks.video, "WAITING", 1)
    path, cut = tmp_path / f"out{suffix}", tmp_path / f"cut{suffix}"
    with VideoSink(path, 64, 48, fps=10) as sink:
        for k in range(80):
            sink.write(picture(k % 30), k / 10)
        shutil.copy(path, cut)
    with VideoFile(cut) as video:
        assert [f.stamp.media_s for f in video][:60] == [k / 10 for k in range(60)]


def test_failures_to_create(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    for name, got in [
        ("none/out.mp4", "expected an existing folder, got none; mkdir -p"),
        ("folder.mp4", "got a folder"),
        ("out.xyz", r"ends in \.mp4, \.mov, \.mkv, \.webm, got \.xyz"),
        ("out", "got no ending"),
    ]:
        with pytest.raises(SinkError, match=got):
            VideoSink(tmp_path / name, 64, 48)
    with pytest.raises(SinkError, match="expected to write video, got"):
        VideoSink(tmp_path / "zero.mp4", 0, 0)


def test_no_encoder_in_this_pyav(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mjpeg"})
    with pytest.raises(SinkError, match=r"expected PyAV with one of libx264, .* got none of them"):
        VideoSink(tmp_path / "out.mp4", 64, 48)


def test_without_an_h264_encoder_mp4_gets_vp9(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"libvpx-vp9"})
    write(tmp_path / "out.mp4", [k / 10 for k in range(5)])
    monkeypatch.undo()
    assert len(read(tmp_path / "out.mp4")) == 5


def test_full_disk(tmp_path):
    path = tmp_path / "out.mp4"
    path.symlink_to("/dev/full")  # takes no byte
    before = threading.active_count()

    def fill() -> None:
        with VideoSink(path, 64, 48) as sink:
            for k in range(200):  # far more than fits in the queue: nothing may block
                sink.write(picture(k % 30), k / 10)

    with pytest.raises(SinkError, match="expected to write video, got: No space left on device"):
        fill()
    assert threading.active_count() <= before


FILL = """
import resource, sys
import numpy as np
from edge.errors import SinkError
from edge.sinks.video import VideoSink

resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
noise = np.random.default_rng(0)
try:
    with VideoSink(sys.argv[1], 64, 48, fps=10) as sink:
        for k in range(100):
            sink.write(noise.integers(0, 256, (48, 64, 3), dtype=np.uint8), k / 10)
except SinkError as error:
    print(error)
"""


def test_what_was_written_before_the_disk_filled_plays(tmp_path):
    path = tmp_path / "out.mp4"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{path}: expected to write video, got: File too large\n"
    with VideoFile(path) as video:
        times = [f.stamp.media_s for f in video]
    assert len(times) > 10
    assert times == [k / 10 for k in range(len(times))]


def fail_after_one_picture(path: Path) -> None:
    with VideoSink(path, 64, 48) as sink:
        sink.write(picture(0), 0.0)
        raise ZeroDivisionError


def test_full_disk_does_not_hide_the_error_that_came_first(tmp_path):
    (tmp_path / "out.mp4").symlink_to("/dev/full")
    with pytest.raises(ZeroDivisionError):
        fail_after_one_picture(tmp_path / "out.mp4")


def test_an_error_in_the_block_still_finishes_the_file(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail_after_one_picture(tmp_path / "out.mp4")
    assert len(read(tmp_path / "out.mp4")) == 1


def test_wrong_pictures_and_closed_sinks(tmp_path):
    sink = VideoSink(tmp_path / "out.mp4", 64, 48)
    with pytest.raises(ShapeError, match=r"expected uint8 \(48, 64, 3\), got uint8 \(64, 48, 3\)"):
        sink.write(np.zeros((64, 48, 3), np.uint8), 0.0)
    sink.write(picture(0), 0.0)
    sink.close()
    sink.close()
    with pytest.raises(SinkError, match="got a closed one"):
        sink.write(picture(1), 0.1)


def test_a_sink_without_pictures_closes(tmp_path):
    VideoSink(tmp_path / "out.mp4", 64, 48).close()
    assert (tmp_path / "out.mp4").exists()


VIDEO = "document.querySelector('video')"
MIDDLE_BLUE = """(() => {
  const video = document.querySelector("video");
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return context.getImageData(32, 24, 1, 1).data[2];
})()"""


@pytest.mark.browser
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_browser_plays_it_and_jumps_to_any_time(suffix, tmp_path):
    path = tmp_path / f"out{suffix}"
    write(path, [k / 10 for k in range(40)])
    film = base64.b64encode(path.read_bytes()).decode()  # a page may not look into files
    source = f"data:video/{suffix[1:]};base64,{film}"
    (tmp_path / "page.html").write_text(f"<video muted src='{source}'></video>")
    with Browser() as browser:
        page = browser.page()
        page.open((tmp_path / "page.html").as_uri())
        page.wait("document.querySelector('video').readyState >= 2")
        assert page.value(VIDEO + ".videoWidth") == 64
        assert page.value(VIDEO + ".duration") == pytest.approx(4.0, abs=0.11)
        for k in (30, 5):  # forth and back
            page.value(f"{VIDEO}.currentTime = {k / 10 + 0.05}")
            page.wait(f"!{VIDEO}.seeking && {VIDEO}.readyState >= 2")
            assert page.value(MIDDLE_BLUE) == pytest.approx(40 + 5 * k, abs=8)
        page.value(f"{VIDEO}.play()")
        page.wait(f"{VIDEO}.currentTime > 1.5")
        assert page.value(f"{VIDEO}.error") is None
