"""From a picture to the network's input: size, order of colours, scale of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.segment.letterbox import (
    Letterbox,
    by_shortest,
    cornered,
    fitted,
    inner,
    letterbox,
    stretched,
)
from edge.segment.sizing import DEFAULT_LONGEST_PX
from edge.types import U8

GREY = 114.0  # what the usual training pipelines pad with
IMAGENET_MEAN = (123.675, 116.28, 103.53)  # red, green, blue, of 0..255
IMAGENET_STD = (58.395, 57.12, 57.375)

# letterbox: keep the aspect ratio, centre; corner: keep it, at the top left; stretch: fill all.
Geometry = Literal["letterbox", "corner", "stretch"]
# What a model that takes any size is given unless told: pictures of a longest side, pictures as
# they are, or pictures of a shortest side.
Sizing = Literal["longest", "native", "shortest"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a family of models wants its picture: (value - mean) / std of each channel."""

    geometry: Geometry = "letterbox"
    is_rgb: bool = True
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of 0..255, in the order of the channels
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    padding: tuple[float, float, float] = (GREY, GREY, GREY)  # of 0..255, likewise
    stride_px: int = 32  # an input of any size has sides that are multiples of it
    averages: bool = True  # pixels, where a picture shrinks to half or less; else it skips some
    sizing: Sizing = "longest"
    size_px: int = DEFAULT_LONGEST_PX  # the longest or the shortest side
    most_px: int | None = None  # of the longest side where the shortest is given

    def placed(
        self, frame_hw: tuple[int, int], fixed_hw: tuple[int, int] | None, longest_px: int | None
    ) -> Letterbox:
        """Where a frame lies in the input.

        Args:
            frame_hw: size of the frame, pixels.
            fixed_hw: of the input, for a model that takes one size.
            longest_px: longest side of the input, for a model that takes any; None: the family's.
        """
        if fixed_hw is None and longest_px is None and self.sizing == "shortest":
            return by_shortest(frame_hw, self.size_px, self.stride_px, self.most_px)
        if fixed_hw is None and longest_px is None and self.sizing == "native":
            return stretched(frame_hw, frame_hw)
        longest_px = longest_px or self.size_px
        if self.geometry == "stretch":
            return stretched(frame_hw, fixed_hw or (longest_px, longest_px))
        input_hw = fixed_hw or fitted(frame_hw, longest_px, self.stride_px)
        return (letterbox if self.geometry == "letterbox" else cornered)(frame_hw, input_hw)


class Canvas:
    """The network's input tensor, allocated once for a frame size and filled for each frame."""

    def __init__(
        self, box: Letterbox, how: Preparation | None = None, dtype: type = np.float32
    ) -> None:
        """Allocate.

        Args:
            box: where the frame lies in the input.
            how: order of colours and scale of values.
            dtype: of the tensor: float32 or float16.
        """
        how = how or Preparation()
        self.box = box
        h, w = box.input_hw
        self.tensor: NDArray[Any] = np.empty((1, 3, h, w), dtype)
        for channel, value, mean, std in zip(
            self.tensor[0], how.padding, how.mean, how.std, strict=True
        ):
            channel[:] = (value - mean) / std
        inner_h, inner_w = inner(box)
        self._inner = self.tensor[0, :, box.top : box.top + inner_h, box.left : box.left + inner_w]
        self._small: U8 = np.empty((inner_h, inner_w, 3), np.uint8)
        self._averages = how.averages
        self._planes = [np.empty((inner_h, inner_w), np.uint8) for _ in range(3)]
        self._source = self._planes[::-1] if how.is_rgb else self._planes
        self._factors = [np.float32(1 / std) for std in how.std]
        self._shifts = [np.float32(m / s) for m, s in zip(how.mean, how.std, strict=True)]

    def fill(self, image: U8) -> NDArray[Any]:
        """Resize BGR uint8 (H, W, 3) and write it into the tensor (1, 3, h, w), which is given."""
        inner_h, inner_w = self._small.shape[:2]
        shrinks = inner_w * 2 <= image.shape[1]  # bilinear would skip pixels
        how = cv2.INTER_AREA if shrinks and self._averages else cv2.INTER_LINEAR
        cv2.resize(image, (inner_w, inner_h), dst=self._small, interpolation=how)
        cv2.split(self._small, self._planes)
        for channel, plane, factor, shift in zip(
            self._inner, self._source, self._factors, self._shifts, strict=True
        ):
            np.multiply(plane, factor, out=channel, casting="same_kind")
            if shift:
                np.subtract(channel, shift, out=channel, casting="same_kind")
        return self.tensor
