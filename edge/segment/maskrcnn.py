"""Reading Mask R-CNN (He et al., 2017, arXiv:1703.06870), from torchvision and the ONNX zoo.

Both give boxes (N, 4): corners in input pixels, labels (N,): int64, 0 the background, scores (N,),
and masks of probabilities, above .5; no output has a batch's axis, and exports name them as they
like. Torchvision's masks (N, 1, H, W) lie on the input, which is the picture as it is: the graph
resizes. The zoo's MaskRCNN-12 gives squares (N, 1, 28, 28), each to be stretched over its box; its
input has a short side of 800 pixels, BGR less a mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge import boxes as box_ops
from edge.segment import pasted
from edge.segment.coco import BACKGROUND, COCO_80, COCO_91
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.planes import PROBABILITIES, masks_of
from edge.segment.preparation import Preparation
from edge.segment.reading import Reading, named_or
from edge.segment.rows import Rows, sound_rows
from edge.types import F32, I32, Instances

TORCHVISION = "boxes (N, 4), labels (N,), scores (N,), masks (N, 1, H, W), as torchvision's have"
ZOO = "the same with masks (N, 1, 28, 28), as the ONNX zoo's MaskRCNN-12 has"
AS_IS = Preparation("corner", padding=(0.0, 0.0, 0.0), stride_px=1, sizing="native")
ZOO_MEAN = (102.9801, 115.9465, 122.7717)  # blue, green, red
SHORT_800 = Preparation(
    "corner", False, ZOO_MEAN, (1.0, 1.0, 1.0), ZOO_MEAN, sizing="shortest", size_px=800
)
SQUARE = (28, 28)
ASSUMED = (
    "that labels count from 1, and that it wants its picture as the ONNX zoo's MaskRCNN-12 does "
    "(shortest side 800, BGR less a mean); Detectron2's is family detectron2"
)
ZOO_INPUT = ("image", (3, None, None))
PASTED_SHARE = 1 / 28  # torchvision pastes a square with a border of one cell on each side


def read_torchvision(
    model: ModelFile, outputs: Outputs, names: Sequence[str] | None
) -> Reading | None:
    """How to read torchvision's; None: it is of another convention.

    Names may begin with `background` or `__background__`, or leave it out.
    """
    order = _order(outputs)
    if order is None or outputs[order[3]].shape[2:] == SQUARE:
        return None
    class_names, first = _classes(named_or(model, names, COCO_91))

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        rows, broken = _rows([its[i] for i in order], len(class_names), first, box, limits)
        # Outside its pasted square a mask is 0: no need to look there.
        margin = np.array([-2, -2, 2, 2], np.float32)
        around = box.to_frame(box_ops.grown(rows.boxes, PASTED_SHARE) + margin)
        crops: I32 = np.concatenate([np.floor(around[:, :2]), np.ceil(around[:, 2:])], 1).astype(
            np.int32
        )
        planes = its[order[3]][:, 0]
        masks, filled, bad = masks_of(planes, rows.index, PROBABILITIES, box, crops)
        return rows.instances(box, masks, filled), broken + bad

    return Reading("torchvision", TORCHVISION, class_names, AS_IS, decode)


def read_zoo(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read the ONNX zoo's MaskRCNN-12; None: it is of another convention.

    Detectron2's look the same where they do not give the input's size, but speak of classes.
    """
    order = _order(outputs)
    if order is None or outputs[order[3]].shape[2:] != SQUARE:
        return None
    if "class" in model.outputs[order[2]][0].lower():
        return None
    class_names, first = _classes(named_or(model, names, COCO_80))

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        rows, broken = _rows([its[i] for i in order], len(class_names), first, box, limits)
        squares = its[order[3]][rows.index, 0]
        masks, filled, bad = pasted.masks_of(squares, rows.boxes, box)
        return rows.instances(box, masks, filled), broken + bad

    is_its = (model.input_name, model.input_shape) == ZOO_INPUT
    return Reading("maskrcnn-zoo", ZOO, class_names, SHORT_800, decode, "" if is_its else ASSUMED)


def _order(outputs: Outputs) -> tuple[int, int, int, int] | None:
    """Which outputs are boxes, scores, labels and masks, by their shapes and types."""
    found: dict[str, int] = {}
    for k, output in enumerate(outputs):
        if output.ndim == 1:
            found["labels" if output.dtype.kind in "iu" else "scores"] = k
        elif output.ndim == 2 and output.shape[1] == 4:
            found["boxes"] = k
        elif output.ndim == 4 and output.shape[1] == 1:
            found["masks"] = k
    if len(found) != 4 or len(outputs) != 4:
        return None
    return found["boxes"], found["scores"], found["labels"], found["masks"]


def _classes(names: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Class names, and the label of the first of them."""
    return names, 0 if names[0].strip("_").lower() == BACKGROUND else 1


def _rows(
    outputs: Outputs, classes: int, first: int, box: Letterbox, limits: Limits
) -> tuple[Rows, int]:
    boxes, scores, labels, _ = outputs
    corners: F32 = boxes.astype(np.float32, copy=False)
    rows, broken = sound_rows(corners, scores, labels - first, classes, limits.min_score)
    return rows[: limits.most].inside(box), broken
