from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rectangles

from edge import masks as mask_ops
from edge.testing import CLASS_GROUPS
from edge.track import birth, memory, occlusion
from edge.track.motion import Motion
from edge.track.settings import TrackerSettings

ADULT = (100, 40, 140, 160)


def begun(windows, taken=(), scores=0.9, groups=0, size_hw=(240, 320), **settings) -> list[int]:
    """Which of the instances begin tracks when those `taken` continue one."""
    instances = rectangles(windows, scores, size_hw=size_hw)
    origin = np.arange(len(windows))
    rows = mask_ops.row_extents(instances.masks)
    scene = occlusion.scene(
        instances, origin, np.broadcast_to(np.int32(groups), len(windows)), rows, 0.0
    )
    taken = np.array(taken, np.int64)
    return birth.born(scene, instances.masks, taken, TrackerSettings(**settings)).tolist()


def test_strong_instances_that_nobody_claims_begin_tracks():
    apart = [ADULT, (200, 40, 240, 160), (20, 40, 60, 160)]
    assert begun(apart) == [0, 1, 2]
    assert begun(apart, taken=[1]) == [0, 2]
    assert begun(apart, scores=[0.9, 0.54, 0.5]) == [0]
    assert begun([]) == []


@pytest.mark.parametrize("size_hw", [(240, 320), (720, 640)])
@pytest.mark.parametrize(
    ("window", "is_born"),
    [
        ((110, 110, 130, 150), False),  # inside the mask of a track
        ((128, 110, 148, 150), False),  # six tenths of it
        ((132, 110, 152, 150), True),  # four tenths
        ((140, 110, 160, 150), True),  # beside it
    ],
)
def test_what_lies_inside_a_tracked_mask_begins_nothing(window, is_born, size_hw):
    assert begun([ADULT, window], taken=[0], size_hw=size_hw) == ([1] if is_born else [])
    # A mask that no track has, or one of another group, forbids nothing.
    assert 1 in begun([ADULT, window], size_hw=size_hw)
    assert begun([ADULT, window], taken=[0], groups=[0, 1], size_hw=size_hw) == [1]


def test_the_veto_is_a_setting():
    inside = [ADULT, (110, 110, 130, 150)]
    assert begun(inside, taken=[0], veto_covered=1.0) == [1]


def test_what_a_better_instance_shows_already_begins_nothing():
    assert begun([ADULT, (102, 42, 141, 161)]) == [0]


windows = st.tuples(
    st.integers(0, 250), st.integers(0, 180), st.integers(5, 60), st.integers(5, 60)
).map(lambda w: (w[0], w[1], w[0] + w[2], w[1] + w[3]))


@given(st.lists(windows, max_size=5), st.sets(st.integers(0, 4)))
def test_who_continues_a_track_never_begins_one(drawn, taken):
    taken = sorted(k for k in taken if k < len(drawn))
    new = begun(drawn, taken)
    assert new == sorted(set(new) - set(taken))


def known(count, hits, speed, is_seen=True, is_rigid=True):
    """Tracks in a row, 40 px apart, each with its own speed."""
    boxes = np.array([(40 * k, 0, 40 * k + 20, 60) for k in range(count)], np.float32).reshape(
        -1, 4
    )
    tracks = memory.newborn(np.arange(count) + 1, boxes, 0.0, len(CLASS_GROUPS))
    tracks.hits[:] = hits
    tracks.instance[:] = np.arange(count) if is_seen else -1
    motion = Motion()
    motion.add(boxes, np.array(speed, np.float64).reshape(count, 2), np.full(count, is_rigid))
    return tracks, motion


NEW = np.array([(0, 0, 20, 60), (360, 0, 380, 60)], np.float32)


def speeds(tracks, motion, boxes=NEW, is_rigid=True):
    return birth.first_speed(tracks, motion, boxes, np.full(len(boxes), is_rigid), 1000)


def test_a_new_vehicle_goes_as_all_do():
    assert np.allclose(speeds(*known(10, 3, [(10, 1)] * 10)), [[10, 1], [10, 1]])


def test_a_new_vehicle_moves_outwards_where_all_do():
    outwards = [(0.4 * (40 * k - 180), 0) for k in range(10)]
    left, right = speeds(*known(10, 3, outwards))
    assert left[0] < -50
    assert right[0] > 50


def test_new_people_go_as_the_people_next_to_them():
    speed = [(10, 1)] * 5 + [(-30, 2)] * 5
    tracks, motion = known(10, 3, speed, is_rigid=False)
    assert speeds(tracks, motion, is_rigid=False).tolist() == [[10, 1], [-30, 2]]


def test_one_stray_neighbour_changes_little():
    tracks, motion = known(10, 3, [(900, 900)] + [(10, 0)] * 9, is_rigid=False)
    assert speeds(tracks, motion, is_rigid=False)[0].tolist() == [10, 0]


def test_vehicles_tell_nothing_of_people():
    assert not speeds(*known(10, 3, [(10, 1)] * 10), is_rigid=False).any()


@pytest.mark.parametrize(
    ("count", "hits", "is_seen"), [(0, 3, True), (2, 3, True), (8, 2, True), (8, 3, False)]
)
def test_too_few_known_neighbours_tell_nothing(count, hits, is_seen):
    tracks, motion = known(count, hits, [(10, 0)] * count, is_seen)
    assert speeds(tracks, motion).tolist() == [[0, 0], [0, 0]]


def test_nothing_new():
    assert speeds(*known(10, 3, [(10, 1)] * 10), boxes=NEW[:0]).shape == (0, 2)
