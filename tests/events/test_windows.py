from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import Window, Windows
from edge.types import Stamp, Wall


def of(times_s, every_s=10.0):
    """Windows that end before each frame, and the last one."""
    windows, ended = Windows(every_s), []
    for k, time_s in enumerate(times_s):
        ended += windows.update(Stamp(k, time_s))
    return ended, windows.close()


def every(step_s, start_s, end_s):
    return [start_s + k * step_s for k in range(round((end_s - start_s) / step_s))]


def test_a_steady_stream_is_covered():
    ended, last = of(every(0.1, 0, 25))
    assert ended == [Window(0, 10, pytest.approx(1)), Window(10, 20, pytest.approx(1))]
    assert last == Window(20, 30, pytest.approx(0.49))


def test_a_frame_at_the_end_of_a_window_belongs_to_the_next():
    windows = Windows(10.0)
    assert [len(windows.update(Stamp(k, 0.5 * k))) for k in range(22)] == [*[0] * 20, 1, 0]


def test_a_source_without_frames_has_no_windows():
    assert of([]) == ([], None)
    assert of([3.0]) == ([], Window(0, 10, 0.0))


def test_the_time_before_the_first_frame_was_not_seen():
    ended, _ = of(every(0.1, 4, 11))
    assert ended == [Window(0, 10, pytest.approx(0.6))]


def test_gaps_were_not_seen_and_windows_without_any_frame_are_one():
    ended, last = of([*every(0.1, 0, 5), *every(0.1, 47, 52)])
    assert ended == [
        Window(0, 10, pytest.approx(0.49)),
        Window(10, 40, 0.0),
        Window(40, 50, pytest.approx(0.3)),
    ]
    assert last == Window(50, 60, pytest.approx(0.19))


def test_what_a_gap_is_depends_on_the_frame_rate():
    assert of([*every(0.1, 0, 5), *every(0.1, 5.8, 11)])[0][0].coverage == pytest.approx(1)
    assert of([*every(0.1, 0, 5), *every(0.1, 6.1, 11)])[0][0].coverage == pytest.approx(0.88)
    slow = [*every(0.5, 0, 5), *every(0.5, 6.9, 11)]  # at two frames a second, 2.4 s are no gap
    assert of(slow)[0][0].coverage == pytest.approx(1)
    assert of(every(3.0, 0, 31))[0][0].coverage == pytest.approx(1)


def test_centuries_between_all_frames_are_no_windows():
    ended, last = of([0, 1e9, 2e9, 3e9], every_s=1.0)
    assert [(w.coverage, w.end_s - w.start_s) for w in ended] == [(0.0, 1e9)] * 3
    assert last.start_s == 3e9


def test_frames_out_of_order_change_nothing():
    times_s = [*every(0.1, 0, 5), 2.0, 4.9, *every(0.1, 5, 11)]
    assert of(times_s)[0] == [Window(0, 10, pytest.approx(1))]


def test_a_jump_of_years_is_one_window():
    ended, last = of([0.0, 0.1, 0.2, 1e9])
    assert len(ended) == 2
    assert ended[1].coverage == 0.0
    assert last.start_s <= 1e9 < last.end_s


@given(
    st.lists(st.floats(0.01, 30), max_size=60),
    st.floats(-20, 50),
    st.sampled_from([1.0, 7.5, 60.0]),
)
def test_windows_follow_each_other_and_shares_are_shares(steps_s, start_s, every_s):
    times_s = [start_s]
    for step_s in steps_s:
        times_s.append(times_s[-1] + step_s)
    ended, last = of(times_s, every_s)
    chain = [*ended, last]
    assert all(a.end_s == b.start_s for a, b in pairwise(chain))
    assert all(0 <= w.coverage <= 1 for w in chain)
    for a, b in pairwise(ended[1:]):  # two of which nothing was seen: a frame lies between
        is_joint = any(-1e-6 <= t - b.start_s <= every_s + 1e-6 for t in times_s)
        assert a.coverage or b.coverage or is_joint
    assert chain[0].start_s <= max(0.0, start_s)
    assert last.start_s <= times_s[-1] + 1e-6 < last.end_s + 1e-6
    whole_s = sum(w.coverage * (w.end_s - w.start_s) for w in chain)
    assert whole_s <= times_s[-1] - times_s[0] + 1e-6


UTC_S = 1_790_237_700.0  # 2026-09-24T08:15:00Z


def at(utc_s: float) -> Stamp:
    return Stamp(0, 1.0, Wall(utc_s, "arrival", 500.0))


def test_windows_of_a_live_source_are_of_world_time():
    windows = Windows(60.0)
    found = [w for k in range(800) for w in windows.update(at(UTC_S + 30 + k / 10))]
    assert [(w.start_s, w.end_s, w.is_utc) for w in found] == [(UTC_S, UTC_S + 60, True)]
    assert found[0].coverage == pytest.approx(0.5)  # the first half had passed


def test_an_outage_is_not_covered_however_short():
    windows = Windows(60.0)
    found = []
    for k in range(1400):
        if 200 <= k < 203:
            windows.interrupt()
        else:
            found += windows.update(at(UTC_S + k / 10))
    assert [w.coverage for w in found] == pytest.approx([1 - 0.4 / 60, 1.0])


@pytest.mark.parametrize(("unseen_s", "coverage"), [(20.0, 20 / 60), (45.0, 0.0)])
def test_what_showed_nothing_was_not_seen(unseen_s, coverage):
    """Of a camera that froze; a window that has ended is out and stays as it was told."""
    windows = Windows(60.0)
    found = [w for k in range(1000) for w in windows.update(at(UTC_S + k / 10))]
    windows.interrupt(at(UTC_S + 100), unseen_s)
    found += windows.update(at(UTC_S + 130))
    assert [w.coverage for w in found] == pytest.approx([1.0, coverage], abs=0.01)


def test_what_has_begun_goes_on_after_a_restart():
    first = Windows(60.0)
    for k in range(200):
        first.update(at(UTC_S + k / 10))
    state = json.loads(json.dumps(first.state()))
    second = Windows(60.0, state)
    found = [w for k in range(500) for w in second.update(at(UTC_S + 40 + k / 10))]
    assert [(w.start_s, w.end_s) for w in found] == [(UTC_S, UTC_S + 60)]
    assert found[0].coverage == pytest.approx((19.9 + 20) / 60)
    assert Windows(30.0, state).state() == {}  # of another length: it begins anew


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_clock_that_was_years_ahead_does_not_end_the_windows(is_restarted):
    windows = Windows(60.0)
    for k in range(300):
        windows.update(at(UTC_S + 3e8 + k / 10))
    if is_restarted:
        windows = Windows(60.0, windows.state())
    found = [w for k in range(1300) for w in windows.update(at(UTC_S + k / 10))]
    assert [w.start_s for w in found] == [UTC_S, UTC_S + 60]
    assert [w.coverage for w in found] == pytest.approx([1.0, 1.0], abs=0.01)


def test_a_clock_that_is_set_back_makes_a_window_longer_not_twice():
    windows = Windows(60.0)
    found = [w for k in range(500) for w in windows.update(at(UTC_S + k / 10))]
    found += [w for k in range(1000) for w in windows.update(at(UTC_S - 30 + k / 10))]
    assert [(w.start_s, w.coverage) for w in found] == [(UTC_S, 1.0)]
