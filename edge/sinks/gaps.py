"""Tracks in frames that missed them: between two sightings their masks are moved along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge import masks as mask_ops
from edge.types import F32, Masks, Step

MOST_COVERED = 0.3  # of a mask by what was seen: more, and it was hidden, not missed


@dataclass(frozen=True, slots=True)
class Sighting:
    """A track as one frame showed it; `index` is that of its mask in `masks`."""

    media_s: float
    box: F32  # (4,)
    score: float
    masks: Masks
    index: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A track where it must have been; `masks` holds one mask."""

    track_id: int
    class_id: int
    box: F32  # (4,)
    score: float
    masks: Masks


def sighting(step: Step, row: int) -> Sighting:
    """The track in `row` of `step.tracks`, which its frame shows."""
    k = int(step.tracks.instance[row])
    found = step.instances
    return Sighting(step.stamp.media_s, found.boxes[k], float(found.scores[k]), found.masks, k)


def between(
    before: Sighting, after: Sighting, media_s: float, track_id: int, class_id: int
) -> Filled:
    """Where the track was at `media_s`: the nearer mask, moved on a straight line.

    The interpolation that trackers are commonly given afterwards (ByteTrack: Zhang et al., 2022,
    arXiv:2110.06864, section 4), with masks.
    """
    share = (media_s - before.media_s) / (after.media_s - before.media_s)
    box: F32 = (before.box + np.float32(share) * (after.box - before.box)).astype(np.float32)
    near = before if share < 0.5 else after
    moved = mask_ops.moved(near.masks, near.index, near.box, box)
    return Filled(track_id, class_id, box, min(before.score, after.score), moved)


def in_plain_view(filled: Filled, seen: Masks) -> bool:
    """Whether what the frame shows leaves most of it free: it was missed, not hidden."""
    area = int(mask_ops.area(filled.masks)[0])
    if not area:
        return False
    window = filled.masks.windows[0]
    apart = (seen.windows[:, :2] >= window[2:]) | (seen.windows[:, 2:] <= window[:2])
    left = filled.masks.crop(0).astype(bool)
    x1, y1, x2, y2 = window.tolist()
    for k in np.flatnonzero(~apart.any(1)).tolist():
        ox1, oy1, ox2, oy2 = seen.windows[k].tolist()
        a, b, c, d = max(x1, ox1), max(y1, oy1), min(x2, ox2), min(y2, oy2)
        left[b - y1 : d - y1, a - x1 : c - x1] &= (
            seen.crop(k)[b - oy1 : d - oy1, a - ox1 : c - ox1] == 0
        )
    return area - int(np.count_nonzero(left)) <= MOST_COVERED * area
