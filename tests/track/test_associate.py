from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import boxes, numbers

from edge import boxes as box_ops
from edge.track import associate
from edge.track.associate import Pairs

sizes = st.integers(0, 4)


def pairs_of(candidates, similarity=None) -> Pairs:
    """The True places of a matrix."""
    rows, columns = np.nonzero(candidates)
    value = np.ones(len(rows)) if similarity is None else similarity[rows, columns]
    return Pairs(rows, columns, value.astype(np.float64))


@given(boxes(), boxes(), numbers(0, 1))
def test_overlapping_boxes_are_those_of_the_matrix(a, b, at_least):
    pairs = associate.overlapping(a, b, at_least)
    iou = box_ops.iou_matrix(a, b)
    found = np.zeros(iou.shape, bool)
    found[pairs.rows, pairs.columns] = True
    assert np.count_nonzero(found) == len(pairs.rows)  # each once
    assert found[iou > at_least + 1e-5].all()
    assert not found[(iou < at_least - 1e-5) | (iou == 0)].any()
    np.testing.assert_allclose(pairs.similarity, iou[pairs.rows, pairs.columns], atol=1e-6)


def test_boxes_that_touch_do_not_overlap():
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[10, 0, 20, 10], [5, 0, 15, 10], [0, 10, 10, 20]], np.float32)
    pairs = associate.overlapping(a, b, 0.0)
    assert (pairs.rows.tolist(), pairs.columns.tolist()) == ([0], [1])


@given(boxes(), boxes(), numbers(0, 1))
def test_similarity_is_the_product_of_two_overlaps(a, b, share):
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    similarity = associate.box_similarity(a, b, share)
    one, other = box_ops.grown(a, share), box_ops.grown(b, share)
    expected = np.diagonal(box_ops.iou_matrix(one, other)) * associate.height_iou(one, other)
    np.testing.assert_allclose(similarity, expected, atol=1e-5)
    assert ((similarity >= 0) & (similarity <= 1 + 1e-5)).all()


@given(boxes(is_sound=False), boxes(is_sound=False))
def test_height_iou_is_that_of_the_vertical_extents(a, b):
    n = min(len(a), len(b))
    ratio = associate.height_iou(a[:n], b[:n])
    assert ratio.dtype == np.float64
    for value, (_, top, _, low), (_, other_top, _, other_low) in zip(ratio, a, b, strict=False):
        shared = max(min(low, other_low) - max(top, other_top), 0.0)
        union = max(low, other_low) - min(top, other_top)
        assert value == pytest.approx(shared / union if shared else 0.0)
        assert 0 <= value <= 1


@given(boxes())
def test_a_box_is_as_high_as_itself(a):
    np.testing.assert_array_equal(associate.height_iou(a, a), 1)


def test_grown_boxes_meet_over_a_gap():
    a = np.array([[0, 0, 10, 20]], np.float32)
    b = np.array([[12, 0, 22, 20]], np.float32)
    assert associate.box_similarity(a, b, 0.0).tolist() == [0]
    assert associate.box_similarity(a, b, 0.3)[0] > 0


@given(hnp.arrays(bool, st.tuples(sizes, sizes)))
def test_contested_pairs_have_a_rival(candidates):
    pairs = pairs_of(candidates)
    expected = [
        candidates[i].sum() > 1 or candidates[:, j].sum() > 1
        for i, j in zip(pairs.rows, pairs.columns, strict=True)
    ]
    assert associate.contested(pairs.rows, pairs.columns).tolist() == expected


def best_by_trial(similarity, candidates):
    """Largest total of all assignments, each pair worth a little more than its similarity."""
    m, n = similarity.shape
    best = 0.0
    for columns in permutations(list(range(n)) + [-1] * m, m):
        pairs = [(i, j) for i, j in enumerate(columns) if j >= 0]
        if all(candidates[i, j] for i, j in pairs):
            best = max(best, sum(max(similarity[i, j], 0) + 1e-3 for i, j in pairs))
    return best


@given(st.data(), st.integers(1, 3), st.integers(1, 4))
def test_the_assignment_is_the_best_of_all(data, m, n):
    drawn = hnp.arrays(np.float64, (m, n), elements=st.integers(-2, 8))
    similarity = data.draw(drawn) / 8  # a lost track's penalty may make it negative
    candidates = data.draw(hnp.arrays(bool, (m, n)))
    rows, columns = associate.assigned(pairs_of(candidates, similarity))
    assert candidates[rows, columns].all()
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)
    total = sum(max(s, 0) + 1e-3 for s in similarity[rows, columns])
    assert total == pytest.approx(best_by_trial(similarity, candidates))


def test_without_pairs_nothing_is_assigned():
    rows, columns = associate.assigned(associate.NO_PAIRS)
    assert (len(rows), len(columns)) == (0, 0)


def test_chosen_pairs_keep_their_similarity():
    pairs = Pairs(np.array([0, 1, 2]), np.array([5, 6, 7]), np.array([0.1, 0.2, 0.3]))
    some = pairs.where(np.array([True, False, True]))
    assert some.rows.tolist() == [0, 2]
    assert some.columns.tolist() == [5, 7]
    assert some.similarity.tolist() == [0.1, 0.3]


STANDING = np.array([[110.0, 90.0, 20.0, 60.0]])  # centre and size: (100, 60) to (120, 120)


@pytest.mark.parametrize(
    ("seen", "similarity"),
    [
        ((100, 60, 120, 120), 1.0),
        ((125, 60, 145, 120), 0.5),  # half of the reach away
        ((150, 60, 170, 120), None),  # at its end
        ((100, 70, 120, 110), None),  # two thirds as tall: a child
        ((100, 15, 120, 120), None),  # much taller
        ((100, 82, 120, 142), None),  # on another level, though as tall and near
        ((100, 78, 120, 138), 0.64),
    ],
)
def test_who_is_within_reach(seen, similarity):
    pairs = associate.within_reach(
        STANDING, np.array([60.0]), np.array([50.0]), np.array([seen], np.float32)
    )
    assert pairs.similarity.tolist() == ([] if similarity is None else [pytest.approx(similarity)])


@given(boxes(), boxes())
def test_nobody_is_within_no_reach(a, b):
    centre = np.concatenate([(a[:, :2] + a[:, 2:]) / 2, a[:, 2:] - a[:, :2]], 1)
    expected = (centre + np.array([0.5, 0, 0, 0])).astype(np.float64)
    tall = expected[:, 3]
    for reach_px in (0.0, 1000.0):
        pairs = associate.within_reach(expected, tall, np.full(len(a), reach_px), b)
        assert ((pairs.similarity > 0) & (pairs.similarity <= 1)).all()
        ratio = (b[:, 3] - b[:, 1])[pairs.columns] / tall[pairs.rows]
        assert ((ratio < 1.4) & (ratio > 1 / 1.4)).all()
        assert reach_px or not len(pairs.rows) or (b[pairs.columns, 0] != a[pairs.rows, 0]).all()


@given(st.floats(0, 5), st.floats(0, 5))
def test_the_rescue_buffer_never_shrinks_with_the_interval(a, b):
    low, high = sorted([a, b])
    assert 0 <= associate.rescue_buffer(low) <= associate.rescue_buffer(high)
    assert associate.rescue_buffer(1 / 30) == 0
