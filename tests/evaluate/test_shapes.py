"""Shapes of single masks: rectangles by hand, and bounds for any mask."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge.evaluate.shapes import convex, lobes, solidity, thin_share

dense = arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 16)] * 2), elements=st.integers(0, 1))


@given(dense)
def test_bounds(mask):
    assert (convex(mask) >= mask).all()
    assert 0 <= solidity(mask) <= 1
    assert 0 <= thin_share(mask) <= 1
    assert (lobes(mask) == 0) == (not mask.any())


@given(dense, st.integers(1, 5))
def test_thin_is_what_no_square_inside_the_mask_covers(mask, width_px):
    kept = np.zeros_like(mask)
    for y in range(mask.shape[0] - width_px + 1):
        for x in range(mask.shape[1] - width_px + 1):
            if mask[y : y + width_px, x : x + width_px].all():
                kept[y : y + width_px, x : x + width_px] = 1
    expected = 1 - kept.sum() / max(1, mask.sum()) if mask.any() else 0.0
    assert thin_share(mask, width_px) == pytest.approx(expected)


def disc(canvas, x, y, radius):
    cv2.circle(canvas, (x, y), radius, 1, -1)
    return canvas


def test_two_discs_have_two_lobes_until_they_lie_over_each_other():
    canvas = np.zeros((60, 140), np.uint8)
    assert lobes(disc(canvas.copy(), 40, 30, 20)) == 1
    assert lobes(disc(disc(canvas.copy(), 40, 30, 20), 100, 30, 20)) == 2
    assert lobes(disc(disc(canvas.copy(), 40, 30, 20), 77, 30, 20)) == 2  # joined by a neck
    assert lobes(disc(disc(canvas.copy(), 40, 30, 20), 50, 30, 20)) == 1


def test_legs_are_no_lobes():
    walker = np.zeros((100, 60), np.uint8)
    disc(walker, 30, 12, 9)
    walker[18:60, 17:43] = 1
    walker[60:98, 17:27] = walker[60:98, 33:43] = 1
    assert lobes(walker) == 1


def test_solidity_of_an_angle():
    angle = np.zeros((10, 10), np.uint8)
    angle[:, :2] = angle[8:] = 1
    assert 0.4 < solidity(angle) < 0.7
    assert solidity(np.zeros((3, 3), np.uint8)) == 0
