"""COCO ground truth and results: read, checked, and turned into windowed masks.

The only module that decides which pictures and classes an evaluation covers. Imports layers 0-2
and, when masks of the truth are needed, pycocotools (extra `eval`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge import rle
from edge.errors import ConfigError, EdgeError
from edge.types import F32, F64, I64, Bool, Instances, Masks

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """What an evaluation compares with: pictures, the classes that count, annotations.

    `images` and `annotations` are COCO's objects. Every annotation belongs to one of `images`
    and to one of `class_names` (category id -> name).
    """

    images: tuple[Json, ...]
    class_names: dict[int, str]
    annotations: tuple[Json, ...]
    notes: tuple[str, ...]  # what was left out, and why


@dataclass(frozen=True, slots=True)
class Labels:
    """The true objects of one picture, crowds included."""

    boxes: F32  # (N, 4)
    class_ids: I64  # (N,) category ids
    areas: F64  # (N,) square pixels, COCO's own field: decides small, medium, large
    crowd: Bool  # (N,) a region of many objects: neither found nor missed


@dataclass(frozen=True, slots=True)
class Results:
    """What a model said about one picture, best score first."""

    boxes: F32  # (N, 4)
    class_ids: I64  # (N,) category ids
    scores: F64  # (N,)


def require_pycocotools(part: str) -> Any:
    """The module `pycocotools.<part>`.

    Raises:
        EdgeError: it is not installed.
    """
    try:
        return __import__(f"pycocotools.{part}", fromlist=[part])
    except ImportError as error:
        raise EdgeError(
            f"pycocotools: expected to be installed, got {error}; "
            "install it: `scripts/install eval`, or pip install pycocotools"
        ) from error


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ConfigError: no such file, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, got {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: expected JSON, got {error}") from error


def require_lists(dataset: Any) -> None:
    """Refuse what has not the three lists of COCO instances JSON.

    Raises:
        ConfigError: one of them is missing.
    """
    for key in ("images", "annotations", "categories"):
        if not isinstance(dataset, dict) or not isinstance(dataset.get(key), list):
            raise ConfigError(f"truth: expected COCO instances JSON with a list '{key}', got none")


def truth_from(dataset: Json, model_classes: Sequence[str] | None, limit: int = 0) -> Truth:
    """The part of a COCO data set on which a model may fairly be judged.

    Pictures with `"exhaustive": false` hold unlabelled objects, which would make right answers
    look wrong: they are left out. Classes are matched by name, as category ids differ between
    data sets.

    Args:
        dataset: COCO instances JSON.
        model_classes: names the model can give; None takes all classes of the data set.
        limit: at most so many pictures, in the order of the file; 0 takes all.

    Raises:
        ConfigError: not a COCO data set, or nothing left to evaluate.
    """
    require_lists(dataset)
    notes = []
    images = [i for i in dataset["images"] if i.get("exhaustive", True)]
    if len(images) < len(dataset["images"]):
        left_out = len(dataset["images"]) - len(images)
        notes.append(f"{left_out} pictures left out: not all objects in them are labelled")
    if limit:
        images = images[:limit]
    names = {int(c["id"]): str(c["name"]) for c in dataset["categories"]}
    if model_classes is not None:
        unknown = [n for n in names.values() if n not in model_classes]
        names = {c: n for c, n in names.items() if n in model_classes}
        if unknown:
            notes.append(f"classes the model does not have, left out: {', '.join(unknown)}")
    if not images or not names:
        raise ConfigError(
            f"truth: expected fully labelled pictures and a class that the model knows, "
            f"got {len(images)} pictures and {len(names)} classes"
        )
    _require("image", images, ("id", "width", "height", "file_name"))
    kept = {i["id"] for i in images}
    chosen = [
        a
        for a in dataset["annotations"]
        if a.get("image_id") in kept and a.get("category_id") in names
    ]
    _require("annotation", chosen, ("id", "bbox", "area", "segmentation"))
    return Truth(tuple(images), names, tuple(chosen), tuple(notes))


def checked_predictions(raw: Any, dataset: Json, with_masks: bool) -> list[Json]:
    """Predictions in COCO's results format, refused unless they fit the data set.

    Raises:
        ConfigError: not a list of results, an unknown picture or category, a missing field.
    """
    if not isinstance(raw, list):
        raise ConfigError(f"predictions: expected a list of COCO results, got {type(raw).__name__}")
    images = {i["id"]: i for i in dataset["images"]}
    categories = {c["id"] for c in dataset["categories"]}
    fields = ["image_id", "category_id", "score", "bbox"] + ["segmentation"] * with_masks
    for k, result in enumerate(raw):
        missing = [f for f in fields if f not in result]
        if missing:
            remedy = "; --boxes-only evaluates boxes" if missing == ["segmentation"] else ""
            raise ConfigError(f"prediction {k}: expected a field '{missing[0]}', got none{remedy}")
        for field, known in (("image_id", images), ("category_id", categories)):
            if result[field] not in known:
                raise ConfigError(
                    f"prediction {k}: expected {field} to be in the truth, got {result[field]}"
                )
        if with_masks:
            _require_run(k, result["segmentation"], images[result["image_id"]])
    return raw


def results_of(
    image_id: int, instances: Instances, category_ids: Sequence[int], with_masks: bool = True
) -> list[Json]:
    """Instances of one picture in COCO's results format.

    Args:
        image_id: the picture.
        instances: what the segmenter found.
        category_ids: for each class of the model the category, or -1 to leave it out.
        with_masks: run lengths too, which COCO calls `segmentation`.
    """
    runs: list[rle.RLE] = rle.encoded(instances.masks) if with_masks else []
    results: list[Json] = []
    for k, class_id in enumerate(instances.class_ids.tolist()):
        if category_ids[class_id] < 0:
            continue
        x1, y1, x2, y2 = (round(v, 3) for v in instances.boxes[k].tolist())
        result: Json = {
            "image_id": image_id,
            "category_id": category_ids[class_id],
            "score": float(instances.scores[k]),
            "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
        }
        results.append(result | ({"segmentation": runs[k]} if with_masks else {}))
    return results


def by_picture(items: Iterable[Json], images: Sequence[Json]) -> dict[int, list[Json]]:
    """Annotations or results of each picture; pictures without any have an empty list."""
    grouped: dict[int, list[Json]] = {i["id"]: [] for i in images}
    for item in items:
        if item["image_id"] in grouped:
            grouped[item["image_id"]].append(item)
    return grouped


def labels(annotations: Sequence[Json]) -> Labels:
    """The annotations of one picture as arrays, in the same order."""
    return Labels(
        _corners(annotations),
        np.array([a["category_id"] for a in annotations], np.int64),
        np.array([a["area"] for a in annotations], np.float64),
        np.array([bool(a.get("iscrowd", 0)) for a in annotations], bool),
    )


def results(predictions: Sequence[Json]) -> Results:
    """The results of one picture as arrays, in the same order."""
    return Results(
        _corners(predictions),
        np.array([p["category_id"] for p in predictions], np.int64),
        np.array([p["score"] for p in predictions], np.float64),
    )


def masks(items: Sequence[Json], image: Json) -> Masks:
    """The `segmentation` of each annotation or result, drawn as COCO draws it."""
    height, width = int(image["height"]), int(image["width"])
    runs = [_run(item["segmentation"], height, width) for item in items]
    return rle.decoded(runs, height, width)


def _require(what: str, items: Sequence[Json], fields: Sequence[str]) -> None:
    for item in items:
        for field in fields:
            if field not in item:
                raise ConfigError(
                    f"truth: {what} {item.get('id')}: expected a field '{field}', got none"
                )


def _require_run(k: int, run: Any, image: Json) -> None:
    """Refuse what pycocotools would take and misread: lengths of a picture of another size."""
    size = [image["height"], image["width"]]
    if (
        not isinstance(run, dict)
        or run.get("size") != size
        or not isinstance(run.get("counts"), str)
    ):
        raise ConfigError(
            f"prediction {k}: expected a segmentation with 'size' {size} and 'counts' as text, "
            f"got {str(run)[:60]}"
        )


def _run(segmentation: Any, height: int, width: int) -> rle.RLE:
    if isinstance(segmentation, dict) and isinstance(segmentation["counts"], str):
        return segmentation
    mask = require_pycocotools("mask")
    runs = mask.frPyObjects(segmentation, height, width)
    run = mask.merge(runs) if isinstance(runs, list) else runs
    return {"size": [height, width], "counts": run["counts"].decode("ascii")}


def _corners(items: Sequence[Json]) -> F32:
    boxes: F32 = np.array([i["bbox"] for i in items], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
