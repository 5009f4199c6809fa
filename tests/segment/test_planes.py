"""Masks from planes against the slow definition: interpolate the whole frame, then compare."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import masks as mask_ops
from edge.segment.letterbox import cornered, inner, letterbox, stretched
from edge.segment.planes import LOGITS, PROBABILITIES, masks_of

places = st.sampled_from([letterbox, cornered, stretched])
sizes = st.tuples(st.integers(2, 60), st.integers(2, 60))


def slow(plane, box, threshold=0.0):
    """The whole frame, pixel by pixel."""
    values = np.zeros(box.frame_hw)
    ends = []
    for k, (start, scale) in enumerate(((box.top, box.scale_y), (box.left, box.scale_x))):
        share = plane.shape[k] / box.input_hw[k]
        at = ((np.arange(box.frame_hw[k]) + 0.5) * scale + start) * share - 0.5
        low = int(start * share)
        high = min(plane.shape[k], max(low + 1, int(np.ceil((start + inner(box)[k]) * share))))
        at = np.clip(at, low, high - 1)
        first = np.floor(at).astype(int)
        ends.append((first, np.minimum(first + 1, high - 1), at - first))
    (y, y2, b), (x, x2, a) = ends
    b = b[:, None]
    top = plane[np.ix_(y, x)] * (1 - a) + plane[np.ix_(y, x2)] * a
    bottom = plane[np.ix_(y2, x)] * (1 - a) + plane[np.ix_(y2, x2)] * a
    values = top * (1 - b) + bottom * b
    return np.where(np.abs(values - threshold) < 1e-4, np.nan, values > threshold)  # NaN: either


def agree(mask, expected):
    sure = ~np.isnan(expected)
    return np.array_equal(mask[sure], expected[sure] > 0)


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)),
               elements=st.floats(-5, 5, width=16)),
    places, sizes, sizes,
)  # fmt: skip
def test_any_plane_gives_what_the_definition_gives(plane, place, frame_hw, input_hw):
    box = place(frame_hw, input_hw)
    masks, filled, broken = masks_of(plane[None], [0], LOGITS, box)
    expected = slow(plane.astype(np.float64), box)
    dense = mask_ops.unpacked(masks)
    assert agree(dense[0] if filled else np.zeros(frame_hw), expected)
    assert broken == 0
    if filled:  # the window is tight
        assert masks.windows.tolist() == mask_ops.extents(masks).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_threshold_of_probabilities(dtype):
    # From 0 in cell 0 to 1 in cell 1: .5 in the middle of 8 pixels.
    plane = np.array([[[0, 1]]], dtype)
    masks, filled, _ = masks_of(plane, [0], PROBABILITIES, stretched((2, 8), (4, 4)))
    assert filled == [0]
    assert masks.windows.tolist() == [[4, 0, 8, 2]]
    assert masks.crop(0).all()


def test_nothing_is_set_outside_the_crops():
    planes = np.ones((3, 4, 4), np.float32)
    crops = np.array([[2, 1, 5, 3], [4, 4, 4, 8], [0, 0, 8, 8]], np.int32)
    masks, filled, broken = masks_of(planes, [2, 1, 0], LOGITS, stretched((8, 8), (8, 8)), crops)
    assert (filled, broken) == ([0, 2], 0)
    assert masks.windows.tolist() == [[2, 1, 5, 3], [0, 0, 8, 8]]


def test_planes_as_large_as_the_frame_are_taken_as_they_are():
    plane = np.zeros((1, 6, 8), np.float32)
    plane[0, 2, 3] = plane[0, 4, 5] = 0.9
    masks, _, _ = masks_of(plane, [0], PROBABILITIES, stretched((6, 8), (6, 8)))
    assert masks.windows.tolist() == [[3, 2, 6, 5]]
    assert masks.crop(0).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


def test_empty_planes_are_no_masks():
    planes = np.full((2, 5, 5), -1, np.float32)
    masks, filled, broken = masks_of(planes, [0, 1], LOGITS, stretched((10, 10), (20, 20)))
    assert (len(masks), filled, broken) == (0, [], 0)


@pytest.mark.parametrize(
    ("value", "level"),
    [(np.nan, LOGITS), (np.inf, LOGITS), (1e9, LOGITS), (np.nan, PROBABILITIES),
     (3.0, PROBABILITIES)],
)  # fmt: skip
def test_values_that_cannot_be_are_dropped_and_counted(value, level):
    planes = np.full((3, 5, 5), 0.9, np.float32)
    planes[1, 2, 2] = value
    planes[2] = value
    masks, filled, broken = masks_of(planes, [0, 1, 2], level, stretched((10, 10), (20, 20)))
    assert (len(masks), filled, broken) == (1, [0], 2)
