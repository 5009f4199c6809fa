"""The picture that shows what was counted, with people made unrecognisable. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np

from edge.boxes import iou_matrix
from edge.errors import ShapeError
from edge.mosaic import hide
from edge.types import F32, U8, Instances

LONGEST_PX = 640
_MARGIN = 0.2  # of the longer side of the box, on each side
_SAME_IOU = 0.3  # below it no instance is what the event is about


def evidence_picture(
    image: U8,
    box: tuple[float, float, float, float],
    instances: Instances,
    person_class_ids: Collection[int],
    blur: bool = True,
) -> U8 | None:
    """The surroundings of a box, at most 640 pixels long.

    Unless `blur` is False, every person in it is replaced by a coarse mosaic where the mask lies
    and a little around it; where a person has no mask, in the whole of its box. If no instance is
    found where the event's own box is, nothing tells what part of it is a person: all of it is
    replaced then.

    Args:
        image: uint8 (H, W, 3), the frame; is not changed.
        box: x1, y1, x2, y2 of what the event is about, frame pixels.
        instances: What the model saw in this frame.
        person_class_ids: Classes that are people.
        blur: Whether people are made unrecognisable.

    Returns:
        A new uint8 (h, w, 3); None if the box lies outside the frame or is no box.

    Raises:
        ShapeError: `instances` are of a frame of another size.
    """
    height, width = image.shape[:2]
    masks = instances.masks
    if (masks.height, masks.width) != (height, width):
        raise ShapeError(
            f"evidence: expected masks on {height} x {width}, got {masks.height} x {masks.width}"
        )
    view = _view(box, height, width)
    if view is None:
        return None
    picture = _resized(image[view.y1 : view.y2, view.x1 : view.x2], view)
    if not blur:
        return picture
    original = picture.copy()
    for k in np.flatnonzero(np.isin(instances.class_ids, list(person_class_ids))).tolist():
        _hide_person(picture, original, instances, k, view)
    own: F32 = np.array([box], np.float32)
    if np.nan_to_num(iou_matrix(own, instances.boxes)).max(initial=0.0) < _SAME_IOU:
        _hide_box(picture, original, box, view)
    return picture


@dataclass(frozen=True, slots=True)
class _View:
    """Which part of the frame is shown, and how large."""

    x1: int
    y1: int
    x2: int
    y2: int
    scale: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        width = max(1, round((self.x2 - self.x1) * self.scale))
        return width, max(1, round((self.y2 - self.y1) * self.scale))

    def pixels(self, x1: float, y1: float, x2: float, y2: float) -> tuple[int, int, int, int]:
        """What of the picture a box of the frame touches."""
        width, height = self.size
        left, right = ((x - self.x1) * self.scale for x in (x1, x2))
        top, bottom = ((y - self.y1) * self.scale for y in (y1, y2))
        return (
            math.floor(min(max(left, 0), width)),
            math.floor(min(max(top, 0), height)),
            math.ceil(min(max(right, 0), width)),
            math.ceil(min(max(bottom, 0), height)),
        )


def _view(box: tuple[float, float, float, float], height: int, width: int) -> _View | None:
    x1, y1, x2, y2 = box
    if not (np.isfinite(box).all() and x1 < x2 and y1 < y2):
        return None
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        return None
    margin = _MARGIN * max(x2 - x1, y2 - y1)
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    right, bottom = min(width, int(x2 + margin) + 1), min(height, int(y2 + margin) + 1)
    return _View(left, top, right, bottom, min(1.0, LONGEST_PX / max(right - left, bottom - top)))


def _resized(crop: U8, view: _View) -> U8:
    if view.scale == 1.0:
        return crop.copy()
    picture = cv2.resize(crop, view.size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)


def _hide_person(picture: U8, original: U8, instances: Instances, k: int, view: _View) -> None:
    """Hide instance k where it is in view."""
    crop = instances.masks.crop(k)
    rows, columns = np.flatnonzero(crop.any(1)), np.flatnonzero(crop.any(0))
    if not len(rows):
        x1, y1, x2, y2 = instances.boxes[k].tolist()
        _hide_box(picture, original, (x1, y1, x2, y2), view)
        return
    x, y = instances.masks.windows[k, :2].tolist()
    left, right = max(view.x1, x + int(columns[0])), min(view.x2, x + int(columns[-1]) + 1)
    top, bottom = max(view.y1, y + int(rows[0])), min(view.y2, y + int(rows[-1]) + 1)
    if left >= right or top >= bottom:
        return
    seen: U8 = (crop[top - y : bottom - y, left - x : right - x] > 0).astype(np.uint8) * 255
    x1, y1, x2, y2 = view.pixels(left, top, right, bottom)
    if x1 >= x2 or y1 >= y2:  # a border that scaling rounded away
        return
    if view.scale != 1.0:  # any pixel that the mask touches is hidden
        seen = np.asarray(
            cv2.resize(seen, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA), np.uint8
        )
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    hide(picture, original, seen, (x1, y1), (height * view.scale, width * view.scale))


def _hide_box(
    picture: U8, original: U8, box: tuple[float, float, float, float], view: _View
) -> None:
    """Hide all of a box."""
    x1, y1, x2, y2 = view.pixels(*box)
    if x1 < x2 and y1 < y2:
        whole: U8 = np.ones((y2 - y1, x2 - x1), np.uint8)
        hide(picture, original, whole, (x1, y1), (y2 - y1, x2 - x1))
