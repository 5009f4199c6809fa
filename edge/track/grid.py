"""Masks on a coarse grid: who covers which cell, and how two frames' masks overlap.

One label map a frame and one histogram give every intersection at once, at a cost that does not
grow with the number of pairs. Cells lie `step_px` apart; nothing here is as large as the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge import masks as mask_ops
from edge.types import I64, Bool, Masks

ROWS = 180  # a frame gets at most so many rows of cells


@dataclass(frozen=True, slots=True)
class Shapes:
    """Sets of cells, each with an owner.

    Attributes:
        cells: int64 (P,) flat indices into a label map.
        xs: int64 (P,) the column of each.
        owners: int64 (P,) whose cell it is.
    """

    cells: I64
    xs: I64
    owners: I64

    def where(self, owned: Bool) -> Shapes:
        """The cells of owners for which `owned` is True."""
        which = owned[self.owners]
        return Shapes(self.cells[which], self.xs[which], self.owners[which])

    def areas(self, count: int) -> I64:
        """Cells of each owner, int64 (count,)."""
        counts: I64 = np.bincount(self.owners, minlength=count)
        return counts


NO_SHAPES = Shapes(*(np.zeros(0, np.int64) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class Grid:
    """Instances of one frame, painted twice: where two overlap, each is on top once.

    Attributes:
        step_px: distance of cells.
        columns: cells in a row of the label maps; the last row and column are free.
        labels: int16 (rows * columns,) 0 free, k + 1: instance k, the best score on top.
        beneath: int16, likewise with the lowest score on top.
        shapes: the cells of each instance.
        areas: int64 (N,) how many those are.
    """

    step_px: int
    columns: int
    labels: NDArray[np.int16]
    beneath: NDArray[np.int16]
    shapes: Shapes
    areas: I64


def step_px(height: int) -> int:
    """Distance of cells for frames of this height.

    >>> step_px(1080), step_px(576), step_px(180)
    (6, 4, 1)
    """
    return max(1, -(-height // ROWS))


def painted(masks: Masks, index: I64) -> Grid:
    """The masks at `index`, best first; label k + 1 stands for `index[k]`.

    A mask that lies between the cells gets the one nearest to its middle.

    Args:
        masks: of the frame.
        index: int64 (N,).
    """
    step, n = step_px(masks.height), len(index)
    rows, columns = -(-masks.height // step) + 1, -(-masks.width // step) + 1
    windows = masks.windows[index].astype(np.int64)
    x1, y1, x2, y2 = windows.T
    left, top = -(-x1 // step), -(-y1 // step)
    tall, wide = -(-y2 // step) - top, -(-x2 // step) - left
    # Row by row, then cell by cell: where in `pixels` and where on the grid each one is.
    mask_of, down = _spread(np.where(wide > 0, tall, 0))
    pixel = masks.offsets[index][mask_of]
    pixel += ((top[mask_of] + down) * step - y1[mask_of]) * (x2 - x1)[mask_of]
    pixel += (left * step - x1)[mask_of]
    row_of, along = _spread(wide[mask_of])
    covered = np.flatnonzero(masks.pixels[pixel[row_of] + along * step])
    row_of, along = row_of[covered], along[covered]
    xs = left[mask_of][row_of] + along
    cells = ((top[mask_of] + down) * columns)[row_of] + xs
    owners = mask_of[row_of]
    tiny = np.flatnonzero(np.bincount(owners, minlength=n) == 0)
    if len(tiny):
        small = mask_ops.extents(mask_ops.chosen(masks, index[tiny])).astype(np.int64)
        x, y = (small[:, :2] + small[:, 2:]).T // (2 * step)
        cells = np.concatenate([cells, y * columns + x])
        xs, owners = np.concatenate([xs, x]), np.concatenate([owners, tiny])
    labels: NDArray[np.int16] = np.zeros(rows * columns, np.int16)
    beneath = labels.copy()
    labels[cells[::-1]] = owners[::-1] + 1  # of equal indices the last one stays
    beneath[cells] = owners + 1
    shapes = Shapes(cells, xs, owners)
    return Grid(step, columns, labels, beneath, shapes, shapes.areas(n))


def _spread(counts: I64) -> tuple[I64, I64]:
    """Counts (2, 0, 3) are five places: of owners 0 0 2 2 2, and there at 0 1 0 1 2."""
    owner = np.repeat(np.arange(len(counts)), counts)
    place: I64 = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, place


def overlaps(shapes: Shapes, shifts: I64, grid: Grid) -> I64:
    """Cells of each shape, moved, under each instance of `grid`.

    Args:
        shapes: of M owners, on the same grid.
        shifts: int64 (M, 2) x, y in cells.
        grid: of N instances.

    Returns:
        int64 (M, N).
    """
    many, others = len(shifts), len(grid.areas) + 1
    moved = shapes.cells + (shifts[:, 1] * grid.columns + shifts[:, 0])[shapes.owners]
    x = shapes.xs + shifts[shapes.owners, 0]
    moved[(x < 0) | (x >= grid.columns) | (moved < 0)] = len(grid.labels)  # the last cell is free
    under = np.take(grid.labels, moved, mode="clip")
    first = shapes.owners * others
    counts = np.bincount(first + under, minlength=many * others)
    second = np.take(grid.beneath, moved, mode="clip")
    twice = np.flatnonzero(second != under)
    counts += np.bincount(first[twice] + second[twice], minlength=many * others)
    shared: I64 = counts.reshape(many, others)[:, 1:]
    return shared


def contacts(grid: Grid) -> I64:
    """How many cells of one instance lie beside one of another, int64 (N, N), symmetric."""
    n = len(grid.areas)
    cells, owners = grid.shapes.cells, grid.shapes.owners
    counts: I64 = np.zeros(n * n, np.int64)
    for beside in (1, grid.columns):
        other = np.take(grid.labels, cells + beside, mode="clip").astype(np.int64) - 1
        meet = (other >= 0) & (other != owners)
        counts += np.bincount(owners[meet] * n + other[meet], minlength=n * n)
    square = counts.reshape(n, n)
    both: I64 = square + square.T
    return both


def below(
    grid: Grid, lows_px: I64, lefts_px: I64, rights_px: I64, deep: int = 2
) -> tuple[I64, I64]:
    """The instances right under lower edges.

    Args:
        grid: what to look at.
        lows_px: int64 (N,) first row below each edge.
        lefts_px: int64 (N,) where the edge begins.
        rights_px: int64 (N,) one past its end.
        deep: rows of cells.

    Returns:
        For each column of cells the instances there, int64 (deep, K), -1 where it is free, and
        the edge it is under, int64 (K,).
    """
    step = grid.step_px
    left = -(-lefts_px // step)
    edge, along = _spread(np.maximum(-(-rights_px // step) - left, 1))
    first = (-(-lows_px // step) * grid.columns + left)[edge] + along
    cells = first + np.arange(deep)[:, None] * grid.columns
    return np.take(grid.labels, cells, mode="clip").astype(np.int64) - 1, edge
