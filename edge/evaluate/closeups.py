"""Zoomed crops of single instances with their contours. Pure; imports opencv and layers 0-2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge import masks as mask_ops
from edge.evaluate.agreement import Agreement
from edge.evaluate.failures import Finding
from edge.evaluate.instances import InstanceFacts
from edge.evaluate.truthfiles import PictureTruth
from edge.types import F32, U8, Masks

# Okabe and Ito (2008), blue, green, red: told apart with any usual kind of colour vision.
PREDICTED = (0, 159, 230)  # orange
TRUE = (233, 180, 86)  # sky blue
MARGIN = 0.15  # of the longer side, left round an object
LEAST_PX = 24  # a crop shows at least so much of the picture


@dataclass(frozen=True, slots=True)
class Closeup:
    """One object, large: BGR uint8 (S, S, 3), and two lines to go with it."""

    picture: U8
    title: str
    text: str
    is_failure: bool


def closeups(
    image: U8,
    masks: Masks,
    facts: Sequence[InstanceFacts],
    checks: Sequence[Finding],
    compared: tuple[PictureTruth, Agreement] | None,
    tile_px: int = 256,
) -> list[Closeup]:
    """A close-up of every instance, and of every missed object; failures first, then by score.

    Args:
        image: BGR uint8 (H, W, 3).
        masks: of the instances, on the picture.
        facts: of the same instances.
        checks: the failure check: decides which are failures.
        compared: the truth and the agreement with it.
        tile_px: side of each close-up.
    """
    failed = {k for c in checks if c.is_failure and c.name != "missed_instances" for k in c.ids}
    found = []
    true_of = {}
    if compared:
        truth, agreed = compared
        place = {truth_id: i for i, truth_id in enumerate(truth.ids)}
        true_of = {m.id: (place[m.truth_id], m) for m in agreed.matches}
    for f in facts:
        title, text = f"#{f.id} {f.class_name} {f.score:.2f}", f"{f.area_px} px"
        shown = [(masks, f.id - 1, PREDICTED)]
        if compared:
            text = "matches no true object"
        if f.id in true_of:
            i, match = true_of[f.id]
            shown.insert(0, (truth.masks, i, TRUE))
            text = f"IoU {match.iou:.2f}  boundary {match.boundary_iou:.2f}"
            if match.truth_class not in ("", match.class_name):
                text = f"is {match.truth_class}, IoU {match.iou:.2f}"
        found.append(Closeup(closeup(image, shown, tile_px), title, text, f.id in failed))
    if compared:
        for truth_id in agreed.missed:
            i = place[truth_id]
            picture = closeup(image, [(truth.masks, i, TRUE)], tile_px)
            name = truth.class_names[i] or "object"
            text = f"{int(mask_ops.area(truth.masks)[i])} px"
            found.append(Closeup(picture, f"missed true #{truth_id} {name}", text, True))
    return sorted(found, key=lambda c: not c.is_failure)


def closeup(
    image: U8, shown: Sequence[tuple[Masks, int, tuple[int, int, int]]], tile_px: int
) -> U8:
    """A square crop round the masks, enlarged, each outlined in its colour on a dark rim.

    Args:
        image: BGR uint8 (H, W, 3).
        shown: masks, which of them, and its BGR colour; the first ones lie below.
        tile_px: side of the result.

    Returns:
        BGR uint8 (tile_px, tile_px, 3); grey beyond the border of the picture.
    """
    x, y, side = _square([masks.windows[k].tolist() for masks, k, _ in shown])
    scale = tile_px / side
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    crop = _padded(image, x, y, side)
    tile: U8 = np.asarray(cv2.resize(crop, (tile_px, tile_px), interpolation=way), np.uint8)
    thick = max(1, round(tile_px / 128))
    for ink_of, extra in ((lambda c: (24, 24, 24), 2), (lambda c: c, 0)):
        for masks, k, colour in shown:
            outlines = _outlines(masks, k, (x, y, side), tile_px)
            cv2.drawContours(tile, outlines, -1, ink_of(colour), thick + extra, cv2.LINE_AA)
    return tile


def _square(windows: Sequence[list[int]]) -> tuple[int, int, int]:
    """Left, top and side of a square round all windows, with a margin."""
    table = np.array(windows).reshape(-1, 4)
    (x1, y1), (x2, y2) = table[:, :2].min(0).tolist(), table[:, 2:].max(0).tolist()
    side = max(LEAST_PX, round(max(x2 - x1, y2 - y1) * (1 + 2 * MARGIN)))
    return (x1 + x2 - side) // 2, (y1 + y2 - side) // 2, side


def _padded(image: U8, x: int, y: int, side: int) -> U8:
    height, width = image.shape[:2]
    crop: U8 = np.full((side, side, 3), 226, np.uint8)
    x1, y1, x2, y2 = max(0, x), max(0, y), min(width, x + side), min(height, y + side)
    if x1 < x2 and y1 < y2:
        crop[y1 - y : y2 - y, x1 - x : x2 - x] = image[y1:y2, x1:x2]
    return crop


def _outlines(masks: Masks, k: int, square: tuple[int, int, int], tile_px: int) -> list[U8]:
    """Contours of a mask in the enlarged crop: smooth, not in steps of source pixels."""
    x, y, side = square
    left, top, right, bottom = masks.windows[k].tolist()
    flat: F32 = np.zeros((side, side), np.float32)
    x1, y1, x2, y2 = max(0, left - x), max(0, top - y), min(side, right - x), min(side, bottom - y)
    if x1 < x2 and y1 < y2:
        flat[y1:y2, x1:x2] = masks.crop(k)[
            y1 + y - top : y2 + y - top, x1 + x - left : x2 + x - left
        ]
    large = cv2.resize(flat, (tile_px, tile_px), interpolation=cv2.INTER_LINEAR)
    contours, _ = cv2.findContours(
        (large > 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    return [np.asarray(c) for c in contours]
