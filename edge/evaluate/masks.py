"""Quality of instance segmentation against COCO ground truth. Pure; needs the extra `eval`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from edge.evaluate import confusion as confusions
from edge.evaluate.coco import Json, Truth
from edge.evaluate.confusion import Confusion
from edge.evaluate.pictures import MIN_SCORE, Objects, joined, judged
from edge.evaluate.precision import SIZES, AveragePrecision, average_precision, undefined
from edge.types import F64

__all__ = ["AREA_BOUNDS", "MIN_SCORE", "MaskQuality", "Quality", "mask_quality"]

AREA_BOUNDS = (0.0, 32.0**2, 96.0**2, 1e10)  # COCO's small, medium, large; square pixels
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers of one class, one size, or all. NaN: not defined, never to be read as 0."""

    name: str
    truth: int  # true objects, without crowds
    mask_ap: float  # mean of IoU .5 ... .95
    mask_ap50: float
    mask_ap75: float
    mask_ap_small: float
    mask_ap_medium: float
    mask_ap_large: float
    box_ap: float
    box_ap50: float
    precision: float  # at MIN_SCORE, boxes matched at IoU .5
    recall: float
    matched: int
    mean_mask_iou: float  # mean over matched objects, as the next two
    mean_dice: float
    boundary_iou: float
    merged: int  # predictions that cover two or more true objects of the class
    split: int  # true objects that predictions of the class took apart


@dataclass(frozen=True, slots=True)
class MaskQuality:
    """Result of `mask_quality`.

    `total` is over all objects together, except that its APs are means over classes. `mean` is
    the mean over classes of every number; its counts are sums. `pictures` maps a picture's id to
    its panoptic quality at MIN_SCORE (Kirillov et al., 2019, arXiv:1801.00868): sum of the IoUs
    of matched objects / (matched + half of the missed + half of the spurious); NaN where nothing
    was to be found and nothing was.
    """

    total: Quality
    mean: Quality
    classes: tuple[Quality, ...]
    sizes: tuple[Quality, ...]  # small, medium, large
    confusion: Confusion
    pictures: dict[int, float]
    notes: tuple[str, ...]


def mask_quality(truth: Truth, predictions: Sequence[Json], with_masks: bool = True) -> MaskQuality:
    """AP, precision, recall, mask overlap, merges, splits and confusion of predictions.

    Args:
        truth: from `coco.truth_from`.
        predictions: COCO results; those of other pictures and classes are not looked at.
        with_masks: False looks at boxes only; all shares about masks are NaN, the confusion is
            by box overlap, and merges and splits are not looked for.

    Raises:
        EdgeError: pycocotools is not installed.
        ConfigError: run lengths that do not fit their picture.
    """
    box_ap = average_precision(truth, predictions, "bbox")
    mask_ap = average_precision(truth, predictions, "segm") if with_masks else undefined(box_ap)
    names = tuple(truth.class_names.values())
    per_picture, confusion = judged(truth, predictions, confusions.none(names), with_masks)
    objects = joined(list(per_picture.values()))
    classes = tuple(
        _quality(
            name,
            objects.of_class(class_id),
            (mask_ap.by_class[:, [k]], box_ap.by_class[:, [k]]),
            mask_ap.by_class_and_size[k],
        )
        for k, (class_id, name) in enumerate(truth.class_names.items())
    )
    total = _quality("all", objects, (mask_ap.by_class, box_ap.by_class), mask_ap.by_size)
    return MaskQuality(
        total=total,
        mean=_mean_quality(classes),
        classes=classes,
        sizes=tuple(_size_quality(k, objects, mask_ap, box_ap) for k in range(len(SIZES))),
        confusion=confusion,
        pictures={image_id: picture.score for image_id, picture in per_picture.items()},
        notes=truth.notes,
    )


def _quality(name: str, objects: Objects, aps: tuple[F64, F64], by_size: F64) -> Quality:
    mask_ap, box_ap = aps
    found, truth = int(objects.found.sum()), len(objects.found)
    small, medium, large = by_size.tolist()
    return Quality(
        name=name,
        truth=truth,
        mask_ap=_mean(mask_ap),
        mask_ap50=_mean(mask_ap[0]),
        mask_ap75=_mean(mask_ap[5]),
        mask_ap_small=small,
        mask_ap_medium=medium,
        mask_ap_large=large,
        box_ap=_mean(box_ap),
        box_ap50=_mean(box_ap[0]),
        precision=_ratio(found, found + len(objects.spurious)),
        recall=_ratio(found, truth),
        matched=found,
        mean_mask_iou=_mean(objects.overlaps[:, 0]),
        mean_dice=_mean(objects.overlaps[:, 1]),
        boundary_iou=_mean(objects.overlaps[:, 2]),
        merged=len(objects.merged),
        split=len(objects.split),
    )


def _mean_quality(classes: Sequence[Quality]) -> Quality:
    """Shares are means over the classes for which they are defined; counts are sums."""
    values: dict[str, float | int] = {}
    for field in fields(Quality):
        if field.name == "name":
            continue
        column = [getattr(q, field.name) for q in classes]
        values[field.name] = (
            sum(column) if isinstance(column[0], int) else _mean(np.array(column, np.float64))
        )
    return Quality("mean", **values)  # type: ignore[arg-type]


def _size_quality(
    k: int, objects: Objects, mask_ap: AveragePrecision, box_ap: AveragePrecision
) -> Quality:
    nothing = np.full((10, 1), np.nan)
    chosen = objects.of_area(*AREA_BOUNDS[k : k + 2])
    by_size = np.where(np.arange(len(SIZES)) == k, mask_ap.by_size, np.nan)
    q = _quality(SIZES[k], chosen, (nothing, nothing), by_size)
    known = {f.name: getattr(q, f.name) for f in fields(Quality)}
    # A spurious result has no true size: precision by size is not defined.
    known |= {
        "mask_ap": float(mask_ap.by_size[k]),
        "box_ap": float(box_ap.by_size[k]),
        "precision": NAN,
    }
    return Quality(**known)


def _mean(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else NAN


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else NAN
