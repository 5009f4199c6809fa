from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import dense_masks, padded

from edge import masks as mask_ops
from edge.errors import ShapeError

SAME_SIZE = {"height": st.just(7), "width": st.just(9)}


@given(dense_masks())
def test_packing_loses_nothing(dense):
    masks = mask_ops.packed(dense)
    np.testing.assert_array_equal(mask_ops.unpacked(masks), dense)
    assert len(masks) == len(dense)
    assert int(masks.pixels.max(initial=0)) <= 1


@given(st.data(), dense_masks())
def test_windows_larger_than_needed_change_nothing(data, dense):
    tight, loose = mask_ops.packed(dense), data.draw(padded(dense))
    np.testing.assert_array_equal(mask_ops.unpacked(loose), dense)
    np.testing.assert_array_equal(mask_ops.area(loose), dense.sum((1, 2)))
    np.testing.assert_array_equal(mask_ops.extents(loose), mask_ops.extents(tight))
    np.testing.assert_array_equal(mask_ops.feet(loose), mask_ops.feet(tight))
    np.testing.assert_array_equal(mask_ops.instance_map(loose), mask_ops.instance_map(tight))
    np.testing.assert_array_equal(
        mask_ops.iou_matrix(loose, tight), mask_ops.iou_matrix(tight, tight)
    )


@given(st.data(), dense_masks(**SAME_SIZE), dense_masks(**SAME_SIZE))
def test_iou_equals_its_dense_definition(data, a, b):
    iou = mask_ops.iou_matrix(data.draw(padded(a)), data.draw(padded(b)))
    shared = np.array([[(p & q).sum() for q in b] for p in a]).reshape(len(a), len(b))
    union = np.array([[(p | q).sum() for q in b] for p in a]).reshape(len(a), len(b))
    np.testing.assert_array_equal(iou, (shared / np.maximum(union, 1)).astype(np.float32))
    assert iou.dtype == np.float32
    assert ((iou >= 0) & (iou <= 1)).all()
    np.testing.assert_array_equal(
        iou, mask_ops.iou_matrix(mask_ops.packed(b), mask_ops.packed(a)).T
    )


def test_iou_of_frames_of_two_sizes_is_refused():
    with pytest.raises(ShapeError, match="expected frames of one size, got 2 x 3 and 3 x 2"):
        mask_ops.iou_matrix(mask_ops.empty(2, 3), mask_ops.empty(3, 2))


@given(st.data(), dense_masks(st.just(2)), st.tuples(*[st.integers(-5, 5)] * 2))
def test_shifted_intersection_equals_a_shifted_picture(data, dense, shift):
    height, width = dense.shape[1:]
    canvas = np.zeros((3 * height + 30, 3 * width + 30), bool)
    top, left = height + 15 + shift[1], width + 15 + shift[0]
    canvas[top : top + height, left : left + width] = dense[0]
    moved = canvas[height + 15 : 2 * height + 15, width + 15 : 2 * width + 15]
    masks = data.draw(padded(dense))
    assert mask_ops.intersection(masks, 0, masks, 1, shift) == (moved & dense[1]).sum()


def test_a_shift_moves_the_first_mask_right_and_down():
    masks = mask_ops.packed(np.eye(2, dtype=bool)[:, None, :])  # one pixel each, side by side
    assert mask_ops.intersection(masks, 0, masks, 1) == 0
    assert mask_ops.intersection(masks, 0, masks, 1, (1, 0)) == 1
    assert mask_ops.intersection(masks, 0, masks, 1, (-1, 0)) == 0
    assert mask_ops.intersection(masks, 0, masks, 1, (1, 1)) == 0
    assert mask_ops.intersection(masks, 0, masks, 1, (1000, 0)) == 0


@given(dense_masks())
def test_extents_hold_exactly_what_is_set(dense):
    for mask, (x1, y1, x2, y2) in zip(
        dense, mask_ops.extents(mask_ops.packed(dense)).tolist(), strict=True
    ):
        ys, xs = np.nonzero(mask)
        expected = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(xs) else (0, 0, 0, 0)
        assert (x1, y1, x2, y2) == expected


