from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import boxes, numbers

from edge import boxes as box_ops


def naive_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


@given(boxes(), boxes())
def test_iou_equals_its_definition(a, b):
    iou = box_ops.iou_matrix(a, b)
    expected = [[naive_iou(p, q) for q in b.tolist()] for p in a.tolist()]
    np.testing.assert_allclose(iou, np.array(expected).reshape(iou.shape), atol=1e-5)
    np.testing.assert_array_equal(iou, box_ops.iou_matrix(b, a).T)


@given(boxes(is_sound=False), boxes(is_sound=False))
def test_overlaps_of_any_boxes_are_shares(a, b):
    matrix = box_ops.iou_matrix(a, b)
    assert matrix.shape == (len(a), len(b))
    assert matrix.dtype == np.float32
    assert ((matrix >= 0) & (matrix <= 1 + 1e-5)).all()


@given(boxes())
def test_every_sound_box_covers_itself(a):
    np.testing.assert_array_equal(np.diagonal(box_ops.iou_matrix(a, a)), 1)


def test_touching_boxes_share_nothing():
    a = np.array([[0, 0, 2, 2]], np.float32)
    b = np.array([[2, 0, 4, 2], [0, 2, 2, 4], [1, 1, 1, 1]], np.float32)
    assert box_ops.iou_matrix(a, b).tolist() == [[0, 0, 0]]


@given(boxes(), numbers(0, 2))
def test_grown_boxes_keep_their_centre(a, share):
    grown = box_ops.grown(a, share)
    np.testing.assert_allclose(grown[:, :2] + grown[:, 2:], a[:, :2] + a[:, 2:], atol=1e-3)
    np.testing.assert_allclose(
        grown[:, 2:] - grown[:, :2], (a[:, 2:] - a[:, :2]) * (1 + 2 * share), atol=1e-3
    )


def naive_suppressed(boxes, scores, class_ids, max_iou, most):
    left = sorted(range(len(boxes)), key=lambda k: (-scores[k], k))
    iou = box_ops.iou_matrix(boxes, boxes)
    kept = []
    while left and len(kept) < most:
        best = left.pop(0)
        kept.append(best)
        left = [k for k in left if class_ids[k] != class_ids[best] or not iou[best, k] > max_iou]
    return kept


@given(st.data(), boxes(largest=20, is_sound=False), numbers(0, 1), st.integers(1, 7))
def test_suppression_equals_the_naive_one(data, drawn, max_iou, most):
    n = len(drawn)
    scores = np.array(data.draw(st.lists(numbers(0, 1), min_size=n, max_size=n)), np.float32)
    class_ids = np.array(data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), np.int32)
    kept = box_ops.suppressed(drawn, scores, class_ids, max_iou, most)
    assert kept.dtype == np.int64
    assert kept.tolist() == naive_suppressed(drawn, scores, class_ids, max_iou, most)


@pytest.mark.parametrize("at_once", [1, 3, 50, 128])
@pytest.mark.parametrize("most", [5, 60, 1000])
def test_a_crowd_is_suppressed_in_parts_as_at_once(monkeypatch, at_once, most):
    monkeypatch.setattr(box_ops, "_AT_ONCE", at_once)
    rng = np.random.default_rng(most)
    corners = rng.uniform(0, 60, (300, 2))
    crowd = np.concatenate([corners, corners + rng.uniform(5, 20, (300, 2))], 1).astype(np.float32)
    scores = (rng.integers(0, 40, 300) / 40).astype(np.float32)  # with ties
    class_ids = rng.integers(0, 2, 300).astype(np.int32)
    kept = box_ops.suppressed(crowd, scores, class_ids, 0.3, most)
    assert kept.tolist() == naive_suppressed(crowd, scores, class_ids, 0.3, most)


@given(boxes(is_sound=False), boxes(is_sound=False))
def test_paired_iou_is_the_diagonal(a, b):
    n = min(len(a), len(b))
    paired = box_ops.paired_iou(a[:n], b[:n])
    np.testing.assert_array_equal(paired, np.diagonal(box_ops.iou_matrix(a[:n], b[:n])))
    assert paired.dtype == np.float32
