"""How large a model's input is: one answer for pictures, the first run and TensorRT's profile."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEFAULT_LONGEST_PX = 640
STEP_PX = 32
# A picture smaller than this may have fewer cells than cells have rows, by which YOLO's are told.
LEAST_FIRST_PX = 256

Size = tuple[int, int]  # (height, width), pixels


@dataclass(frozen=True, slots=True)
class Profile:
    """Least, usual and greatest shape (n, 3, h, w) of an input that may have several."""

    least: tuple[int, ...]
    best: tuple[int, ...]
    most: tuple[int, ...]

    @property
    def text(self) -> str:
        """As it stands in the name of an engine's folder."""
        if self.least == self.most:
            return by(self.most)
        return f"{by(self.least)}_{by(self.best)}_{by(self.most)}"


def longest_px(
    metadata: Mapping[str, str], asked: int | None, usual: int | None = None
) -> int | None:
    """Longest side of the input, pixels, for a model that takes any.

    Args:
        metadata: of the model: `imgsz`, or `img_size`.
        asked: worth more than that.
        usual: where neither tells.

    >>> longest_px({"imgsz": "[320, 256]"}, None), longest_px({"img_size": "64x64"}, None)
    (320, 64)
    >>> longest_px({"imgsz": "320"}, 640), longest_px({}, None, 640), longest_px({}, None)
    (640, 640, None)
    """
    own = metadata.get("imgsz", metadata.get("img_size", ""))
    return asked or max(_numbers(own), default=usual)


def stride_px(metadata: Mapping[str, str]) -> int | None:
    """What a model's sides are multiples of, by its metadata; None: it does not say."""
    return max(_numbers(metadata.get("stride", "")), default=None)


def profile(
    shape: Sequence[int | None],
    metadata: Mapping[str, str],
    asked: int | None = None,
    batch: int = 1,
    given: tuple[Size | None, Size | None, Size | None] = (None, None, None),
) -> Profile | None:
    """The shapes that an input must take, for TensorRT.

    A letterboxed picture's longest side is known, the other follows from the frame, however long
    that is; 9:16 is what the engine is made best for.

    Args:
        shape: of the input, (n, 3, h, w) or (3, h, w), None where it is free.
        metadata: of the model.
        asked: longest side of the input.
        batch: most pictures a run, which is how many come where the model is the slowest part.
        given: least, best and greatest size, as far as somebody has decided them.

    Returns:
        None if it is free and nothing tells which sizes will come: TensorRT then builds for those
        that do. It is so for models of one picture without a batch's axis, which take pictures as
        they are.

    >>> profile((1, 3, 640, 640), {}).text
    '1x3x640x640'
    >>> profile((None, 3, None, None), {}, asked=640, batch=4).text
    '1x3x32x32_4x3x384x640_4x3x640x640'
    """
    if None not in shape:
        sizes = tuple(size or 1 for size in shape)
        return Profile(sizes, sizes, sizes)
    lead: tuple[int | None, ...] = tuple(shape[:-3])  # the batch, if there is one
    if None not in shape[-2:]:
        least = best = most = (shape[-2] or 1, shape[-1] or 1)
    else:
        longest = longest_px(metadata, asked, DEFAULT_LONGEST_PX if lead else None)
        if not longest and None in given:
            return None
        step, longest = stride_px(metadata) or STEP_PX, longest or DEFAULT_LONGEST_PX
        side = _up(max(longest, LEAST_FIRST_PX), step)
        least = given[0] or (step, step)
        best = given[1] or _wide(longest, step)
        most = given[2] or (side, side)
    few = tuple(1 if n is None else n for n in lead)
    many = tuple(max(1, batch) if n is None else n for n in lead)
    return Profile((*few, 3, *least), (*many, 3, *best), (*many, 3, *most))


def first_shapes(
    shape: Sequence[int | None],
    metadata: Mapping[str, str],
    asked: int | None = None,
    best: Size | None = None,
) -> list[tuple[int, ...]]:
    """Shapes of the picture with which a model is tried, in turn until it takes one.

    The first is of the kind that will come. The second is for files that say that they take any
    size and do not: exports whose graph was made for a square.

    Args:
        shape: of the input, None where it is free.
        metadata: of the model.
        asked: longest side of the input.
        best: of TensorRT's profile, if somebody has decided it.

    >>> first_shapes((None, 3, None, None), {})
    [(1, 3, 384, 640), (1, 3, 640, 640)]
    >>> first_shapes((4, 3, 64, 96), {}, 640)
    [(4, 3, 64, 96)]
    """
    lead = tuple(1 if n is None else n for n in shape[:-3])
    height, width = shape[-2:]
    if height and width:
        return [(*lead, 3, height, width)]
    longest = longest_px(metadata, asked, DEFAULT_LONGEST_PX) or DEFAULT_LONGEST_PX
    step = stride_px(metadata) or STEP_PX
    wide = _wide(longest, step)
    if longest < LEAST_FIRST_PX:
        wide = _up(LEAST_FIRST_PX, step), _up(LEAST_FIRST_PX, step)
    sizes = dict.fromkeys([best or wide, (longest, longest)])
    return [(*lead, 3, *size) for size in sizes]


def by(shape: Sequence[int]) -> str:
    """A shape as it is written: 1x3x640x640."""
    return "x".join(map(str, shape))


def _wide(longest: int, step: int) -> Size:
    return _up(longest * 9 / 16, step), _up(longest, step)


def _numbers(text: str) -> list[int]:
    """The positive whole numbers in a metadata entry such as "[640, 640]"."""
    return [size for size in map(int, re.findall(r"\d+", text)) if size > 0]


def _up(px: float, step: int) -> int:
    """The next multiple of a step."""
    return math.ceil(px / step) * step
