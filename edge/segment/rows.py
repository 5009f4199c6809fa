"""Rows that a model has made ready: a box, a score and a class for each instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.segment.letterbox import Letterbox
from edge.types import F32, I32, I64, Bool, Instances, Masks

LARGEST_VALUE = 1e6  # pixels: a box beyond it is no box
LARGEST_SHARE = 1.5  # boxes whose corners are all below are shares of the input


@dataclass(frozen=True, slots=True)
class Rows:
    """What is kept of a model's rows, best score first."""

    boxes: F32  # (N, 4) pixels of the input
    scores: F32  # (N,)
    class_ids: I32  # (N,)
    index: I64  # (N,) which row of the model it was

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: Any) -> Rows:
        return Rows(self.boxes[which], self.scores[which], self.class_ids[which], self.index[which])

    def inside(self, box: Letterbox) -> Rows:
        """Those whose boxes lie, at least partly, on the frame."""
        boxes = box.to_frame(self.boxes)
        return self[(boxes[:, 2:] > boxes[:, :2]).all(1)]

    def instances(self, box: Letterbox, masks: Masks, filled: list[int]) -> Instances:
        """Instances of the frame: the rows numbered in `filled`, to which `masks` belong."""
        its = self[np.array(filled, np.int64)]
        return Instances(box.to_frame(its.boxes), its.scores, its.class_ids, masks)


def are_shares(boxes: NDArray[Any]) -> bool | None:
    """Whether corners (N, 4) are shares of the input, not pixels; None: there is nothing to tell.

    >>> are_shares(np.array([[0, 0, 0.5, 1]])), are_shares(np.array([[0, 0, 32, 64]]))
    (True, False)
    """
    largest = np.abs(boxes[np.isfinite(boxes).all(1)]).max(initial=0)
    return bool(largest < LARGEST_SHARE) if largest else None


def in_pixels(boxes: NDArray[Any], box: Letterbox, shares: bool | None) -> F32:
    """Corners float32 (N, 4) in pixels of the input.

    Args:
        boxes: (N, 4), in pixels or in shares.
        box: how the frame lies in the input.
        shares: which they are; None: what these look like.
    """
    corners: F32 = boxes.astype(np.float32, copy=False)
    if are_shares(corners) if shares is None else shares:
        h, w = box.input_hw
        return corners * np.array([w, h, w, h], np.float32)
    return corners


def sound_rows(
    boxes: NDArray[Any],
    scores: NDArray[Any],
    labels: NDArray[Any],
    classes: int,
    min_score: float,
) -> tuple[Rows, int]:
    """Rows of at least `min_score`, best first, and how many were dropped for impossible values.

    Args:
        boxes: (N, 4) corners, pixels of the input.
        scores: (N,); dropped beyond 0..1, and when no number.
        labels: (N,), whole numbers of any dtype; dropped beyond 0..`classes` - 1.
        classes: number of classes.
        min_score: weaker rows are not looked at; many models fill up with such.

    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, np.nan], [1, 1, 3, 3]], np.float32)
    >>> rows, dropped = sound_rows(boxes, np.array([0.5, 0.9, 0.8]), np.array([0, 0, 1]), 2, 0.2)
    >>> rows.index.tolist(), dropped
    ([2, 0], 1)
    """
    strong: I64 = np.flatnonzero(~(scores < min_score))  # NaN is looked at
    corners: F32 = boxes[strong].astype(np.float32, copy=False)
    score: F32 = scores[strong].astype(np.float32, copy=False)
    label = labels[strong].astype(np.float64)
    sound: Bool = np.asarray((score >= 0) & (score <= 1) & (label == np.rint(label)))
    sound &= (label >= 0) & (label < classes) & (np.abs(corners) < LARGEST_VALUE).all(1)
    sound &= (corners[:, 2:] > corners[:, :2]).all(1)
    order = np.flatnonzero(sound)
    order = order[np.argsort(-score[order], kind="stable")]
    rows = Rows(corners[order], score[order], label[order].astype(np.int32), strong[order])
    return rows, len(strong) - len(order)
