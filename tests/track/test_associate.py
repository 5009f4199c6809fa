from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import boxes, dense_masks

from edge import boxes as box_ops
from edge.masks import packed
from edge.track import associate

sizes = st.integers(0, 4)


@given(boxes(), boxes())
def test_similarity_is_the_product_of_two_overlaps(a, b):
    similarity = associate.box_similarity(a, b)
    np.testing.assert_allclose(
        similarity, box_ops.iou_matrix(a, b) * box_ops.height_iou_matrix(a, b), atol=1e-6
    )
    assert ((similarity >= 0) & (similarity <= 1 + 1e-5)).all()


@given(hnp.arrays(bool, st.tuples(sizes, sizes)))
def test_ambiguous_pairs_have_a_rival(eligible):
    expected = np.zeros_like(eligible)
    for i, j in np.argwhere(eligible):
        expected[i, j] = eligible[i].sum() > 1 or eligible[:, j].sum() > 1
    np.testing.assert_array_equal(associate.ambiguous(eligible), expected)


def best_by_trial(similarity, eligible):
    """(pairs, total similarity) of the best assignment: as many pairs as pay, then the best."""
    m, n = similarity.shape
    best = 0.0
    for columns in permutations(list(range(n)) + [-1] * m, m):
        pairs = [(i, j) for i, j in enumerate(columns) if j >= 0]
        if all(eligible[i, j] for i, j in pairs):
            best = max(best, sum(similarity[i, j] + 1e-3 for i, j in pairs))
    return best


@given(st.data(), st.integers(1, 3), st.integers(1, 3))
def test_the_assignment_is_the_best_of_all(data, m, n):
    similarity = data.draw(hnp.arrays(np.float64, (m, n), elements=st.integers(0, 8))) / 8
    eligible = data.draw(hnp.arrays(bool, (m, n)))
    pairs = associate.assigned(similarity, eligible)
    assert all(eligible[i, j] for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    total = sum(similarity[i, j] + 1e-3 for i, j in pairs)
    assert total == pytest.approx(best_by_trial(similarity, eligible))


@given(st.tuples(sizes, sizes))
def test_without_eligible_pairs_nothing_is_assigned(shape):
    assert associate.assigned(np.ones(shape), np.zeros(shape, bool)) == []


@given(st.data(), dense_masks(st.just(2), st.just(9), st.just(9)))
def test_moved_iou_equals_that_of_a_moved_picture(data, dense):
    x, y = data.draw(st.tuples(*[st.integers(-4, 4)] * 2))
    wide = np.zeros((1, 19, 19), bool)
    wide[0, 5 : 5 + 9, 5 : 5 + 9] = dense[0]
    other = np.zeros((1, 19, 19), bool)
    other[0, 5 : 5 + 9, 5 : 5 + 9] = dense[1]
    moved = np.roll(wide, (y, x), (1, 2))  # the margin is wide enough: nothing wraps
    iou = associate.moved_mask_iou(
        packed(wide), np.array([[x, y]]), packed(other), np.ones((1, 1), bool)
    )
    union = (moved | other).sum()
    assert iou[0, 0] == pytest.approx((moved & other).sum() / max(union, 1), abs=1e-6)


def test_pairs_not_asked_for_cost_and_give_nothing():
    masks = packed(np.ones((2, 3, 3), bool))
    pairs = np.array([[True, False], [False, False]])
    iou = associate.moved_mask_iou(masks, np.zeros((2, 2), np.int64), masks, pairs)
    assert iou.tolist() == [[1, 0], [0, 0]]


@given(st.floats(0, 5), st.floats(0, 5))
def test_the_rescue_buffer_never_shrinks_with_the_interval(a, b):
    low, high = sorted([a, b])
    assert 0 <= associate.rescue_buffer(low) <= associate.rescue_buffer(high)
    assert associate.rescue_buffer(1 / 30) == 0
