"""Hypothesis strategies for the types of the pipeline, and short ways to build them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import masks as mask_ops
from edge.testing import PERSON, Actor
from edge.types import F32, Bool, Instances, Masks, Stamp, Tracks, TrackState

sides = st.integers(1, 12)
few = st.integers(0, 5)


@st.composite
def dense_masks(draw, count=few, height=sides, width=sides) -> Bool:
    """bool (N, H, W): noise, blobs, empty and full masks."""
    shape = (draw(height), draw(width))
    masks = [draw(_dense_mask(shape)) for _ in range(draw(count))]
    return np.array(masks, bool).reshape(len(masks), *shape)


def _dense_mask(shape: tuple[int, int]) -> st.SearchStrategy[Bool]:
    return st.one_of(
        hnp.arrays(bool, shape, elements=st.booleans(), fill=st.booleans()),
        st.just(np.zeros(shape, bool)),
        st.just(np.ones(shape, bool)),
        _block(shape),
    )


@st.composite
def _block(draw, shape: tuple[int, int]) -> Bool:
    mask = np.zeros(shape, bool)
    (y1, y2), (x1, x2) = (sorted(draw(st.tuples(*[st.integers(0, n)] * 2))) for n in shape)
    mask[y1:y2, x1:x2] = True
    return mask


@st.composite
def padded(draw, dense: Bool) -> Masks:
    """The masks of `dense`, each in a window that may be larger than what is set in it."""
    height, width = dense.shape[1:]
    windows, crops = [], []
    for mask, (x1, y1, x2, y2) in zip(dense, mask_ops.packed(dense).windows.tolist(), strict=True):
        x1, x2 = draw(st.integers(0, x1)), draw(st.integers(x2, width))
        y1, y2 = draw(st.integers(0, y1)), draw(st.integers(y2, height))
        windows.append((x1, y1, x2, y2))
        crops.append(mask[y1:y2, x1:x2])
    return mask_ops.from_crops(height, width, windows, crops)


@st.composite
def loosened(draw, masks: Masks) -> Masks:
    """The same masks, each in a window that reaches up to 40 pixels further, within the frame."""
    windows, crops = [], []
    for k, (x1, y1, x2, y2) in enumerate(masks.windows.tolist()):
        left, top, right, bottom = draw(st.tuples(*[st.integers(0, 40)] * 4))
        window = max(0, x1 - left), max(0, y1 - top)
        window += min(masks.width, x2 + right), min(masks.height, y2 + bottom)
        crop = np.zeros((window[3] - window[1], window[2] - window[0]), np.uint8)
        crop[y1 - window[1] : y2 - window[1], x1 - window[0] : x2 - window[0]] = masks.crop(k)
        windows.append(window)
        crops.append(crop)
    return mask_ops.from_crops(masks.height, masks.width, windows, crops)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Floats without surprises."""
    return st.floats(low, high, allow_nan=False, width=32)


@st.composite
def boxes(draw, count=few, largest: float = 100.0, is_sound: bool = True) -> F32:
    """float32 (N, 4); unless `is_sound` also flat ones and ones turned inside out."""
    corner = hnp.arrays(np.float32, (draw(count), 4), elements=numbers(0, np.float32(largest)))
    drawn = draw(corner)
    if not is_sound:
        return drawn
    low, high = np.minimum(drawn[:, :2], drawn[:, 2:]), np.maximum(drawn[:, :2], drawn[:, 2:])
    return np.concatenate([low, high + np.float32(1)], 1)


points = st.tuples(st.integers(-40, 40), st.integers(-40, 40))
polylines = st.lists(points, min_size=2, max_size=5).filter(
    lambda line: all(a != b for a, b in pairwise(line))
)


def rectangles(
    windows: Sequence[tuple[int, int, int, int]],
    scores: Sequence[float] | float = 0.9,
    class_ids: Sequence[int] | int = 0,
    size_hw: tuple[int, int] = (240, 320),
) -> Instances:
    """Instances whose masks fill their boxes."""
    n = len(windows)
    crops = [np.ones((y2 - y1, x2 - x1), np.uint8) for x1, y1, x2, y2 in windows]
    return Instances(
        np.array(windows, np.float32).reshape(-1, 4),
        np.full(n, scores, np.float32) if np.isscalar(scores) else np.array(scores, np.float32),
        np.full(n, class_ids, np.int32)
        if np.isscalar(class_ids)
        else np.array(class_ids, np.int32),
        mask_ops.from_crops(*size_hw, windows, crops),
    )


