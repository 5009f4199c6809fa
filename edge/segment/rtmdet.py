"""Reading RTMDet-Ins as mmdeploy exports it (Lyu et al., 2022, arXiv:2212.07784).

`dets` (1, K, 5): corners in input pixels, and a score. `labels` (1, K): int64. `masks`
(1, K, H, W): probabilities at the size of the input, above .5. Suppression is in the graph, and
short lists end in rows of score 0. The input keeps the aspect ratio, lies at the top left within
grey, and is BGR.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.segment.coco import COCO_80
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.planes import PROBABILITIES, masks_of
from edge.segment.preparation import IMAGENET_MEAN, IMAGENET_STD, Preparation
from edge.segment.reading import Reading, named_or, positions
from edge.segment.rows import sound_rows
from edge.types import Instances

CONVENTION = "dets (1, K, 5), int labels (1, K) and masks (1, K, H, W), as RTMDet-Ins has"
PREPARATION = Preparation(
    "corner", is_rgb=False, mean=IMAGENET_MEAN[::-1], std=IMAGENET_STD[::-1], averages=False
)
SMALLEST_PX = 64  # of a plane that covers the input; smaller ones lie in their boxes
SMALLEST_SCORE = 1e-6  # rows of score 0 are no rows


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another.

    The number of classes is not in its outputs: without names it is taken for one of COCO's.
    """
    at = positions(model)
    if sorted(at) != ["dets", "labels", "masks"]:
        return None
    dets, labels, masks = (outputs[at[name]] for name in ("dets", "labels", "masks"))
    if dets.ndim != 3 or dets.shape[2] != 5 or labels.ndim != 2 or labels.dtype.kind not in "iu":
        return None
    if masks.ndim != 4 or min(masks.shape[2:]) < SMALLEST_PX:
        return None
    class_names = named_or(model, names, COCO_80)

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        one = [its[at[name]][0] for name in ("dets", "labels", "masks")]
        return decoded(one, len(class_names), box, limits)

    return Reading("rtmdet", CONVENTION, class_names, PREPARATION, decode)


def decoded(
    outputs: Outputs, classes: int, box: Letterbox, limits: Limits
) -> tuple[Instances, int]:
    """Instances of one frame, and how many were dropped for impossible values.

    Args:
        outputs: dets (K, 5), labels (K,) and planes (K, H, W).
        classes: number of classes.
        box: how the frame lies in the input.
        limits: thresholds.
    """
    dets, labels, planes = outputs
    least = max(limits.min_score, SMALLEST_SCORE)
    rows, broken = sound_rows(dets[:, :4], dets[:, 4], labels, classes, least)
    rows = rows[: limits.most].inside(box)
    masks, filled, bad = masks_of(planes, rows.index, PROBABILITIES, box)
    return rows.instances(box, masks, filled), broken + bad
