"""Squares in boxes, against slower ways to the same, worked out on a whole frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import masks as mask_ops
from edge.segment.letterbox import cornered, stretched
from edge.segment.pasted import masks_at, masks_of
from edge.segment.planes import LOGITS


def whole_frame(square, box, frame_hw):
    """As the zoo's README describes it: whole pixels, resize, threshold, cut at the frame."""
    x1, y1, x2, y2 = (int(v) for v in box)
    pasted = np.zeros((300, 300), np.uint8)  # the frame with a border of 100 around it
    part = cv2.resize(square, (x2 - x1 + 1, y2 - y1 + 1)) > 0.5
    pasted[100 + y1 : 101 + y2, 100 + x1 : 101 + x2] = part
    return pasted[100 : 100 + frame_hw[0], 100 : 100 + frame_hw[1]]


sides = st.tuples(st.floats(-20, 70), st.floats(0.5, 60))


@settings(max_examples=80)
@given(sides, sides, st.integers(0, 99))
def test_a_square_is_stretched_over_its_box(across, down, seed):
    square = np.random.default_rng(seed).random((28, 28)).astype(np.float32)
    (x, w), (y, h) = across, down
    box = np.array([[x, y, x + w, y + h]], np.float32)
    masks, filled, broken = masks_of(square[None], box, stretched((50, 60), (50, 60)))
    expected = whole_frame(square, box[0], (50, 60))
    assert bool(filled) == bool(expected.any())
    assert broken == 0
    if filled:
        assert np.array_equal(mask_ops.unpacked(masks)[0], expected)
        assert masks.windows.tolist() == mask_ops.extents(masks).tolist()


def between_centres(square, box, frame_hw):
    """Each pixel at its centre, between the four cells around it, cells outside being 0."""
    x1, y1, x2, y2 = box
    cells = np.pad(square.astype(np.float64), 2)
    h, w = square.shape
    down = (np.arange(frame_hw[0]) + 0.5 - y1) / (y2 - y1) * h - 0.5
    across = (np.arange(frame_hw[1]) + 0.5 - x1) / (x2 - x1) * w - 0.5
    y, x = np.clip(down, -2, h + 0.999)[:, None] + 2, np.clip(across, -2, w + 0.999)[None] + 2
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    fine = 0.0
    for i in (0, 1):
        for j in (0, 1):
            share = abs(1 - i - (y - top)) * abs(1 - j - (x - left))
            fine = fine + share * cells[np.minimum(top + i, h + 3), np.minimum(left + j, w + 3)]
    return fine


@settings(max_examples=80)
@given(sides, sides, st.integers(0, 99))
def test_a_square_covers_its_box_to_parts_of_pixels(across, down, seed):
    square = np.random.default_rng(seed).random((28, 28)).astype(np.float32)
    (x, w), (y, h) = across, down
    box = np.array([[x, y, x + w, y + h]], np.float32)
    masks, filled, broken = masks_at(square[None], box, stretched((50, 60), (50, 60)))
    fine = between_centres(square, box[0].astype(float), (50, 60))
    ours = mask_ops.unpacked(masks)[0] if filled else np.zeros((50, 60), np.uint8)
    is_clear = np.abs(fine - 0.5) > 1e-3
    np.testing.assert_array_equal(ours[is_clear], (fine > 0.5)[is_clear])
    assert broken == 0
    assert not filled or masks.windows.tolist() == mask_ops.extents(masks).tolist()


def test_boxes_are_pixels_of_the_input():
    ones = np.ones((1, 28, 28), np.float32)
    box = np.array([[20, 20, 39, 29]], np.float32)
    masks, _, _ = masks_of(ones, box, cornered((50, 100), (128, 200)))  # twice as large
    assert masks.windows.tolist() == [[10, 10, 20, 15]]


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_values_that_cannot_be_are_dropped_and_counted(value):
    squares = np.ones((3, 28, 28), np.float32)
    squares[1, 3, 3] = value
    boxes = np.array([[1, 1, 9, 9], [1, 1, 9, 9], [1, 1, 1e5, 1e5]], np.float32)
    masks, filled, broken = masks_of(squares, boxes, stretched((20, 20), (20, 20)))
    assert (len(masks), filled, broken) == (1, [0], 2)


def test_logits_and_half_precision():
    squares = np.full((2, 14, 14), -3, np.float16)
    squares[1] = 3
    boxes = np.array([[1, 1, 8, 8]] * 2, np.float32)
    masks, filled, _ = masks_of(squares, boxes, stretched((20, 20), (20, 20)), LOGITS)
    assert filled == [1]
    assert masks.windows.tolist() == [[1, 1, 9, 9]]
