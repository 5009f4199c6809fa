"""Ellipses that stand for people and vehicles, and what a segmenter would see of them.

They walk along paths, hide each other (whose foot is lower in the picture is in front), melt
into one another and vanish; `Noise` is what the segmenter does wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge.masks import from_crops
from edge.types import F64, I64, Bool, Instances, Stamp

PERSON, CAR, TRUCK = 0, 1, 2  # class ids
UNSEEN = -1  # class of what hides others but is never found: a pillar, a hedge
CLASS_GROUPS = (0, 1, 1)  # a car seen as a truck is one object
HIDDEN_SHARE = 0.2  # who shows less of itself is not found

Window = tuple[int, int, int, int]
Point = tuple[float, float]


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

    def foot(self, media_s: float) -> Point | None:
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
    shape_jitter: float = 0.0  # standard deviation of width and height, as a share of them
    ghosts: float = 0.0  # mean number, each frame, of instances where nothing is
    duplicates: float = 0.0  # share of instances that are found twice
    class_flips: float = 0.0  # share of instances seen as another class of their group
    # Neighbours of one class that share more than this of the smaller's pixels come as one
    # instance, with the pixels of all; 0: as soon as they overlap, 1: never.
    merge_overlap: float = 1.0
    weak_windows: tuple[Window, ...] = ()  # who stands in one of these has a low score


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
        instance its true id, int64 (N,): the place of the actor in `actors`, from 1; of several
        in one instance that of the one in front; 0 for a ghost.
    """
    for stamp, instances, members in labelled_frames(actors, times_s, size_hw, noise, seed):
        yield stamp, instances, np.array([m[0] if m else 0 for m in members], np.int64)


def labelled_frames(
    actors: Sequence[Actor],
    times_s: Sequence[float],
    size_hw: tuple[int, int] = (240, 320),
    noise: Noise | None = None,
    seed: int = 0,
) -> Iterator[tuple[Stamp, Instances, list[tuple[int, ...]]]]:
    """As `frames`, with all that is in each instance: true ids from front to back, none: a ghost.

    >>> two = [Actor(PERSON, 10, 30, ((0, x, 50), (9, x, 50))) for x in (20, 26)]
    >>> [members for _, _, members in labelled_frames(two, [1.0], noise=Noise(merge_overlap=0.1))]
    [[(1, 2)]]
    """
    noise = noise or Noise()
    for index, media_s in enumerate(times_s):
        rng = np.random.default_rng([seed, index])
        found = sorted(_found(actors, media_s, size_hw, noise, rng), key=lambda f: -f.score)
        windows = [f.window for f in found]
        instances = Instances(
            np.array(windows, np.float32).reshape(-1, 4),
            np.array([f.score for f in found], np.float32),
            np.array([f.class_id for f in found], np.int32),
            from_crops(*size_hw, windows, [f.mask for f in found]),
        )
        yield Stamp(index, media_s), instances, [tuple(k + 1 for k in f.members) for f in found]


@dataclass(frozen=True, slots=True)
class _Found:
    """One instance; `members` are places in the list of actors."""

    members: tuple[int, ...]
    window: Window
    mask: Bool
    class_id: int
    score: float


@dataclass(frozen=True, slots=True)
class _View:
    """What shows of somebody, and all that would if nothing were in front, in one window."""

    members: tuple[int, ...]
    window: Window
    visible: Bool
    whole: Bool
    full_px: float  # beyond the frame as well


def _found(
    actors: Sequence[Actor],
    media_s: float,
    size_hw: tuple[int, int],
    noise: Noise,
    rng: np.random.Generator,
) -> Iterator[_Found]:
    """Instances of one frame, front to back."""
    n = len(actors)
    shifts = rng.normal(0, noise.jitter_px, (n, 2))
    missed = rng.random(n) < noise.misses
    weak = rng.random(n) < noise.low_scores
    low, high = rng.uniform(0.15, 0.4, n), rng.uniform(0.75, 0.95, n)
    scales = np.clip(rng.normal(1, noise.shape_jitter, (n, 2)), 0.5, 1.5)
    flipped, doubled = rng.random(n) < noise.class_flips, rng.random(n) < noise.duplicates
    views = _views(actors, media_s, np.concatenate([shifts, scales], 1), size_hw)
    for view in _melted(views, actors, noise.merge_overlap):
        k = view.members[0]
        class_id = actors[k].class_id
        shown_px = np.count_nonzero(view.visible)
        if missed[k] or class_id == UNSEEN or shown_px <= HIDDEN_SHARE * view.full_px:
            continue
        if flipped[k]:
            class_id = _flipped(class_id)
        window, mask = _tight(view.window, view.visible)
        is_weak = weak[k] or _stands_in(window, noise.weak_windows)
        score = float(low[k] if is_weak else high[k])
        yield _Found(view.members, window, mask, class_id, score)
        if doubled[k] and mask.shape[1] > 4:  # once more, a little narrower and less sure
            x1, y1, x2, y2 = window
            narrow = _tight((x1 + 1, y1, x2 - 1, y2), mask[:, 1:-1])
            yield _Found(view.members, *narrow, class_id, 0.9 * score)
    for _ in range(int(rng.poisson(noise.ghosts))):
        yield from _ghost(size_hw, rng)


