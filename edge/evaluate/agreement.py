"""One picture's instances against its truth: who is who, how well, who is missing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge import masks as mask_ops
from edge.evaluate.matching import greedy_pairs, overlap
from edge.evaluate.neighbours import merges, splits
from edge.evaluate.truthfiles import PictureTruth
from edge.types import F64, Bool, Instances

MIN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Match:
    """An instance and the true object that it shows. Shares 0..1."""

    id: int  # of the instance
    truth_id: int
    class_name: str
    truth_class: str  # "" if the truth does not say
    iou: float
    dice: float
    boundary_iou: float


@dataclass(frozen=True, slots=True)
class ClassMean:
    """The matches of one true class: means of their overlaps; NaN without a match."""

    class_name: str
    truth: int
    matched: int
    iou: float
    dice: float
    boundary_iou: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """One picture. Instances have ids 1, 2, 3...; true objects those of their truth."""

    matches: tuple[Match, ...]  # by instance id
    classes: tuple[ClassMean, ...]  # each true class by name, then "all"
    missed: tuple[int, ...]  # true ids
    false: tuple[int, ...]  # instance ids
    merged: dict[int, tuple[int, ...]]  # instance id -> ids of the true objects that it covers
    split: dict[int, tuple[int, ...]]  # true id -> ids of the instances that take it apart


def agreement(instances: Instances, class_names: Sequence[str], truth: PictureTruth) -> Agreement:
    """Compare the instances of one picture with its truth.

    Instances choose by falling score, each the free true object with the largest mask IoU, if
    above .5, whatever its class: a right mask of a wrong class is a confusion, not a miss and a
    false instance. An instance by more than half inside a crowd region is not false.

    Args:
        instances: of one picture, best score first.
        class_names: name of each class id.
        truth: of the same picture.
    """
    iou = mask_ops.iou_matrix(truth.masks, instances.masks).astype(np.float64)
    iou[truth.crowd] = -1
    scores: F64 = instances.scores.astype(np.float64)
    pairs = greedy_pairs(iou, scores, -np.inf, MIN_IOU)
    matches = []
    for i, j in pairs.tolist():
        agreed = overlap(truth.masks, i, instances.masks, j)
        its_class = class_names[int(instances.class_ids[j])]
        values = (agreed.iou, agreed.dice, agreed.boundary_iou)
        matches.append(Match(j + 1, truth.ids[i], its_class, truth.class_names[i], *values))
    missed = np.setdiff1d(np.flatnonzero(~truth.crowd), pairs[:, 0]).tolist()
    excused = _in_crowd(instances, truth)
    alone = np.setdiff1d(np.arange(len(instances)), pairs[:, 1]).tolist()
    merged, split = _melted(instances, class_names, truth)
    return Agreement(
        tuple(sorted(matches, key=lambda m: m.id)),
        _class_means(matches, truth),
        tuple(truth.ids[i] for i in missed),
        tuple(j + 1 for j in alone if not excused[j]),
        merged,
        split,
    )


def _in_crowd(instances: Instances, truth: PictureTruth) -> Bool:
    crowd = mask_ops.chosen(truth.masks, np.flatnonzero(truth.crowd))
    shared = mask_ops.intersection_matrix(crowd, instances.masks).max(0, initial=0)
    inside: Bool = 2 * shared > mask_ops.area(instances.masks)
    return inside


def _melted(
    instances: Instances, class_names: Sequence[str], truth: PictureTruth
) -> tuple[dict[int, tuple[int, ...]], dict[int, tuple[int, ...]]]:
    """Merges and splits of each class; where the truth names none, of all objects together."""
    merged: dict[int, tuple[int, ...]] = {}
    split: dict[int, tuple[int, ...]] = {}
    said = np.array([class_names[c] for c in instances.class_ids.tolist()], object)
    names = np.array(truth.class_names, object)
    for name in sorted(set(truth.class_names)):
        rows = np.flatnonzero((names == name) & ~truth.crowd)
        columns = np.flatnonzero((said == name) | (name == ""))
        its_truth = mask_ops.chosen(truth.masks, rows)
        found = mask_ops.chosen(instances.masks, columns)
        for j, covered in merges(its_truth, found).items():
            merged[int(columns[j]) + 1] = tuple(truth.ids[rows[i]] for i in covered)
        for i, pieces in splits(its_truth, found).items():
            split[truth.ids[rows[i]]] = tuple(int(columns[j]) + 1 for j in pieces)
    return merged, split


def _class_means(matches: Sequence[Match], truth: PictureTruth) -> tuple[ClassMean, ...]:
    counted = [n for n, crowd in zip(truth.class_names, truth.crowd, strict=True) if not crowd]
    rows = [
        _class_mean(
            name or "object", counted.count(name), [m for m in matches if m.truth_class == name]
        )
        for name in sorted(set(counted))
    ]
    return (*rows, _class_mean("all", len(counted), matches))


def _class_mean(name: str, truth: int, matches: Sequence[Match]) -> ClassMean:
    values = np.array([(m.iou, m.dice, m.boundary_iou) for m in matches]).reshape(-1, 3)
    means = values.mean(0).tolist() if len(values) else [float("nan")] * 3
    return ClassMean(name, truth, len(matches), *means)
