"""The thread of a live source, with streams that need no camera."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import threading
import time

import av
import cv2
import numpy as np
import pytest
from live import frames_of, items, until, wait_for
from livefakes import FakePicture

from edge.errors import SourceError
from edge.sources import (
    LiveSettings,
    LiveSource,
    gstreamer,
    is_live,
    open_live,
    open_source,
    stream,
)
from edge.sources.device import end_reads
from edge.types import Frame, Notice

FAST = LiveSettings(open_timeout_s=1.0, read_timeout_s=0.5, frozen_s=None, black_s=None)


class FakeStreams:
    """Stands for `stream.opened`: connections, each a list of what it does."""

    def __init__(self, *connections) -> None:
        self.connections = list(connections)
        self.addresses = []
        self.is_closed = threading.Event()
        self.release = threading.Event()
        self.is_over = threading.Event()

    @contextlib.contextmanager
    def __call__(self, address, settings):
        self.addresses.append(address)
        acts = self.connections.pop(0) if self.connections else [SourceError("gone for good")]
        if acts == "hang":
            self.release.wait(20)
        if acts and isinstance(acts[0], Exception):
            raise acts[0]
        try:
            yield self._pictures(acts)
        finally:
            self.is_closed.set()

    def _pictures(self, acts):
        for k, act in enumerate(acts):
            if isinstance(act, Exception):
                raise act
            if act == "hang":
                self.release.wait(20)
            elif act == "damage":  # and nothing else until the end
                while not self.is_over.wait(0.05):
                    yield None
            elif act is None:
                yield None
            else:
                yield FakePicture(time.monotonic(), float(k), content=id(act), level=act)


@pytest.fixture
def streams(monkeypatch):
    made = FakeStreams()
    monkeypatch.setattr(stream, "opened", made)
    monkeypatch.setattr("edge.sources.reader.Backoff", lambda: QuickBackoff())
    yield made
    made.release.set()
    made.is_over.set()


def notices(got):
    return [item for item in got if isinstance(item, Notice)]


class QuickBackoff:
    waits = 0

    def next_s(self):
        return 0.01

    def reset(self):
        pass


def test_frames_are_converted_when_they_are_taken(streams):
    streams.connections = [[10, "hang"]]
    woken, before = threading.Event(), threading.active_count()
    with LiveSource("rtsp://h/1", FAST, name="gate", on_ready=woken.set) as source:
        assert woken.wait(10)
        (frame,) = until(source, frames_of(1))
        assert frame.image[0, 0].tolist() == [10, 10, 10]
        assert frame.arrived_s <= time.monotonic()
        assert frame.stamp.frame == 0
        assert source.poll() is None
        assert threading.active_count() == before + 1
        assert source._reader._thread.name == "edge-source-gate"
        streams.release.set()
    assert streams.is_closed.is_set()
    assert source.poll() is None


def test_a_broken_connection_is_made_again(streams):
    streams.connections = [
        [SourceError("cannot connect: connection refused")],
        [1, SourceError("broken off: end of file")],
        [SourceError("cannot connect: connection refused")],
        [2, None, 3, RuntimeError("rtsp://admin:secret@h/1 exploded")],
        [4, "hang"],
    ]
    with LiveSource("rtsp://admin:secret@h/1", FAST) as source:
        got = until(
            source, lambda got: any(i.image[0, 0, 0] == 4 for i in got if isinstance(i, Frame))
        )
        changes = ("source_lost", "source_restored")
        notices = [i for i in got if isinstance(i, Notice) and i.kind in changes]
        assert [(n.kind, n.session, n.reason) for n in notices] == [
            ("source_lost", 1, "cannot connect: connection refused"),
            ("source_restored", 1, ""),
            ("source_lost", 1, "broken off: end of file"),
            ("source_restored", 2, ""),
            ("source_lost", 2, "unexpected RuntimeError"),
            ("source_restored", 3, ""),
        ]
        stats = source.stats
        assert (stats.received, stats.broken, stats.reconnects, stats.session) == (4, 1, 3, 3)
        streams.release.set()


def test_an_unexpected_error_is_logged_without_its_text(streams, caplog):
    streams.connections = [[1, RuntimeError("rtsp://admin:secret@h/1 exploded")], [1, "hang"]]
    with (
        caplog.at_level(logging.DEBUG),
        LiveSource("rtsp://admin:secret@h/1", FAST, name="gate") as source,
    ):
        until(source, lambda got: sum(isinstance(i, Notice) for i in got) >= 2)
        streams.release.set()
    assert "gate: unexpected RuntimeError" in caplog.text
    assert "_pictures" in caplog.text
    assert "secret" not in caplog.text


def test_a_source_that_shall_not_reconnect_ends(streams):
    streams.connections = [[1, SourceError("the stream ended")]]
    settings = LiveSettings(reconnect=False)
    with LiveSource("rtsp://h/1", settings) as source:
        got = until(source, lambda got: source.ended)
        assert [type(item) for item in got] == [Frame, Notice]
        assert source.poll() is None


def test_a_read_that_hangs_is_left_and_the_camera_opened_anew(streams, monkeypatch, caplog):
    monkeypatch.setattr("edge.sources.live.HANG_S", 0.1)
    streams.connections = [[1, "hang", 2], [3, "damage"]]
    with LiveSource("rtsp://h/1", FAST, name="gate") as source:
        got = until(source, lambda got: len(notices(got)) == 2 and frames_of(1)(got))
        assert notices(got)[0].reason.startswith("stalled: no picture for")
        assert [n.session for n in notices(got)] == [1, 2]
        assert "gate: a library does not return; opened anew on another thread (1 of" in caplog.text
        assert got[-1].image[0, 0, 0] == 3
        streams.release.set()
        wait_for(lambda: not source._hung[0].is_alive)
        assert source.poll() is None  # what it read after all is nobody's
        assert source.stats.received == 2


def test_a_camera_that_hangs_while_it_is_opened_is_opened_anew(streams, monkeypatch):
    monkeypatch.setattr("edge.sources.live.HANG_S", 0.1)
    streams.connections = ["hang", [1, "damage"]]
    settings = LiveSettings(open_timeout_s=0.2, read_timeout_s=0.2)
    with LiveSource("rtsp://h/1", settings) as source:
        got = until(source, frames_of(1))
        assert notices(got)[0].reason.startswith("cannot connect: no answer for")
        assert len(streams.addresses) == 2


def test_only_so_many_threads_are_left_hanging(streams, monkeypatch, caplog):
    monkeypatch.setattr("edge.sources.live.HANG_S", 0.01)
    streams.connections = ["hang"] * 4 + [[1, "damage"]]
    settings = LiveSettings(open_timeout_s=0.02, read_timeout_s=0.02)
    with LiveSource("rtsp://h/1", settings) as source:
        until(source, lambda _: len(streams.addresses) == 4)
        time.sleep(0.2)
        assert [type(item) for item in items(source)] == []
        assert len(streams.addresses) == 4  # three are left, and one may still return
        assert caplog.text.count("a library does not return") == 3
        streams.release.set()
        got = until(source, frames_of(1))
        assert notices(got)[-1].kind == "source_restored"


def test_a_source_that_hangs_and_shall_not_reconnect_ends(streams, monkeypatch):
    monkeypatch.setattr("edge.sources.live.HANG_S", 0.1)
    streams.connections = [[1, "hang"]]
    settings = LiveSettings(read_timeout_s=0.2, reconnect=False)
    with LiveSource("rtsp://h/1", settings) as source:
        got = until(source, lambda got: source.ended)
        assert [type(item) for item in got] == [Frame, Notice]
        streams.release.set()


def test_a_device_that_hangs_is_told_to_stop(monkeypatch):
    """Of the files that are open it is the one that is that device."""
    told = []
    monkeypatch.setattr(fcntl, "ioctl", lambda fd, request, what: told.append((fd, request, what)))
    with open("/dev/null") as ours, open("/dev/zero"), open(__file__):
        end_reads("/dev/null")
        assert (ours.fileno(), 0x40045613, b"\x01\0\0\0") in told
        assert all(os.readlink(f"/proc/self/fd/{fd}") == "/dev/null" for fd, _, _ in told)
    end_reads("/dev/video-that-is-not-there")


def test_closing_tells_of_frames_that_were_dropped(streams):
    streams.connections = [[1, 2, 3, 4, "hang"]]
    with LiveSource("rtsp://h/1", FAST) as source:
        wait_for(lambda: source.stats.received == 4)
        source.close(0.0)
        streams.release.set()
    [told] = items(source)
    assert (told.kind, told.frames) == ("frames_dropped", 3)
    assert told.frames == source.stats.dropped
    assert source.close()
    assert items(source) == []


def test_a_frame_that_does_not_convert_is_left_out(streams, monkeypatch, caplog):
    def image(self):
        raise SourceError("expected pictures that convert to BGR, got secret_format")

    monkeypatch.setattr(FakePicture, "image", image)
    streams.connections = [[1, "hang"]]
    with LiveSource("rtsp://h/1", FAST, name="gate") as source:
        wait_for(lambda: source.stats.received == 1)
        assert source.poll() is None
        assert source.stats.broken == 1
        streams.release.set()
    assert "gate: expected pictures that convert to BGR" in caplog.text


def test_the_address_is_never_shown_with_its_password():
    with LiveSource("rtsp://admin:secret@127.0.0.1:1/a?key=hidden", FAST, name="gate") as source:
        (lost,) = until(source, lambda got: got)
        assert "refused" in lost.reason
        shown = f"{source} {source!r} {lost} {source.stats} {source._reader._thread.name}"
    assert "secret" not in shown
    assert "hidden" not in shown
    assert "LiveSource(gate, rtsp://***@127.0.0.1:1/a?key=***)" in shown


def test_no_exception_keeps_the_address():
    with (
        pytest.raises(SourceError) as caught,
        stream.opened("rtsp://admin:secret@127.0.0.1:1/", FAST),
    ):
        pass
    seen, error = [], caught.value
    while error is not None:
        seen.append(f"{error} {error!r} {error.args} {vars(error)}")
        error = error.__cause__ or error.__context__
    assert "secret" not in " ".join(seen)


@pytest.fixture
def silent():
    """A port that lets connect, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_closing_does_not_wait_for_a_silent_camera(silent, scheme):
    settings = LiveSettings(open_timeout_s=250.0)
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    source = LiveSource(f"{scheme}://127.0.0.1:{silent}/", settings)
    time.sleep(0.3)
    assert source.poll() is None
    assert source.close(patience_s=30.0)
    assert source.ended
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files


