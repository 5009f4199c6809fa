"""Merges, splits and confusion by hand-made cases, and what perfect predictions never have."""

import numpy as np
from hypothesis import given
from strategies import dense_masks

from edge.evaluate import confusion
from edge.evaluate.coco import Labels, Results
from edge.evaluate.neighbours import merges, splits
from edge.masks import empty, iou_matrix, packed

H, W = 30, 60


def masks(*boxes):
    dense = np.zeros((len(boxes), H, W), np.uint8)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        dense[k, y1:y2, x1:x2] = 1
    return packed(dense)


A, B, C = (0, 0, 10, 30), (10, 0, 20, 30), (40, 0, 50, 30)
BOTH = (0, 0, 20, 30)


def test_one_prediction_over_two_is_a_merge():
    assert merges(masks(A, B, C), masks(BOTH, C)) == {0: [0, 1]}
    assert merges(masks(A, B), masks(A, B, BOTH)) == {2: [0, 1]}  # found apart as well


def test_more_than_half_of_each_must_be_covered():
    assert merges(masks(A, B), masks((0, 0, 15, 30))) == {}
    assert merges(masks(A, B), masks((0, 0, 16, 30))) == {0: [0, 1]}


def test_somebody_inside_somebody_else_is_no_merge():
    child = (3, 15, 8, 30)
    assert merges(masks(A, child), masks(A, child)) == {}
    assert splits(masks(A, child), masks(A, child)) == {}


def test_parts_of_one_object_are_a_split():
    upper, lower = (0, 0, 10, 12), (0, 12, 10, 30)
    assert splits(masks(A, C), masks(upper, C, lower)) == {0: [2, 0]}


def test_duplicates_and_scraps_are_no_split():
    assert splits(masks(A), masks(A, A, (0, 0, 10, 29))) == {}
    assert splits(masks(A), masks((0, 0, 10, 5), (0, 10, 10, 15))) == {}  # a third of it
    assert splits(masks(A), masks((0, 0, 10, 20), (5, 20, 25, 30))) == {}  # mostly elsewhere


def test_nothing_to_merge_or_split():
    nothing = empty(H, W)
    assert merges(nothing, masks(A)) == merges(masks(A), nothing) == {}
    assert splits(nothing, masks(A)) == splits(masks(A), nothing) == {}


@given(dense_masks())
def test_truth_itself_never_merges_or_splits(dense):
    truth = packed(np.unique(dense, axis=0) if len(dense) else dense)
    assert merges(truth, truth) == {}
    assert splits(truth, truth) == {}


def counted(truth, truth_classes, found, found_classes, scores, crowd=None):
    n, m = len(truth), len(found)
    labels = Labels(
        truth.windows.astype(np.float32),
        np.array(truth_classes, np.int64),
        np.ones(n),
        np.array(crowd or [False] * n, bool),
    )
    results = Results(
        found.windows.astype(np.float32),
        np.array(found_classes, np.int64),
        np.array(scores, np.float64).reshape(m),
    )
    start = confusion.none(["person", "car"])
    iou = iou_matrix(truth, found).astype(np.float64)
    return confusion.added(start, labels, results, iou, [1, 3])


def test_confusion_counts_every_object_once():
    found = masks(A, (10, 0, 20, 25), (30, 0, 35, 5))
    c = counted(masks(A, B, C), [1, 3, 3], found, [1, 1, 3], [0.9, 0.8, 0.7])
    assert c.matrix.tolist() == [[1, 0], [1, 0]]  # the car B is taken for a person
    assert (c.missed.tolist(), c.false.tolist()) == ([0, 1], [0, 1])
    assert c.matrix.sum() + c.missed.sum() == 3
    assert c.matrix.sum() + c.false.sum() == 3


def test_confusion_leaves_crowds_alone():
    inside = (42, 2, 48, 20)
    c = counted(masks(A, C), [1, 1], masks(A, inside), [1, 1], [0.9, 0.8], [False, True])
    assert c.matrix.tolist() == [[1, 0], [0, 0]]
    assert (c.missed.sum(), c.false.sum()) == (0, 0)


def test_confusion_adds_up_over_pictures():
    first = counted(masks(A), [1], masks(A), [1], [0.9])
    nothing = Labels(
        np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool)
    )
    nobody = Results(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0))
    second = confusion.added(first, nothing, nobody, np.zeros((0, 0)), [1, 3])
    assert second.matrix.tolist() == first.matrix.tolist() == [[1, 0], [0, 0]]
