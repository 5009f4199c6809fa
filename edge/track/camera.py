"""How a camera that is not fixed has moved from one picture to the next."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import F32, F64, U8, Bool

WORK_PX = 480  # longest side of the picture that is looked at
MOST_POINTS, LEAST_POINTS = 200, 12
QUALITY, APART_PX = 0.01, 7  # of corners; fewer and better ones, further apart
WINDOW_PX, LEVELS = 15, 3  # of the optical flow
OFF_PX = 1.0  # a point further from where the motion takes it does not agree
AGREED = 0.5  # share of points that must,
CELLS, CELLS_AGREED = 4, 8  # in so many cells of 4 x 4: something that passes fills few
STANDS_PX = 0.5  # no corner of the picture goes further: it stands
MOST_ZOOM = 1.2
STAND: F64 = np.eye(2, 3)


class CameraMotion:
    """Follows corners of the background; one for each camera.

    Corners (Shi & Tomasi, 1994) outside the instances' boxes, pyramidal Lucas-Kanade flow, and the
    shift, turn and zoom that most of them agree on (RANSAC, Fischler & Bolles, 1981), seeded.
    """

    def __init__(self) -> None:
        """Begin without a picture."""
        self._grey: U8 = np.zeros((0, 0), np.uint8)
        self._points: F32 = np.zeros((0, 1, 2), np.float32)

    def update(self, image: U8, boxes: F32) -> F64:
        """Where points of the picture before lie in this one.

        Args:
            image: BGR uint8 (H, W, 3).
            boxes: float32 (N, 4) of what may move by itself.

        Returns:
            float64 (2, 3): x, y, 1 of the picture before -> x, y; the identity where the camera
            stands, or nothing can be told: the first picture, a blank one, another size.
        """
        height, width = image.shape[:2]
        scale = min(1.0, WORK_PX / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        grey: U8 = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        moved = self._moved(grey) if grey.shape == self._grey.shape else STAND
        self._grey, self._points = grey, _corners(grey, boxes * np.float32(scale))
        moved = moved / [[1, 1, scale], [1, 1, scale]]
        ends = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
        stands = np.abs(warped(ends, moved) - ends).max() < STANDS_PX
        return STAND if stands else np.round(moved, 7)

    def _moved(self, grey: U8) -> F64:
        if len(self._points) < LEAST_POINTS:
            return STAND
        found, status, _ = cv2.calcOpticalFlowPyrLK(
            self._grey,
            grey,
            self._points,
            None,  # type: ignore[call-overload]
            winSize=(WINDOW_PX, WINDOW_PX),
            maxLevel=LEVELS,
        )
        kept: Bool = status[:, 0] > 0
        if np.count_nonzero(kept) < LEAST_POINTS:
            return STAND
        cv2.setRNGSeed(1)  # RANSAC draws: the same pictures give the same motion
        matrix, agreed = cv2.estimateAffinePartial2D(
            self._points[kept], found[kept], method=cv2.RANSAC, ransacReprojThreshold=OFF_PX
        )
        if matrix is None or not _is_camera(self._points[kept], agreed[:, 0] > 0, grey.shape):
            return STAND
        moved: F64 = np.asarray(matrix, np.float64)
        return moved if 1 / MOST_ZOOM < zoom_of(moved) < MOST_ZOOM else STAND


def _is_camera(points: F32, agreed: Bool, shape: tuple[int, ...]) -> bool:
    """Whether enough points (K, 1, 2), and all over the picture, go the same way."""
    cell = (points[agreed, 0] * CELLS / np.array(shape[::-1])).astype(int)
    spread = len(np.unique(cell[:, 1] * CELLS + cell[:, 0]))
    return bool(np.count_nonzero(agreed) >= AGREED * len(agreed) and spread >= CELLS_AGREED)


def _corners(grey: U8, boxes: F32) -> F32:
    """Corners that are worth following, float32 (K, 1, 2)."""
    background: U8 = np.full(grey.shape, 255, np.uint8)
    for x1, y1, x2, y2 in np.clip(np.nan_to_num(boxes), 0, WORK_PX).round().astype(int).tolist():
        background[max(0, y1 - 2) : y2 + 2, max(0, x1 - 2) : x2 + 2] = 0
    found = cv2.goodFeaturesToTrack(grey, MOST_POINTS, QUALITY, APART_PX, mask=background)
    none: F32 = np.zeros((0, 1, 2), np.float32)
    return none if found is None else np.asarray(found, np.float32)


def zoom_of(moved: F64) -> float:
    """By how much a motion (2, 3) enlarges lengths.

    >>> zoom_of(np.array([[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]))
    2.0
    """
    return float(np.sqrt(abs(moved[0, 0] * moved[1, 1] - moved[0, 1] * moved[1, 0])))


def warped(points: F64, moved: F64) -> F64:
    """Points (N, 2) after a motion (2, 3).

    >>> warped(np.array([[1.0, 2.0]]), np.array([[1.0, 0, 10], [0, 1, 20]])).tolist()
    [[11.0, 22.0]]
    """
    x, y = points[:, 0], points[:, 1]
    after: F64 = np.stack([row[0] * x + row[1] * y + row[2] for row in moved], 1)
    return after


def warped_boxes(boxes: F32, moved: F64) -> F32:
    """Boxes (N, 4) whose centres move and whose sides grow; they stay upright."""
    b = boxes.astype(np.float64)
    centre = warped((b[:, :2] + b[:, 2:]) / 2, moved)
    half = (b[:, 2:] - b[:, :2]) / 2 * zoom_of(moved)
    after: F32 = np.concatenate([centre - half, centre + half], 1).astype(np.float32)
    return after