def test_a_silent_camera_is_told_when_its_time_is_over(silent):
    settings = LiveSettings(open_timeout_s=0.5)
    with LiveSource(f"rtsp://127.0.0.1:{silent}/", settings) as source:
        (lost,) = until(source, lambda got: got)
        assert lost.reason == "cannot connect: no answer for 0.5 s"


def test_closing_does_not_wait_for_the_next_attempt():
    source = LiveSource("rtsp://127.0.0.1:1/", FAST)
    until(source, lambda got: got)
    assert source.close()
    assert source.close()


def test_opening_is_refused_for_what_cannot_be_read():
    with pytest.raises(SourceError, match=r"expected an OpenCV built with GStreamer.*edge doctor"):
        open_live("gst:videotestsrc ! appsink", LiveSettings())
    with pytest.raises(SourceError, match=r"ftp://\*\*\*@h/1: expected rtsp://"):
        open_live("ftp://me:secret@h/1", LiveSettings())


def test_live_and_recorded(tmp_path):
    (tmp_path / "0").write_bytes(b"no camera, a file with an odd name")
    assert not is_live(str(tmp_path / "0"))
    assert not is_live(str(tmp_path))
    for text in ("0", "/dev/video1", "RTSP://h/1", "https://h/a.mjpg", "gst:fakesrc ! appsink"):
        assert is_live(text)
    with pytest.raises(SourceError, match="got a live camera; count it with `edge run`"):
        open_source("rtsp://me:secret@h/1")


