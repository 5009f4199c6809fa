from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import masks as mask_ops
from edge.sinks.gaps import Filled, Sighting, between, in_plain_view


def seen(box, media_s, score=0.9):
    """A whole rectangle on 100 x 200 pixels."""
    x1, y1, x2, y2 = box
    masks = mask_ops.from_crops(100, 200, [box], [np.ones((y2 - y1, x2 - x1), bool)])
    return Sighting(media_s, np.array(box, np.float32), score, masks, 0)


def test_half_way_in_time_is_half_way_in_place():
    before, after = seen((10, 20, 20, 60), 1.0, 0.8), seen((30, 20, 40, 60), 2.0, 0.6)
    filled = between(before, after, 1.5, track_id=7, class_id=2)
    assert (filled.track_id, filled.class_id, filled.score) == (7, 2, 0.6)
    assert filled.box.tolist() == [20, 20, 30, 60]
    assert mask_ops.extents(filled.masks).tolist() == [[20, 20, 30, 60]]


def test_the_shape_is_that_of_the_nearer_sighting_and_grows_with_the_box():
    wide = seen((50, 20, 70, 60), 2.0)
    wide.masks.crop(0)[:, :10] = 0  # only its right half
    before = seen((10, 20, 20, 60), 1.0)
    early, late = between(before, wide, 1.25, 1, 0), between(before, wide, 1.75, 1, 0)
    assert mask_ops.extents(early.masks)[0].tolist() == [20, 20, 32, 60]
    x1, _, x2, _ = mask_ops.extents(late.masks)[0].tolist()
    assert (x1, x2) == (49, 57)  # the right half of 40..57.5


def test_what_leaves_the_frame_is_cut_off():
    filled = between(seen((180, 10, 200, 50), 0.0), seen((150, 70, 170, 100), 1.0), 0.1, 1, 0)
    assert filled.masks.windows[0, 2] <= 200


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((50, 20, 60, 40), True),
        ((12, 20, 20, 60), False),
        ((18, 20, 20, 60), True),
        ((10, 48, 20, 60), True),
        ((10, 47, 20, 60), False),
    ],
)
def test_hidden_is_more_than_a_third_covered(other, expected):
    filled = between(seen((10, 20, 20, 60), 0.0), seen((10, 20, 20, 60), 1.0), 0.5, 1, 0)
    assert in_plain_view(filled, seen(other, 0.5).masks) is expected


def test_several_together_hide_it_and_an_empty_mask_is_never_seen():
    filled = between(seen((10, 20, 20, 60), 0.0), seen((10, 20, 20, 60), 1.0), 0.5, 1, 0)
    parts = mask_ops.joined(seen((10, 20, 20, 28), 0).masks, seen((10, 50, 20, 58), 0).masks)
    assert not in_plain_view(filled, parts)
    nothing = mask_ops.empty(100, 200)
    assert in_plain_view(filled, nothing)
    hollow = mask_ops.from_crops(100, 200, [(0, 0, 2, 2)], [np.zeros((2, 2), bool)])
    assert not in_plain_view(Filled(1, 0, filled.box, 1.0, hollow), nothing)


boxes = st.tuples(
    st.integers(0, 150), st.integers(0, 60), st.integers(2, 50), st.integers(2, 40)
).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))


@given(boxes, boxes, st.floats(0.01, 0.99))
def test_the_mask_fills_its_box(a, b, share):
    filled = between(seen(a, 0.0), seen(b, 1.0), share, 1, 0)
    assert np.abs(mask_ops.extents(filled.masks)[0] - filled.box).max() <= 0.51
