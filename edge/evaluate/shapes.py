"""The shape of single masks: how solid, how thin, how many lobes. Pure; numpy and opencv."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import I32, U8

THIN_PX = 5  # parts of a mask narrower than this are thin
LOBE_PEAK = 0.55  # a lobe's half width, as a share of the widest lobe's
NECK = 0.6  # between two lobes the mask is narrower than this share of the slighter one
LOBE_SHARE = 0.25  # of the mask's area; what is less is a limb


def convex(mask: U8) -> U8:
    """The convex hull of a mask, filled, uint8 (H, W) of 0 and 1; holds the mask itself.

    >>> convex(np.array([[1, 0, 1], [1, 0, 0], [1, 1, 1]], np.uint8)).tolist()
    [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    """
    filled: U8 = np.array(mask, np.uint8)
    points = cv2.findNonZero(filled)
    if points is not None:
        cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return filled


def solidity(mask: U8) -> float:
    """Area of a mask over that of its convex hull, 0..1; 0 for an empty mask.

    >>> solidity(np.ones((4, 4), np.uint8))
    1.0
    """
    whole = int(np.count_nonzero(convex(mask)))
    return int(np.count_nonzero(mask)) / whole if whole else 0.0


def thin_share(mask: U8, width_px: int = THIN_PX) -> float:
    """Share of a mask that lies in parts narrower than `width_px`, 0..1.

    What an opening by a square of `width_px` pixels takes away (Serra, 1982). Beyond the array
    counts as outside. An empty mask has 0.

    >>> thin_share(np.pad(np.ones((9, 9), np.uint8), ((0, 0), (0, 3))))
    0.0
    >>> thin_share(np.ones((2, 9), np.uint8))
    1.0
    """
    area = int(np.count_nonzero(mask))
    if not area:
        return 0.0
    wide = np.pad(mask, width_px)
    opened = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((width_px, width_px), np.uint8))
    return 1.0 - int(np.count_nonzero(opened)) / area


def lobes(mask: U8) -> int:
    """How many bodies of like width a mask consists of: 1, or more where a neck parts them.

    The distance to the outside is cut at rising levels. Parts count as lobes that are about as
    wide as the widest, are joined by a neck clearly narrower than they are, or by nothing, and
    hold a good part of the area each. Two people melted into one mask usually have two; legs and
    arms are too slight. An empty mask has 0.

    >>> two = np.zeros((20, 50), np.uint8)
    >>> two[2:18, 2:20] = two[2:18, 30:48] = two[9:11, 20:30] = 1
    >>> lobes(two), lobes(np.ones((9, 9), np.uint8))
    (2, 1)
    """
    if not mask.any():
        return 0
    wide: U8 = np.pad(mask, 1)
    depth = np.asarray(cv2.distanceTransform(wide, cv2.DIST_L2, 5), np.float32)
    widest = float(depth.max())
    most = 1
    for level in (0.0, *np.linspace(0.1, NECK, 6) * widest):
        count, labels = cv2.connectedComponents((depth > level).astype(np.uint8), connectivity=8)
        parts: I32 = np.asarray(labels, np.int32)
        peaks = [float(depth[parts == k].max()) for k in range(1, count)]
        bodies = [
            k for k, peak in enumerate(peaks, 1) if peak >= max(LOBE_PEAK * widest, level / NECK)
        ]
        if len(bodies) > most:
            most = max(most, _large_ones(wide, parts, bodies))
    return most


def _large_ones(mask: U8, parts: I32, bodies: list[int]) -> int:
    """How many bodies are the nearest one to a good part of the mask's pixels."""
    distances = []
    for k in bodies:
        away = (parts != k).astype(np.uint8)
        distances.append(np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, 3), np.float32))
    nearest = np.stack(distances).argmin(0)[mask > 0]
    shares = np.bincount(nearest, minlength=len(bodies)) / len(nearest)
    return int(np.count_nonzero(shares >= LOBE_SHARE))
