"""What the predictions of one picture are worth, object by object. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge import boxes
from edge import masks as mask_ops
from edge.evaluate import coco
from edge.evaluate.coco import Json, Labels, Results, Truth
from edge.evaluate.confusion import Confusion, added
from edge.evaluate.matching import matches, overlap
from edge.evaluate.neighbours import merges, splits
from edge.types import F64, I64, Bool, Masks

MIN_SCORE = 0.3  # for all numbers but AP: a working point


@dataclass(frozen=True, slots=True)
class Objects:
    """True objects (rows) and spurious results, of one or of many pictures."""

    class_ids: I64  # (N,)
    areas: F64  # (N,)
    found: Bool  # (N,)
    overlaps: F64  # (N, 3) mask IoU, Dice, boundary IoU; NaN where not found or without masks
    spurious: I64  # (S,) category ids
    merged: I64  # (M,) category ids of results that cover two or more objects
    split: I64  # (T,) category ids of objects that were taken apart
    score: float  # panoptic quality, of one picture

    def of_class(self, class_id: int) -> Objects:
        """Those of one category."""
        return self._kept(
            self.class_ids == class_id,
            self.spurious[self.spurious == class_id],
            self.merged[self.merged == class_id],
            self.split[self.split == class_id],
        )

    def of_area(self, low: float, high: float) -> Objects:
        """True objects of this area. What was predicted has no true size: there is none of it."""
        nothing = np.zeros(0, np.int64)
        keep = (self.areas >= low) & (self.areas < high)
        return self._kept(keep, nothing, nothing, nothing)

    def _kept(self, keep: Bool, spurious: I64, merged: I64, split: I64) -> Objects:
        rows = (self.class_ids[keep], self.areas[keep], self.found[keep], self.overlaps[keep])
        return Objects(*rows, spurious, merged, split, self.score)


def joined(pictures: Sequence[Objects]) -> Objects:
    """The objects of all pictures in one; its score is not defined."""
    return Objects(
        np.concatenate([p.class_ids for p in pictures]),
        np.concatenate([p.areas for p in pictures]),
        np.concatenate([p.found for p in pictures]),
        np.concatenate([p.overlaps for p in pictures]),
        np.concatenate([p.spurious for p in pictures]),
        np.concatenate([p.merged for p in pictures]),
        np.concatenate([p.split for p in pictures]),
        float("nan"),
    )


def judged(
    truth: Truth, predictions: Sequence[Json], confusion: Confusion, with_masks: bool
) -> tuple[dict[int, Objects], Confusion]:
    """The objects of each picture, by its id, and the confusion matrix with all of them.

    Args:
        truth: from `coco.truth_from`.
        predictions: COCO results; those of other pictures and classes are not looked at.
        confusion: the matrix to add to; its classes are those of the truth.
        with_masks: False looks at boxes only.

    Raises:
        ConfigError: run lengths that do not fit their picture.
        EdgeError: pycocotools is not installed.
    """
    annotated = coco.by_picture(truth.annotations, truth.images)
    taking_part = [
        p for p in predictions if p["category_id"] in truth.class_names and p["score"] > MIN_SCORE
    ]
    predicted = coco.by_picture(taking_part, truth.images)
    found = {}
    for image in truth.images:
        annotations, its_own = annotated[image["id"]], predicted[image["id"]]
        labels, results = coco.labels(annotations), coco.results(its_own)
        pair = None
        iou = boxes.iou_matrix(labels.boxes, results.boxes).astype(np.float64)
        if with_masks:
            pair = coco.masks(annotations, image), coco.masks(its_own, image)
            iou = mask_ops.iou_matrix(*pair).astype(np.float64)
        found[image["id"]] = _objects(labels, results, pair)
        confusion = added(confusion, labels, results, iou, list(truth.class_names))
    return found, confusion


def _objects(labels: Labels, results: Results, pair: tuple[Masks, Masks] | None) -> Objects:
    matched = matches(labels, results, MIN_SCORE)
    overlaps = np.full((len(labels.areas), 3), np.nan)
    found = np.zeros(len(labels.areas), bool)
    found[matched.pairs[:, 0]] = True
    merged: list[int] = []
    split: list[int] = []
    agreement = matched.box_iou
    if pair:
        for i, j in matched.pairs.tolist():
            agreed = overlap(pair[0], i, pair[1], j)
            overlaps[i] = agreed.iou, agreed.dice, agreed.boundary_iou
        agreement = overlaps[found, 0]
        merged, split = _melted(labels, results, pair)
    weight = len(matched.pairs) + (len(matched.missed) + len(matched.spurious)) / 2
    keep = ~labels.crowd
    return Objects(
        labels.class_ids[keep],
        labels.areas[keep],
        found[keep],
        overlaps[keep],
        results.class_ids[matched.spurious],
        np.array(merged, np.int64),
        np.array(split, np.int64),
        float(agreement.sum() / weight) if weight else float("nan"),
    )


def _melted(
    labels: Labels, results: Results, pair: tuple[Masks, Masks]
) -> tuple[list[int], list[int]]:
    """Category id of each merge and of each split in a picture."""
    merged: list[int] = []
    split: list[int] = []
    for class_id in np.intersect1d(labels.class_ids, results.class_ids).tolist():
        rows = np.flatnonzero((labels.class_ids == class_id) & ~labels.crowd)
        truth = mask_ops.chosen(pair[0], rows)
        found = mask_ops.chosen(pair[1], np.flatnonzero(results.class_ids == class_id))
        merged += [class_id] * len(merges(truth, found))
        split += [class_id] * len(splits(truth, found))
    return merged, split
