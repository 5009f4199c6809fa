"""Makes people unrecognisable by their masks. Pure functions."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np

from edge.types import U8, Instances

# A mosaic of 12 blocks over a standing person leaves about 2 of them for the head. Of someone cut
# by the frame's border only the head may be there, so its blocks follow the width too.
BLOCKS_HIGH = 12
BLOCKS_WIDE = 4
LEAST_BLOCK_PX = 4
GROW = 0.04  # of the height: masks tend to miss hair and fingers


def without_people(image: U8, instances: Instances, person_class_ids: Collection[int]) -> U8:
    """The picture with a coarse mosaic where people are, and a little around them.

    Args:
        image: uint8 (H, W, 3); is not changed.
        instances: what the model saw in it.
        person_class_ids: classes that are people.

    Returns:
        A new uint8 (H, W, 3).
    """
    picture = image.copy()
    for k in np.flatnonzero(np.isin(instances.class_ids, list(person_class_ids))).tolist():
        crop = instances.masks.crop(k)
        x, y = instances.masks.windows[k, :2].tolist()
        if not crop.any():  # then all of the box
            x, y, x2, y2 = np.rint(instances.boxes[k]).astype(int).tolist()
            crop = np.ones((max(0, y2 - y), max(0, x2 - x)), np.uint8)
        rows, columns = np.flatnonzero(crop.any(1)), np.flatnonzero(crop.any(0))
        if len(rows):
            size = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
            hide(picture, image, crop, (x, y), size)
    return picture


def hide(
    picture: U8, original: U8, mask: U8, corner: tuple[int, int], size_px: tuple[float, float]
) -> None:
    """Put a mosaic of the original over one person, in place.

    Args:
        picture: uint8 (H, W, 3), is changed.
        original: uint8 (H, W, 3), the same without any mosaic.
        mask: uint8 (h, w), not 0 where the person is.
        corner: x and y of its upper left pixel in the picture; may lie outside.
        size_px: height and width of the whole person in pixels of the picture, which decide how
            coarse it becomes.
    """
    height_px, width_px = size_px
    grow_px = max(2, round(GROW * height_px))
    block = max(height_px / BLOCKS_HIGH, width_px / BLOCKS_WIDE)
    block_px = max(LEAST_BLOCK_PX, int(np.ceil(block)))
    wide = cv2.copyMakeBorder(
        mask, grow_px, grow_px, grow_px, grow_px, cv2.BORDER_CONSTANT, value=0
    )
    side = 2 * grow_px + 1
    grown = cv2.dilate(wide, np.ones((side, side), np.uint8)) > 0  # a square costs least
    rows, columns = np.flatnonzero(grown.any(1)), np.flatnonzero(grown.any(0))
    if not len(rows):
        return
    left, top = corner[0] - grow_px, corner[1] - grow_px
    x1, x2 = max(0, left + int(columns[0])), min(picture.shape[1], left + int(columns[-1]) + 1)
    y1, y2 = max(0, top + int(rows[0])), min(picture.shape[0], top + int(rows[-1]) + 1)
    if x1 >= x2 or y1 >= y2:
        return
    source = original[y1:y2, x1:x2]
    blocks = -(-(x2 - x1) // block_px), -(-(y2 - y1) // block_px)
    small = cv2.resize(source, blocks, interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(small, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)
    where = grown[y1 - top : y2 - top, x1 - left : x2 - left, None]
    np.copyto(picture[y1:y2, x1:x2], mosaic, where=where)