class FakeCapture:
    """Stands for cv2.VideoCapture with GStreamer."""

    def __init__(self, pipeline, backend, params) -> None:
        self.asked = pipeline, backend
        self.params = params
        self.left = 3
        self.is_released = False
        FakeCapture.last = self

    def isOpened(self):
        return "nothing" not in self.asked[0]

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((48, 64, 3), max(0, self.left), np.uint8)

    def get(self, what):
        return 100.0 * (3 - self.left)

    def release(self):
        self.is_released = True


@pytest.fixture
def gst(monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "    GStreamer:      YES (1.20.3)\n")
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)


def test_pictures_of_a_gstreamer_pipeline(gst):
    with gstreamer.opened("gst:v4l2src ! appsink", FAST) as pictures:
        assert FakeCapture.last.asked == ("v4l2src ! appsink", cv2.CAP_GSTREAMER)
        got = [next(pictures) for _ in range(3)]
        with pytest.raises(SourceError, match="gives no more pictures"):
            next(pictures)
    assert [p.pts_s for p in got] == pytest.approx([0.1, 0.2, 0.3])
    assert got[0].size == (64, 48)
    assert got[0].image()[0, 0].tolist() == [2, 2, 2]
    assert got[0].grey().shape == (72, 96)
    assert got[0].fingerprint() != got[1].fingerprint()
    assert FakeCapture.last.is_released


