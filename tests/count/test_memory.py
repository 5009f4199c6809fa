"""State is bounded by live tracks: millions of short ones leave memory flat."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from strategies import rectangles, tracks_of

from edge.count.line import Band, LineCounter
from edge.count.zone import ZoneCounter, ZoneTimes
from edge.types import I64, Stamp, Tracks, TrackState

COHORT = 5000  # tracks that begin with each frame, and end two frames later
INSTANCES = rectangles([(0, 0, 4, 4)])


def cohorts(frame: int) -> Tracks:
    """Two cohorts: one in the hundred jumps over the line at x = 500, all stand in the zone."""
    ids = np.arange((frame - 1) * COHORT + 1, (frame + 1) * COHORT + 1)
    n = len(ids)
    is_over = (ids % 200 == 0) & (ids <= frame * COHORT)
    feet = np.stack([np.where(is_over, 100.0, 800.0), 200.0 + ids % 500], 1).astype(np.float32)
    ended: I64 = np.arange((frame - 2) * COHORT + 1, (frame - 1) * COHORT + 1)
    return tracks_of(
        np.concatenate([feet - 10, feet], 1),
        ids=ids,
        states=np.where(ids % 3, TrackState.CONFIRMED, TrackState.TENTATIVE).astype(np.uint8),
        feet=feet,
        class_ids=(ids % 2).astype(np.int32),
        instance=np.zeros(n, np.int32),
        ended=ended,
        heights=np.full(n, 40, np.float32),
    )


@pytest.mark.parametrize(
    "count", [1_000_000, pytest.param(10_000_000, marks=pytest.mark.slow)], ids=["1e6", "1e7"]
)
def test_ended_tracks_leave_memory_flat(count):
    line = LineCounter("gate", np.array([[500.0, 0.0], [500.0, 900.0]]), None, Band())
    square = np.array([[700.0, 100.0], [900.0, 100.0], [900.0, 800.0], [700.0, 800.0]])
    # Nobody stays long enough to enter: what is tested is what is kept, not what is told.
    zone = ZoneCounter("yard", square, {0, 1}, Band(), ZoneTimes(enter_s=1.0))
    frames, passed, used = count // COHORT, 0, []
    tracemalloc.start()
    try:
        for k in range(frames):
            tracks = cohorts(k)
            for counter in (line, zone):
                passed += len(counter.update(Stamp(k, 0.1 * k), tracks, INSTANCES))
            assert max(len(line._live), len(zone._live)) <= 2 * COHORT
            assert len(line._passages) + len(zone._vanished) <= 2 * COHORT // 100
            if k in (frames // 10, frames - 1):
                used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert passed > count / 1000
    assert used[1] - used[0] < 200_000  # bytes
