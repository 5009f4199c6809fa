"""COCO's compressed run lengths, to and from windowed masks. Imports numpy only.

A mask is read column by column; the counts are the lengths of alternating runs, starting with
zeros. From the fourth on, each is written as the difference to the one two before, five bits a
character (least significant first, bit 6 says more follow), characters from '0' on.
"""

from __future__ import annotations

import numpy as np

from edge.errors import ConfigError
from edge.masks import from_crops
from edge.types import I64, U8, Bool, Masks

RLE = dict[str, object]  # {"size": [height, width], "counts": str}


def encoded(masks: Masks) -> list[RLE]:
    """Each mask as `{"size": [h, w], "counts": text}`, as pycocotools writes it.

    >>> from edge.masks import packed
    >>> encoded(packed(np.array([[[0, 1], [1, 1]]], bool)))
    [{'size': [2, 2], 'counts': '13'}]
    """
    size = [masks.height, masks.width]
    return [{"size": list(size), "counts": _text(_counts(masks, k))} for k in range(len(masks))]


def decoded(runs: list[RLE], height: int, width: int) -> Masks:
    """Masks from COCO run lengths on a frame of `height` x `width`.

    Raises:
        ConfigError: a size or a sum of counts that does not fit the frame.
    """
    windows, crops = [], []
    for k, run in enumerate(runs):
        if not isinstance(run, dict):
            raise ConfigError(f"rle {k}: expected size and counts, got {run!r:.40}")
        if run.get("size") != [height, width]:
            raise ConfigError(f"rle {k}: expected size [{height}, {width}], got {run.get('size')}")
        window, crop = _window(_numbers(str(run.get("counts"))), height, width, k)
        windows.append(window)
        crops.append(crop)
    return from_crops(height, width, windows, crops)


def _counts(masks: Masks, k: int) -> I64:
    x1, y1, x2, y2 = masks.windows[k].tolist()
    h, w, total = y2 - y1, x2 - x1, masks.height * masks.width
    columns = np.zeros((w, h + 2), np.int8)
    columns[:, 1:-1] = masks.crop(k).T
    edges = np.diff(columns, axis=1)  # +1 where a run starts, -1 just after it ends
    at = (x1 + np.arange(w, dtype=np.int64)[:, None]) * masks.height + y1
    place = at + np.arange(h + 1, dtype=np.int64)[None, :]
    starts, ends = place[edges == 1], place[edges == -1]
    if len(starts) == 0:
        return np.array([total], np.int64)
    joined = starts[1:] == ends[:-1]  # a run that goes on at the top of the next column
    starts = starts[np.concatenate([[True], ~joined])]
    ends = ends[np.concatenate([~joined, [True]])]
    bounds = np.stack([starts, ends], 1).ravel()
    counts = np.diff(bounds, prepend=0)
    return counts if ends[-1] == total else np.append(counts, total - ends[-1])


def _text(counts: I64) -> str:
    values = counts.copy()
    values[3:] -= counts[1:-2]
    groups = []
    more = np.ones(len(values), bool)
    while more.any():
        low = values & 31
        values = values >> 5
        # Finished once what is left is only the sign that bit 5 already shows.
        last = np.where(low & 16, values == -1, values == 0)
        groups.append(np.where(more, (low | np.where(last, 0, 32)) + 48, 0).astype(np.uint8))
        more = more & ~last
    letters = np.stack(groups, 1).ravel()
    return letters[letters > 0].tobytes().decode("ascii")


def _numbers(text: str) -> I64:
    letters = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if len(letters) == 0 or letters.min() < 0 or letters.max() > 63 or letters[-1] & 32:
        raise ConfigError(f"rle: expected COCO counts as text, got {text[:40]!r}")
    ends = np.flatnonzero((letters & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(letters)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 6:  # 2^34 and more pixels: no frame is so large, and sums would overflow
        raise ConfigError(f"rle: expected COCO counts as text, got {text[:40]!r}")
    values = np.add.reduceat((letters & 31) << (5 * place), starts)
    negative = (letters[ends] & 16) > 0
    values[negative] -= np.int64(1) << (5 * (ends - starts + 1)[negative])
    # Undo the differences: odd and even counts run separately, the first one on its own.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _window(
    counts: I64, height: int, width: int, k: int
) -> tuple[tuple[int, int, int, int], U8 | Bool]:
    bounds = np.cumsum(counts)
    if (counts < 0).any() or bounds[-1] != height * width:
        raise ConfigError(
            f"rle {k}: expected counts of {height * width} pixels in all, got {int(bounds[-1])}"
        )
    starts, ends = bounds[0:-1:2], bounds[1::2]
    keep = ends > starts
    starts, ends = starts[keep], ends[keep]
    if len(starts) == 0:
        return (0, 0, 0, 0), np.zeros((0, 0), np.uint8)
    x1, x2 = int(starts[0] // height), int((ends[-1] - 1) // height) + 1
    change = np.zeros((x2 - x1) * height + 1, np.int8)
    np.add.at(change, starts - x1 * height, 1)
    np.add.at(change, ends - x1 * height, -1)
    full = np.cumsum(change[:-1], dtype=np.int8).reshape(x2 - x1, height)
    rows = np.flatnonzero(full.any(0))
    y1, y2 = int(rows[0]), int(rows[-1]) + 1
    return (x1, y1, x2, y2), full[:, y1:y2].T.astype(np.uint8)
