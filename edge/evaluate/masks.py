"""Quality of instance segmentation against COCO ground truth. Pure; needs the extra `eval`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.evaluate import coco
from edge.evaluate.coco import Json, Truth
from edge.evaluate.matching import matches, overlap
from edge.evaluate.precision import SIZES, AveragePrecision, average_precision
from edge.types import F64, I64, Bool

MIN_SCORE = 0.3  # for precision, recall and mask overlap: a working point, unlike AP
AREA_BOUNDS = (0.0, 32.0**2, 96.0**2, 1e10)  # COCO's small, medium, large; square pixels


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers of one class, one size, or all. NaN: not defined, never to be read as 0."""

    name: str
    truth: int  # true objects, without crowds
    ap: float  # masks, mean of IoU .5 ... .95
    ap50: float
    ap75: float
    box_ap: float
    box_ap50: float
    precision: float  # at MIN_SCORE, boxes matched at IoU .5
    recall: float
    matched: int
    mask_iou: float  # mean over matched objects, as the next two
    dice: float
    boundary_iou: float


@dataclass(frozen=True, slots=True)
class MaskQuality:
    """Result of `mask_quality`.

    APs of `total` are means over classes, its other numbers are over all objects.
    `pictures` maps a picture's id to its panoptic quality at MIN_SCORE (Kirillov et al., 2019,
    arXiv:1801.00868): sum of the IoUs of matched objects / (matched + half of the missed + half
    of the spurious); NaN where nothing was to be found and nothing was.
    """

    total: Quality
    classes: tuple[Quality, ...]
    sizes: tuple[Quality, ...]  # small, medium, large
    pictures: dict[int, float]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Objects:
    """True objects (rows) and spurious results, of one or of many pictures."""

    class_ids: I64  # (N,)
    areas: F64  # (N,)
    found: Bool  # (N,)
    overlaps: F64  # (N, 3) mask IoU, Dice, boundary IoU; NaN where not found or without masks
    spurious: I64  # (S,) category ids
    score: float  # panoptic quality

    def chosen(self, keep: Bool, spurious: I64) -> _Objects:
        return _Objects(
            self.class_ids[keep],
            self.areas[keep],
            self.found[keep],
            self.overlaps[keep],
            spurious,
            self.score,
        )


def mask_quality(truth: Truth, predictions: Sequence[Json], with_masks: bool = True) -> MaskQuality:
    """AP, precision, recall and mask overlap of predictions.

    Args:
        truth: from `coco.truth_from`.
        predictions: COCO results; those of other pictures and classes are not looked at.
        with_masks: False looks at boxes only; all numbers about masks are NaN.

    Raises:
        EdgeError: pycocotools is not installed.
        ConfigError: run lengths that do not fit their picture.
    """
    box_ap = average_precision(truth, predictions, "bbox")
    mask_ap = AveragePrecision(np.full_like(box_ap.by_class, np.nan), np.full(3, np.nan))
    if with_masks:
        mask_ap = average_precision(truth, predictions, "segm")
    per_picture = _objects_by_picture(truth, predictions, with_masks)
    objects = _joined(list(per_picture.values()))
    classes = []
    for k, (class_id, name) in enumerate(truth.class_names.items()):
        of_class = objects.chosen(
            objects.class_ids == class_id, objects.spurious[objects.spurious == class_id]
        )
        classes.append(_quality(name, of_class, mask_ap.by_class[:, [k]], box_ap.by_class[:, [k]]))
    total = _quality("all", objects, mask_ap.by_class, box_ap.by_class)
    sizes = [_size_quality(k, objects, mask_ap, box_ap) for k in range(len(SIZES))]
    scores = {image_id: picture.score for image_id, picture in per_picture.items()}
    return MaskQuality(total, tuple(classes), tuple(sizes), scores, truth.notes)


def _objects_by_picture(
    truth: Truth, predictions: Sequence[Json], with_masks: bool
) -> dict[int, _Objects]:
    annotated = coco.by_picture(truth.annotations, truth.images)
    of_interest = [p for p in predictions if p["category_id"] in truth.class_names]
    predicted = coco.by_picture(of_interest, truth.images)
    return {
        image["id"]: _objects(image, annotated[image["id"]], predicted[image["id"]], with_masks)
        for image in truth.images
    }


def _objects(
    image: Json, annotations: list[Json], predictions: list[Json], with_masks: bool
) -> _Objects:
    labels, results = coco.labels(annotations), coco.results(predictions)
    matched = matches(labels, results, MIN_SCORE)
    overlaps = np.full((len(annotations), 3), np.nan)
    found = np.zeros(len(annotations), bool)
    found[matched.pairs[:, 0]] = True
    if with_masks:
        for i, j in matched.pairs.tolist():
            pair = coco.masks([annotations[i]], image), coco.masks([predictions[j]], image)
            agreed = overlap(pair[0], 0, pair[1], 0)
            overlaps[i] = agreed.iou, agreed.dice, agreed.boundary_iou
    weight = len(matched.pairs) + (len(matched.missed) + len(matched.spurious)) / 2
    agreement = overlaps[found, 0] if with_masks else matched.box_iou
    score = float(agreement.sum() / weight) if weight else float("nan")
    spurious = results.class_ids[matched.spurious]
    every = _Objects(labels.class_ids, labels.areas, found, overlaps, spurious, score)
    return every.chosen(~labels.crowd, spurious)


def _joined(pictures: Sequence[_Objects]) -> _Objects:
    return _Objects(
        np.concatenate([p.class_ids for p in pictures]),
        np.concatenate([p.areas for p in pictures]),
        np.concatenate([p.found for p in pictures]),
        np.concatenate([p.overlaps for p in pictures]),
        np.concatenate([p.spurious for p in pictures]),
        float("nan"),
    )


def _quality(name: str, objects: _Objects, mask_ap: F64, box_ap: F64) -> Quality:
    found, truth = int(objects.found.sum()), len(objects.found)
    return Quality(
        name=name,
        truth=truth,
        ap=_mean(mask_ap),
        ap50=_mean(mask_ap[0]),
        ap75=_mean(mask_ap[5]),
        box_ap=_mean(box_ap),
        box_ap50=_mean(box_ap[0]),
        precision=_ratio(found, found + len(objects.spurious)),
        recall=_ratio(found, truth),
        matched=found,
        mask_iou=_mean(objects.overlaps[:, 0]),
        dice=_mean(objects.overlaps[:, 1]),
        boundary_iou=_mean(objects.overlaps[:, 2]),
    )


def _size_quality(
    k: int, objects: _Objects, mask_ap: AveragePrecision, box_ap: AveragePrecision
) -> Quality:
    low, high = AREA_BOUNDS[k : k + 2]
    keep = (objects.areas >= low) & (objects.areas < high)
    # A spurious result has no true size: precision by size is not defined.
    chosen = objects.chosen(keep, np.zeros(0, np.int64))
    nothing = float("nan")
    return Quality(
        name=SIZES[k],
        truth=len(chosen.found),
        ap=float(mask_ap.by_size[k]),
        ap50=nothing,
        ap75=nothing,
        box_ap=float(box_ap.by_size[k]),
        box_ap50=nothing,
        precision=nothing,
        recall=_ratio(int(chosen.found.sum()), len(chosen.found)),
        matched=int(chosen.found.sum()),
        mask_iou=_mean(chosen.overlaps[:, 0]),
        dice=_mean(chosen.overlaps[:, 1]),
        boundary_iou=_mean(chosen.overlaps[:, 2]),
    )


def _mean(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