def naive_feet(mask):
    """The foot by each choice of how many of the lowest rows decide."""
    ys, xs = np.nonzero(mask)
    lowest = [sorted(xs[ys > ys.max() - rows].tolist()) for rows in range(1, ys.max() + 2)]
    return [(low[(len(low) - 1) // 2] + 0.5, ys.max() + 1) for low in lowest]


@given(dense_masks(height=st.integers(1, 45)))
def test_feet_equal_a_naive_definition(dense):
    feet = mask_ops.feet(mask_ops.packed(dense))
    assert feet.dtype == np.float32
    for mask, foot in zip(dense, feet.tolist(), strict=True):
        if mask.any():
            assert tuple(foot) in naive_feet(mask)
        else:
            assert np.isnan(foot).all()


@given(st.integers(1, 40), st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_foot_of_columns_is_the_middle_one(height, columns):
    mask = np.tile(np.array(columns), (height, 1))[None]
    if any(columns):
        places = np.flatnonzero(columns)
        middle = places[(len(places) - 1) // 2] + 0.5
        assert mask_ops.feet(mask_ops.packed(mask)).tolist() == [[middle, height]]


def test_the_foot_of_a_rectangle_is_the_middle_of_its_lower_edge():
    mask = np.zeros((1, 50, 40), bool)
    mask[0, 10:41, 20:31] = True
    assert mask_ops.feet(mask_ops.packed(mask)).tolist() == [[25.5, 41.0]]


@given(dense_masks())
def test_the_instance_map_shows_the_first_of_overlapping_masks(dense):
    canvas = mask_ops.instance_map(mask_ops.packed(dense))
    first = np.where(dense.any(0), dense.argmax(0) + 1, 0) if len(dense) else canvas * 0
    np.testing.assert_array_equal(canvas, first)


@given(dense_masks())
def test_without_overlap_every_pixel_has_one_owner_and_none_is_lost(dense):
    masks = mask_ops.packed(dense)
    alone = mask_ops.unpacked(mask_ops.without_overlap(masks))
    assert (alone.sum(0) == dense.any(0)).all()
    assert (alone <= dense).all()
    again = mask_ops.without_overlap(mask_ops.packed(alone.astype(bool)))
    np.testing.assert_array_equal(mask_ops.unpacked(again), alone)


@given(dense_masks())
def test_the_instance_map_has_the_masks_without_overlap(dense):
    masks = mask_ops.packed(dense)
    canvas = mask_ops.instance_map(masks)
    alone = mask_ops.unpacked(mask_ops.without_overlap(masks))
    for k, mask in enumerate(alone):
        np.testing.assert_array_equal(canvas == k + 1, mask)


@given(st.data(), dense_masks(st.integers(1, 5)))
def test_chosen_masks_come_in_the_order_asked_for(data, dense):
    index = data.draw(st.lists(st.integers(0, len(dense) - 1)))
    chosen = mask_ops.chosen(data.draw(padded(dense)), index)
    np.testing.assert_array_equal(
        mask_ops.unpacked(chosen), dense[np.array(index, int)].reshape(-1, *dense.shape[1:])
    )


@pytest.mark.parametrize("window", [(-1, 0, 1, 2), (3, 0, 5, 2), (0, 0, 3, 2), (2, 0, 0, 2)])
def test_windows_outside_the_frame_or_of_another_size_are_refused(window):
    with pytest.raises(ShapeError, match=r"masks.from_crops: window 0: expected .* within 4 x 4"):
        mask_ops.from_crops(4, 4, [window], [np.ones((2, 2), np.uint8)])


def test_nothing_is_fine_everywhere():
    none = mask_ops.empty(5, 6)
    assert mask_ops.unpacked(none).shape == (0, 5, 6)
    assert mask_ops.iou_matrix(none, none).shape == (0, 0)
    assert mask_ops.feet(none).shape == (0, 2)
    assert mask_ops.extents(none).shape == (0, 4)
    assert len(mask_ops.area(none)) == len(mask_ops.without_overlap(none)) == 0
    assert mask_ops.instance_map(none).shape == (5, 6)
    assert not mask_ops.instance_map(none).any()


@given(st.data(), dense_masks())
def test_row_extents_are_the_rows_of_the_extents(data, dense):
    rows = mask_ops.row_extents(data.draw(padded(dense)))
    expected = mask_ops.extents(mask_ops.packed(dense))[:, [1, 3]].astype(np.int64)
    expected[~dense.any((1, 2))] = -1
    np.testing.assert_array_equal(rows, expected)
    assert rows.dtype == np.int64


@given(st.data(), dense_masks(), st.integers(1, 4), st.integers(1, 4))
def test_masks_grow_by_whole_numbers_exactly_and_come_back(data, dense, down, along):
    height, width = dense.shape[1:]
    larger = mask_ops.resized(data.draw(padded(dense)), height * down, width * along)
    np.testing.assert_array_equal(
        mask_ops.unpacked(larger), dense.repeat(down, axis=1).repeat(along, axis=2)
    )
    np.testing.assert_array_equal(mask_ops.unpacked(mask_ops.resized(larger, height, width)), dense)


@given(st.data(), dense_masks(), st.integers(1, 30), st.integers(1, 30))
def test_masks_fit_any_frame(data, dense, height, width):
    other = mask_ops.resized(data.draw(padded(dense)), height, width)
    assert (other.height, other.width, len(other)) == (height, width, len(dense))
    full = dense.all((1, 2))
    assert mask_ops.unpacked(other)[full].all()
    assert not mask_ops.unpacked(other)[~dense.any((1, 2))].any()


@given(st.data(), dense_masks(st.integers(1, 3)), st.integers(1, 30), st.integers(1, 30))
def test_resized_and_moved_masks_do_not_depend_on_their_windows(data, dense, height, width):
    tight, loose = mask_ops.packed(dense), data.draw(padded(dense))
    np.testing.assert_array_equal(
        mask_ops.unpacked(mask_ops.resized(tight, height, width)),
        mask_ops.unpacked(mask_ops.resized(loose, height, width)),
    )
    box = st.tuples(*[st.integers(-4, 12)] * 2, *[st.integers(1, 12)] * 2)
    source, target = (
        np.array([x, y, x + w, y + h], np.float32) / 2
        for x, y, w, h in data.draw(st.tuples(box, box))
    )
    np.testing.assert_array_equal(
        mask_ops.unpacked(mask_ops.moved(tight, 0, source, target)),
        mask_ops.unpacked(mask_ops.moved(loose, 0, source, target)),
    )


@given(st.data(), dense_masks(st.just(2)), st.integers(1, 4))
def test_intersection_by_steps_counts_every_so_manyth_pixel(data, dense, step_px):
    masks = data.draw(padded(dense))
    both = (dense[0] & dense[1])[::step_px, ::step_px]  # whatever the windows are
    assert mask_ops.intersection(masks, 0, masks, 1, step_px=step_px) == both.sum() * step_px**2


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
def test_intersection_by_steps_is_exact_for_whole_steps(down, along, step_px):
    full = mask_ops.packed(np.ones((2, down * step_px, along * step_px), bool))
    assert mask_ops.intersection(full, 0, full, 1, step_px=step_px) == down * along * step_px**2
