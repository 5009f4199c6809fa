from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.clock import MediaClock
from edge.sources.faults import Faults

MS = Fraction(1, 1000)


def run(pts: list[int | None], interval: Fraction = Fraction(1, 10)) -> tuple[list, Faults]:
    faults = Faults()
    clock = MediaClock(interval, faults)
    return [clock.media_s(p, MS) for p in pts], faults


@given(st.lists(st.one_of(st.none(), st.integers(-(10**7), 10**7))))
def test_whatever_comes_times_start_at_zero_and_increase(pts):
    times, faults = run(pts)
    kept = [t for t in times if t is not None]
    assert kept[:1] == [0.0][: len(pts)]
    assert all(a < b for a, b in pairwise(kept))
    assert len(kept) + faults.repeated_times == len(pts)


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(1, 10**5), max_size=20))
def test_increasing_times_only_lose_their_origin(start, steps):
    pts = [start]
    for step in steps:
        pts.append(pts[-1] + step)
    times, faults = run(list(pts))
    assert times == [(p - start) / 1000 for p in pts]
    assert faults == Faults()


@pytest.mark.parametrize(
    ("pts", "times", "faults"),
    [
        ([0, 100, 100, 200], [0.0, 0.1, None, 0.2], Faults(repeated_times=1)),
        ([0, 100, 50, 200], [0.0, 0.1, None, 0.2], Faults(repeated_times=1)),
        ([0, None, 200], [0.0, 0.1, 0.2], Faults(missing_times=1)),
        ([None, None, 700, 800], [0.0, 0.1, 0.2, 0.3], Faults(missing_times=2)),
        # Two recordings joined: the second goes on one interval after the first.
        ([5000, 6000, 1000, 1500], [0.0, 1.0, 1.1, 1.6], Faults(time_jumps=1)),
        ([0, 60_000], [0.0, 60.0], Faults()),  # a gap in the recording stays a gap
    ],
)
def test_irregular_times(pts, times, faults):
    assert run(pts) == (times, faults)


def test_sentences_name_every_fault():
    assert Faults().sentences() == []
    every = Faults(1, 2, 3, 1, 5, True).sentences()
    assert every == [
        "1 broken frame skipped",
        "2 undated frames dated by the usual interval",
        "3 out-of-order frames skipped",
        "5 resized frames scaled to the first one's size",
        "1 jump back in time closed up",
        "the recording is cut off before its end",
    ]
