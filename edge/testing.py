"""Synthetic scenes with known identities and counts: for tests, and for trying rules out.

Ellipses stand for people and vehicles. They walk along paths, hide each other (whose foot is
lower in the picture is in front), cross lines and vanish. The same arguments give the same
scene on every machine. Imports `edge.types` and `edge.masks` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge.masks import from_crops
from edge.types import F64, I64, Bool, Instances, Stamp

PERSON, CAR, TRUCK = 0, 1, 2  # class ids
CLASS_GROUPS = (0, 1, 1)  # a car seen as a truck is one object
HIDDEN_SHARE = 0.2  # who shows less of itself is not found

Window = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Actor:
    """One ellipse and the way its foot takes.

    `path` holds (media seconds, x, y), times ascending; between its points the foot moves
    straight and evenly, before the first and after the last the actor is not there.
    """

    class_id: int
    width_px: float
    height_px: float
    path: tuple[tuple[float, float, float], ...]

    def foot(self, media_s: float) -> tuple[float, float] | None:
        """Where it stands, or None when it is not there.

        >>> Actor(PERSON, 10, 30, ((0.0, 0.0, 50.0), (2.0, 40.0, 50.0))).foot(0.5)
        (10.0, 50.0)
        """
        times = [t for t, _, _ in self.path]
        if not times[0] <= media_s <= times[-1]:
            return None
        x, y = (float(np.interp(media_s, times, [p[axis] for p in self.path])) for axis in (1, 2))
        return x, y


@dataclass(frozen=True, slots=True)
class Noise:
    """What a segmenter does wrong."""

    misses: float = 0.0  # share of instances that are not found
    jitter_px: float = 0.0  # standard deviation of an instance's place
    low_scores: float = 0.0  # share of instances with scores of 0.15 to 0.4


def times(duration_s: float, fps: float, irregular: float = 0.0, seed: int = 0) -> list[float]:
    """Media times of frames from 0; `irregular` (0 to below 1) shifts each by a share of 1 / fps.

    >>> times(0.5, 10)
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    count = round(duration_s * fps)
    shifts = np.random.default_rng(seed).uniform(0, irregular, count)
    return [float(k + shift) / fps for k, shift in enumerate(shifts.tolist())]


def frames(
    actors: Sequence[Actor],
    times_s: Sequence[float],
    size_hw: tuple[int, int] = (240, 320),
    noise: Noise | None = None,
    seed: int = 0,
) -> Iterator[tuple[Stamp, Instances, I64]]:
    """What a segmenter would see at `times_s`, and who it is.

    Yields:
        Stamp, Instances (best score first, boxes tight round what is visible), and for each
        instance its true id, int64 (N,): the place of the actor in `actors`, from 1.
    """
    noise = noise or Noise()
    for index, media_s in enumerate(times_s):
        rng = np.random.default_rng([seed, index])
        shifts = rng.normal(0, noise.jitter_px, (len(actors), 2))
        found = rng.random(len(actors)) >= noise.misses
        weak = rng.random(len(actors)) < noise.low_scores
        scores = np.where(weak, rng.uniform(0.15, 0.4, len(actors)), 0) + np.where(
            weak, 0, rng.uniform(0.75, 0.95, len(actors))
        )
        visible = _seen(actors, media_s, shifts, size_hw)
        seen = sorted((s for s in visible if found[s[0]]), key=lambda s: -scores[s[0]])
        order = np.array([k for k, _, _ in seen], np.int64)
        windows = [window for _, window, _ in seen]
        instances = Instances(
            np.array(windows, np.float32).reshape(-1, 4),
            scores[order].astype(np.float32),
            np.array([actors[k].class_id for k in order.tolist()], np.int32),
            from_crops(*size_hw, windows, [crop for _, _, crop in seen]),
        )
        yield Stamp(index, media_s), instances, order + 1


def _seen(
    actors: Sequence[Actor], media_s: float, shifts: F64, size_hw: tuple[int, int]
) -> Iterator[tuple[int, Window, Bool]]:
    """Actor, tight window and visible pixels of all that show enough, from front to back."""
    feet = [(k, foot) for k, a in enumerate(actors) if (foot := a.foot(media_s)) is not None]
    taken = np.zeros(size_hw, bool)
    for k, (x, y) in sorted(feet, key=lambda f: -f[1][1]):
        a = actors[k]
        (x1, y1, x2, y2), whole = _ellipse(a, x + shifts[k, 0], y + shifts[k, 1], size_hw)
        visible = whole & ~taken[y1:y2, x1:x2]
        taken[y1:y2, x1:x2] |= whole
        full_px = np.pi / 4 * a.width_px * a.height_px
        if np.count_nonzero(visible) > HIDDEN_SHARE * full_px:
            rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
            top, bottom = int(rows[0]), int(rows[-1]) + 1
            left, right = int(columns[0]), int(columns[-1]) + 1
            window = (x1 + left, y1 + top, x1 + right, y1 + bottom)
            yield k, window, visible[top:bottom, left:right]


