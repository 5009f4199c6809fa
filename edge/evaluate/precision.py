"""COCO's average precision, through pycocotools (extra `eval`), without its printing."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edge.evaluate.coco import Json, Truth, require_pycocotools
from edge.types import F64

MAX_INSTANCES = 100  # COCO's limit for each picture and class
SIZES = ("small", "medium", "large")  # below 32 x 32, below 96 x 96, and larger


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """AP of classes at IoU .5, .55 ... .95 and of sizes; NaN without a true object.

    `by_class` is float64 (T, K): 10 thresholds, classes in the order of `Truth.class_names`.
    `by_size` is float64 (3,): small, medium, large; mean of thresholds and classes.
    `by_class_and_size` is float64 (K, 3): mean of thresholds.
    """

    by_class: F64
    by_size: F64
    by_class_and_size: F64


def average_precision(
    truth: Truth, predictions: Sequence[Json], kind: Literal["segm", "bbox"]
) -> AveragePrecision:
    """Area under the precision-recall curve, as COCO defines it (Lin et al., 2014, section 6).

    Precision at 101 recall levels, at most 100 results a picture and class, crowds neither
    right nor wrong.

    Args:
        truth: pictures, classes and annotations.
        predictions: COCO results; those of other pictures and classes are not looked at.
        kind: overlap of masks or of boxes.

    Raises:
        EdgeError: pycocotools is not installed.
    """
    evaluator = require_pycocotools("cocoeval").COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        cocoeval = evaluator(_truth_index(truth), _result_index(truth, predictions, kind), kind)
        cocoeval.params.catIds = list(truth.class_names)
        cocoeval.params.maxDets = [MAX_INSTANCES]
        cocoeval.evaluate()
        cocoeval.accumulate()
    table: F64 = cocoeval.eval["precision"][..., 0]  # thresholds, recalls, classes, sizes
    # COCOeval sorts category ids; ours keep the order of the file.
    columns = [sorted(truth.class_names).index(c) for c in truth.class_names]
    table = np.where(table < 0, np.nan, table)[:, :, columns]
    by_size = [_mean(table[..., 1 + k]) for k in range(len(SIZES))]
    # A class has all its numbers or none: the plain mean keeps NaN.
    return AveragePrecision(table[..., 0].mean(1), np.array(by_size), table[..., 1:].mean((0, 1)))


def undefined(like: AveragePrecision) -> AveragePrecision:
    """The same classes and sizes, nothing known."""
    fields = (like.by_class, like.by_size, like.by_class_and_size)
    return AveragePrecision(*(np.full_like(f, np.nan) for f in fields))


def _mean(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _truth_index(truth: Truth) -> Any:
    return _index(truth, [dict(a) for a in truth.annotations])


def _result_index(truth: Truth, predictions: Sequence[Json], kind: str) -> Any:
    mask = require_pycocotools("mask")
    annotations = []
    for k, result in enumerate(predictions):
        # What COCO.loadRes does; it cannot load an empty list.
        run = result["segmentation"] if kind == "segm" else None
        area = mask.area(run) if run else result["bbox"][2] * result["bbox"][3]
        annotation = {
            "id": k + 1,
            "image_id": result["image_id"],
            "category_id": result["category_id"],
            "score": result["score"],
            "bbox": list(result["bbox"]),
            "area": float(area),
            "iscrowd": 0,
        }
        annotations.append(annotation | ({"segmentation": run} if run else {}))
    return _index(truth, annotations)


def _index(truth: Truth, annotations: list[Json]) -> Any:
    coco = require_pycocotools("coco").COCO()
    categories = [{"id": c, "name": n} for c, n in truth.class_names.items()]
    kept = {i["id"] for i in truth.images}
    coco.dataset = {
        "images": list(truth.images),
        "categories": categories,
        "annotations": [
            a
            for a in annotations
            if a["image_id"] in kept and a["category_id"] in truth.class_names
        ],
    }
    coco.createIndex()
    return coco
