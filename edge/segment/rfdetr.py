"""Reading RF-DETR-Seg: queries with logits (Robinson et al., 2025, arXiv:2511.09554).

`dets` (1, Q, 4): centre and size, 0..1 of the input. `labels` (1, Q, C): logits, a sigmoid for
each class. `masks` (1, Q, h, w): logits over the whole input, above 0, not cut at the box.
The input is the picture stretched to a square, by plain bilinear interpolation as in its training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.segment.coco import COCO_91
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.planes import LOGITS, masks_of
from edge.segment.preparation import IMAGENET_MEAN, IMAGENET_STD, Preparation
from edge.segment.reading import Reading, named, positions
from edge.segment.rows import sound_rows
from edge.types import F32, Instances

CONVENTION = "dets (1, Q, 4), logits labels (1, Q, C) and masks (1, Q, h, w), as RF-DETR-Seg has"
PREPARATION = Preparation("stretch", mean=IMAGENET_MEAN, std=IMAGENET_STD, averages=False)


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another.

    The outputs go by their names: with three classes labels look like boxes. Older exports number
    the masks, which are then the output of four axes. The last class is the background, except in
    checkpoints of COCO, whose 91 classes are numbered as in its annotations.

    Raises:
        ModelError: a wrong number of class names.
    """
    at = positions(model)
    planes = [i for i, output in enumerate(outputs) if output.ndim == 4]
    if len(outputs) != 3 or len(planes) != 1 or not {"dets", "labels"} <= at.keys():
        return None
    dets, labels, masks = at["dets"], at["labels"], planes[0]
    queries = outputs[masks].shape[1]
    if outputs[dets].shape[1:] != (queries, 4) or outputs[labels].shape[1:2] != (queries,):
        return None
    if outputs[labels].ndim != 3 or outputs[labels].dtype.kind != "f":
        return None
    slots = outputs[labels].shape[2]
    given = len(names or model.names())
    classes = slots if given == slots or (not given and slots == len(COCO_91)) else slots - 1

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        logits = its[labels][0, :, :classes].astype(np.float32, copy=False)
        return decoded(its[dets][0], logits, its[masks][0], box, limits)

    usual = COCO_91 if slots == len(COCO_91) else ()
    return Reading("rfdetr", CONVENTION, named(model, names, classes, usual), PREPARATION, decode)


def decoded(
    dets: F32, logits: F32, planes: F32, box: Letterbox, limits: Limits
) -> tuple[Instances, int]:
    """Instances of one frame, and how many queries were dropped for impossible values.

    Args:
        dets: float (Q, 4).
        logits: float32 (Q, C), without a background.
        planes: float (Q, h, w).
        box: how the frame lies in the input.
        limits: thresholds; with `every_class` the best of all Q x C pairs of query and class are
            kept, at most Q, as RF-DETR itself does; else each query gives its best class.
    """
    with np.errstate(divide="ignore"):  # 0 and 1 have infinite logits
        share = np.float32(limits.min_score)
        least = np.log(share) - np.log1p(-share)
    if limits.every_class:
        query, label = np.nonzero(~(logits < least))
    else:
        query = np.flatnonzero(~(logits.max(1) < least))  # NaN too, to be counted
        label = logits[query].argmax(1)
    picked: F32 = np.clip(logits[query, label], -80, 80)
    score = np.float32(1) / (1 + np.exp(-picked))
    centre, half = dets[query, :2].astype(np.float32), dets[query, 2:].astype(np.float32) / 2
    input_wh = np.array(box.input_hw[::-1], np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # of boxes that are none
        sides = (centre - half) * input_wh, (centre + half) * input_wh
    corners: F32 = np.concatenate(sides, 1)
    rows, broken = sound_rows(corners, score, label, logits.shape[1], 0.0)
    rows = rows[: min(limits.most, len(dets))].inside(box)
    masks, filled, bad = masks_of(planes, query[rows.index], LOGITS, box)
    return rows.instances(box, masks, filled), broken + bad
