from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import crowded, loosened, rectangles

from edge import masks as mask_ops
from edge.track import occlusion
from edge.types import Instances

windows = st.tuples(
    st.integers(0, 250), st.integers(0, 180), st.integers(1, 60), st.integers(1, 60)
).map(lambda w: (w[0], w[1], w[0] + w[2], w[1] + w[3]))


def look(instances: Instances, groups=None) -> occlusion.Scene:
    """All of them, of one group unless said otherwise."""
    origin = np.arange(len(instances))
    groups = np.zeros(len(origin), np.int32) if groups is None else np.array(groups, np.int32)
    rows = mask_ops.row_extents(instances.masks)[origin]
    return occlusion.scene(instances, origin, groups, rows, 0.0)


def test_who_stands_lower_is_in_front_and_hides_feet():
    behind, front, apart = (100, 50, 130, 120), (90, 90, 150, 200), (250, 60, 280, 130)
    # What is visible of the one behind ends where the other begins.
    scene = look(rectangles([(100, 50, 130, 90), front, apart]))
    assert scene.front.tolist() == [1, -1, -1]
    assert scene.hidden_foot.tolist() == [True, False, False]
    beside = look(rectangles([behind, (140, 60, 170, 130)]))
    assert beside.front.tolist() == [-1, -1]
    assert not beside.hidden_foot.any()


def test_a_neighbour_under_less_than_half_hides_no_foot():
    scene = look(rectangles([(100, 50, 130, 90), (122, 90, 180, 200)]))
    assert not scene.hidden_foot.any()


def test_the_border_is_seen():
    scene = look(
        rectangles([(0, 50, 20, 90), (300, 50, 320, 90), (50, 0, 70, 40), (50, 200, 70, 240),
                    (100, 100, 120, 140)])
    )  # fmt: skip
    assert scene.border.tolist() == [True, True, True, True, False]
    assert scene.hidden_foot.tolist() == [False, False, False, True, False]


@given(st.lists(windows, max_size=6))
def test_depth_is_an_order(drawn):
    scene = look(rectangles(drawn))
    behind = np.flatnonzero(scene.front >= 0)
    assert (scene.feet[scene.front[behind], 1] > scene.feet[behind, 1]).all()
    assert scene.feet[:, 1].tolist() == [y2 for _, _, _, y2 in drawn]
    assert scene.tops.tolist() == [y1 for _, y1, _, _ in drawn]
    left, right = [np.array([w[k] for w in drawn]) for k in (0, 2)]
    assert ((scene.feet[:, 0] >= left) & (scene.feet[:, 0] <= right)).all()


@given(st.lists(windows, max_size=6))
def test_the_best_instance_is_never_a_duplicate(drawn):
    doubled = look(rectangles(drawn)).doubled
    assert doubled.shape == (len(drawn),)
    assert not doubled[:1].any()
    apart = look(rectangles(drawn), range(len(drawn))).doubled
    assert not apart.any()  # each in a group of its own


def test_only_the_chosen_are_looked_at_and_in_their_order():
    instances = rectangles([(100, 50, 130, 120), (20, 60, 50, 130), (0, 50, 20, 90)])
    origin = np.array([2, 0])
    rows = mask_ops.row_extents(instances.masks)[origin]
    scene = occlusion.scene(instances, origin, np.zeros(2, np.int32), rows, 1.5)
    assert (len(scene), scene.now_s, scene.size_hw) == (2, 1.5, (240, 320))
    assert scene.origin.tolist() == [2, 0]
    assert scene.boxes[:, 0].tolist() == [0, 100]
    assert scene.border.tolist() == [True, False]


def test_the_one_that_touches_most_is_in_front():
    behind, left, right = (100, 50, 130, 90), (90, 90, 108, 150), (108, 90, 140, 150)
    assert look(rectangles([behind, left, right])).front[0] == 2


def test_a_window_at_the_border_is_no_mask_at_the_border():
    crop = np.zeros((40, 320), np.uint8)
    crop[:, 100:120] = 1
    window = (0, 100, 320, 140)
    shown = rectangles([window])
    inside = mask_ops.from_crops(240, 320, [window], [crop])
    assert not look(Instances(shown.boxes, shown.scores, shown.class_ids, inside)).border.any()
    for column in (0, 319):
        crop[20] = 0
        crop[20, column] = 1
        touching = mask_ops.from_crops(240, 320, [window], [crop])
        seen = Instances(shown.boxes, shown.scores, shown.class_ids, touching)
        assert look(seen).border.all()


def test_one_object_seen_twice_and_a_child_in_front_of_an_adult():
    adult = (100, 40, 140, 160)
    again, child = (102, 42, 141, 161), (110, 110, 130, 160)
    doubled = look(rectangles([adult, again, child])).doubled
    assert doubled.tolist() == [False, True, False]


def test_a_duplicate_of_a_duplicate_is_judged_by_those_that_stay():
    chain = [(100, 100, 140, 140), (100, 108, 140, 148), (100, 118, 140, 158)]
    doubled = look(rectangles(chain)).doubled
    assert doubled.tolist() == [False, True, False]


@given(st.data(), crowded())
def test_how_tight_windows_are_changes_nothing(data, tight):
    loose = replace(tight, masks=data.draw(loosened(tight.masks)))
    one, other = look(tight), look(loose)
    for name in ("doubled", "front", "hidden_foot", "border", "tops", "feet"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_what_is_smaller_than_a_cell_can_be_a_duplicate():
    # One point of the grid, which has one every 4 pixels, lies in both, and stands for 16: more
    # than their windows share.
    first, again = (100, 100, 103, 103), (99, 99, 102, 102)
    instances = rectangles([first, again], size_hw=(600, 320))
    assert look(instances).doubled.tolist() == [False, True]


@pytest.mark.parametrize(
    ("seen", "is_cut"),
    [
        ((100, 50, 120, 110), False),  # whole
        ((100, 50, 120, 90), True),  # the legs are gone, the head is where it was
        ((100, 70, 120, 110), False),  # crouching: the head comes down
        ((100, 30, 120, 70), False),  # all of it has moved
    ],
)
def test_what_something_unknown_cuts_off(seen, is_cut):
    predicted = np.array([[100, 50, 120, 110]], np.float32)
    cut = occlusion.cut_short(predicted, np.array([seen], np.float32), np.array([60.0]))
    assert cut.tolist() == [is_cut]