def _views(
    actors: Sequence[Actor], media_s: float, change: F64, size_hw: tuple[int, int]
) -> list[_View]:
    """Of each actor that is there, from front to back; `change`: shift x, y, scale x, y."""
    feet = [(k, foot) for k, a in enumerate(actors) if (foot := a.foot(media_s)) is not None]
    taken: Bool = np.zeros(size_hw, np.bool_)
    views = []
    for k, (x, y) in sorted(feet, key=lambda f: -f[1][1]):
        right, down, wider, taller = change[k].tolist()
        size_wh = actors[k].width_px * wider, actors[k].height_px * taller
        window, whole = _ellipse(size_wh, (x + right, y + down), size_hw)
        x1, y1, x2, y2 = window
        full_px = np.pi / 4 * actors[k].width_px * actors[k].height_px
        views.append(_View((k,), window, whole & ~taken[y1:y2, x1:x2], whole, full_px))
        taken[y1:y2, x1:x2] |= whole
    return views


def _ellipse(size_wh: Point, foot: Point, size_hw: tuple[int, int]) -> tuple[Window, Bool]:
    """Pixels of the frame whose centre lies in the ellipse that stands at `foot`."""
    (wide, tall), (x, y), (height, width) = size_wh, foot, size_hw
    x1, x2 = (min(max(int(v), 0), width) for v in (x - wide / 2 - 1, x + wide / 2 + 2))
    y1, y2 = (min(max(int(v), 0), height) for v in (y - tall - 1, y + 2))
    across = (np.arange(x1, x2) + 0.5 - x) / (wide / 2)
    down = (np.arange(y1, y2) + 0.5 - y + tall / 2) / (tall / 2)
    inside: Bool = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    return (x1, y1, x2, y2), inside


def _melted(views: list[_View], actors: Sequence[Actor], overlap: float) -> list[_View]:
    """The views; neighbours of one class that share more than `overlap` become one of them."""
    melted: list[_View] = []
    for view in views if overlap < 1 else ():
        for k, other in enumerate(melted):
            alike = actors[view.members[0]].class_id == actors[other.members[0]].class_id
            if alike and _shared(view, other) > overlap:
                melted[k] = _union(other, view)
                break
        else:
            melted.append(view)
    return melted if overlap < 1 else views


def _shared(a: _View, b: _View) -> float:
    """Pixels of both, as a share of the smaller."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.window, b.window
    x1, y1, x2, y2 = max(ax1, bx1), max(ay1, by1), min(ax2, bx2), min(ay2, by2)
    if x1 >= x2 or y1 >= y2:
        return 0.0
    ours = a.whole[y1 - ay1 : y2 - ay1, x1 - ax1 : x2 - ax1]
    theirs = b.whole[y1 - by1 : y2 - by1, x1 - bx1 : x2 - bx1]
    smaller_px = min(int(np.count_nonzero(a.whole)), int(np.count_nonzero(b.whole)))
    return float(np.count_nonzero(ours & theirs)) / max(1, smaller_px)


def _union(front: _View, back: _View) -> _View:
    corners = np.array([front.window, back.window])
    x, y = corners[:, :2].min(0).tolist()
    right, bottom = corners[:, 2:].max(0).tolist()
    visible, whole = np.zeros((2, bottom - y, right - x), np.bool_)
    for view in (front, back):
        x1, y1, x2, y2 = view.window
        visible[y1 - y : y2 - y, x1 - x : x2 - x] |= view.visible
        whole[y1 - y : y2 - y, x1 - x : x2 - x] |= view.whole
    members = front.members + back.members
    return _View(members, (x, y, right, bottom), visible, whole, front.full_px)


def _tight(window: Window, mask: Bool) -> tuple[Window, Bool]:
    """The mask, and where it is, without empty rows and columns round it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    x, y = window[:2]
    return (x + left, y + top, x + right, y + bottom), mask[top:bottom, left:right]


def _stands_in(window: Window, places: Sequence[Window]) -> bool:
    x, y = (window[0] + window[2]) / 2, window[3]
    return any(x1 <= x < x2 and y1 <= y < y2 for x1, y1, x2, y2 in places)


def _flipped(class_id: int) -> int:
    """Another class of the same group; the same where there is none."""
    group = CLASS_GROUPS[class_id]
    return next((c for c, g in enumerate(CLASS_GROUPS) if g == group and c != class_id), class_id)


def _ghost(size_hw: tuple[int, int], rng: np.random.Generator) -> Iterator[_Found]:
    height, width = size_hw
    tall = float(rng.uniform(0.1, 0.3)) * height
    wide = tall * float(rng.uniform(0.3, 1.5))
    foot = float(rng.uniform(0, width)), float(rng.uniform(tall, height))
    window, mask = _ellipse((wide, tall), foot, size_hw)
    score, class_id = float(rng.uniform(0.3, 0.9)), int(rng.choice([PERSON, CAR]))
    if mask.any():
        yield _Found((), *_tight(window, mask), class_id, score)


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
