"""Where a picture lies in the network's input, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.types import F32


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
        clipped: F32 = np.clip(self.unclipped(boxes), 0, np.array([w, h, w, h], np.float32))
        return clipped

    def unclipped(self, boxes: F32) -> F32:
        """Boxes (N, 4) from input to frame pixels, also beyond the frame."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        moved: F32 = (boxes - offset) / scale
        return moved


def fitted(frame_hw: tuple[int, int], longest_px: int, stride: int) -> tuple[int, int]:
    """Input size (h, w) for a model that takes any: longest side `longest_px`, little padding.

    >>> fitted((576, 768), 640, 32), fitted((1080, 1920), 640, 32), fitted((1920, 1080), 640, 32)
    ((480, 640), (384, 640), (640, 384))
    """
    scale = longest_px / max(frame_hw)
    h, w = (max(1, round(side * scale)) for side in frame_hw)
    return -(-h // stride) * stride, -(-w // stride) * stride


def by_shortest(
    frame_hw: tuple[int, int], shortest_px: int, stride: int, most_px: int | None = None
) -> Letterbox:
    """Short side `shortest_px`, at the top left of an input padded to multiples of the stride.

    Where the long side would get more than `most_px`, it gets so many, and the short side less.

    >>> box = by_shortest((1080, 1920), 800, 32)
    >>> inner(box), box.input_hw
    ((800, 1422), (800, 1440))
    >>> inner(by_shortest((1080, 1920), 800, 32, 1333))
    (750, 1333)
    """
    scale = shortest_px / min(frame_hw)
    if most_px is None:
        h, w = (max(1, int(side * scale)) for side in frame_hw)
    else:
        scale = min(scale, most_px / max(frame_hw))
        h, w = (max(1, int(side * scale + 0.5)) for side in frame_hw)
    input_hw = -(-h // stride) * stride, -(-w // stride) * stride
    return Letterbox(frame_hw, input_hw, w / frame_hw[1], h / frame_hw[0], 0, 0)


def letterbox(frame_hw: tuple[int, int], input_hw: tuple[int, int]) -> Letterbox:
    """Keep the aspect ratio, centre, pad the rest (the convention of YOLO exports)."""
    (h, w), (input_h, input_w) = frame_hw, input_hw
    scale = min(input_h / h, input_w / w)
    inner_h, inner_w = max(1, round(h * scale)), max(1, round(w * scale))
    left, top = (input_w - inner_w) // 2, (input_h - inner_h) // 2
    return Letterbox(frame_hw, input_hw, inner_w / w, inner_h / h, left, top)


def cornered(frame_hw: tuple[int, int], input_hw: tuple[int, int]) -> Letterbox:
    """Keep the aspect ratio, at the top left, pad the rest; halves are rounded up, as by mmcv.

    >>> inner(cornered((425, 640), (320, 320))), inner(letterbox((425, 640), (320, 320)))
    ((213, 320), (212, 320))
    """
    (h, w), (input_h, input_w) = frame_hw, input_hw
    scale = min(input_h / h, input_w / w)
    inner_h, inner_w = max(1, int(h * scale + 0.5)), max(1, int(w * scale + 0.5))
    return Letterbox(frame_hw, input_hw, inner_w / w, inner_h / h, 0, 0)


def stretched(frame_hw: tuple[int, int], input_hw: tuple[int, int]) -> Letterbox:
    """Fill the whole input, whatever becomes of the aspect ratio."""
    scale_y, scale_x = input_hw[0] / frame_hw[0], input_hw[1] / frame_hw[1]
    return Letterbox(frame_hw, input_hw, scale_x, scale_y, 0, 0)


def inner(box: Letterbox) -> tuple[int, int]:
    """Size (h, w) of the picture within the input."""
    return round(box.frame_hw[0] * box.scale_y), round(box.frame_hw[1] * box.scale_x)
