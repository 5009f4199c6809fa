"""Charts as pictures. Imports numpy, opencv and its own folder.

The same shapes as on the page, with OpenCV's letters, which know ASCII only.
"""

from __future__ import annotations

import unicodedata

import cv2
import numpy as np

from edge.report.drawing import Drawing, Path, Rect, Text
from edge.types import U8

Colour = tuple[int, int, int]  # BGR

# Okabe and Ito (2008), as on the page.
_COLOURS: dict[str, Colour] = {
    "in": (178, 114, 0),
    "out": (0, 94, 213),
    "seen": (115, 158, 0),
    "unseen": (214, 214, 214),
    "peak": (60, 60, 60),
    "axis": (90, 90, 90),
    "grid": (226, 226, 226),
}
_INK: Colour = (60, 60, 60)
_SCALE = 2  # pixels for a unit of the drawing
_FONT, _LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.42 * _SCALE


def raster(drawing: Drawing) -> U8:
    """The drawing on white under its title, BGR uint8 (H, W, 3)."""
    head = 24 * _SCALE
    shape = (drawing.height * _SCALE + head, drawing.width * _SCALE, 3)
    image: U8 = np.full(shape, 255, np.uint8)
    _write(image, Text(8, 16, drawing.title), 0)
    for shape_ in drawing.shapes:
        if isinstance(shape_, Text):
            _write(image, shape_, head)
            continue
        colour = _COLOURS.get(shape_.style, _INK)
        if isinstance(shape_, Rect):
            corners = (shape_.x, shape_.y), (shape_.x + shape_.width, shape_.y + shape_.height)
            (x1, y1), (x2, y2) = (_pixel(x, y, head) for x, y in corners)
            if y2 > y1:
                image[y1:y2, x1 : max(x2, x1 + 1)] = colour
        elif isinstance(shape_, Path) and shape_.points:
            points = np.array([_pixel(x, y, head) for x, y in shape_.points], np.int32)
            cv2.polylines(image, [points], False, colour, _SCALE if shape_.style == "peak" else 1)
    return image


def encoded(image: U8, suffix: str) -> bytes:
    """A picture as the content of a file with such a suffix, .png or .jpg."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 82] if suffix == ".jpg" else []
    _, content = cv2.imencode(suffix, image, options)
    return bytes(content)


def _write(image: U8, text: Text, head: int) -> None:
    arrows = text.text.replace("\u2191", "+").replace("\u2193", "-")
    letters = unicodedata.normalize("NFKD", arrows).encode("ascii", "ignore").decode()
    (width, _), _ = cv2.getTextSize(letters, _FONT, _LETTERS, _SCALE // 2)
    x, y = _pixel(text.x, text.y, head)
    x -= {"start": 0, "middle": width // 2, "end": width}[text.anchor]
    colour = _COLOURS.get(text.style.removesuffix("-label"), _INK)
    cv2.putText(image, letters, (x, y), _FONT, _LETTERS, colour, _SCALE // 2, cv2.LINE_AA)


def _pixel(x: float, y: float, head: int) -> tuple[int, int]:
    return round(x * _SCALE), round(y * _SCALE) + head
