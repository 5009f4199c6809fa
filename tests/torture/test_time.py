"""When frames come: rarely, unevenly, twice, backwards, after hours, and by no wall clock."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import FASTER, MIDDLE, RATES, YARD, film, flipped, once, person, played

from edge.testing import CAR, Actor, times
from edge.types import Stamp

WALKERS = [
    person((0, 20, 180), (5, 300, 180)),
    person((0.5, 300, 110), (5.5, 20, 110)),
    person((1, 30, 230), (3.5, 200, 230), (6, 30, 230)),
]
EXACT = (2, 2)


@pytest.mark.parametrize("fps", [4, 10])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_irregular_times(fps, seed):
    assert played(film(WALKERS, times(7, fps, irregular=0.95, seed=seed))).counts() == EXACT


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rate_that_falls_from_25_to_3_and_rises_to_60(seed):
    bounds = [(0.0, 1.8, 25), (1.8, 4.5, 3), (4.5, 7.0, 60)]
    when = [a + t + 0.01 * seed for a, b, fps in bounds for t in times(b - a, fps)]
    assert played(film(WALKERS, when)).counts() == EXACT


@settings(max_examples=5)
@given(st.lists(st.floats(0.02, 0.4), min_size=20, max_size=60))
def test_any_times_with_gaps_up_to_a_third_of_a_second(gaps):
    when = [0.0]
    while when[-1] < 7:
        when += [when[-1] + 0.0]
        when[-1] += gaps[len(when) % len(gaps)]
    assert played(film(WALKERS, when)).counts() == EXACT


def test_an_offset_of_days_changes_nothing():
    """Timestamps of a stream that has run for a month."""
    plain = played(film(WALKERS, times(7, 10)))
    later = [(Stamp(s.frame, s.media_s + 2_592_000.0), i) for s, i in film(WALKERS, times(7, 10))]
    outcome = played(later)
    assert outcome.counts() == plain.counts() == EXACT
    for a, b in zip(plain.events, outcome.events, strict=True):
        assert b.media_s - 2_592_000.0 == pytest.approx(a.media_s, abs=1e-3)


@pytest.mark.parametrize("fps", [5, 25])
def test_timestamps_that_are_zero_for_a_while(fps):
    """cv2.CAP_PROP_POS_MSEC at the start of some files: one frame counts, the others are said."""
    late = flipped(WALKERS, 1)
    seen = list(film(late, times(7, fps)))
    zeros = [(Stamp(k, 0.0), seen[0][1]) for k in range(5)]
    rest = [(Stamp(5 + s.frame, s.media_s), i) for s, i in seen[1:]]
    outcome = played([*zeros, *rest])
    assert outcome.counts() == EXACT
    assert outcome.dropped == {"frame out of order": 4}


@pytest.mark.parametrize("fps", [5, 25])
def test_timestamps_that_are_zero_at_the_end(fps):
    seen = list(film(WALKERS, times(7, fps)))
    tail = [(Stamp(len(seen) + k, 0.0), seen[5][1]) for k in range(6)]
    outcome = played([*seen, *tail])
    assert outcome.counts() == EXACT
    assert outcome.dropped == {"frame out of order": 6}


@pytest.mark.parametrize("fps", [5, 25])
def test_every_timestamp_twice(fps):
    """The second of each pair shows the past and must not be used."""
    seen = list(film(WALKERS, times(7, fps)))
    twice = [pair for k, now in enumerate(seen) for pair in (now, (now[0], seen[k // 2][1]))]
    outcome = played(twice)
    assert outcome.counts() == EXACT
    assert outcome.dropped == {"frame out of order": len(seen)}


@pytest.mark.parametrize("step_s", [-0.5, -3.0, -1e9, math.nan, math.inf, -math.inf])
def test_time_that_goes_backwards_or_is_none(step_s):
    seen = list(film(WALKERS, times(7, 10)))
    wrong = [(Stamp(s.frame, s.media_s + step_s), i) for s, i in seen[20:50:3]]
    mixed = [
        frame
        for k, now in enumerate(seen)
        for frame in ((wrong[(k - 20) // 3], now) if k in range(20, 50, 3) else (now,))
    ]
    outcome = played(mixed)
    assert outcome.counts() == EXACT
    assert outcome.dropped == {"frame out of order": len(wrong)}


@RATES
def test_black_frames_for_minutes(fps, way):
    """Nobody before is taken for anybody after."""
    first = flipped([person((0, 20, 180), (5, 300, 180))], way)
    when = times(6, fps)
    black = [300.0 + k for k in range(120)]
    again = flipped([person((600, 300, 180), (605, 20, 180))], way)
    outcome = played(film([*first, *again], [*when, *black, *(600 + t for t in when)]))
    assert outcome.counts() == (1, 1)


@FASTER
@pytest.mark.parametrize("at_s", [1.5, 2.5, 3.5])
def test_frozen_frames_then_the_walk_goes_on(fps, way, at_s):
    """The same instances again and again, before, on and after the line."""
    walker = flipped([person((0, 20, 180), (5, 300, 180))], way)
    frozen_s = 4.0
    seen = list(film(walker, times(6, fps)))
    still = next(i for s, i in seen if s.media_s >= at_s)
    before = [f for f in seen if f[0].media_s < at_s]
    during = [(Stamp(0, at_s + t), still) for t in times(frozen_s, fps)]
    after = [(Stamp(0, s.media_s + frozen_s), i) for s, i in seen if s.media_s >= at_s]
    outcome = played([*before, *during, *after], {"gate": MIDDLE}, {"yard": YARD})
    assert outcome.counts() == once(way)
    assert outcome.counts("yard") == (1, 1)


@pytest.mark.parametrize("fps", [5, 25])
def test_a_frozen_stream_that_comes_back_somewhere_else(fps):
    """Who stood still before the line is gone; somebody else is far beyond it."""
    frozen = Actor(CAR, 50, 40, ((0, 60, 180), (10, 60, 180)))
    other = Actor(CAR, 50, 40, ((10.01, 260, 180), (14, 290, 180)))
    assert played(film([frozen, other], times(14, fps))).counts() == (0, 0)


def test_the_wall_clock_never_enters(monkeypatch):
    """A step of the clock, or none at all, changes nothing: nobody asks it."""

    def forbidden(*_: object) -> float:
        raise AssertionError("the wall clock was read")

    plain = played(film(WALKERS, times(7, 10)))
    seen = list(film(WALKERS, times(7, 10)))
    with monkeypatch.context() as patch:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime"):
            patch.setattr(time, name, forbidden)
        outcome = played(seen)
    assert outcome.events == plain.events
    assert outcome.counts() == EXACT
