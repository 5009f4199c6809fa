"""Training crops: pictures and instances warped together, and the detector's own labels for them.

Coordinates are pixels with (0, 0) at the corner of the first pixel, so its centre is (.5, .5).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from model import MASK_STRIDE
from pycocotools import mask as coco_mask

GREY = (114, 114, 114)
VEHICLE = 7  # category of sources that only say "vehicle": mask shape, no class
# How often a source is drawn, per picture: street scenes and full labels before single people.
SOURCE_WEIGHT = {"mchoccie": 3.0, "ANIRUDH": 2.5, "Aditya": 1.0, "minto": 0.6}


@dataclass(frozen=True, slots=True)
class Instance:
    """One labelled object; `class_index` is -1 where the source does not name the class."""

    polygons: list[np.ndarray]  # float32 (n, 2), picture pixels; empty for a box without mask
    class_index: int
    box: np.ndarray  # float32 (4,) x1, y1, x2, y2


@dataclass(frozen=True, slots=True)
class Picture:
    jpeg: np.ndarray
    instances: list[Instance]
    ignore: list[np.ndarray]  # crowd boxes: neither object nor background
    exhaustive: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Crop:
    """What the losses see of one picture; masks only for `masked` instances."""

    image: np.ndarray  # float32 (3, S, S) RGB 0..1
    boxes: np.ndarray  # float32 (n, 4)
    class_index: np.ndarray  # int64 (n,), -1 unknown
    masks: np.ndarray  # float32 (n, S/4, S/4), share of each cell that is covered
    masked: np.ndarray  # bool (n,), False: a box that only the teacher saw
    ignore: np.ndarray  # float32 (m, 4)
    warped: bool  # rotated or tilted: the teacher's view of this crop is not to be trusted
    exhaustive: bool  # every object of the six classes is labelled or ignored


def load(root: Path, annotations: str) -> list[Picture]:
    """Every picture with at least one instance, its file kept compressed in memory."""
    coco = json.loads((root / annotations).read_text())
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for a in coco["annotations"]:
        by_image[a["image_id"]].append(a)
    pictures = []
    for image in coco["images"]:
        labels = by_image[image["id"]]
        instances = [_instance(a) for a in labels if not a["iscrowd"]]
        if instances:
            source = next((k for k in SOURCE_WEIGHT if k in image["source"]), "")
            pictures.append(
                Picture(
                    np.fromfile(root / image["file_name"], np.uint8),
                    instances,
                    [_xyxy(a["bbox"]) for a in labels if a["iscrowd"]],
                    bool(image["exhaustive"]),
                    SOURCE_WEIGHT.get(source, 2.0),
                )
            )
    return pictures


def _xyxy(xywh: list[float]) -> np.ndarray:
    x, y, w, h = xywh
    return np.array([x, y, x + w, y + h], np.float32)


def _instance(a: dict[str, Any]) -> Instance:
    if isinstance(a["segmentation"], list):
        polygons = [np.array(p, np.float32).reshape(-1, 2) for p in a["segmentation"]]
    else:
        dense = coco_mask.decode(a["segmentation"])
        contours, _ = cv2.findContours(dense, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        polygons = [c.reshape(-1, 2).astype(np.float32) + 0.5 for c in contours if len(c) > 2]
    index = -1 if a["category_id"] == VEHICLE else a["category_id"] - 1
    return Instance(polygons, index, _xyxy(a["bbox"]))


def sample(
    picture: Picture, extra: list[Instance], size: int, warp: float, rng: np.random.Generator
) -> Crop:
    """A random crop of `size` pixels; with probability `warp` rotated and seen at a slant."""
    image = cv2.imdecode(picture.jpeg, cv2.IMREAD_COLOR)
    h, w = image.shape[:2]
    warped = bool(rng.random() < warp)
    matrix = _homography(picture.instances, w, h, size, warped, rng)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    reduced = np.eye(3)
    if scale < 0.6:  # area averaging first, or far objects alias
        factor = max(scale * 1.2, 0.2)
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        reduced = np.diag([w / image.shape[1], h / image.shape[0], 1.0])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # cv2 counts from pixel centres
    pixels = np.linalg.inv(half) @ matrix @ reduced @ half
    image = cv2.warpPerspective(image, pixels, (size, size), borderValue=GREY)
    boxes, classes, masks, masked = [], [], [], []
    ignore = [_hull(b, matrix) for b in picture.ignore]
    if picture.exhaustive:  # what only the teacher saw is no object to be sure of
        ignore += [_hull(i.box, matrix) for i in extra]
        extra = []
    for instance in picture.instances + extra:
        found = _project(instance, matrix, size)
        if found is None:
            ignore.append(_hull(instance.box, matrix))
        else:
            boxes.append(found[0])
            masks.append(found[1])
            classes.append(instance.class_index)
            masked.append(bool(instance.polygons))
    side = size // MASK_STRIDE
    return Crop(
        _colour(image, rng),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes, np.int64),
        np.stack(masks) if masks else np.zeros((0, side, side), np.float32),
        np.array(masked, bool),
        np.array(ignore, np.float32).reshape(-1, 4),
        warped,
        picture.exhaustive,
    )


def _homography(
    instances: list[Instance], w: int, h: int, size: int, warped: bool, rng: np.random.Generator
) -> np.ndarray:
    """Picture pixels -> crop pixels: scale .6-2, aspect, flip, and where `warped` a new view."""
    r = size / max(h, w)
    if rng.random() < 0.8:
        r *= math.exp(rng.uniform(math.log(0.6), math.log(2.0)))
    aspect = math.exp(rng.uniform(-0.12, 0.12))
    sx, sy = r * aspect, r / aspect
    if rng.random() < 0.75:  # around a point of some instance
        x1, y1, x2, y2 = instances[rng.integers(len(instances))].box
        px, py = rng.uniform(x1, x2) * sx, rng.uniform(y1, y2) * sy
        tx = size * rng.uniform(0.25, 0.75) - px
        ty = size * rng.uniform(0.25, 0.75) - py
        tx = min(max(tx, min(0, size - w * sx)), max(0, size - w * sx))
        ty = min(max(ty, min(0, size - h * sy)), max(0, size - h * sy))
    else:
        tx = rng.uniform(min(0, size - w * sx), max(0, size - w * sx))
        ty = rng.uniform(min(0, size - h * sy), max(0, size - h * sy))
    matrix = np.array([[sx, 0, tx], [0, sy, ty], [0, 0, 1.0]])
    if rng.random() < 0.5:
        matrix = np.array([[-1, 0, size], [0, 1, 0], [0, 0, 1.0]]) @ matrix
    if warped:
        matrix = _new_view(size, rng) @ matrix
    return matrix


def _new_view(size: int, rng: np.random.Generator) -> np.ndarray:
    """A roll (mostly slight, at times any angle) and a tilt about the crop's centre."""
    roll = rng.uniform(-180, 180) if rng.random() < 0.35 else rng.uniform(-30, 30)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    tilt_x, tilt_y = rng.uniform(-0.35, 0.35, 2) / size
    centre = np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1.0]])
    squash = math.exp(rng.uniform(-0.35, 0.1))  # a steep view shortens what stands upright
    view = np.array([[c, -s, 0], [s * squash, c * squash, 0], [tilt_x, tilt_y, 1.0]])
    return np.linalg.inv(centre) @ view @ centre


