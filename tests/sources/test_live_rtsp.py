"""Live sources on a real RTSP server that is killed, frozen, changed and spoiled."""

from __future__ import annotations

import logging
import os
import threading
from itertools import pairwise

import pytest
from live import Cable, RtspServer, frames_of, items, until, wait_for

from edge.sources import LiveSettings, LiveSource
from edge.types import Notice

pytestmark = pytest.mark.rtsp

SMALL = {"size": (384, 288), "frames": 100}
QUICK = LiveSettings(open_timeout_s=4.0, read_timeout_s=1.5)


def notices(got):
    return [item for item in got if isinstance(item, Notice) and item.kind != "frames_dropped"]


def restored(got):
    """Whether the last notice is a recovery, and frames have come since."""
    said = notices(got)
    return bool(said) and said[-1].kind == "source_restored" and frames_of(3)(got)


def is_lost(got):
    return any(item.kind == "source_lost" for item in notices(got))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_frames_arrive(codec, transport):
    settings = LiveSettings(transport=transport)
    with (
        RtspServer(codec=codec, **SMALL) as server,
        LiveSource(server.url, settings, session=5) as source,
    ):
        assert source.kind == "rtsp"
        got = until(source, frames_of(12))
        times = [frame.stamp.media_s for frame in got]
        assert source.stats.connected
        assert source.stats.session == 5
    assert all(frame.image.shape == (288, 384, 3) for frame in got)
    assert got[0].image.std() > 10  # something is to be seen
    numbers = [frame.stamp.frame for frame in got]
    # Frames are 0.1 s apart by the camera's clock, however they arrive.
    for frame, time_s in zip(numbers, times, strict=True):
        assert time_s - times[0] == pytest.approx(0.1 * (frame - numbers[0]), abs=0.002)


def test_the_cameras_own_time_comes_by_rtcp():
    with RtspServer(**SMALL) as server, LiveSource(server.url, QUICK) as source:
        got = until(source, lambda got: got and got[-1].stamp.wall.source == "rtcp_sr")
        first = got[0].stamp.wall
        assert (first.source, first.uncertainty_ms) in {("arrival", 500.0), ("rtcp_sr", 20.0)}
        got = until(source, frames_of(5))
    walls = [frame.stamp.wall for frame in got]
    assert {wall.source for wall in walls} == {"rtcp_sr"}
    assert all(20.0 <= wall.uncertainty_ms <= 5000.0 for wall in walls)
    steps = [b.stamp.frame - a.stamp.frame for a, b in pairwise(got)]
    for (one, other), step in zip(pairwise(walls), steps, strict=True):
        assert other.utc_s - one.utc_s == pytest.approx(0.1 * step, abs=0.005)


def test_a_server_killed_again_and_again():
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with RtspServer(**SMALL) as server:
        with LiveSource(server.url, QUICK) as source:
            everything = until(source, frames_of(3))
            for round_ in range(3):
                server.kill()
                everything += until(source, is_lost)
                server.start()
                everything += until(source, restored)
                assert source.stats.session == round_ + 2
            assert source.stats.reconnects == 3
        assert threading.active_count() == threads
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= files)
    said = notices(everything)
    assert [n.kind for n in said] == ["source_lost", "source_restored"] * 3
    assert [n.session for n in said] == [1, 2, 2, 3, 3, 4]
    assert all(n.gap_s > 0.9 for n in said[1::2])  # at least the first wait
    frames = [item.stamp for item in everything if not isinstance(item, Notice)]
    numbers = [stamp.frame for stamp in frames]
    assert numbers == sorted(set(numbers))
    times = [item.stamp.media_s for item in everything]
    assert times == sorted(times)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_server_that_stands_still(transport):
    settings = LiveSettings(transport=transport, open_timeout_s=4.0, read_timeout_s=1.0)
    with RtspServer(**SMALL) as server, LiveSource(server.url, settings) as source:
        until(source, frames_of(3))
        server.stop()
        (lost,) = notices(until(source, is_lost))
        assert lost.reason == "stalled: no picture for 1 s"
        assert source.stats.reason == lost.reason
        server.cont()
        (back,) = notices(until(source, restored))
        assert back.session == 2
        assert back.gap_s >= 1.0


def test_a_camera_that_comes_back_as_another():
    with (
        RtspServer(codec="h264", **SMALL) as server,
        LiveSource(server.url, QUICK) as source,
    ):
        assert until(source, frames_of(3))[-1].image.shape == (288, 384, 3)
        server.start(codec="h265", size=(256, 192), fps=15)
        got = until(source, restored)
        assert got[-1].image.shape == (192, 256, 3)
        assert [n.session for n in notices(got)] == [1, 2]


def test_spoiled_packets_cost_frames_only():
    with (
        RtspServer(codec="h265", **SMALL) as server,
        Cable(server.port, seed=7, one_in=8) as cable,
        LiveSource(server.url_for(cable.port), QUICK) as source,
    ):
        until(source, frames_of(3))
        cable.is_spoiling = True
        wait_for(lambda: items(source) is not None and cable.spoiled >= 30)
        cable.is_spoiling = False
        before = source.stats.received
        until(source, frames_of(10))
        assert source.stats.received >= before + 10


def test_a_wrong_password_is_told_and_never_shown(caplog, capfd):
    with (
        caplog.at_level(logging.DEBUG),
        RtspServer(user="admin", password="Geheim:/1", **SMALL) as server,
    ):
        wrong = server.url_for(server.port, "falsch%40wort")
        with LiveSource(wrong, QUICK, name="gate") as source:
            (lost,) = until(source, is_lost)
            assert "401 Unauthorized" in lost.reason
            shown = f"{lost} {source.stats} {source!r} {[t.name for t in threading.enumerate()]}"
        right = server.url_for(server.port, "Geheim%3A%2F1")
        with LiveSource(right, QUICK, name="gate") as source:
            until(source, frames_of(2))
            shown += f"{source.stats} {source!r}"
    out, err = capfd.readouterr()
    for secret in ("falsch", "Geheim", "admin:"):
        assert secret not in shown + caplog.text + out + err


def test_a_picture_that_stands_still_and_one_that_is_black():
    settings = LiveSettings(frozen_s=1.5, black_s=1.0)
    with (
        RtspServer(picture="still", **SMALL) as server,
        LiveSource(server.url, settings) as source,
    ):
        (lost,) = notices(until(source, is_lost))
        assert lost.reason == "frozen: the same picture for 1.5 s"
        server.start(picture="clip")
        assert notices(until(source, restored))[-1].session == 2
        server.start(picture="black")
        until(source, lambda got: source.stats.reason.startswith("black"))
        server.start(picture="clip")
        until(source, restored)


def test_a_dead_camera_delays_no_other():
    with (
        RtspServer(**SMALL) as server,
        LiveSource("rtsp://127.0.0.1:1/", QUICK) as dead,
        LiveSource(server.url, QUICK) as one,
        LiveSource(server.url, QUICK) as other,
    ):
        until(one, frames_of(5))
        until(other, frames_of(5))
        assert is_lost(until(dead, is_lost))
        assert notices(items(one) + items(other)) == []
