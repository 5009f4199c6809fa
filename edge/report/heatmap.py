"""Where people stood: from files of tracks or detections, and as a picture.

Imports numpy, opencv, `edge.masks`, `edge.rle` and its own folder.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge import masks, rle
from edge.errors import ConfigError
from edge.report.feet import Feet
from edge.types import F64, U8

WIDTH_PX = 960
_SMOOTH_CELLS = 1.6
_OPACITY = 0.75
_WRONG = (KeyError, TypeError, ValueError, OverflowError, RecursionError, AttributeError)
_Foot = tuple[float, float, int, int]  # x and y in pixels of a frame, its width and height


def feet_of_tracks(path: Path, size: tuple[int, int] | None) -> Feet:
    """The feet in a file of tracks, one for each track and frame.

    Of MOTS masks the foot of the mask, of MOTChallenge boxes the middle of the lower side.

    Args:
        path: as `--save-tracks` writes it, either form.
        size: width and height of the frame, which boxes do not tell; None: unknown.

    Raises:
        ConfigError: no such file, or a line that is no row of either form.
    """

    def read(line: str) -> Iterator[_Foot]:
        if "," not in line:
            _, _, _, height, width, counts = line.split()
            frame: rle.RLE = {"size": [int(height), int(width)], "counts": counts}
            for x, y in masks.feet(rle.decoded([frame], int(height), int(width))).tolist():
                yield x, y, int(width), int(height)
        elif size is None:
            raise ValueError("boxes, but no event tells the size of the frame")
        else:
            x, y, w, h = (float(field) for field in line.split(",")[2:6])
            yield x + w / 2, y + h, *size

    return _feet(path, read, "a row of tracks")


def feet_of_detections(path: Path) -> Feet:
    """The feet in a file of detections: the middle of the lower side of each instance's box.

    Raises:
        ConfigError: no such file, or a line that is no frame of detections.
    """

    def read(line: str) -> Iterator[_Foot]:
        row = json.loads(line)
        height, width = row["size"]
        for found in row["instances"]:
            x1, _, x2, y2 = (float(side) for side in found["box"])
            yield (x1 + x2) / 2, y2, int(width), int(height)

    return _feet(path, read, "a frame of detections")


def _feet(path: Path, read: Callable[[str], Iterator[_Foot]], what: str) -> Feet:
    feet = Feet()
    number = 0
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            for line in file:
                number += 1
                if line.strip():
                    for x, y, width, height in read(line.strip()):
                        if math.isfinite(x) and math.isfinite(y):  # not so for an empty mask
                            feet.add(x, y, width, height)
    except OSError as error:
        got = error.strerror or str(error)
        raise ConfigError(f"{path}: expected {what} in each line, got: {got}") from error
    except (*_WRONG, EOFError, zlib.error, ConfigError) as error:
        got = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{path}:{max(1, number)}: expected {what}, got {got}") from error
    return feet


def background_of(path: Path) -> U8:
    """A picture to show under a heatmap, BGR uint8 (H, W, 3).

    Raises:
        ConfigError: no such file, or none that OpenCV reads.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ConfigError(f"{path}: expected a picture, got: {error.strerror}") from error
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if image is None:
        raise ConfigError(f"{path}: expected a picture such as .jpg or .png, got another file")
    found: U8 = np.asarray(image, np.uint8)
    return found


def heatmap(feet: F64, background: U8 | None = None, width: int = WIDTH_PX) -> U8:
    """Where feet stood, dark to bright, over a picture or on black.

    Args:
        feet: float64 (rows, columns), how many in each cell.
        background: BGR uint8 (H, W, 3) of the same view, or None.
        width: of the result, pixels.

    Returns:
        BGR uint8 (H, W, 3).
    """
    rows, columns = feet.shape
    height = max(1, round(width * rows / columns))
    smooth = cv2.GaussianBlur(feet, (0, 0), _SMOOTH_CELLS, borderType=cv2.BORDER_CONSTANT)
    # A logarithm: a path where few went is still seen beside a place where one stood for long.
    usual = float(np.median(smooth[smooth > 1e-3])) if (smooth > 1e-3).any() else 1.0
    share = np.log1p(np.maximum(smooth, 0) / usual)
    share /= max(float(share.max()), 1e-12)
    share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.round(share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    if background is None:
        plain: U8 = np.asarray(colours, np.uint8)
        return plain
    under = cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(cv2.cvtColor(under, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    opacity = (_OPACITY * np.minimum(1.0, 2 * share))[:, :, None]
    mixed: U8 = np.round(grey * (1 - opacity) + colours * opacity).astype(np.uint8)
    return mixed
