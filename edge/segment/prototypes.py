"""Masks as sums of coefficient x prototype, above 0, inside their boxes.

YOLACT: Bolya et al., 2019, arXiv:1904.02689. The sums are interpolated between the centres of their
cells before they are compared with 0, as two products with matrices of shares: one matrix makes
the frame's rows from rows of cells, the other its columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.masks import chosen
from edge.segment.letterbox import Letterbox, inner
from edge.types import F32, F64, I32, I64, Bool, Masks

WIDEST_CELLS = 12  # wider masks are made in strips: their matrices would be nearly all 0


@dataclass(frozen=True, slots=True)
class Shares:
    """How pixels along one side of the frame are made of cells, none of them only padding."""

    first: I32  # (n,) the first cell with a share in each pixel
    last: I32  # (n,) one past the last
    matrix: F32  # (n, cells)


@lru_cache(maxsize=8)
def shares_of(box: Letterbox, cells_hw: tuple[int, int]) -> tuple[Shares, Shares]:
    """Shares of cells, which cover the input, in the rows and in the columns of the frame.

    As Ultralytics' own post-processing: where the picture does not begin and end between two
    cells, they are made finer first, so that it does; what is padding then is cut off.

    >>> box = Letterbox((4, 4), (2, 2), 0.5, 0.5, 0, 0)
    >>> shares_of(box, (2, 2))[0].matrix.tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    spans = list(zip((box.top, box.left), inner(box), strict=True))  # of the picture, in the input
    for fine_hw in (cells_hw, (2 * cells_hw[0], 2 * cells_hw[1]), box.input_hw):
        per_px = [Fraction(*pair) for pair in zip(fine_hw, box.input_hw, strict=True)]
        if all(
            (k * n).denominator == 1 for n, span in zip(per_px, spans, strict=True) for k in span
        ):
            break
    sides = []
    for side, (start, length) in enumerate(spans):
        begin, count = int(start * per_px[side]), int(length * per_px[side])
        fine = _bilinear(cells_hw[side], fine_hw[side])[begin : begin + count]
        matrix = _bilinear(count, box.frame_hw[side]) @ fine
        first = (matrix > 0).argmax(1).astype(np.int32)
        last = cells_hw[side] - (matrix[:, ::-1] > 0).argmax(1).astype(np.int32)
        sides.append(Shares(first, last, matrix.astype(np.float32)))
    # A product takes columns of pixels next to each other.
    rows, columns = sides
    across: F32 = np.asfortranarray(columns.matrix)
    return rows, Shares(columns.first, columns.last, across)


def _bilinear(cells: int, pixels: int) -> F64:
    """Shares of cells in pixels over the same length, float64 (pixels, cells)."""
    # Cell k has its centre at k + .5; beyond the outermost ones, their value holds.
    at = np.clip(np.arange(0.5, pixels) * cells / pixels - 0.5, 0, cells - 1)
    shares: F64 = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))
    return shares


