"""Reading Mask R-CNN (He et al., 2017, arXiv:1703.06870) of MMDetection and Detectron2.

Both give squares of probabilities, above .5, each over its box, and count classes from 0, without a
background. MMDetection, by mmdeploy: `dets` (1, K, 5): corners in input pixels, and a score,
`labels` (1, K), `masks` (1, K, 28, 28). Detectron2, by its tracing: boxes (N, 4), classes (N,),
masks (N, 1, 28, 28), scores (N,) and the input's size (2,), mostly without names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.segment import pasted
from edge.segment.coco import COCO_80
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.preparation import IMAGENET_MEAN, IMAGENET_STD, Preparation
from edge.segment.reading import Decode, Reading, named_or, positions
from edge.segment.rows import sound_rows
from edge.types import Instances

MMDET = "dets (1, K, 5), int labels (1, K) and masks (1, K, 28, 28), as MMDetection's R-CNNs have"
DETECTRON2 = "boxes (N, 4), classes (N,), masks (N, 1, 28, 28), scores (N,), size (2,)"
SQUARE = (28, 28)
LARGEST_SQUARE = 56
SMALLEST_SCORE = 1e-6  # rows of score 0 are no rows
# Both resize to a shorter side of 800 pixels, but a longer one of at most 1333, and pad with zeros
# what has lost its mean; Detectron2's graph subtracts it itself.
MMDET_PREPARATION = Preparation(
    "corner", mean=IMAGENET_MEAN, std=IMAGENET_STD, padding=IMAGENET_MEAN, averages=False,
    sizing="shortest", size_px=800, most_px=1333,
)  # fmt: skip
DETECTRON2_PREPARATION = Preparation(
    "corner", is_rgb=False, std=(1.0, 1.0, 1.0), padding=IMAGENET_MEAN[::-1],
    sizing="shortest", size_px=800, most_px=1333,
)  # fmt: skip


def read_mmdet(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read MMDetection's; None: it is of another convention."""
    at = positions(model)
    if sorted(at) != ["dets", "labels", "masks"]:
        return None
    dets, labels, masks = (at[name] for name in ("dets", "labels", "masks"))
    if outputs[dets].ndim != 3 or outputs[dets].shape[2] != 5 or outputs[masks].ndim != 4:
        return None
    if outputs[labels].ndim != 2 or outputs[labels].dtype.kind not in "iu":
        return None
    if max(outputs[masks].shape[2:]) > LARGEST_SQUARE:
        return None
    class_names = named_or(model, names, COCO_80)

    def parts(its: Outputs) -> Outputs:
        rows = its[dets][0]
        return [rows[:, :4], rows[:, 4], its[labels][0], its[masks][0]]

    decode = _decoding(parts, len(class_names))
    return Reading("mmdet-maskrcnn", MMDET, class_names, MMDET_PREPARATION, decode)


def read_detectron2(
    model: ModelFile, outputs: Outputs, names: Sequence[str] | None
) -> Reading | None:
    """How to read Detectron2's; None: it is of another convention."""
    found: dict[str, int] = {}
    for k, output in enumerate(outputs):
        if output.ndim == 1 and output.dtype.kind in "iu":
            found["size" if "labels" in found else "labels"] = k
        elif output.ndim == 1:
            found["scores"] = k
        elif output.ndim == 2 and output.shape[1] == 4:
            found["boxes"] = k
        elif output.ndim == 4 and output.shape[1:] == (1, *SQUARE):
            found["masks"] = k
    order = [found.get(name, -1) for name in ("boxes", "scores", "labels", "masks")]
    if min(order) < 0 or len(found) != len(outputs):
        return None
    class_names = named_or(model, names, COCO_80)

    def parts(its: Outputs) -> Outputs:
        boxes, scores, labels, masks = (its[k] for k in order)
        return [boxes, scores, labels, masks[:, 0]]

    decode = _decoding(parts, len(class_names))
    return Reading("detectron2", DETECTRON2, class_names, DETECTRON2_PREPARATION, decode)


def _decoding(parts: Callable[[Outputs], Outputs], classes: int) -> Decode:
    """Decodes boxes (K, 4), scores (K,), labels (K,) and squares (K, h, w)."""

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        boxes, scores, labels, squares = parts(its)
        least = max(limits.min_score, SMALLEST_SCORE)
        rows, broken = sound_rows(boxes, scores, labels, classes, least)
        rows = rows[: limits.most].inside(box)
        masks, filled, bad = pasted.masks_at(squares[rows.index], rows.boxes, box)
        return rows.instances(box, masks, filled), broken + bad

    return decode
