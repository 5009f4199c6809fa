"""Reading instances that a graph has made ready, in whatever order and form, by their names.

An output named like `boxes` or `dets`: corners in pixels of the input or shares of it, perhaps
followed by a score and a class; `scores`; `labels` or `classes`, counted from 0; and `masks`: each
over the whole input, or a small one over its box; logits or probabilities. What boxes and masks are
their values tell: those for the grey picture that a model is shown first, else each frame's. A
batch's axis may lead. Nothing tells how such a model wants its picture: it gets it as YOLO exports
do, and that is warned of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edge.segment import pasted, planes
from edge.segment.coco import COCO_80
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.preparation import Preparation
from edge.segment.reading import Reading, named_or
from edge.segment.rows import are_shares, in_pixels, sound_rows
from edge.types import Instances

CONVENTION = "any named boxes or dets (K, 4 to 6), labels, scores and masks (K, h, w)"
ROLES = {
    "masks": ("mask", "segm"),
    "scores": ("score", "conf", "prob"),
    "labels": ("label", "class"),
    "boxes": ("box", "det"),
}
LARGEST_SQUARE = 56  # a mask of fewer cells lies in its box
ASSUMED = (
    "that it wants its picture as YOLO exports do (letterbox, RGB, values 0..1) and counts classes "
    "from 0"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values are; None: each frame's tell."""

    shares: bool | None  # boxes: of the input, not pixels
    level: planes.Level | None  # masks


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another."""
    found: dict[str, int] = {}
    for k, (name, _) in enumerate(model.outputs):
        role = next((r for r, words in ROLES.items() if any(w in name.lower() for w in words)), "")
        if role in found:
            return None
        found[role] = k
    seen = _parts(found, outputs) if {"boxes", "masks"} <= found.keys() else None
    if seen is None:
        return None
    kind = Kind(are_shares(seen[0]), planes.level_told(seen[3]))
    class_names = named_or(model, names, COCO_80)

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        parts = _parts(found, its)
        assert parts is not None  # outputs keep their rank
        return decoded(parts, len(class_names), box, limits, kind)

    return Reading("generic", CONVENTION, class_names, Preparation(), decode, ASSUMED)


def _parts(found: dict[str, int], outputs: Outputs) -> list[NDArray[Any]] | None:
    """Boxes (K, 4), scores (K,), labels (K,) and masks (K, h, w); None: they are not there."""
    boxes, masks = outputs[found["boxes"]], outputs[found["masks"]]
    has_batch = boxes.ndim == 3 and len(boxes) == 1
    boxes = boxes[0] if has_batch else boxes
    if masks.ndim == 4:
        masks = masks[0] if has_batch else masks[:, 0]
    if boxes.ndim != 2 or masks.ndim != 3 or boxes.shape[1] not in (4, 5, 6):
        return None
    columns = {"scores": 4, "labels": 5}
    parts = [boxes[:, :4]]
    for role, column in columns.items():
        if role in found:
            part = outputs[found[role]]
            parts.append(part[0] if part.ndim == 2 and len(part) == 1 else part)
        elif column < boxes.shape[1]:
            parts.append(boxes[:, column])
        else:
            return None
    parts.append(masks)
    alike = all(len(part) == len(boxes) for part in parts) and parts[1].ndim == parts[2].ndim == 1
    return parts if alike else None


def decoded(
    parts: Sequence[NDArray[Any]], classes: int, box: Letterbox, limits: Limits, kind: Kind
) -> tuple[Instances, int]:
    """Instances of one frame, and how many were dropped for impossible values.

    Args:
        parts: boxes (K, 4), scores (K,), labels (K,) and masks (K, h, w).
        classes: number of classes.
        box: how the frame lies in the input.
        limits: thresholds.
        kind: what the values of boxes and masks are.
    """
    boxes, scores, labels, masks = parts
    corners = in_pixels(boxes, box, kind.shares)
    # Rows of score 0 fill up.
    least = max(limits.min_score, 1e-6)
    rows, broken = sound_rows(corners, scores, labels, classes, least)
    rows = rows[: limits.most].inside(box)
    level = kind.level or [planes.level_of(masks[k]) for k in rows.index]
    if max(masks.shape[1:]) <= LARGEST_SQUARE:
        its, filled, bad = pasted.masks_of(masks[rows.index], rows.boxes, box, level)
    else:
        its, filled, bad = planes.masks_of(masks, rows.index, level, box)
    return rows.instances(box, its, filled), broken + bad
