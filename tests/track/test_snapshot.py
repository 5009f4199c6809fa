"""What the tracks of a frame say: shapes, who stands in front, how much is visible."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from strategies import rectangles

from edge.testing import CLASS_GROUPS, Actor, frames
from edge.track import memory, snapshot
from edge.track.motion import Motion
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Stamp, TrackFlag, TrackState

WHOLE = (100, 50, 130, 120)
IN_FRONT = (90, 90, 150, 200)  # hides the lower part of WHOLE
SHOWN = (100, 50, 130, 90)  # what is left of it
FAR = (250, 50, 280, 120)


def tracker() -> Tracker:
    return Tracker(TrackerSettings(), CLASS_GROUPS, (False, True, True))


def after(t, films, start=0):
    """Tracks after frames ten to a second, each a list of windows, best score first."""
    for k, seen in enumerate(films, start):
        tracks = t.update(Stamp(k, k / 10), rectangles(seen))
    return tracks


def remembered(count):
    """Tracks 3, 4... that were seen at 1 s, in a row."""
    boxes = np.array([(30 * k, 10, 30 * k + 20, 70) for k in range(count)], np.float32)
    boxes = boxes.reshape(-1, 4)
    m = memory.newborn(np.arange(count) + 3, boxes, 1.0, len(CLASS_GROUPS))
    m.class_id[:] = 1
    m.votes[:, 1], m.votes[:, 2] = 3.0, 1.0
    m.foot[:] = np.stack([boxes[:, [0, 2]].mean(1), boxes[:, 3]], 1)
    m.height[:] = 60
    motion = Motion()
    motion.add(boxes, np.tile([40.0, 0.0], (count, 1)), np.ones(count, bool))
    return m, motion


@pytest.mark.parametrize("count", [0, 1, 3])
def test_all_fields_have_a_row_for_each_track_and_their_own_types(count):
    m, motion = remembered(count)
    tracks = snapshot.snapshot(m, motion, np.full(count, -1), 2.0, [1, 2])  # Tracks checks itself
    assert len(tracks) == count
    assert tracks.ids.tolist() == [3, 4, 5][:count]
    assert tracks.ended.tolist() == [1, 2]
    np.testing.assert_array_equal(tracks.ages_s, np.ones(count))
    np.testing.assert_array_equal(tracks.class_shares, np.full(count, 0.75))
    np.testing.assert_array_equal(tracks.in_front, np.zeros(count))


def test_who_is_seen_is_where_it_was_seen_and_who_is_missed_goes_on():
    m, motion = remembered(2)
    m.instance[0] = 0
    motion.predict(0.5, np.zeros(2, bool))
    tracks = snapshot.snapshot(m, motion, np.full(2, -1), 1.5, [])
    np.testing.assert_array_equal(tracks.boxes[0], m.box[0])
    np.testing.assert_array_equal(tracks.feet[0], m.foot[0])
    np.testing.assert_allclose(tracks.boxes[1], m.box[1] + [20, 0, 20, 0])
    np.testing.assert_allclose(tracks.feet[1], m.foot[1] + [20, 0])
    np.testing.assert_allclose(tracks.velocities, [[40, 0]] * 2)


def test_who_shares_an_instance_is_counted_for_each():
    m, motion = remembered(5)
    m.instance[:] = [2, -1, 2, 0, -1]
    tracks = snapshot.snapshot(m, motion, np.full(5, -1), 1.0, [])
    assert tracks.group_sizes.tolist() == [2, 1, 2, 1, 1]


def test_only_who_shares_an_instance_is_merged():
    m, motion = remembered(3)
    m.flags[:] = TrackFlag.MERGED | TrackFlag.FOOT_INFERRED
    m.instance[:] = [1, 1, -1]  # the third was merged when it was last seen
    tracks = snapshot.snapshot(m, motion, np.full(3, -1), 1.0, [])
    assert tracks.group_sizes.tolist() == [2, 2, 1]
    both = TrackFlag.MERGED | TrackFlag.FOOT_INFERRED
    assert tracks.flags.tolist() == [both, both, TrackFlag.FOOT_INFERRED]
    assert m.flags.tolist() == [both] * 3


def test_in_front_is_an_id():
    m, motion = remembered(3)
    tracks = snapshot.snapshot(m, motion, np.array([2, -1, 0]), 1.0, [])
    assert tracks.in_front.tolist() == [5, 0, 3]


def test_a_snapshot_is_not_changed_by_later_frames():
    t = tracker()
    early = after(t, [[WHOLE, FAR]] * 3)
    kept = {f.name: getattr(early, f.name).copy() for f in dataclasses.fields(early)}
    after(t, [[SHOWN, IN_FRONT]] * 3, start=3)
    for name, column in kept.items():
        np.testing.assert_array_equal(getattr(early, name), column, err_msg=name)


def test_who_is_hidden_by_half_says_so_and_by_whom():
    t = tracker()
    behind, upper_half = (100, 30, 130, 100), (100, 30, 130, 65)
    below, in_front = (95, 112, 155, 225), (95, 65, 155, 178)
    before = after(t, [[FAR, behind, below]] * 5)
    assert before.visible.tolist() == [1, 1, 1]
    assert before.in_front.tolist() == [0, 0, 0]
    assert not before.flags.any()
    tracks = after(t, [[FAR, upper_half, in_front]], start=5)
    assert tracks.instance.tolist() == [0, 1, 2]
    assert tracks.in_front.tolist() == [0, 3, 0]
    assert tracks.visible[1] == pytest.approx(0.5, abs=0.03)
    assert tracks.visible[[0, 2]].tolist() == [1, 1]
    assert tracks.flags.tolist() == [0, TrackFlag.OCCLUDED | TrackFlag.FOOT_INFERRED, 0]
    assert tracks.feet[1, 1] == pytest.approx(100, abs=1)
    assert tracks.heights[1] == pytest.approx(70, abs=1)
    again = after(t, [[FAR, behind, below]], start=6)
    assert again.ids.tolist() == [1, 2, 3]
    assert again.visible.tolist() == [1, 1, 1]
    assert again.in_front.tolist() == [0, 0, 0]
    assert not again.flags.any()


def test_who_walks_behind_a_pillar_loses_sight_and_gets_it_back():
    walker = Actor(0, 30, 80, ((0, 40, 180), (6, 280, 180)))
    pillar = Actor(1, 24, 200, ((0, 160, 230), (6, 160, 230)))  # a car's class: it is tracked
    t, seen = tracker(), {}
    for stamp, instances, true_ids in frames([walker, pillar], [k / 10 for k in range(60)]):
        tracks = t.update(stamp, instances)
        row = np.flatnonzero(np.append(true_ids, 0)[tracks.instance] == 1)
        if len(row):
            seen[stamp.frame] = (float(tracks.visible[row[0]]), int(tracks.in_front[row[0]]))
    least = min(seen, key=lambda k: seen[k][0])
    pillar_id = int(tracks.ids[tracks.class_ids == 1][0])
    assert seen[least][0] < 0.6
    assert seen[least][1] == pillar_id
    assert 22 < least < 38  # of 60 frames, half way at 30
    assert seen[10] == seen[50] == (1.0, 0)


def test_what_is_not_tracked_itself_is_nobody_in_front():
    wall = (90, 90, 150, 200)
    t = Tracker(TrackerSettings(), (0, -1, 1), (False, True, True))
    for k in range(4):
        tracks = t.update(Stamp(k, k / 10), rectangles([SHOWN, wall], class_ids=[0, 1]))
    assert tracks.ids.tolist() == [1]
    assert tracks.in_front.tolist() == [0]


def test_tentative_and_missed_tracks_are_in_it():
    t = tracker()
    tracks = after(t, [[WHOLE], [WHOLE], [WHOLE, FAR]])
    assert tracks.states.tolist() == [TrackState.CONFIRMED, TrackState.TENTATIVE]
    tracks = after(t, [[FAR]], start=3)
    assert tracks.states.tolist() == [TrackState.LOST, TrackState.CONFIRMED]
    assert tracks.instance.tolist() == [-1, 0]
    assert tracks.hits.tolist() == [3, 2]
    np.testing.assert_allclose(tracks.ages_s, [0.3, 0.1], rtol=1e-5)
