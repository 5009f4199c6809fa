from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rectangles

from edge.track import occlusion

windows = st.tuples(
    st.integers(0, 250), st.integers(0, 180), st.integers(1, 60), st.integers(1, 60)
).map(lambda w: (w[0], w[1], w[0] + w[2], w[1] + w[3]))


def test_who_stands_lower_is_in_front_and_hides_feet():
    behind, front, apart = (100, 50, 130, 120), (90, 90, 150, 200), (250, 60, 280, 130)
    # What is visible of the one behind ends where the other begins.
    scene = occlusion.scene(rectangles([(100, 50, 130, 90), front, apart]))
    assert scene.front.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert scene.hidden_foot.tolist() == [True, False, False]
    beside = occlusion.scene(rectangles([behind, (140, 60, 170, 130)]))
    assert not beside.front.any()
    assert not beside.hidden_foot.any()


def test_a_neighbour_under_less_than_half_hides_no_foot():
    scene = occlusion.scene(rectangles([(100, 50, 130, 90), (122, 90, 180, 200)]))
    assert not scene.hidden_foot.any()


def test_the_border_is_seen():
    scene = occlusion.scene(
        rectangles([(0, 50, 20, 90), (300, 50, 320, 90), (50, 0, 70, 40), (50, 200, 70, 240),
                    (100, 100, 120, 140)])
    )  # fmt: skip
    assert scene.border.tolist() == [True, True, True, True, False]
    assert scene.hidden_foot.tolist() == [False, False, False, True, False]


@given(st.lists(windows, max_size=6))
def test_depth_is_an_order(drawn):
    instances = rectangles(drawn)
    scene = occlusion.scene(instances)
    assert not (scene.front & scene.front.T).any()
    assert not np.diagonal(scene.front).any()
    assert scene.areas.tolist() == [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in drawn]
    np.testing.assert_array_equal(scene.extents, instances.masks.windows)


@given(st.lists(windows, max_size=6))
def test_the_best_instance_is_never_a_duplicate(drawn):
    doubled = occlusion.duplicates(rectangles(drawn), np.zeros(len(drawn), np.int32))
    assert doubled.shape == (len(drawn),)
    assert not doubled[:1].any()
    apart = occlusion.duplicates(rectangles(drawn), np.arange(len(drawn), dtype=np.int32))
    assert not apart.any()  # each in a group of its own


def test_one_object_seen_twice_and_a_child_in_front_of_an_adult():
    adult = (100, 40, 140, 160)
    again, child = (102, 42, 141, 161), (110, 110, 130, 160)
    instances = rectangles([adult, again, child])
    doubled = occlusion.duplicates(instances, np.zeros(3, np.int32))
    assert doubled.tolist() == [False, True, False]


def test_a_duplicate_of_a_duplicate_is_judged_by_those_that_stay():
    chain = [(100, 100, 140, 140), (100, 108, 140, 148), (100, 118, 140, 158)]
    doubled = occlusion.duplicates(rectangles(chain), np.zeros(3, np.int32))
    assert doubled.tolist() == [False, True, False]


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
