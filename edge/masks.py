"""Masks in windows: areas, overlaps, feet, and COCO run lengths. Imports numpy only.

No function here builds a full-frame mask per instance except `unpacked`, which says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.errors import ShapeError
from edge.types import F32, F64, I32, I64, U8, Bool, Masks


def packed(dense: U8 | Bool) -> Masks:
    """Masks from (N, H, W) arrays of 0 and 1, each window as tight as its mask.

    >>> packed(np.array([[[0, 1, 1], [0, 0, 0]]], bool)).windows.tolist()
    [[1, 0, 3, 1]]
    """
    height, width = dense.shape[1:]
    windows, crops = [], []
    for mask in dense:
        x1, y1, x2, y2 = _extent(mask)
        windows.append((x1, y1, x2, y2))
        crops.append(mask[y1:y2, x1:x2])
    return from_crops(height, width, windows, crops)


def from_crops(
    height: int,
    width: int,
    windows: Sequence[tuple[int, int, int, int]],
    crops: Sequence[U8 | Bool],
) -> Masks:
    """Masks from one array of 0 and 1 for each window.

    Raises:
        ShapeError: a window does not fit its array, or leaves the frame.
    """
    placed: I32 = np.array(windows, np.int32).reshape(-1, 4)
    offsets: I64 = np.zeros(len(crops) + 1, np.int64)
    for k, (crop, (x1, y1, x2, y2)) in enumerate(zip(crops, windows, strict=True)):
        if crop.shape != (y2 - y1, x2 - x1) or not (
            0 <= x1 <= x2 <= width and 0 <= y1 <= y2 <= height
        ):
            raise ShapeError(
                f"masks.from_crops: window {k}: expected {crop.shape} pixels within "
                f"{height} x {width}, got {windows[k]}"
            )
        offsets[k + 1] = offsets[k] + crop.size
    pixels: U8 = np.empty(int(offsets[-1]), np.uint8)
    for k, crop in enumerate(crops):
        pixels[offsets[k] : offsets[k + 1]] = crop.ravel()
    return Masks(height, width, placed, offsets, pixels)


def empty(height: int, width: int) -> Masks:
    """No masks on a frame of this size."""
    return from_crops(height, width, [], [])


def unpacked(masks: Masks) -> U8:
    """All masks as one dense array, uint8 (N, H, W): for tests and evaluation only."""
    dense: U8 = np.zeros((len(masks), masks.height, masks.width), np.uint8)
    for k, (x1, y1, x2, y2) in enumerate(masks.windows.tolist()):
        dense[k, y1:y2, x1:x2] = masks.crop(k)
    return dense


def chosen(masks: Masks, index: Sequence[int] | I64) -> Masks:
    """The masks at `index`, in that order."""
    windows = [tuple(w) for w in masks.windows[np.asarray(index, np.int64)].tolist()]
    return from_crops(masks.height, masks.width, windows, [masks.crop(int(k)) for k in index])


def joined(*parts: Masks) -> Masks:
    """All masks of several sets on frames of one size, in that order."""
    windows: I32 = np.concatenate([part.windows for part in parts])
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets: I64 = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    pixels: U8 = np.concatenate([part.pixels for part in parts])
    return Masks(parts[0].height, parts[0].width, windows, offsets, pixels)


def resized(masks: Masks, height: int, width: int) -> Masks:
    """The same masks on a frame of another size, by the nearest pixel."""
    scale = np.array([width / masks.width, height / masks.height])
    parts = [_stretched(masks, k, scale, np.zeros(2), height, width) for k in range(len(masks))]
    return from_crops(height, width, [w for w, _ in parts], [crop for _, crop in parts])


def moved(masks: Masks, k: int, source: F32, target: F32) -> Masks:
    """Mask k alone, moved and stretched as box `source` (4,) becomes box `target` (4,).

    What would lie outside the frame is cut off.

    >>> one = packed(np.array([[[1, 1, 0, 0]]], bool))
    >>> box = np.array([0, 0, 2, 1], np.float32)
    >>> unpacked(moved(one, 0, box, box + np.array([1, 0, 1, 0], np.float32))).tolist()
    [[[0, 1, 1, 0]]]
    """
    a, b = source.astype(np.float64), target.astype(np.float64)
    scale = (b[2:] - b[:2]) / np.maximum(a[2:] - a[:2], 1e-6)
    window, crop = _stretched(masks, k, scale, b[:2] - a[:2] * scale, masks.height, masks.width)
    return from_crops(masks.height, masks.width, [window], [crop])


def _stretched(
    masks: Masks, k: int, scale: F64, offset: F64, height: int, width: int
) -> tuple[tuple[int, int, int, int], U8]:
    """Window and pixels of mask k where x, y become `scale` x, y + `offset`."""
    window, crop = masks.windows[k], masks.crop(k)
    low, high = window.reshape(2, 2) * scale + offset
    axes = []
    for axis, length in ((0, width), (1, height)):
        inside = np.arange(max(0, int(low[axis]) - 1), min(length, int(high[axis]) + 2))
        # Where its middle was decides for each pixel, so that no mask depends on its window.
        source = np.floor((inside + 0.5 - offset[axis]) / scale[axis]).astype(int)
        held = (source >= window[axis]) & (source < window[axis + 2])
        axes.append((inside[held], source[held] - window[axis]))
    (x, columns), (y, rows) = axes
    if not (len(x) and len(y)):
        return (0, 0, 0, 0), np.zeros((0, 0), np.uint8)
    at = int(x[0]), int(y[0]), int(x[-1]) + 1, int(y[-1]) + 1
    return at, crop[np.ix_(rows, columns)]


def area(masks: Masks) -> I64:
    """Set pixels of each mask, int64 (N,)."""
    counts: I64 = np.zeros(len(masks), np.int64)
    filled = np.flatnonzero(masks.offsets[1:] > masks.offsets[:-1])
    if len(filled):  # reduceat cannot sum over nothing
        counts[filled] = np.add.reduceat(masks.pixels, masks.offsets[filled], dtype=np.int64)
    return counts


def extents(masks: Masks) -> I32:
    """Tight boxes round the set pixels, int32 (N, 4), half-open; an empty mask has zeros."""
    boxes: I32 = np.zeros((len(masks), 4), np.int32)
    for k, (x, y, _, _) in enumerate(masks.windows.tolist()):
        x1, y1, x2, y2 = _extent(masks.crop(k))
        if x2 > x1:
            boxes[k] = (x + x1, y + y1, x + x2, y + y2)
    return boxes


def _extent(mask: U8 | Bool) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if len(columns) == 0:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def row_extents(masks: Masks) -> I64:
    """First row of each mask and one past its last, int64 (N, 2); an empty mask has -1, -1.

    Cost:
        A search for the first and the last set byte of each window, no pass over its pixels.
    """
    rows: I64 = np.full((len(masks), 2), -1, np.int64)
    pixels = masks.pixels.tobytes()
    starts = masks.offsets.tolist()
    for k, (x1, y1, x2, _) in enumerate(masks.windows.tolist()):
        first = pixels.find(1, starts[k], starts[k + 1])
        if first >= 0:
            last = pixels.rfind(1, starts[k], starts[k + 1])
            wide = x2 - x1
            rows[k, 0] = y1 + (first - starts[k]) // wide
            rows[k, 1] = y1 + (last - starts[k]) // wide + 1
    return rows


def intersection(
    a: Masks,
    i: int,
    b: Masks,
    j: int,
    shift: tuple[int, int] = (0, 0),
    step_px: int = 1,
) -> int:
    """Pixels set both in mask `i` of `a`, moved by `shift` (x, y), and in mask `j` of `b`.

    With `step_px` above 1 an estimate from every so manyth row and column.
    """
    ax1, ay1, ax2, ay2 = a.windows[i].tolist()
    bx1, by1, bx2, by2 = b.windows[j].tolist()
    ax1, ax2, ay1, ay2 = ax1 + shift[0], ax2 + shift[0], ay1 + shift[1], ay2 + shift[1]
    x1, y1, x2, y2 = max(ax1, bx1), max(ay1, by1), min(ax2, bx2), min(ay2, by2)
    # Rows and columns of the frame, not of the windows: those may be wider than what is set.
    x1, y1 = -(-x1 // step_px) * step_px, -(-y1 // step_px) * step_px
    if x1 >= x2 or y1 >= y2:
        return 0
    both = (
        a.crop(i)[y1 - ay1 : y2 - ay1 : step_px, x1 - ax1 : x2 - ax1 : step_px]
        & (b.crop(j)[y1 - by1 : y2 - by1 : step_px, x1 - bx1 : x2 - bx1 : step_px])
    )
    return int(np.count_nonzero(both)) * step_px**2


def intersection_matrix(a: Masks, b: Masks) -> I64:
    """Shared pixels of every mask in `a` with every mask in `b`, int64 (N, M).

    Cost:
        Only pairs whose windows overlap are looked at, and of those only the overlap.
    """
    shared: I64 = np.zeros((len(a), len(b)), np.int64)
    low = np.maximum(a.windows[:, None, :2], b.windows[None, :, :2])
    high = np.minimum(a.windows[:, None, 2:], b.windows[None, :, 2:])
    for i, j in np.argwhere((high > low).all(2)).tolist():
        shared[i, j] = intersection(a, i, b, j)
    return shared


def iou_matrix(a: Masks, b: Masks) -> F32:
    """Intersection over union of every mask in `a` with every mask in `b`.

    Returns:
        float32 (N, M), each in 0..1. A pair of empty masks has IoU 0, not NaN.

    Raises:
        ShapeError: `a` and `b` lie on frames of different size.

    >>> one = packed(np.array([[[1, 1, 0, 0]]], bool))
    >>> three = packed(np.array([[[1, 1, 0, 0]], [[0, 1, 0, 0]], [[0, 0, 1, 1]]], bool))
    >>> iou_matrix(one, three).tolist()
    [[1.0, 0.5, 0.0]]
    """
    if (a.height, a.width) != (b.height, b.width):
        raise ShapeError(
            f"masks.iou_matrix: expected frames of one size, got {a.height} x {a.width} "
            f"and {b.height} x {b.width}"
        )
    shared = intersection_matrix(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    iou: F32 = (shared / np.maximum(union, 1)).astype(np.float32)
    return iou


def feet(masks: Masks) -> F32:
    """Where each object stands: middle column of its lower part, and its lower edge.

    The x is the median column of the lowest third of the mask's rows, so that both legs of a
    walker weigh in and it does not swing with the stride; the y is the lower edge of the last
    row.

    Returns:
        float32 (N, 2) frame pixels; NaN for an empty mask.
    """
    points: F32 = np.full((len(masks), 2), np.nan, np.float32)
    for k, (x, y, _, _) in enumerate(masks.windows.tolist()):
        crop = masks.crop(k)
        rows = np.flatnonzero(crop.any(1))
        if len(rows):
            top, bottom = int(rows[0]), int(rows[-1]) + 1
            lowest = crop[bottom - max(1, (bottom - top) // 3) : bottom]
            count = np.cumsum(lowest.sum(0, dtype=np.int64))
            middle = int(np.searchsorted(count, (count[-1] + 1) // 2))
            points[k] = (x + middle + 0.5, y + bottom)
    return points


def instance_map(masks: Masks) -> I32:
    """One picture of all masks, int32 (H, W): 0 background, k + 1 where mask k is on top.

    Earlier masks (better scores) lie over later ones.
    """
    canvas: I32 = np.zeros((masks.height, masks.width), np.int32)
    for k in range(len(masks) - 1, -1, -1):
        x1, y1, x2, y2 = masks.windows[k].tolist()
        canvas[y1:y2, x1:x2][masks.crop(k) > 0] = k + 1
    return canvas


def without_overlap(masks: Masks) -> Masks:
    """The same masks, every pixel left to the first that has it.

    >>> unpacked(without_overlap(packed(np.array([[[1, 1, 0]], [[0, 1, 1]]], bool)))).tolist()
    [[[1, 1, 0]], [[0, 0, 1]]]
    """
    canvas = instance_map(masks)
    windows = [(x1, y1, x2, y2) for x1, y1, x2, y2 in masks.windows.tolist()]
    crops = [canvas[y1:y2, x1:x2] == k + 1 for k, (x1, y1, x2, y2) in enumerate(windows)]
    return from_crops(masks.height, masks.width, windows, crops)
