"""The coarse grid against dense pictures of every step-th pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import dense_masks, padded

from edge import masks as mask_ops
from edge.track import grid as grids
from edge.track.grid import NO_SHAPES, Shapes


@st.composite
def pictures(draw):
    """A picture (N, H, W) and its masks: small, or tall with cells 2 or 3 pixels apart."""
    if draw(st.booleans()):
        dense = draw(dense_masks())
    else:
        height, width = draw(st.sampled_from([(360, 50), (361, 47)]))
        dense = np.zeros((draw(st.integers(0, 4)), height, width), bool)
        for mask in dense:
            y1, y2 = sorted(draw(st.tuples(*[st.integers(0, height)] * 2)))
            x1, x2 = sorted(draw(st.tuples(*[st.integers(0, width)] * 2)))
            mask[y1:y2, x1:x2] = True
    dense = dense[dense.any((1, 2))]  # the tracker has no use for empty masks
    return dense, draw(padded(dense))


def cells(dense) -> np.ndarray:
    """bool (N, rows, columns): the pixels that cells lie on, a free row and column beyond them."""
    step = grids.step_px(dense.shape[1])
    return np.pad(dense[:, ::step, ::step], ((0, 0), (0, 1), (0, 1)))


def drawn(shapes: Shapes, count: int, grid) -> np.ndarray:
    """The same of shapes."""
    flat = np.zeros((count, len(grid.labels)), bool)
    flat[shapes.owners, shapes.cells] = True
    return flat.reshape(count, len(grid.labels) // grid.columns, grid.columns)


@given(pictures())
def test_painted_shapes_are_the_pixels_at_the_cells(picture):
    dense, masks = picture
    grid = grids.painted(masks, np.arange(len(dense)))
    expected = cells(dense)
    shown = drawn(grid.shapes, len(dense), grid)
    for k in range(len(dense)):
        if expected[k].any():
            np.testing.assert_array_equal(shown[k], expected[k])
        else:
            assert shown[k].sum() == 1  # between the cells: it gets one
            assert not shown[k, -1].any()
            assert not shown[k, :, -1].any()
    assert len(grid.shapes.cells) == shown.sum()  # each cell once
    np.testing.assert_array_equal(grid.areas, shown.sum((1, 2)))
    np.testing.assert_array_equal(grid.shapes.xs, grid.shapes.cells % grid.columns)


@given(pictures())
def test_of_two_on_one_cell_each_is_on_top_once(picture):
    dense, masks = picture
    n = len(dense)
    grid = grids.painted(masks, np.arange(n))
    shown = drawn(grid.shapes, n, grid)
    first = np.where(shown.any(0), shown.argmax(0) + 1, 0) if n else 0
    last = np.where(shown.any(0), n - shown[::-1].argmax(0), 0) if n else 0
    np.testing.assert_array_equal(grid.labels.reshape(-1, grid.columns), first)
    np.testing.assert_array_equal(grid.beneath.reshape(-1, grid.columns), last)


@given(st.data(), pictures())
def test_instances_may_be_chosen_in_any_order(data, picture):
    dense, masks = picture
    index = np.array(data.draw(st.permutations(range(len(dense)))), np.int64)[:2]
    some = grids.painted(masks, index)
    alone = grids.painted(mask_ops.chosen(masks, index), np.arange(len(index)))
    np.testing.assert_array_equal(some.labels, alone.labels)
    np.testing.assert_array_equal(some.beneath, alone.beneath)


def moved(picture, x, y):
    """A picture (rows, columns) moved; what leaves it is gone."""
    rows, columns = picture.shape
    out = np.zeros_like(picture)
    ys, xs = np.nonzero(picture)
    ys, xs = ys + y, xs + x
    inside = (ys >= 0) & (ys < rows) & (xs >= 0) & (xs < columns)
    out[ys[inside], xs[inside]] = True
    return out


shift = st.one_of(st.integers(-4, 4), st.integers(-400, 400))


@given(st.data(), pictures())
def test_overlaps_equal_those_of_moved_pictures(data, picture):
    dense, masks = picture
    n = len(dense)
    grid = grids.painted(masks, np.arange(n))
    shown = drawn(grid.shapes, n, grid)
    shifts = data.draw(st.lists(st.tuples(shift, shift), min_size=n, max_size=n))
    shared = grids.overlaps(grid.shapes, np.array(shifts, np.int64).reshape(n, 2), grid)
    assert shared.shape == (n, n)
    deep = shown.sum(0)
    first, last = grid.labels.reshape(deep.shape), grid.beneath.reshape(deep.shape)
    for i, (x, y) in enumerate(shifts):
        where = moved(shown[i], x, y)
        for j in range(n):
            visible = (first == j + 1) | (last == j + 1)  # all of it unless three overlap
            assert shared[i, j] == (where & visible).sum()
            if deep.max(initial=0) <= 2:
                assert shared[i, j] == (where & shown[j]).sum()


@pytest.mark.parametrize("way", [(6, 0), (-6, 0), (5, -1), (-5, 1), (0, -4), (0, 4), (-1, 1)])
def test_what_leaves_the_frame_does_not_come_in_on_the_other_side(way):
    full = np.ones((1, 3, 5), bool)
    grid = grids.painted(mask_ops.packed(full), np.array([0]))
    expected = moved(cells(full)[0], *way) & cells(full)[0]
    shared = grids.overlaps(grid.shapes, np.array([way]), grid)
    assert shared.tolist() == [[expected.sum()]]


@given(pictures())
def test_contacts_are_cells_side_by_side(picture):
    dense, masks = picture
    n = len(dense)
    grid = grids.painted(masks, np.arange(n))
    touch = grids.contacts(grid)
    np.testing.assert_array_equal(touch, touch.T)
    assert not np.diagonal(touch).any()
    shown = drawn(grid.shapes, n, grid)
    if shown.sum(0).max(initial=0) <= 1:  # without overlap the labels show all there is
        for i in range(n):
            for j in range(i):
                a, b = shown[i], shown[j]
                sides = (a[:, 1:] & b[:, :-1]).sum() + (a[:, :-1] & b[:, 1:]).sum()
                sides += (a[1:] & b[:-1]).sum() + (a[:-1] & b[1:]).sum()
                assert touch[i, j] == sides


def test_masks_at_opposite_borders_do_not_touch():
    ends = np.zeros((2, 2, 6), bool)
    ends[0, :, 5] = ends[1, :, 0] = True
    assert not grids.contacts(grids.painted(mask_ops.packed(ends), np.arange(2))).any()


def test_below_an_edge():
    dense = np.zeros((3, 10, 12), bool)
    dense[0, 1:5, 2:6] = True
    dense[1, 5:9, 4:9] = True  # under its right half
    dense[2, 7:9, 0:4] = True  # too deep for two rows
    grid = grids.painted(mask_ops.packed(dense), np.arange(3))
    lows, lefts, rights = np.array([[5], [2], [6]])
    seen, edge = grids.below(grid, lows, lefts, rights)
    assert seen.shape == (2, 4)
    assert sorted(seen.ravel().tolist()) == [-1] * 4 + [1] * 4
    assert set(edge.tolist()) == {0}
    seen, _ = grids.below(grid, lows, lefts, rights, deep=3)
    assert np.count_nonzero(seen == 2) == 2


def test_below_the_frame_there_is_nothing():
    dense = np.ones((2, 6, 6), bool)
    grid = grids.painted(mask_ops.packed(dense), np.arange(2))
    edges = np.array([6, 6]), np.array([0, 6]), np.array([6, 6])
    seen, edge = grids.below(grid, *edges)
    assert set(seen.ravel().tolist()) == {-1}
    assert set(edge.tolist()) == {0, 1}


def test_nothing_to_paint():
    grid = grids.painted(mask_ops.empty(30, 40), np.zeros(0, np.int64))
    assert not grid.labels.any()
    assert len(grid.areas) == len(grid.shapes.cells) == 0
    assert grids.contacts(grid).shape == (0, 0)
    nobody, none = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    assert grids.overlaps(NO_SHAPES, nobody, grid).shape == (0, 0)
    assert [part.size for part in grids.below(grid, none, none, none)] == [0, 0]
    one = grids.painted(mask_ops.packed(np.ones((1, 30, 40), bool)), np.array([0]))
    assert grids.overlaps(one.shapes, np.zeros((1, 2), np.int64), grid).shape == (1, 0)
    assert grids.overlaps(NO_SHAPES, nobody, one).shape == (0, 1)


def test_cells_of_some_owners():
    shapes = Shapes(np.array([3, 4, 9]), np.array([3, 4, 1]), np.array([0, 2, 2]))
    some = shapes.where(np.array([False, True, True]))
    assert (some.cells.tolist(), some.xs.tolist(), some.owners.tolist()) == ([4, 9], [4, 1], [2, 2])
    assert shapes.areas(4).tolist() == [1, 0, 2, 0]
