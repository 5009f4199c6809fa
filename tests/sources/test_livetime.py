"""Media time and world time of live pictures."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livefakes import FakePicture

from edge.sources.livetime import LiveClock, WorldTime


def run(pictures, opened_s=100.0):
    """Media times of (arrival, stream time)."""
    clock = LiveClock(opened_s)
    return [clock.media_s(FakePicture(arrived_s, pts_s)) for arrived_s, pts_s in pictures]


def test_the_streams_own_times_count_within_a_session():
    jitter = (0.0, 0.03, -0.02, 0.3, 0.0)
    pictures = [(103.0 + 0.1 * k + j, 7.0 + 0.1 * k) for k, j in enumerate(jitter)]
    assert run(pictures) == pytest.approx([3.0, 3.1, 3.2, 3.3, 3.4])


def test_without_times_the_arrival_counts():
    assert run([(101.0, None), (101.5, None), (101.5, None)]) == pytest.approx([1.0, 1.5, 1.501])


def test_a_late_burst_is_no_drift():
    pictures = [(101.0 + 0.1 * k, 0.1 * k) for k in range(100)]
    late = [(max(arrived_s, 107.0), pts_s) for arrived_s, pts_s in pictures]
    assert run(late) != run(pictures)[:1]
    held = pictures[:20] + [(max(a, 106.0), p) for a, p in pictures[20:]]
    assert run(held) == pytest.approx([1.0 + 0.1 * k for k in range(100)])


def test_a_slow_stream_is_drawn_to_the_arrivals():
    times = run([(101.0 + 0.1 * k, 0.09 * k) for k in range(2000)])
    assert all(a < b for a, b in pairwise(times))
    assert max(abs(t - 1.0 - 0.1 * k) for k, t in enumerate(times)) < 2.0


def test_a_fast_stream_is_drawn_to_the_arrivals():
    times = run([(101.0 + 0.1 * k, 0.12 * k) for k in range(2000)])
    assert all(a < b for a, b in pairwise(times))
    assert max(abs(t - 1.0 - 0.1 * k) for k, t in enumerate(times)) < 1.2


@pytest.mark.parametrize("jump_s", [-50.0, 3600.0])
def test_a_stream_whose_time_is_set_goes_on(jump_s):
    pictures = [(101.0 + 0.1 * k, 60.0 + 0.1 * k + jump_s * (k >= 10)) for k in range(20)]
    assert run(pictures) == pytest.approx([1.0 + 0.1 * k for k in range(20)])


def test_a_session_begins_at_its_arrival():
    clock = LiveClock(100.0)
    assert clock.media_s(FakePicture(101.0, 5.0)) == pytest.approx(1.0)
    assert clock.now_s(104.0) == pytest.approx(4.0)
    assert clock.now_s(103.0) == pytest.approx(4.0)
    clock.begin()
    assert clock.media_s(FakePicture(109.0, 0.0)) == pytest.approx(9.0)
    assert clock.media_s(FakePicture(109.3, 0.1)) == pytest.approx(9.1)


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.none() | st.floats(-1e5, 1e5), st.booleans(), st.booleans()),
        max_size=50,
    )
)
def test_media_time_increases_whatever_a_camera_sends(pictures):
    clock, now_s, last_s = LiveClock(100.0), 100.0, -1.0
    for wait_s, pts_s, is_new, is_asked in pictures:
        now_s += wait_s
        if is_new:
            clock.begin()
        if is_asked:
            last_s = max(last_s, clock.now_s(now_s))
        media_s = clock.media_s(FakePicture(now_s, pts_s))
        if media_s is not None:
            assert media_s > last_s
            assert media_s < now_s - 100.0 + 60.0
            last_s = media_s


def test_world_time_is_the_cameras_where_it_tells_it():
    world = WorldTime(utc=lambda: 5000.5)
    wall = world.wall(FakePicture(99.5, utc_s=4999.9), monotonic_s=100.0)
    assert (wall.utc_s, wall.source) == (4999.9, "rtcp_sr")
    assert wall.uncertainty_ms == pytest.approx(100.0)
    near = WorldTime(utc=lambda: 5000.0).wall(FakePicture(100.0, utc_s=4999.999), 100.0)
    assert near.uncertainty_ms == 20.0


def test_world_time_is_the_arrival_otherwise():
    wall = WorldTime(utc=lambda: 5000.5).wall(FakePicture(99.5), monotonic_s=100.0)
    assert (wall.utc_s, wall.source, wall.uncertainty_ms) == (5000.0, "arrival", 500.0)


def test_a_camera_that_does_not_know_the_time_is_not_believed(caplog):
    world = WorldTime("gate", utc=lambda: 1.7e9)
    with caplog.at_level(logging.WARNING, "edge.source"):
        walls = [world.wall(FakePicture(k, utc_s=86400.0 + k), k) for k in range(5)]
    assert {wall.source for wall in walls} == {"arrival"}
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("gate: its clock differs from this machine's by -1699")
