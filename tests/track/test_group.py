"""People who melt into one mask, and what is no such group."""

from __future__ import annotations

import numpy as np
import pytest
from strategies import rectangles

from edge import masks as mask_ops
from edge.testing import CAR, CLASS_GROUPS, PERSON, Actor, Noise, labelled_frames, times
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Instances, Stamp, TrackFlag, Tracks, TrackState

WIDE, TALL = 24, 70


def tracker() -> Tracker:
    return Tracker(TrackerSettings(), CLASS_GROUPS, (False, True, True))


def person(x: float) -> tuple[int, int, int, int]:
    return (round(x), 100, round(x) + WIDE, 100 + TALL)


def melted(a: float, b: float) -> Instances:
    """One instance that shows two people."""
    (x1, y1, x2, y2) = person(a)
    (u1, _, u2, _) = person(b)
    low, high = min(x1, u1), max(x2, u2)
    crop = np.zeros((TALL, high - low), np.uint8)
    crop[:, x1 - low : x2 - low] = 1
    crop[:, u1 - low : u2 - low] = 1
    box = np.array([[low, y1, high, y2]], np.float32)
    masks = mask_ops.from_crops(240, 320, [(low, y1, high, y2)], [crop])
    return Instances(box, np.array([0.9], np.float32), np.array([PERSON], np.int32), masks)


def film(lefts_a, lefts_b, first, last) -> list[tuple[Tracks, tuple[float, float]]]:
    """Tracks of two people, ten frames a second, melted in frames `first` to `last`."""
    t, shown = tracker(), []
    for k, (a, b) in enumerate(zip(lefts_a, lefts_b, strict=True)):
        apart = rectangles([person(a), person(b)], [0.9, 0.85])
        seen = melted(a, b) if first <= k <= last else apart
        shown.append((t.update(Stamp(k, k / 10), seen), (a, b)))
    assert not t.dropped
    return shown


TOGETHER = np.arange(30) * 5.0 + 40
WALKS = {
    "side by side": (TOGETHER, TOGETHER + WIDE - 2),
    "standing": (np.full(30, 100.0), np.full(30, 100.0 + WIDE)),
}


@pytest.mark.parametrize("walk", WALKS)
def test_two_who_melt_into_one_mask_and_part_keep_their_ids(walk):
    shown = film(*WALKS[walk], first=10, last=20)
    for k, (tracks, lefts) in enumerate(shown):
        assert tracks.ids.tolist() == [1, 2], k
        assert len(tracks.ended) == 0
        if k >= 2:
            assert (tracks.states == TrackState.CONFIRMED).all(), k
        is_merged = 10 <= k <= 20
        assert (((tracks.flags & TrackFlag.MERGED) > 0) == is_merged).all(), k
        assert tracks.group_sizes.tolist() == [1 + is_merged] * 2
        assert tracks.instance.tolist() == ([0, 0] if is_merged else [0, 1])
        # Inside the mask each stays at its own place.
        np.testing.assert_allclose(tracks.boxes[:, 0], lefts, atol=0.5 * WIDE)
        np.testing.assert_allclose(tracks.heights, TALL, atol=3)


def test_two_who_meet_and_pass_in_one_mask_keep_their_ids():
    there, back = 60 + 8.0 * np.arange(26), 260 - 8.0 * np.arange(26)
    near = np.flatnonzero(np.abs(there - back) <= WIDE)
    shown = film(there, back, near[0], near[-1])
    tracks, lefts = shown[-1]
    assert tracks.ids.tolist() == [1, 2]
    np.testing.assert_allclose(tracks.boxes[:, 0], lefts)
    assert any((t.flags & TrackFlag.MERGED).any() for t, _ in shown)
    assert tracks.group_sizes.tolist() == [1, 1]


def walked(actors, times_s):
    """When, who is in which instance (true ids), and the tracks; whoever overlaps has melted."""
    t = tracker()
    noise = Noise(merge_overlap=0.0)
    for stamp, instances, members in labelled_frames(actors, times_s, (240, 400), noise):
        yield stamp, members, t.update(stamp, instances)


@pytest.mark.parametrize("fps", [5, 10, 25, 60])
def test_inside_a_mask_everybody_keeps_pace_with_it_at_every_frame_rate(fps):
    # The one behind catches up, they walk six seconds together, the other one goes ahead.
    behind = Actor(PERSON, 24, 60, ((0, 10, 180), (10, 310, 180)))
    ahead = Actor(PERSON, 24, 60, ((0, 60, 182), (2, 88, 182), (8, 268, 182), (10, 360, 182)))
    merged_s = []
    for stamp, members, tracks in walked([behind, ahead], times(10, fps)):
        assert tracks.ids.tolist() == [1, 2], stamp
        is_merged = len(members) == 1
        assert tracks.group_sizes.tolist() == [1 + is_merged] * 2, stamp
        feet = [actor.foot(stamp.media_s) for actor in (behind, ahead)]
        if stamp.media_s < 8:
            np.testing.assert_allclose(tracks.feet, feet, atol=8, err_msg=str(stamp))
        merged_s += [stamp.media_s] * is_merged
    assert merged_s[-1] - merged_s[0] > 5


@pytest.mark.parametrize("fps", [5, 10, 25, 60])
@pytest.mark.parametrize("deeper_px", [6, 24])
def test_two_who_go_opposite_ways_through_one_mask_keep_their_ids(fps, deeper_px):
    right = Actor(PERSON, 24, 60, ((0, 40, 180), (6, 280, 180)))
    left = Actor(PERSON, 24, 60, ((0, 280, 180 + deeper_px), (6, 40, 180 + deeper_px)))
    given: dict[int, set[int]] = {1: set(), 2: set()}
    largest = 0
    for _, members, tracks in walked([right, left], times(6, fps)):
        largest = max(largest, *tracks.group_sizes.tolist())
        for track_id, k in zip(tracks.ids.tolist(), tracks.instance.tolist(), strict=True):
            if k >= 0 and len(members[k]) == 1:
                given[members[k][0]].add(track_id)
    assert given == {1: {1}, 2: {2}}
    assert largest == 2


def test_a_car_that_comes_out_from_behind_something_is_no_group():
    t = tracker()
    for k in range(25):
        right = 60 + 8 * k  # it drives out to the right behind a wall that ends at 60
        car = (max(60, right - 90), 100, right + 10, 150)
        tracks = t.update(Stamp(k, k / 10), rectangles([car], class_ids=CAR))
        assert not (tracks.flags & TrackFlag.MERGED).any()
        assert (tracks.group_sizes == 1).all()
    assert tracks.ids.tolist() == [1]


def test_a_car_that_swells_over_a_parked_one_it_hides_is_no_group():
    t = tracker()
    for k in range(25):
        right = 70 + 8 * k
        car = (max(60, right - 90), 110, right, 170)
        parked = (150, 105, 190, 140)
        seen = [car] if right > 150 and car[0] < 190 else [car, parked]
        tracks = t.update(Stamp(k, k / 10), rectangles(seen, class_ids=CAR))
        assert not (tracks.flags & TrackFlag.MERGED).any(), k
    assert tracks.ids[tracks.instance >= 0][0] == 1


def test_someone_alone_who_grows_is_no_group():
    t = tracker()
    for k in range(8):
        wide = WIDE if k < 4 else 2 * WIDE  # a coat opened, an umbrella
        tracks = t.update(Stamp(k, k / 10), rectangles([(100, 100, 100 + wide, 170)]))
    assert tracks.ids.tolist() == [1]
    assert not tracks.flags[0] & TrackFlag.MERGED
