"""What is allowed in a config but hardly meant: rules at which nothing can be counted well.

All in pixels of a frame. Without a recording its size and the height of objects are guesses,
and the sentences say so.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from edge.config import Camera, Config, Counting, Key, paths_cross, segments_meet
from edge.count.line import Band
from edge.geometry import polygon_distance
from edge.types import F64

_GUESS_PX = (1920, 1080)
_GUESS_SHARE = 0.15  # height of an object, of the frame's
_SLIM = 0.4  # width of a person, of the height


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the frame and its usual objects are."""

    width_px: int = _GUESS_PX[0]
    height_px: int = _GUESS_PX[1]
    object_px: float = _GUESS_SHARE * _GUESS_PX[1]  # usual height
    is_measured: bool = False
    remedy: str = ": --against measures it"  # of a guess

    def placed(self, points: tuple[tuple[float, float], ...]) -> F64:
        """Points given in 0..1 of the frame, in pixels, float64 (N, 2)."""
        placed: F64 = np.array(points, np.float64) * (self.width_px, self.height_px)
        return placed

    def of_object(self) -> str:
        """The usual object, in words."""
        if self.is_measured:
            return f"an object {self.object_px:.0f} px high, as usual here"
        share = self.object_px / self.height_px
        return f"an object of {share:.0%} of the frame's height (a guess{self.remedy})"


@dataclass(frozen=True, slots=True)
class Finding:
    """A doubt about one key of the config, as a sentence."""

    key: Key
    text: str


ScaleOf = Callable[[str, str], Scale]  # of a camera and a rule


def findings(config: Config, scale_of: ScaleOf = lambda camera, rule: Scale()) -> list[Finding]:
    """Doubts about the rules, in the order of the config.

    Args:
        config: the config.
        scale_of: sizes for a camera and a rule, by name.
    """
    if not config.cameras:
        return [Finding(("cameras",), "none, so there is nothing to count")]
    return [
        Finding(("cameras", name, *found.key), found.text)
        for name, camera in config.cameras.items()
        for found in _of_camera(camera, config.counting, partial(scale_of, name))
    ]


def _of_camera(
    camera: Camera, counting: Counting, scale_of: Callable[[str], Scale]
) -> Iterator[Finding]:
    if not camera.rules:
        yield Finding((), "no lines and no zones, so it will count nothing")
    for name, line in camera.lines.items():
        for text in _of_line(line.path, scale_of(name), counting):
            yield Finding(("lines", name), text)
    for (name, line), (other, that) in itertools.combinations(camera.lines.items(), 2):
        if paths_cross(line.path, that.path):
            yield Finding(("lines", name), f"meets line '{other}': one passage may count at both")
    for name, zone in camera.zones.items():
        for text in _of_zone(zone.polygon, scale_of(name), counting):
            yield Finding(("zones", name), text)


def _of_line(
    path: tuple[tuple[float, float], ...], scale: Scale, counting: Counting
) -> Iterator[str]:
    if _crosses_itself(path):
        yield "crosses itself: near there its sides are mixed up"
    line = scale.placed(path)
    length_px = float(np.hypot(*np.diff(line, axis=0).T).sum())
    if length_px < _SLIM * scale.object_px:
        yield f"{length_px:.0f} px long, less than the width of {scale.of_object()}"
    needed_px = 2 * _band_px(scale, counting)
    tight = _share_without_room(line, scale, needed_px)
    if tight > 0.5:
        yield (
            f"the frame ends within {needed_px:.0f} px of it along {tight:.0%} of its length: "
            f"{scale.of_object()} must get that far on both sides to be counted"
        )


def _of_zone(
    polygon: tuple[tuple[float, float], ...], scale: Scale, counting: Counting
) -> Iterator[str]:
    deepest_px = _deepest(scale.placed(polygon))
    band_px = _band_px(scale, counting)
    if deepest_px <= band_px:
        yield (
            f"no point of it is {band_px:.0f} px from its edge, where {scale.of_object()} is "
            "clearly inside: nothing can enter"
        )
    elif 2 * deepest_px < _SLIM * scale.object_px:
        yield (
            f"{2 * deepest_px:.0f} px wide, less than the width of {scale.of_object()}: feet "
            "hardly fall inside"
        )


def _band_px(scale: Scale, counting: Counting) -> float:
    band = Band(counting.band_height_share, counting.min_band_px)
    return float(band.width_px(scale.object_px))


def _share_without_room(line: F64, scale: Scale, needed_px: float) -> float:
    """Share of the line's length beside which, on its worse side, the frame ends too soon."""
    steps = np.diff(line, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    shares = (np.arange(50) + 0.5) / 50
    places = line[:-1, None] + shares[None, :, None] * steps[:, None]  # (K - 1, 50, 2)
    normals = np.stack([steps[:, 1], -steps[:, 0]], 1) / lengths[:, None]
    tight = []
    for way in (needed_px, -needed_px):
        reached = places + way * normals[:, None]
        outside = ((reached < 0) | (reached > (scale.width_px, scale.height_px))).any(2)
        tight.append(float((outside.mean(1) * lengths).sum() / lengths.sum()))
    return max(tight)


def _deepest(polygon: F64) -> float:
    """About the largest distance from the edge to a point inside, pixels."""
    low, high = polygon.min(0), polygon.max(0)
    xs, ys = (np.linspace(a, b, 65)[1:-1] for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    return float(polygon_distance(grid, polygon).max())


def _crosses_itself(path: tuple[tuple[float, float], ...]) -> bool:
    pieces = list(itertools.pairwise(path))
    return any(
        segments_meet(*one, *other)
        for k, one in enumerate(pieces)
        for other in pieces[k + 2 :]
        if one[0] != other[1]  # a closed line
    )
