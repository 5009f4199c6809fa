"""Truth and prediction side by side in one picture. Pure; imports opencv and layers 0-2."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.types import U8, Masks

# Blue, green, red: told apart with any usual kind of colour vision (Okabe and Ito, 2008).
COLOURS = (
    (178, 114, 0),
    (0, 159, 230),
    (115, 158, 0),
    (0, 94, 213),
    (167, 121, 204),
    (66, 228, 240),
)


def comparison(
    image: U8, truth: tuple[Masks, Sequence[str]], found: tuple[Masks, Sequence[str]], title: str
) -> U8:
    """Two copies of a picture under one title: truth on the left, prediction on the right.

    Args:
        image: BGR uint8 (H, W, 3).
        truth: masks on the picture, and what to write at each.
        found: the same of the prediction.
        title: one line above both.

    Returns:
        BGR uint8 (H + 20, 2 W + 4, 3).
    """
    height, width = image.shape[:2]
    page: U8 = np.full((height + 20, 2 * width + 4, 3), 255, np.uint8)
    page[20:, :width] = drawn(image, *truth)
    page[20:, width + 4 :] = drawn(image, *found)
    _write(page, f"truth | prediction   {title}", (4, 15), (0, 0, 0), 0)
    return page


def drawn(image: U8, masks: Masks, captions: Sequence[str]) -> U8:
    """A copy of the picture with each mask tinted, outlined and captioned."""
    canvas = image.copy()
    for k, (x1, y1, x2, y2) in enumerate(masks.windows.tolist()):
        if x1 >= x2 or y1 >= y2:
            continue
        colour = COLOURS[k % len(COLOURS)]
        crop, inside = canvas[y1:y2, x1:x2], masks.crop(k) > 0
        crop[inside] = (crop[inside] * 0.5 + np.array(colour) * 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(
            masks.crop(k), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x1, y1)
        )
        cv2.drawContours(canvas, outlines, -1, colour, 1)
    for k, (x1, y1, _, _) in enumerate(masks.windows.tolist()):
        _write(canvas, captions[k], (x1 + 1, max(10, y1 + 10)), (255, 255, 255), 2)
    return canvas


def _write(
    canvas: U8, text: str, at: tuple[int, int], colour: tuple[int, int, int], outline_px: int
) -> None:
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.38
    if outline_px:
        cv2.putText(canvas, text, at, font, scale, (0, 0, 0), 1 + outline_px, cv2.LINE_AA)
    cv2.putText(canvas, text, at, font, scale, colour, 1, cv2.LINE_AA)