def masks_of(
    coefficients: F32,
    prototypes: NDArray[Any],
    frame_boxes: F32,
    box: Letterbox,
    bounds: np.ufunc = np.ceil,
) -> tuple[Masks, I64, int]:
    """Masks at frame resolution inside their boxes.

    Args:
        coefficients: float32 (N, k).
        prototypes: float32 or float16 (k, h, w); cover the whole input.
        frame_boxes: float32 (N, 4) frame pixels, within the frame.
        box: how the frame lies in the input.
        bounds: makes whole pixels of a box's sides. `ceil`: a pixel is inside if its upper left
            corner is, as with Ultralytics; `rint`: if its centre is.

    Returns:
        The masks that are not empty, the indices int64 of the boxes that they belong to, and how
        many were dropped because their prototypes are no numbers.

    Cost:
        k products a prototype cell in each box, and as many a pixel as the box has cells across
        (at most `WIDEST_CELLS`).
    """
    sides = shares_of(box, (prototypes.shape[1], prototypes.shape[2]))
    edges: I32 = bounds(frame_boxes).astype(np.int32)
    index: I64 = np.flatnonzero((edges[:, 2:] > edges[:, :2]).all(1))
    windows: I32 = edges[index]
    offsets: I64 = np.zeros(len(index) + 1, np.int64)
    np.cumsum(np.prod(windows[:, 2:] - windows[:, :2], 1, np.int64), out=offsets[1:])
    pixels: Bool = np.empty(int(offsets[-1]), bool)
    masks = Masks(*box.frame_hw, windows, offsets, pixels.view(np.uint8))
    if not len(index):
        return masks, index, 0
    with np.errstate(over="ignore", invalid="ignore"):  # of values that are no numbers
        sums = _fill(pixels, offsets, windows, coefficients[index], (prototypes, *sides))
    is_filled: Bool = np.logical_or.reduceat(pixels, offsets[:-1])
    if is_filled.all():
        return masks, index, 0
    broken = sum(not np.isfinite(sums[n]).all() for n in np.flatnonzero(~is_filled))
    return chosen(masks, np.flatnonzero(is_filled)), index[is_filled], broken


def _fill(
    pixels: Bool,
    offsets: I64,
    windows: I32,
    coefficients: F32,
    cells: tuple[NDArray[Any], Shares, Shares],
) -> list[F32]:
    """Write the masks of all windows; the sums of each, (cells high, cells wide), come back."""
    prototypes, rows, columns = cells
    x1, y1, x2, y2 = windows.T
    top, bottom = rows.first[y1], rows.last[y2 - 1]
    left, right = columns.first[x1], columns.last[x2 - 1]
    begin = int(top.min())
    turned = _cells_first(prototypes[:, begin : int(bottom.max())])
    is_half = turned.dtype != np.float32
    down, across = rows.matrix, columns.matrix
    sums = []
    spans = np.column_stack([windows, top, bottom, left, right, offsets[:-1], offsets[1:]])
    for n, (x, y, x_end, y_end, up, low, near, far, start, end) in enumerate(spans.tolist()):
        under = turned[up - begin : low - begin, near:far]
        logits: F32 = (under.astype(np.float32) if is_half else under) @ coefficients[n]
        tall: F32 = down[y:y_end, up:low] @ logits
        mask = pixels[start:end].reshape(y_end - y, x_end - x)
        if far - near <= WIDEST_CELLS:
            np.greater(tall @ across[x:x_end, near:far].T, 0, out=mask)
        else:
            _fill_in_strips(mask, tall, columns, near, x)
        sums.append(logits)
    return sums


def _fill_in_strips(mask: Bool, tall: F32, columns: Shares, first: int, x: int) -> None:
    """Write a wide mask from its rows of cells, of which each strip needs a few."""
    if not np.isfinite(tall).all():
        mask[:] = False  # what no number touches is no number in one product, too
        return
    width = mask.shape[1]
    strip = max(1, WIDEST_CELLS * width // tall.shape[1])
    for begin in range(0, width, strip):
        end = min(begin + strip, width)
        near, far = int(columns.first[x + begin]), int(columns.last[x + end - 1])
        shares = columns.matrix[x + begin : x + end, near:far].T
        np.greater(tall[:, near - first : far - first] @ shares, 0, out=mask[:, begin:end])


def _cells_first(planes: NDArray[Any]) -> NDArray[Any]:
    """Prototypes (k, h, w) as (h, w, k): what a cell's sum is made of lies together."""
    k, h, w = planes.shape
    if planes.dtype == np.float16:  # OpenCV does not know it
        return (
            cv2.transpose(planes.view(np.uint16).reshape(k, h * w))
            .view(np.float16)
            .reshape(h, w, k)
        )
    return cv2.transpose(planes.reshape(k, h * w)).reshape(h, w, k)
