"""Masks from prototypes, against interpolation written out for whole frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import masks as mask_ops
from edge.segment import prototypes as module
from edge.segment.letterbox import inner, letterbox
from edge.segment.prototypes import masks_of, shares_of


def written_out(logits, frame_boxes, box):
    """Each mask on the whole frame: made as fine as the input, cut, made as large as the frame."""
    h, w = box.frame_hw
    inner_h, inner_w = inner(box)
    masks = []
    for sums, corners in zip(logits, frame_boxes, strict=True):
        fine = cv2.resize(sums, box.input_hw[::-1], interpolation=cv2.INTER_LINEAR)
        cut = fine[box.top : box.top + inner_h, box.left : box.left + inner_w]
        mask = cv2.resize(cut, (w, h), interpolation=cv2.INTER_LINEAR) > 0
        x1, y1, x2, y2 = np.ceil(corners).astype(int)
        inside = np.zeros((h, w), bool)
        inside[y1:y2, x1:x2] = True
        masks.append(mask & inside)
    return np.array(masks)


def drawn(seed, frame_hw, n=6, k=3, cells=16):
    rng = np.random.default_rng(seed)
    prototypes = cv2.GaussianBlur(rng.normal(size=(cells, cells, k)), (0, 0), 1.5)
    prototypes = np.ascontiguousarray(prototypes.transpose(2, 0, 1)).astype(np.float32)
    coefficients = rng.normal(size=(n, k)).astype(np.float32)
    h, w = frame_hw
    ends = np.sort(rng.uniform(0, 1, (n, 2, 2)), 1).reshape(n, 4) * [w, h, w, h]
    return coefficients, prototypes, ends.astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from([(54, 126), (126, 54), (81, 256), (37, 31)]))
def test_masks_are_those_of_whole_frames(seed, frame_hw):
    box = letterbox(frame_hw, (64, 64))  # whose padding ends within a cell
    coefficients, prototypes, boxes = drawn(seed, frame_hw)
    masks, index, broken = masks_of(coefficients, prototypes, boxes, box)
    logits = np.tensordot(coefficients, prototypes, 1)
    expected = written_out(logits, boxes, box)
    assert index.tolist() == np.flatnonzero(expected.any((1, 2))).tolist()
    assert broken == 0
    # Cells made twice as fine, and then finer still, are not those made fine at once: where
    # the padding allows it, one step is enough.
    steps = 1 if box.top % 2 or box.left % 2 or any(side % 2 for side in inner(box)) else 0.95
    dense = mask_ops.unpacked(masks) > 0
    both = (dense & expected[index]).sum()
    assert both >= (steps - 1e-3) * (dense | expected[index]).sum() - 3


def test_a_wide_mask_is_the_same_in_strips_and_in_one_product(monkeypatch):
    box = letterbox((300, 500), (64, 64))
    coefficients, prototypes, _ = drawn(3, (300, 500), n=1)
    whole = np.array([[0.4, 0, 500, 300]], np.float32)
    seen = []
    for widest in (1, 3, 100):
        monkeypatch.setattr(module, "WIDEST_CELLS", widest)
        masks, _, _ = masks_of(coefficients, prototypes, whole, box)
        assert masks.windows.tolist() == [[1, 0, 500, 300]]
        seen.append(masks.pixels)
    np.testing.assert_array_equal(seen[0], seen[2])
    np.testing.assert_array_equal(seen[1], seen[2])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("widest", [1, 100])
def test_prototypes_that_are_no_numbers_are_counted_where_they_matter(monkeypatch, dtype, widest):
    monkeypatch.setattr(module, "WIDEST_CELLS", widest)
    prototypes = np.ones((1, 16, 16), dtype)
    prototypes[0, 3, 4] = np.nan
    prototypes[0, 12, 12] = np.inf
    boxes = [[0, 0, 60, 60], [64, 0, 128, 64], [0, 40, 128, 64], [90, 90, 110, 110], [5, 5, 5, 9]]
    box = letterbox((128, 128), (64, 64))
    coefficients = np.array([[1], [1], [-1], [-1], [1]], np.float32)
    masks, index, broken = masks_of(coefficients, prototypes, np.array(boxes, np.float32), box)
    assert index.tolist() == [1]
    assert mask_ops.area(masks).tolist() == [64 * 64]
    assert broken == 2


def test_pixels_at_the_border_are_made_of_no_padding():
    # Cells of padding, above and below, say no; those of the picture yes: so do all its pixels.
    prototypes = np.full((1, 16, 16), -9, np.float32)
    box = letterbox((72, 144), (64, 64))  # 16 rows of padding: 4 cells
    prototypes[0, 4:12] = 0.1
    whole = np.array([[0, 0, 144, 72]], np.float32)
    masks, _, _ = masks_of(np.ones((1, 1), np.float32), prototypes, whole, box)
    assert mask_ops.area(masks).tolist() == [144 * 72]


@given(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
@settings(max_examples=60, deadline=None)
def test_shares_of_any_geometry_add_up(frame_hw, cells_hw):
    box = letterbox(frame_hw, (96, 64))
    for side, shares in enumerate(shares_of(box, cells_hw)):
        assert shares.matrix.shape == (frame_hw[side], cells_hw[side])
        np.testing.assert_allclose(shares.matrix.sum(1), 1, atol=1e-5)
        assert (np.diff(shares.first) >= 0).all()
        assert (np.diff(shares.last) >= 0).all()
        assert (shares.first < shares.last).all()
        for at, row in enumerate(shares.matrix):
            assert not row[: shares.first[at]].any()
            assert not row[shares.last[at] :].any()
