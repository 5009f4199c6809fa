"""Reading D-FINE-seg: its graph has made instances of its queries (arXiv:2602.23043).

`labels` (1, K), `boxes` (1, K, 4): corners in input pixels, `scores` (1, K), `masks` (1, K, h, w):
probabilities over the whole input, above .5, cut at the box. Doubles of any class are suppressed,
as its own runtime does. The input is the picture stretched, values of 0..1. Other transformers have
outputs of these names: boxes in shares of the input and masks of logits are read, too, as the
values for the grey picture that a model is shown first tell; what differs is warned of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge import boxes as box_ops
from edge.segment.coco import COCO_80
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.planes import PROBABILITIES, Level, level_told, masks_of
from edge.segment.preparation import Preparation
from edge.segment.reading import Reading, named_or, positions
from edge.segment.rows import are_shares, in_pixels, sound_rows
from edge.types import I32, Instances

CONVENTION = "labels (1, K), boxes (1, K, 4), scores (1, K), masks (1, K, h, w), as D-FINE-seg has"


ASSUMED = "that it wants its picture as D-FINE-seg does (stretched, RGB, values 0..1)"


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another.

    The number of classes is not in its outputs: without names it is taken for one of COCO's.
    """
    at = positions(model)
    if sorted(at) != ["boxes", "labels", "masks", "scores"]:
        return None
    order = tuple(at[name] for name in ("boxes", "scores", "labels", "masks"))
    boxes, scores, labels, masks = (outputs[i] for i in order)
    many = boxes.shape[1:2]
    if boxes.ndim != 3 or boxes.shape[2] != 4 or masks.ndim != 4 or masks.shape[1:2] != many:
        return None
    if scores.shape[1:] != many or labels.shape[1:] != many:
        return None
    class_names = named_or(model, names, COCO_80)
    shares, level = are_shares(boxes[0]), level_told(masks[0]) or PROBABILITIES

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        corners, *rest = (its[i][0] for i in order)
        its = [in_pixels(corners, box, shares), *rest]
        return decoded(its, len(class_names), box, limits, level)

    how = Preparation("stretch", averages=False)
    is_its = not shares and level == PROBABILITIES and _has_quarters(model, masks.shape[2:])
    return Reading("dfine", CONVENTION, class_names, how, decode, "" if is_its else ASSUMED)


def _has_quarters(model: ModelFile, planes_hw: tuple[int, ...]) -> bool:
    """Whether planes have a quarter of the input's size, or that size is not fixed."""
    sides = model.input_shape[-2:]
    return all(side in (None, 4 * n) for side, n in zip(sides, planes_hw, strict=True))


def decoded(
    outputs: Outputs,
    classes: int,
    box: Letterbox,
    limits: Limits,
    level: Level = PROBABILITIES,
) -> tuple[Instances, int]:
    """Instances of one frame, and how many were dropped for impossible values.

    Args:
        outputs: boxes (K, 4), scores (K,), labels (K,) and planes (K, h, w).
        classes: number of classes.
        box: how the frame lies in the input.
        limits: thresholds; with `every_class` only doubles of the same class are suppressed.
        level: what the values of the planes are.
    """
    boxes, scores, labels, planes = outputs
    rows, broken = sound_rows(boxes, scores, labels, classes, limits.min_score)
    kinds = rows.class_ids if limits.every_class else np.zeros_like(rows.class_ids)
    kept = box_ops.suppressed(rows.boxes, rows.scores, kinds, limits.nms_iou, limits.most)
    rows = rows[kept].inside(box)
    # A pixel belongs to the box if its upper left corner does; multiplied as its package does it,
    # where the last digit may decide about a row.
    growth = np.array([1 / box.scale_x, 1 / box.scale_y] * 2, np.float32)
    h, w = box.frame_hw
    crops: I32 = np.clip(np.ceil(rows.boxes * growth), 0, [w, h, w, h]).astype(np.int32)
    masks, filled, bad = masks_of(planes, rows.index, level, box, crops)
    return rows.instances(box, masks, filled), broken + bad
