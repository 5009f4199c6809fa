"""Families without prototypes: what their own packages made of outputs.

The files are written by `scripts/compare_query_families --record`, which needs those packages.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from handmade import reading_of

from edge import masks as mask_ops
from edge import rle
from edge.segment.limits import Limits

FILES = sorted((Path(__file__).parent / "golden").glob("*.npz"))
FAMILIES = {
    "rfdetr": ("rfdetr", Limits(0.3, every_class=True), None),
    "rfdetr-three": ("rfdetr", Limits(0.3, every_class=True), None),
    "dfine": ("dfine", Limits(0.3, nms_iou=0.7), None),
    "torchvision": ("torchvision", Limits(0.3), ("__background__", "person", "car")),
    "rtmdet": ("rtmdet", Limits(0.3), None),
    "mmdet-maskrcnn": ("mmdet-maskrcnn", Limits(0.3), None),
}
QUERIES = [path for path in FILES if path.stem.rpartition("-")[0] in FAMILIES]


def outputs_of(said) -> dict[str, np.ndarray]:
    """The recorded outputs by their names; probabilities are kept in steps of 1/255."""
    outputs = {str(name): said[f"output{k}"] for k, name in enumerate(said["names"])}
    if outputs["masks"].dtype == np.uint8:
        outputs["masks"] = outputs["masks"] / np.float32(255)
    return outputs


def test_every_family_is_recorded():
    assert {path.stem.rpartition("-")[0] for path in QUERIES} == set(FAMILIES)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_boxes_scores_classes_and_masks_are_the_packages_own(path, dtype):
    family, limits, names = FAMILIES[path.stem.rpartition("-")[0]]
    said = np.load(path)
    h, w = said["hw"].tolist()
    outputs = outputs_of(said)
    outputs |= {k: v.astype(dtype) for k, v in outputs.items() if v.dtype.kind == "f"}
    reading = reading_of(outputs, names)
    assert reading.family == family
    input_hw = tuple(said["input_hw"].tolist())
    is_fixed = reading.preparation.sizing == "longest"
    box = reading.preparation.placed((h, w), input_hw if is_fixed else None, None)
    assert box.input_hw == input_hw
    ours, broken = reading.decode(list(outputs.values()), box, limits)
    theirs = rle.decoded([{"size": [h, w], "counts": run.decode()} for run in said["masks"]], h, w)
    shown = np.flatnonzero(mask_ops.area(theirs))  # no mask, no instance
    assert len(shown) >= 3
    assert broken == 0
    if dtype == np.float16:  # near scores may change places
        assert abs(len(ours) - len(shown)) <= 1
        return
    np.testing.assert_allclose(ours.boxes, said["boxes"][shown], atol=1e-3)
    np.testing.assert_allclose(ours.scores, said["scores"][shown], atol=1e-6)
    assert ours.class_ids.tolist() == said["labels"][shown].tolist()
    both = [mask_ops.intersection(ours.masks, k, theirs, int(j)) for k, j in enumerate(shown)]
    union = mask_ops.area(ours.masks) + mask_ops.area(theirs)[shown] - both
    # Mmdet makes planes a little larger than the frame, in whole pixels, and cuts them.
    assert (both / union).min() > (0.997 if family == "rtmdet" else 0.999)