def tracks_of(boxes: F32, **fields: np.ndarray) -> Tracks:
    """Tracks 1, 2... in these boxes, confirmed, whole, seen as instances 0, 1...

    `fields` take the place of those columns of `Tracks`.
    """
    n = len(boxes)
    full = np.ones(n, np.float32)
    columns = {
        "ids": np.arange(1, n + 1, dtype=np.int64),
        "states": np.full(n, TrackState.CONFIRMED, np.uint8),
        "boxes": boxes,
        "feet": np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], 1).astype(np.float32),
        "class_ids": np.zeros(n, np.int32),
        "instance": np.arange(n, dtype=np.int32),
        "ended": np.zeros(0, np.int64),
        "scores": np.full(n, 0.9, np.float32),
        "heights": boxes[:, 3] - boxes[:, 1],
        "velocities": np.zeros((n, 2), np.float32),
        "flags": np.zeros(n, np.uint8),
        "visible": full,
        "class_shares": full,
        "ages_s": full,
        "hits": np.ones(n, np.int32),
        "group_sizes": np.ones(n, np.int32),
        "in_front": np.zeros(n, np.int64),
    }
    return Tracks(**{**columns, **fields})


def standing(
    feet: dict[int, tuple[float, float]],
    ended: Sequence[int] = (),
    state: TrackState = TrackState.CONFIRMED,
    class_id: int = 0,
    height_px: float = 40.0,
    is_seen: bool = True,
) -> tuple[Tracks, Instances]:
    """Tracks by id whose feet are here, as a tracker would report them, and their instances."""
    n = len(feet)
    ids = np.array(sorted(feet), np.int64)
    at = np.array([feet[k] for k in ids.tolist()], np.float32).reshape(-1, 2)
    half = np.array([height_px / 4, 0], np.float32)
    corners = np.concatenate([at - half - (0, height_px), at + half], 1).astype(np.float32)
    tracks = tracks_of(
        corners,
        ids=ids,
        states=np.full(n, state, np.uint8),
        feet=at,
        class_ids=np.full(n, class_id, np.int32),
        instance=np.arange(n, dtype=np.int32) if is_seen else np.full(n, -1, np.int32),
        ended=np.array(ended, np.int64),
        heights=np.full(n, height_px, np.float32),
        hits=np.full(n, 5, np.int32),
    )
    count = n if is_seen else 0
    return tracks, rectangles([(k, 0, k + 1, 3) for k in range(count)])


def chosen(instances: Instances, index: Sequence[int] | np.ndarray) -> Instances:
    """The instances at `index`, in that order."""
    order = np.array(index, np.int64)
    return Instances(
        instances.boxes[order],
        instances.scores[order],
        instances.class_ids[order],
        mask_ops.chosen(instances.masks, order),
    )


_corner = st.tuples(st.integers(0, 280), st.integers(0, 560))
_side = st.one_of(st.integers(1, 8), st.integers(1, 40))


@st.composite
def crowded(draw) -> Instances:
    """Instances in a frame of 600 rows, small ones too, many of them shown twice or thrice."""
    windows = []
    for _ in range(draw(st.integers(0, 4))):
        (x, y), w, h = draw(_corner), draw(_side), draw(_side)
        for _ in range(draw(st.integers(1, 3))):
            dx, dy, dw, dh = draw(st.tuples(*[st.integers(0, 3)] * 4))
            windows.append((x + dx, y + dy, min(320, x + w + dx + dw), min(600, y + h + dy + dh)))
    n = len(windows)
    scores = draw(st.lists(st.integers(20, 99), min_size=n, max_size=n))
    return rectangles(windows, [s / 100 for s in scores], size_hw=(600, 320))


def stamps(times_s: Sequence[float]) -> list[Stamp]:
    """Frames 0, 1, 2... at these times."""
    return [Stamp(k, float(t)) for k, t in enumerate(times_s)]


@st.composite
def lane_walks(draw, width: int = 320, duration_s: float = 8.0) -> list[Actor]:
    """One to three people, each in a lane of its own, who cross x = `width` / 2 or turn back.

    They walk at 0.7 to 2 heights a second, start at 0 s and stay to the end, 45 px or more from
    the middle wherever they turn, and have arrived a second before the end.
    """
    tall, middle = 50.0, width / 2
    walkers = []
    for y in (70.0, 145.0, 220.0)[: draw(st.integers(1, 3))]:
        speed = draw(st.floats(0.7, 2.0)) * tall
        now_s, x = 0.0, middle + draw(st.sampled_from([-1, 1])) * draw(st.floats(60, 130))
        path = [(now_s, x, y)]
        for _ in range(draw(st.integers(1, 4))):
            next_x = middle + draw(st.sampled_from([-1, 1])) * draw(st.floats(45, 130))
            arrival_s = now_s + max(0.5, abs(next_x - x) / speed)
            if arrival_s > duration_s - 1.0:
                break
            now_s, x = arrival_s, next_x
            path.append((now_s, x, y))
        path.append((duration_s + 1.0, x, y))
        walkers.append(Actor(PERSON, 0.4 * tall, tall, tuple(path)))
    return walkers
