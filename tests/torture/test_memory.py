"""What thousands of tracks leave behind in tracker and counters: nothing."""

from __future__ import annotations

import pickle

import pytest
from replay import MIDDLE, NAMES, YARD, config
from strategies import rectangles

from edge import build
from edge.types import Stamp


def bytes_held(tracker, counters) -> int:
    """All state, as it would be stored."""
    return len(pickle.dumps((tracker, counters)))


@pytest.mark.parametrize("is_crossing", [True, False])
def test_state_is_bounded_by_live_tracks(is_crossing):
    """Five objects live for 3 frames at a time; then, far away, five others."""
    rules = config({"gate": MIDDLE}, {"yard": YARD}, {})
    tracker = build.tracker(rules, "camera", NAMES)
    counters = build.counters(rules, "camera", NAMES, 320, 240)
    sizes, most_id = [], 0
    for k in range(450):
        group, age = divmod(k, 3)
        x = (146 + 12 * age if is_crossing else 20 + 5 * age) + 100 * (group % 2)
        seen = rectangles([(x, y, x + 16, y + 30) for y in range(20, 220, 40)])
        stamp = Stamp(k, group * 3.0 + age * 0.1)
        tracks = tracker.update(stamp, seen)
        for counter in counters:
            counter.update(stamp, tracks, seen)
        most_id = max(most_id, int(tracks.ids.max(initial=0)))
        if k % 90 == 89:
            sizes.append(bytes_held(tracker, counters))
    assert most_id == 750
    # Numbers that grow take a few more bytes; one lost entry for each track would take 3000.
    assert max(sizes) - min(sizes) < 1000
