"""Fitting a picture into the network's input, and finding the way back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.types import F32, U8

GREY = 114  # what the usual training pipelines pad with


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a frame lies in the input: input pixel = frame pixel x scale + (left, top)."""

    frame_hw: tuple[int, int]
    input_hw: tuple[int, int]
    scale_x: float
    scale_y: float
    left: int
    top: int

    def to_frame(self, boxes: F32) -> F32:
        """Boxes (N, 4) from input to frame pixels, clipped to the frame."""
        h, w = self.frame_hw
        offset = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        clipped: F32 = np.clip((boxes - offset) / scale, 0, np.array([w, h, w, h], np.float32))
        return clipped


def fitted(frame_hw: tuple[int, int], longest_px: int, stride: int) -> tuple[int, int]:
    """Input size (h, w) for a model that takes any: longest side `longest_px`, little padding.

    >>> fitted((576, 768), 640, 32), fitted((1080, 1920), 640, 32), fitted((1920, 1080), 640, 32)
    ((480, 640), (384, 640), (640, 384))
    """
    scale = longest_px / max(frame_hw)
    h, w = (max(1, round(side * scale)) for side in frame_hw)
    return -(-h // stride) * stride, -(-w // stride) * stride


def letterbox(frame_hw: tuple[int, int], input_hw: tuple[int, int]) -> Letterbox:
    """Keep the aspect ratio, centre, pad the rest (the convention of YOLO exports)."""
    (h, w), (input_h, input_w) = frame_hw, input_hw
    scale = min(input_h / h, input_w / w)
    inner_h, inner_w = max(1, round(h * scale)), max(1, round(w * scale))
    return Letterbox(
        frame_hw,
        input_hw,
        inner_w / w,
        inner_h / h,
        (input_w - inner_w) // 2,
        (input_h - inner_h) // 2,
    )


class Canvas:
    """The network's input tensor, allocated once for a frame size and filled for each frame."""

    def __init__(self, box: Letterbox) -> None:
        h, w = box.input_hw
        self.box = box
        self.tensor: F32 = np.full((1, 3, h, w), GREY / 255, np.float32)
        inner_h = round(box.frame_hw[0] * box.scale_y)
        inner_w = round(box.frame_hw[1] * box.scale_x)
        self._inner = self.tensor[0, :, box.top : box.top + inner_h, box.left : box.left + inner_w]
        self._small: U8 = np.empty((inner_h, inner_w, 3), np.uint8)
        self._planes = [np.empty((inner_h, inner_w), np.uint8) for _ in range(3)]

    def fill(self, image: U8) -> F32:
        """Resize BGR uint8 (H, W, 3) and write it as RGB 0..1; returns the tensor."""
        inner_h, inner_w = self._small.shape[:2]
        shrinks = inner_w * 2 <= image.shape[1]  # bilinear would skip pixels
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(image, (inner_w, inner_h), dst=self._small, interpolation=how)
        cv2.split(self._small, self._planes)
        for channel, plane in zip(self._inner, reversed(self._planes), strict=True):
            np.multiply(plane, np.float32(1 / 255), out=channel)
        return self.tensor
