"""How full a zone is: its share under masks, and when it is overcrowded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from edge.geometry import polygon_mask
from edge.types import F64, Bool, Instances, Stamp


@dataclass(frozen=True, slots=True)
class Crowd:
    """When a zone says how full it is; None: not for that reason."""

    every_s: float | None = None  # at most so often, seconds
    tracks: int | None = None  # overcrowded from so many tracks inside
    area_share: float | None = None  # overcrowded from this share of it under masks

    @property
    def is_limited(self) -> bool:
        """Whether there is anything that makes the zone overcrowded."""
        return self.tracks is not None or self.area_share is not None


class Covered:
    """The share of a zone's pixels under masks; only the box round the zone is looked at."""

    def __init__(self, polygon: F64, class_ids: Collection[int] | None) -> None:
        """Look at instances of these classes; None: all."""
        self._polygon = polygon
        self._class_ids = None if class_ids is None else sorted(class_ids)
        self._size = (0, 0)
        self._zone: Bool = np.zeros((0, 0), bool)  # within that box
        self._corner = (0, 0)
        self._seen: Instances | None = None  # of which _share is known
        self._share = 0.0

    def share(self, instances: Instances) -> float:
        """Share of the zone's pixels under any of the masks, 0..1."""
        if instances is self._seen:  # several events of one frame
            return self._share
        masks = instances.masks
        if self._size != (masks.height, masks.width):
            self._place(masks.height, masks.width)
        height, width = self._zone.shape
        box = np.array([*self._corner, self._corner[0] + width, self._corner[1] + height])
        parts = np.concatenate(
            [np.maximum(masks.windows[:, :2], box[:2]), np.minimum(masks.windows[:, 2:], box[2:])],
            1,
        )
        touches = (parts[:, :2] < parts[:, 2:]).all(1)
        if self._class_ids is not None:
            touches &= np.isin(instances.class_ids, self._class_ids)
        covered = np.zeros_like(self._zone)
        left, top = self._corner
        for k in np.flatnonzero(touches).tolist():
            x1, y1, x2, y2 = parts[k].tolist()
            x, y = masks.windows[k, :2].tolist()
            part = masks.crop(k)[y1 - y : y2 - y, x1 - x : x2 - x]
            covered[y1 - top : y2 - top, x1 - left : x2 - left] |= part.astype(bool)
        covered &= self._zone
        share = float(np.count_nonzero(covered)) / max(1, int(np.count_nonzero(self._zone)))
        self._seen, self._share = instances, share
        return share

    def _place(self, height: int, width: int) -> None:
        whole = polygon_mask(self._polygon, height, width)
        ys, xs = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
        top, bottom = (int(ys[0]), int(ys[-1]) + 1) if len(ys) else (0, 0)
        left, right = (int(xs[0]), int(xs[-1]) + 1) if len(xs) else (0, 0)
        self._size, self._corner = (height, width), (left, top)
        self._zone = whole[top:bottom, left:right].copy()


class Overcrowding:
    """Whether a zone is overcrowded: once it has been for long enough, and until it long is not.

    The area must fall a tenth below its limit to end it, so that it does not flicker there.
    """

    def __init__(self, crowd: Crowd, begin_s: float, end_s: float) -> None:
        """Begin with an empty zone; a change must last this long, seconds."""
        self._crowd = crowd
        self._needed_s = (begin_s, end_s)
        self._is_over = False
        self._since: Stamp | None = None  # start of an unbroken stay on the other side

    def update(self, stamp: Stamp, occupancy: int, area_share: float) -> tuple[bool, Stamp] | None:
        """The new state and since when, if this frame settles a change."""
        slack = 0.9 if self._is_over else 1.0
        limits = self._crowd
        is_over = (limits.tracks is not None and occupancy >= limits.tracks) or (
            limits.area_share is not None and area_share >= slack * limits.area_share
        )
        if is_over == self._is_over:
            self._since = None
            return None
        self._since = self._since or stamp
        if stamp.media_s - self._since.media_s < self._needed_s[self._is_over] - 1e-9:
            return None
        settled, self._since, self._is_over = self._since, None, is_over
        return is_over, settled

    def finish(self) -> bool:
        """End it when the pictures end; whether it was overcrowded."""
        was_over, self._is_over, self._since = self._is_over, False, None
        return was_over