@pytest.mark.parametrize(
    ("version", "params"), [("4.7.0", []), ("4.10.0-dev", [53, 1000, 54, 500])]
)
def test_opencv_is_told_the_time_outs_that_it_knows(gst, monkeypatch, version, params):
    monkeypatch.setattr(cv2, "__version__", version)
    with gstreamer.opened("gst:v4l2src ! appsink", FAST):
        assert FakeCapture.last.params == params


def test_a_pipeline_that_gives_nothing_in_time_has_stalled(gst, monkeypatch):
    monkeypatch.setattr(FakeCapture, "read", lambda self: (time.sleep(0.6), None))
    with (
        gstreamer.opened("gst:v4l2src ! appsink", FAST) as pictures,
        pytest.raises(SourceError, match=r"stalled: no picture for 0\.5 s"),
    ):
        next(pictures)


def test_a_gstreamer_pipeline_that_does_not_start_is_lost(gst):
    with LiveSource("gst:nothing", FAST) as source:
        (lost,) = until(source, lambda got: got)
        assert lost.reason == "cannot connect: the pipeline does not start"


def test_a_video_over_http_is_read_like_a_camera(make_video, tmp_path):
    path = make_video("clip.ts", pts=range(30), codec="mpeg2video", size=(64, 48))
    with _served(path.read_bytes()) as port:
        settings = LiveSettings(reconnect=False, frozen_s=None)
        with LiveSource(f"http://127.0.0.1:{port}/clip.ts", settings) as source:
            got = until(source, lambda got: source.ended)
    assert got[-1].kind == "source_lost"
    assert got[-1].reason == "the stream ended"


@contextlib.contextmanager
def _served(body):
    """One HTTP answer that comes in pieces."""
    head = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                client, _ = server.accept()
                with client:
                    client.recv(65536)
                    client.sendall(head)
                    for start in range(0, len(body), 2000):
                        client.sendall(body[start : start + 2000])
                        time.sleep(0.01)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.close()
            thread.join()


PIX_FMTS = ["yuv420p", "yuvj420p", "nv12", "yuyv422", "yuv420p10le", "rgb24", "gray"]


@pytest.mark.parametrize("pix_fmt", PIX_FMTS)
def test_pictures_of_every_kind(pix_fmt):
    rng = np.random.default_rng(1)
    image = np.full((50, 70, 3), 100, np.uint8)
    image[10:30, 20:50] = 150
    tables = av.video.reformatter.VideoReformatter(), av.video.reformatter.VideoReformatter()

    def made(array):
        frame = av.VideoFrame.from_ndarray(array, format="bgr24").reformat(
            format=pix_fmt, threads=1
        )
        return stream.AvPicture(frame, tables, 0.0, None, None)

    picture = made(image)
    assert picture.size == (70, 50)
    assert np.abs(picture.image().astype(int) - image).mean() < 4
    assert picture.fingerprint() == made(image.copy()).fingerprint()
    noisy = image + rng.integers(0, 3, image.shape, np.uint8)
    assert picture.fingerprint() != made(noisy).fingerprint()
    assert (picture.grey() > 80).all()
    assert (made(np.zeros_like(image)).grey() < 20).all()


def test_no_camera_waits_for_another_one(silent, streams, monkeypatch):
    monkeypatch.undo()  # the real thing for the silent one
    settings = LiveSettings(open_timeout_s=250.0)
    with LiveSource(f"rtsp://127.0.0.1:{silent}/", settings) as dead:
        time.sleep(0.2)
        with LiveSource("rtsp://127.0.0.1:1/", settings) as other:
            assert until(other, lambda got: got)[0].kind == "source_lost"
        assert dead.poll() is None
        assert not dead.ended
    assert items(dead) == []
