"""Matching of instances, and overlap of masks against slow definitions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.evaluate.coco import Labels, Results
from edge.evaluate.matching import boundary_iou, matches, overlap, rim
from edge.masks import empty, from_crops, packed

dense = arrays.arrays(np.uint8, (18, 25), elements=st.integers(0, 1))


def labels(boxes, class_ids=None, crowd=None):
    n = len(boxes)
    return Labels(
        np.array(boxes, np.float32).reshape(n, 4),
        np.array(class_ids or [1] * n, np.int64),
        np.ones(n),
        np.array(crowd or [False] * n, bool),
    )


def results(boxes, scores, class_ids=None):
    n = len(boxes)
    return Results(
        np.array(boxes, np.float32).reshape(n, 4),
        np.array(class_ids or [1] * n, np.int64),
        np.array(scores, np.float64),
    )


def test_the_better_score_takes_the_label():
    truth = labels([(0, 0, 10, 10)])
    found = results([(0, 0, 10, 9), (0, 0, 10, 10)], [0.9, 0.8])
    matched = matches(truth, found)
    assert matched.pairs.tolist() == [[0, 0]]
    assert matched.box_iou.round(6).tolist() == [0.9]
    assert (matched.missed.tolist(), matched.spurious.tolist()) == ([], [1])


def test_score_iou_and_class_must_be_above_their_limits():
    truth = labels([(0, 0, 10, 10)])
    assert len(matches(truth, results([(0, 0, 10, 10)], [0.3])).pairs) == 0
    assert len(matches(truth, results([(0, 0, 10, 5)], [0.9])).pairs) == 0
    assert len(matches(truth, results([(0, 0, 10, 10)], [0.9], [2])).pairs) == 0


def test_empty_pictures():
    nothing = matches(labels([]), results([], []))
    assert (nothing.pairs.shape, nothing.missed.shape, nothing.spurious.shape) == (
        (0, 2),
        (0,),
        (0,),
    )
    assert matches(labels([]), results([(0, 0, 1, 1)], [0.9])).spurious.tolist() == [0]
    assert matches(labels([(0, 0, 1, 1)]), results([], [])).missed.tolist() == [0]


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_matching_is_one_to_one_and_complete(data):
    corner = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2)
    drawn = [data.draw(st.lists(corner, max_size=6)) for _ in range(2)]
    a, b = ([(x, y, x + w, y + h) for x, y, w, h in boxes] for boxes in drawn)
    scores = data.draw(st.lists(st.floats(0, 1), min_size=len(b), max_size=len(b)))
    matched = matches(labels(a), results(b, scores))
    rows, columns = matched.pairs[:, 0].tolist(), matched.pairs[:, 1].tolist()
    assert sorted(rows + matched.missed.tolist()) == list(range(len(a)))
    taking_part = [k for k, s in enumerate(scores) if s > 0.3]
    assert sorted(columns + matched.spurious.tolist()) == taking_part
    assert (matched.box_iou > 0.5).all()


def slow_rim(mask, width_px):
    padded = np.pad(mask, width_px)
    h, w = mask.shape
    core = np.ones_like(mask)
    for dy in range(2 * width_px + 1):
        for dx in range(2 * width_px + 1):
            core &= padded[dy : dy + h, dx : dx + w]
    return mask & ~core


@given(dense, st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_rim_is_what_erosion_takes_away(mask, width_px):
    assert (rim(mask, width_px) == slow_rim(mask, width_px)).all()


@given(dense, dense, st.sampled_from([0.02, 0.1]))
@settings(max_examples=30, deadline=None)
def test_overlap_on_windows_equals_full_frames(a, b, dilation):
    masks = packed(np.stack([a, b]))
    agreed = overlap(masks, 0, masks, 1)
    both, either = np.sum(a & b), np.sum(a | b)
    assert agreed.iou == both / max(either, 1)
    assert agreed.dice == 2 * both / max(a.sum() + b.sum(), 1)
    width_px = max(1, round(dilation * np.hypot(*a.shape)))
    rims = slow_rim(a, width_px), slow_rim(b, width_px)
    expected = np.sum(rims[0] & rims[1]) / max(np.sum(rims[0] | rims[1]), 1)
    assert boundary_iou(masks, 0, masks, 1, dilation) == expected


def test_frame_border_is_a_boundary_and_empty_masks_agree_in_nothing():
    whole = packed(np.ones((1, 30, 30), np.uint8))
    hole = np.ones((1, 30, 30), np.uint8)
    hole[0, 10:20, 10:20] = 0
    assert 0 < boundary_iou(whole, 0, packed(hole), 0) < 1
    nothing = from_crops(30, 30, [(5, 5, 5, 9)], [np.zeros((4, 0), np.uint8)])
    assert overlap(nothing, 0, nothing, 0).iou == boundary_iou(nothing, 0, whole, 0) == 0
    assert len(empty(3, 3)) == 0
