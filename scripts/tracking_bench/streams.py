"""Streams of detections with known identities, made from KITTI MOTS ground truth.

The same file, recipe and seed give the same stream: every detection draws from a generator of
its own, so that one more object changes nothing in the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge import masks as mask_ops
from edge import rle
from edge.evaluate.trackfiles import MaskRows, read_masks
from edge.types import I64, U8, Instances, Masks, Stamp

FPS = 10.0  # of KITTI
CLASS_NAMES = ("car", "person")  # class id k is MOTS class k + 1
FIRST_GHOST = 10_000_000  # true ids of ghosts start here
SEED = 7
Run = dict[str, object]  # {"size": [h, w], "counts": bytes}


@dataclass(frozen=True, slots=True)
class Noise:
    """What a segmenter does wrong; 0 is nothing."""

    drops: float = 0.0  # share of objects that are not found
    shape: float = 0.0  # boundary noise, share of the square root of the area, at most 3 px
    jitter: float = 0.0  # standard deviation of the place, share of the height
    ghosts: float = 0.0  # wrong detections for each right one
    low_score: float = 0.9  # scores are even between this and .95; .9: all about .9


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a stream is made: every `step`-th frame, with noise."""

    step: int
    noise: Noise


RECIPES = {
    "clean": Recipe(1, Noise()),
    "noisy": Recipe(1, Noise(drops=0.1, shape=0.07, jitter=0.022, ghosts=0.05, low_score=0.3)),
    "third": Recipe(3, Noise(drops=0.1, shape=0.02, jitter=0.01)),
    "third-clean": Recipe(3, Noise()),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame: what a tracker gets, best score first, and who each instance is."""

    stamp: Stamp
    instances: Instances
    truth_ids: I64  # (N,) of the ground truth; a ghost has an id of its own
    runs: tuple[Run | None, ...]  # (N,) masks without overlap, for pycocotools; None: all hidden
    is_contested: bool  # some masks overlap


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence of a stream, and the ground truth of the frames that are shown."""

    name: str
    fps: float
    frames: tuple[Shown, ...]
    truth: MaskRows
    lines: tuple[tuple[float, float, float, float], ...] = ()  # x1, y1, x2, y2 pixels, to count on

    def key(self) -> str:
        """Fingerprint of all that a tracker of boxes is given."""
        digest = hashlib.sha256(f"{self.name} {self.lines}".encode())
        for shown in self.frames:
            digest.update(np.float64(shown.stamp.media_s).tobytes())
            for array in (shown.instances.boxes, shown.instances.scores, shown.instances.class_ids):
                digest.update(array.tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Found:
    """One detection before it joins a frame's arrays."""

    truth_id: int
    class_id: int
    score: float
    place: tuple[int, int]  # x, y of the crop's corner
    crop: U8


def sequence(path: Path, recipe: Recipe) -> Sequence:
    """The stream that a recipe makes of one ground-truth file."""
    truth = read_masks(path)
    last = int(truth.frames.max(initial=0))
    shown_frames = range(0, last + 1, recipe.step)
    height, width = frame_size(truth)
    ghosts = _ghosts(path, truth, shown_frames, recipe, width)
    frames = []
    for frame in shown_frames:
        said = [*_seen(path, truth, frame, recipe.noise), *ghosts.get(frame, [])]
        found = [inside for f in said if (inside := _within(f, height, width)) is not None]
        found.sort(key=lambda f: -f.score)
        ids = np.array([f.truth_id for f in found], np.int64)
        frames.append(shown(Stamp(frame, frame / FPS), _instances(found, height, width), ids))
    keep = np.flatnonzero(truth.frames % recipe.step == 0)
    return Sequence(path.stem, FPS / recipe.step, tuple(frames), _rows(truth, keep))


def shown(stamp: Stamp, instances: Instances, ids: I64) -> Shown:
    masks = instances.masks
    flat = mask_ops.without_overlap(masks)
    is_contested = bool((mask_ops.area(flat) != mask_ops.area(masks)).any())
    return Shown(stamp, instances, ids, tuple(exclusive_runs(flat)), is_contested)


def exclusive_runs(masks: Masks) -> list[Run | None]:
    """Run lengths for pycocotools, a contested pixel left to the first; None: nothing is left."""
    flat = mask_ops.without_overlap(masks)
    return [
        {"size": run["size"], "counts": str(run["counts"]).encode("ascii")} if area else None
        for run, area in zip(rle.encoded(flat), mask_ops.area(flat).tolist(), strict=True)
    ]


def _rows(truth: MaskRows, keep: I64) -> MaskRows:
    return MaskRows(
        truth.frames[keep],
        truth.ids[keep],
        truth.class_ids[keep],
        tuple(truth.runs[k] for k in keep.tolist()),
    )


def _seen(path: Path, truth: MaskRows, frame: int, noise: Noise) -> Iterator[Found]:
    """The true objects of a frame as a segmenter with this noise finds them."""
    there = np.flatnonzero((truth.frames == frame) & (truth.class_ids <= len(CLASS_NAMES)))
    masks = _decoded(truth, there)
    for k, row in enumerate(there.tolist()):
        truth_id = int(truth.ids[row])
        rng = np.random.default_rng([SEED, *path.stem.encode(), frame, truth_id])
        score = float(rng.uniform(noise.low_score, max(0.95, noise.low_score)))
        if noise.low_score >= 0.9:  # an order, and nothing to read from it
            score = 0.9 + float(rng.uniform(-1e-3, 1e-3))
        if rng.random() < noise.drops:
            continue
        x, y, _, _ = masks.windows[k].tolist()
        crop = masks.crop(k)
        if noise.shape or noise.jitter:
            crop, (dx, dy) = distorted(crop, noise, rng)
            x, y = x + dx, y + dy
        yield Found(truth_id, int(truth.class_ids[row]) - 1, score, (x, y), crop)


def distorted(crop: U8, noise: Noise, rng: np.random.Generator) -> tuple[U8, tuple[int, int]]:
    """A mask with a wavy boundary, uint8, and how far (x, y) its corner moved."""
    height = crop.shape[0]
    sigma_px = min(noise.shape * float(np.sqrt(np.count_nonzero(crop))), 3.0)
    pad = 1 + int(np.ceil(3 * sigma_px))
    solid = np.pad(crop, pad)
    inward = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    outward = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 3)
    # A few random knots, drawn out smoothly, and one offset for the whole outline.
    knots = rng.normal(0, sigma_px, (4, 4)) + rng.normal(0, sigma_px / 2)
    offset = cv2.resize(knots.astype(np.float32), solid.shape[::-1], interpolation=cv2.INTER_LINEAR)
    wavy = (inward - outward > offset).astype(np.uint8)
    dx, dy = np.rint(rng.normal(0, noise.jitter * height, 2)).astype(int).tolist()
    return wavy, (dx - pad, dy - pad)


def _ghosts(
    path: Path, truth: MaskRows, frames: range, recipe: Recipe, width: int
) -> dict[int, list[Found]]:
    """Ellipses as large as objects of the sequence, anywhere, for one to three frames each."""
    ghosts: dict[int, list[Found]] = {}
    objects = np.flatnonzero(truth.class_ids <= len(CLASS_NAMES))
    if not recipe.noise.ghosts or not len(objects):
        return ghosts
    rng = np.random.default_rng([SEED, *path.stem.encode()])
    each = (
        recipe.noise.ghosts * len(objects) / (int(truth.frames.max()) + 1) / 2
    )  # live 2 on average
    next_id = FIRST_GHOST
    for frame in frames:
        for _ in range(rng.poisson(each)):
            like = rng.choice(objects, 1)
            x1, y1, x2, y2 = _decoded(truth, like).windows[0].tolist()
            w, h = (max(4, int(v * rng.uniform(0.7, 1.3))) for v in (x2 - x1, y2 - y1))
            crop = np.zeros((h, w), np.uint8)
            cv2.ellipse(crop, ((w / 2, h / 2), (w * 0.9, h * 0.95), 0.0), 1, -1)
            x, y = int(rng.integers(-w // 2, width - w // 2)), y1 + int(rng.normal(0, 0.2 * h))
            for later in range(int(rng.integers(1, 4))):
                at = (x + int(rng.normal(0, 0.03 * h)), y + int(rng.normal(0, 0.03 * h)))
                score = float(rng.uniform(recipe.noise.low_score, 0.95))
                ghost = Found(next_id, int(truth.class_ids[like[0]]) - 1, score, at, crop)
                ghosts.setdefault(frame + later * recipe.step, []).append(ghost)
            next_id += 1
    return ghosts


def frame_size(truth: MaskRows) -> tuple[int, int]:
    """Height and width of the frames of a sequence."""
    size: Any = truth.runs[0]["size"] if truth.runs else (1, 1)
    return int(size[0]), int(size[1])


def _decoded(truth: MaskRows, rows: I64) -> Masks:
    runs: list[Any] = [truth.runs[k] for k in rows.tolist()]
    text = [run | {"counts": run["counts"].decode("ascii")} for run in runs]
    return rle.decoded(text, *frame_size(truth))


def _instances(found: list[Found], height: int, width: int) -> Instances:
    windows = [
        (*f.place, f.place[0] + f.crop.shape[1], f.place[1] + f.crop.shape[0]) for f in found
    ]
    masks = mask_ops.from_crops(height, width, windows, [f.crop for f in found])
    return Instances(
        masks.windows.astype(np.float32),
        np.array([f.score for f in found], np.float32),
        np.array([f.class_id for f in found], np.int32),
        masks,
    )


def _within(f: Found, height: int, width: int) -> Found | None:
    """The part of a detection that lies in the frame, tight; None: there is no such part."""
    x, y = f.place
    left, top = max(0, -x), max(0, -y)
    crop = f.crop[top : max(top, height - y), left : max(left, width - x)]
    rows, columns = np.flatnonzero(crop.any(1)), np.flatnonzero(crop.any(0))
    if not len(rows):
        return None
    y1, y2, x1, x2 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    place = (x + left + int(x1), y + top + int(y1))
    return replace(f, place=place, crop=crop[y1:y2, x1:x2])
