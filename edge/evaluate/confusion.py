"""Which class was taken for which: a confusion matrix with missed and false instances. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.evaluate.coco import Labels, Results
from edge.evaluate.matching import class_agnostic_matches
from edge.types import F64, I64


@dataclass(frozen=True, slots=True)
class Confusion:
    """True classes in rows, predicted ones in columns, both in the order of `names`.

    Each true object is in one cell of its row or in `missed`; each prediction is in one cell of
    its column, or in `false`, or lay in a crowd region and is not judged.
    """

    names: tuple[str, ...]
    matrix: I64  # (K, K)
    missed: I64  # (K,) true objects that no prediction overlaps enough
    false: I64  # (K,) predictions that overlap no true object enough


def none(names: Sequence[str]) -> Confusion:
    """A matrix of zeros for these classes."""
    k = len(names)
    zeros = np.zeros(k, np.int64)
    return Confusion(tuple(names), np.zeros((k, k), np.int64), zeros, zeros.copy())


def added(
    confusion: Confusion, truth: Labels, found: Results, iou: F64, class_ids: Sequence[int]
) -> Confusion:
    """The matrix with one more picture: pairs at IoU above .5, whatever their classes.

    Args:
        confusion: what was counted so far.
        truth: the labels, crowds included.
        found: the results that take part: those with enough score.
        iou: float64 (N, M) overlap of labels and results, of masks or of boxes.
        class_ids: category id of each of the matrix's classes.
    """
    place = {c: k for k, c in enumerate(class_ids)}
    matched = class_agnostic_matches(truth, found, iou, min_score=-np.inf)
    matrix, missed, false = (
        a.copy() for a in (confusion.matrix, confusion.missed, confusion.false)
    )
    for i, j in matched.pairs.tolist():
        matrix[place[int(truth.class_ids[i])], place[int(found.class_ids[j])]] += 1
    for i in matched.missed.tolist():
        missed[place[int(truth.class_ids[i])]] += 1
    for j in matched.spurious.tolist():
        false[place[int(found.class_ids[j])]] += 1
    return Confusion(confusion.names, matrix, missed, false)
