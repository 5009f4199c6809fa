"""Which way up a decoded picture is meant to be seen. Imports av, numpy, edge.types."""

from __future__ import annotations

import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.frame import VideoFrame

from edge.types import I32, U8

UPRIGHT: I32 = np.eye(2, dtype=np.int32)


def display_matrix(picture: VideoFrame) -> I32:
    """The upper left 2 x 2 of the picture's display matrix; the identity if it has none."""
    # Not `picture.side_data`: the picture would keep that, and that the picture, so that every
    # picture would stay in memory until the next garbage collection. Measured: 200 MB.
    found = SideDataContainer(picture).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if isinstance(found, SideData):
        matrix = np.frombuffer(bytes(found), np.int32, 9).reshape(3, 3)[:2, :2]
        if matrix.any():
            return matrix
    return UPRIGHT


def swaps_sides(matrix: I32) -> bool:
    """Whether what is coded as the width is seen as the height."""
    (xx, xy), (yx, yy) = matrix.tolist()
    return bool(abs(xy) + abs(yx) > abs(xx) + abs(yy))


def oriented(image: U8, matrix: I32) -> U8:
    """The picture as it is meant to be seen: turned and mirrored by a display matrix.

    Args:
        image: (H, W, 3) as coded.
        matrix: int32 (2, 2) as in ISO 14496-12: coded (x, y) is shown at (x, y) @ matrix, up
            to a shift. Its four right angles and their mirror images count, any other is
            taken for the nearest.

    >>> oriented(np.array([[[1], [2]]], np.uint8), np.array([[0, 1], [-1, 0]], np.int32)).tolist()
    [[[1]], [[2]]]
    """
    (xx, xy), (yx, yy) = matrix.tolist()
    if swaps_sides(matrix):
        image, xx, yy = np.ascontiguousarray(image.swapaxes(0, 1)), yx, xy
    if xx < 0:
        image = np.ascontiguousarray(image[:, ::-1])
    return np.ascontiguousarray(image[::-1]) if yy < 0 else image