def _apply(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    q = points @ matrix[:, :2].T + matrix[:, 2]
    return q[:, :2] / np.maximum(q[:, 2:], 1e-3)


def _hull(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box
    corners = _apply(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), matrix)
    return np.concatenate([corners.min(0), corners.max(0)])


def _project(
    instance: Instance, matrix: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Box and stride-4 mask in the crop, or None where too little of it is left to learn from."""
    side = size // MASK_STRIDE
    polygons = [_apply(p, matrix) for p in instance.polygons]
    whole = (
        np.concatenate([np.concatenate(polygons).min(0), np.concatenate(polygons).max(0)])
        if polygons
        else _hull(instance.box, matrix)
    )
    inside = np.clip(whole, 0, size)
    w, h = inside[2:] - inside[:2]
    if w < 5 or h < 5 or w * h < max(60.0, 0.35 * float(np.prod(whole[2:] - whole[:2]))):
        return None
    if not polygons:
        return inside.astype(np.float32), np.zeros((side, side), np.float32)
    dense = np.zeros((size, size), np.uint8)
    for p in polygons:
        cv2.fillPoly(dense, [np.round((p - 0.5) * 16).astype(np.int32)], 1, shift=4)
    rows, columns = np.flatnonzero(dense.any(1)), np.flatnonzero(dense.any(0))
    if len(rows) < 4 or len(columns) < 4:
        return None
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
    share = cv2.resize(dense.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return box, share


def _colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    x = image.astype(np.float32)
    if rng.random() < 0.8:
        x = (x - 127) * rng.uniform(0.7, 1.3) + 127 * rng.uniform(0.65, 1.3)
        if rng.random() < 0.6:
            grey = x.mean(2, keepdims=True)
            x = grey + (x - grey) * rng.uniform(0.3, 1.5)
        if rng.random() < 0.4:
            x *= rng.uniform(0.9, 1.1, 3).astype(np.float32)
    if rng.random() < 0.05:
        x = np.repeat(x.mean(2, keepdims=True), 3, 2)
    if rng.random() < 0.12:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.5, 1.3))
    if rng.random() < 0.12:
        x = x + rng.standard_normal(x.shape, np.float32) * rng.uniform(2, 12)
    rgb = np.clip(x, 0, 255)[:, :, ::-1].transpose(2, 0, 1) / 255
    return np.ascontiguousarray(rgb, np.float32)
