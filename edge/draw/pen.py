"""Strokes on a picture: one mask, trail, line, zone or label each, sized by the frame's height."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

from edge.draw.colours import DARK, WHITE, Colour
from edge.draw.overlay import LineOverlay, Point, ZoneOverlay
from edge.types import F32, I32, U8, Masks

MASK_OPACITY = 0.4
ZONE_OPACITY = 0.12
FONT = cv2.FONT_HERSHEY_SIMPLEX


def in_direction(a: Point, b: Point) -> Point:
    """Unit vector of `in` across the line from `a` to `b`, with y pointing down.

    Someone who looks down the picture has its right side at the left hand:

    >>> in_direction((5, 0), (5, 10))
    (-1.0, 0.0)
    """
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = float(np.hypot(dx, dy)) or 1.0
    return -dy / length, dx / length


class Pen:
    """Draws on one canvas, with widths and text to suit its height."""

    def __init__(self, canvas: U8) -> None:
        self.canvas = canvas
        height = canvas.shape[0]
        self.text_px = max(9, round(height / 54))  # height of a capital letter
        self.thin = max(1, round(height / 540))
        self.thick = max(2, round(height / 270))
        self._taken: list[tuple[int, int, int, int]] = []  # places of labels, x1 y1 x2 y2

    def mask(self, masks: Masks, k: int, tint: Colour, rim: Colour) -> None:
        """Blend mask `k` with soft edges and draw its outline in the colour `rim`."""
        soft = 2  # pixels that the edge fades out over, on either side
        x, y, _, _ = masks.windows[k].tolist()
        crop = masks.crop(k)
        if not crop.size:
            return
        # The window is widened, so that the edge can fade there too.
        wide = cv2.copyMakeBorder(crop * 255, soft, soft, soft, soft, cv2.BORDER_CONSTANT)
        x1, y1 = max(0, x - soft), max(0, y - soft)
        region = self.canvas[y1 : y - soft + wide.shape[0], x1 : x - soft + wide.shape[1]]
        top, left = y1 - (y - soft), x1 - (x - soft)
        inside = wide[top : top + region.shape[0], left : left + region.shape[1]]
        alpha = cv2.GaussianBlur(inside, (2 * soft + 1, 2 * soft + 1), 0).astype(np.float32)
        alpha *= MASK_OPACITY / 255
        blended = region + alpha[..., None] * (np.array(tint, np.float32) - region)
        region[...] = np.rint(blended).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(self.canvas, outlines, -1, rim, self.thin, cv2.LINE_AA, offset=(x1, y1))

    def tail(self, feet: F32 | None, foot: F32, tint: Colour) -> None:
        """The way a track came, and a dot where it stands."""
        if feet is not None and len(feet) > 1:
            cv2.polylines(self.canvas, [_pixels(feet)], False, tint, self.thin, cv2.LINE_AA)
        if np.isfinite(foot).all():
            centre = _pixels(foot)[0].tolist()
            cv2.circle(self.canvas, centre, self.thick + 1, DARK, -1, cv2.LINE_AA)
            cv2.circle(self.canvas, centre, self.thick, tint, -1, cv2.LINE_AA)

    def line(self, line: LineOverlay) -> None:
        """A line with an arrow in its `in` direction; bright and wide while it flashes."""
        points = _pixels(line.points_px)
        tint = (66, 228, 240) if line.flashing else WHITE
        width = self.thick * (2 if line.flashing else 1)
        middle, (dx, dy) = _middle(line)
        reach = 2.2 * self.text_px
        tip = (middle[0] + reach * dx, middle[1] + reach * dy)
        ends = _pixels([middle, tip]).tolist()
        for ink, extra in ((DARK, 2), (tint, 0)):  # a dark rim shows on any ground
            cv2.polylines(self.canvas, [points], False, ink, width + extra, cv2.LINE_AA)
            cv2.arrowedLine(
                self.canvas, ends[0], ends[1], ink, self.thick + extra, cv2.LINE_AA, tipLength=0.4
            )

    def line_label(self, line: LineOverlay) -> None:
        """Name and counts, on the side that the arrow comes from."""
        (x, y), (dx, dy) = _middle(line)
        text = f"{line.name}  in {line.count_in}  out {line.count_out}"
        width, _ = self._text_size(text)
        away = self.text_px + abs(dx) * width / 2 + abs(dy) * self.text_px
        tint = (66, 228, 240) if line.flashing else WHITE
        self.label(text, (x - dx * away, y - dy * away), tint)

    def zone(self, zone: ZoneOverlay) -> None:
        """A zone's outline and a faint fill."""
        points = _pixels(zone.polygon_px)
        height, width = self.canvas.shape[:2]
        x1, y1 = np.clip(points.min(0), 0, (width, height)).tolist()
        x2, y2 = np.clip(points.max(0) + 1, 0, (width, height)).tolist()
        region = self.canvas[y1:y2, x1:x2]
        if region.size:
            filled = region.copy()
            cv2.fillPoly(filled, [points - (x1, y1)], WHITE)
            region[...] = cv2.addWeighted(filled, ZONE_OPACITY, region, 1 - ZONE_OPACITY, 0)
        for ink, extra in ((DARK, 2), (WHITE, 0)):
            cv2.polylines(self.canvas, [points], True, ink, self.thin + extra, cv2.LINE_AA)

    def label(self, text: str, centre: Point, ground: Colour) -> None:
        """Text on a coloured box round `centre`, moved so as to lie in the frame, uncovered."""
        text = _ascii(text)
        height, width = self.canvas.shape[:2]
        text_w, text_h = self._text_size(text)
        box_w, box_h = text_w + self.text_px, text_h + self.text_px // 2 + 2
        x1 = int(np.clip(centre[0] - box_w / 2, 0, max(0, width - box_w)))
        y1 = int(np.clip(centre[1] - box_h / 2, 0, max(0, height - box_h)))
        for _ in range(6):  # step over labels that are there already, downwards
            below = [t[3] for t in self._taken if _overlap(t, (x1, y1, x1 + box_w, y1 + box_h))]
            if not below or max(below) + box_h > height:
                break
            y1 = max(below)
        self._taken.append((x1, y1, x1 + box_w, y1 + box_h))
        cv2.rectangle(self.canvas, (x1, y1), (x1 + box_w - 1, y1 + box_h - 1), ground, -1)
        blue, green, red = ground
        ink = DARK if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else WHITE
        at = (x1 + self.text_px // 2, y1 + (box_h + self.text_px) // 2)
        cv2.putText(self.canvas, text, at, FONT, self._scale, ink, self.thin, cv2.LINE_AA)

    @property
    def _scale(self) -> float:
        return float(cv2.getFontScaleFromHeight(FONT, self.text_px, self.thin))

    def _text_size(self, text: str) -> tuple[int, int]:
        (width, height), _ = cv2.getTextSize(text, FONT, self._scale, self.thin)
        return width, height


def _middle(line: LineOverlay) -> tuple[Point, Point]:
    """Middle of the line's middle segment, and the direction of `in` there."""
    k = (len(line.points_px) - 1) // 2
    a, b = line.points_px[k], line.points_px[min(k + 1, len(line.points_px) - 1)]
    return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), in_direction(a, b)


def _pixels(points: Sequence[Point] | F32) -> I32:
    """Pixels that hold the points, int32 (N, 2), within what OpenCV can draw."""
    floor = np.floor(np.asarray(points, np.float64).reshape(-1, 2))
    return np.clip(floor, -30_000, 30_000).astype(np.int32)


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _ascii(text: str) -> str:
    """The text as far as OpenCV's strokes go: accents fall off, other scripts become `?`.

    >>> _ascii("Entrée 門")
    'Entree ?'
    """
    plain = unicodedata.normalize("NFKD", text)
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return kept.encode("ascii", "replace").decode()
