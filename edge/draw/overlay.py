"""What is drawn besides the masks: rules with their totals, trails, text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.types import F32

Point = tuple[float, float]
FLASH_S = 0.4  # media time for which a line stays lit after a crossing


@dataclass(frozen=True, slots=True)
class LineOverlay:
    """A counting line in frame pixels, from A to B, and its totals.

    The arrow shows `in`: from the left to the right hand of someone who stands at A and looks
    towards B in the picture.
    """

    name: str
    points_px: Sequence[Point]
    count_in: int
    count_out: int
    flashing: bool = False  # a crossing was counted less than FLASH_S ago


@dataclass(frozen=True, slots=True)
class ZoneOverlay:
    """A zone in frame pixels and how many are inside."""

    name: str
    polygon_px: Sequence[Point]
    occupancy: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """What to draw besides the tracks themselves."""

    class_names: Sequence[str] = ()
    lines: Sequence[LineOverlay] = ()
    zones: Sequence[ZoneOverlay] = ()
    tails: Mapping[int, F32] = field(default_factory=dict)  # track id -> feet (N, 2), oldest first
    text: str = ""  # in the corner: a time, a rate