def _ellipse(a: Actor, x: float, y: float, size_hw: tuple[int, int]) -> tuple[Window, Bool]:
    """Pixels of the frame whose centre lies in the ellipse that stands at (x, y)."""
    height, width = size_hw
    x1, x2 = (int(np.clip(v, 0, width)) for v in (x - a.width_px / 2 - 1, x + a.width_px / 2 + 2))
    y1, y2 = (int(np.clip(v, 0, height)) for v in (y - a.height_px - 1, y + 2))
    across = (np.arange(x1, x2) + 0.5 - x) / (a.width_px / 2)
    down = (np.arange(y1, y2) + 0.5 - y + a.height_px / 2) / (a.height_px / 2)
    inside: Bool = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    return (x1, y1, x2, y2), inside


def crowd(
    count: int, duration_s: float, size_hw: tuple[int, int] = (240, 320), seed: int = 0
) -> list[Actor]:
    """People and vehicles that pass through the frame from side to side; one in five turns back."""
    rng = np.random.default_rng(seed)
    height, width = size_hw
    actors = []
    for _ in range(count):
        is_vehicle = rng.random() < 0.25
        tall = float(rng.uniform(0.18, 0.3)) * height
        wide = tall * (2.0 if is_vehicle else 0.4)
        x, end_x = (-wide, width + wide) if rng.random() < 0.5 else (width + wide, -wide)
        y, end_y = rng.uniform(0.4, 0.95, 2) * height
        start_s = float(rng.uniform(0, 0.6)) * duration_s
        way_s = abs(end_x - x) / (tall * float(rng.uniform(1.0, 2.0)))
        path = [(start_s, float(x), float(y)), (start_s + way_s, float(end_x), float(end_y))]
        if rng.random() < 0.2:
            half_s = start_s + 0.75 * way_s
            turn = (half_s, x + 0.75 * (end_x - x), float(y + 0.75 * (end_y - y)))
            path = [path[0], turn, (half_s + 0.75 * way_s, float(x), float(y))]
        class_id = int(rng.choice([CAR, TRUCK])) if is_vehicle else PERSON
        actors.append(Actor(class_id, wide, tall, tuple(path)))
    return actors


def line_counts(actors: Sequence[Actor], line: F64) -> tuple[int, int]:
    """True passages (in, out) of feet over a polyline, float64 (K, 2).

    >>> down = np.array([[20.0, 0.0], [20.0, 99.0]])
    >>> line_counts([Actor(PERSON, 10, 30, ((0.0, 0.0, 50.0), (2.0, 40.0, 50.0)))], down)
    (0, 1)
    """
    ins = outs = 0
    for actor in actors:
        for (_, *p), (_, *q) in zip(actor.path[:-1], actor.path[1:], strict=True):
            for a, b in zip(line[:-1].tolist(), line[1:].tolist(), strict=True):
                before, after = _is_left(p, a, b), _is_left(q, a, b)
                if before != after and _is_left(a, p, q) != _is_left(b, p, q):
                    ins, outs = ins + before, outs + after
    return ins, outs


def zone_counts(actors: Sequence[Actor], polygon: F64) -> int:
    """True entries to a polygon, float64 (K, 2); each is followed by an exit in the end.

    Who appears inside has entered, who vanishes inside has left.
    """
    outline = np.concatenate([polygon, polygon[:1]])
    total = 0
    for actor in actors:
        far = (actor.path[0][0] - 1.0, float(polygon[:, 0].min()) - 1e4, actor.path[0][2] + 0.123)
        arriving = Actor(actor.class_id, 1, 1, (far, actor.path[0]))
        starts_inside = sum(line_counts([arriving], outline)) % 2
        edges_met = sum(line_counts([actor], outline))
        total += starts_inside + (edges_met + (1 - starts_inside)) // 2
    return total


def _is_left(p: Sequence[float], a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `p` is on the left of someone who stands at `a` and looks towards `b`."""
    return (p[0] - a[0]) * (b[1] - a[1]) - (p[1] - a[1]) * (b[0] - a[0]) > 0
