"""What tracks remember: class votes, usual sizes, feet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rectangles

from edge import masks as mask_ops
from edge.testing import CAR, CLASS_GROUPS, TRUCK
from edge.track import memory, occlusion
from edge.track.grid import Shapes
from edge.track.settings import TrackerSettings
from edge.types import TrackFlag, TrackState

BOX = (100, 60, 120, 120)


class One:
    """One track, ten frames a second."""

    def __init__(self, **settings) -> None:
        self.settings = TrackerSettings(**settings)
        first = np.array([BOX], np.float32)
        self.memory = memory.newborn(np.array([1]), first, 0.0, len(CLASS_GROUPS))
        self.frame = 0

    def see(self, box=BOX, class_id=0, score=0.9, hidden=False) -> memory.Memory:
        instances = rectangles([box], score, class_id)
        rows, one = mask_ops.row_extents(instances.masks), np.array([0])
        scene = occlusion.scene(instances, one, np.zeros(1, np.int32), rows, self.frame / 10)
        memory.see(self.memory, one, one, scene, np.array([hidden]), self.settings)
        self.frame += 1
        return self.memory


@given(st.lists(st.tuples(st.sampled_from([CAR, TRUCK]), st.floats(0.25, 1)), min_size=1))
def test_another_class_wins_only_with_a_margin(seen):
    one, votes, held = One(), np.zeros(len(CLASS_GROUPS)), None
    for class_id, score in seen:
        m = one.see(class_id=class_id, score=score)
        votes[class_id] += np.float32(score)
        leader = int(votes.argmax())
        if held is None or votes[leader] > one.settings.class_margin * votes[held]:
            held = leader
        assert m.class_id.tolist() == [held]
        np.testing.assert_allclose(m.votes[0], votes)


def test_the_usual_height_is_the_mean_of_the_first_and_then_follows():
    one = One()
    assert one.see().height[0] == 60
    assert one.see((100, 56, 120, 120)).height[0] == pytest.approx(62)
    for _ in range(60):
        m = one.see((100, 48, 120, 120))
    assert m.height[0] == pytest.approx(72, abs=0.5)


def test_one_shadow_makes_nobody_tall():
    one = One()
    for _ in range(10):
        one.see()
    m = one.see((100, 60, 120, 220))
    assert 60 < m.height[0] < 63


def test_what_is_cut_off_lowers_no_height_and_the_foot_stays():
    one = One()
    for _ in range(10):
        one.see()
    m = one.see((100, 60, 120, 90), hidden=True)
    assert m.height[0] == pytest.approx(60)
    assert m.flags[0] & TrackFlag.FOOT_INFERRED
    assert m.foot[0, 1] == pytest.approx(120)
    m = one.see((100, 60, 120, 90))  # seen whole it may be shorter: somebody sits down
    assert m.height[0] < 60
    assert not m.flags[0] & TrackFlag.FOOT_INFERRED
    assert m.foot[0, 1] == 90


def test_what_is_cut_off_and_still_taller_raises_the_height():
    one = One()
    for _ in range(10):
        one.see()
    m = one.see((100, 50, 120, 120), hidden=True)
    assert 60 < m.height[0] < 70
    assert not m.flags[0] & TrackFlag.FOOT_INFERRED  # it reaches as low as it ever does
    assert m.foot[0, 1] == 120


def test_a_track_is_confirmed_by_its_hits():
    one = One(confirm_hits=3)
    states = [int(one.see().state[0]) for _ in range(4)]
    assert states == [TrackState.TENTATIVE] * 2 + [TrackState.CONFIRMED] * 2
    assert one.memory.hits.tolist() == [4]


def test_tracks_are_kept_and_appended_in_every_field():
    m = memory.nobody(2)
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    m.extend(memory.newborn(np.array([1, 2, 3]), boxes, 1.0, 2))
    m.keep(np.array([True, False, True]))
    m.extend(memory.newborn(np.array([4]), boxes[:1], 2.0, 2))
    assert m.ids.tolist() == [1, 3, 4]
    assert m.first_s.tolist() == [1, 1, 2]
    np.testing.assert_array_equal(m.box, boxes[[0, 2, 0]])
    assert m.votes.shape == (3, 2)
    assert len(m) == 3


def test_a_missed_track_keeps_its_cells():
    before = Shapes(np.array([5, 6, 7]), np.array([1, 2, 3]), np.array([0, 1, 1]))
    seen = Shapes(np.array([8, 9]), np.array([0, 1]), np.array([0, 1]))
    # Instance 0 is track 0, instance 1 nobody's; track 1 is missed.
    after = memory.inherited(before, seen, np.array([0, -1]), np.array([False, True]))
    cells = dict(zip(after.cells.tolist(), after.owners.tolist(), strict=True))
    assert cells == {6: 1, 7: 1, 8: 0}
