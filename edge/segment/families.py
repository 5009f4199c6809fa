"""Which family a model is of: decided by what it really gives, or by what it is said to be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from edge.errors import ModelError
from edge.segment import (
    detectron,
    dfine,
    generic,
    maskrcnn,
    rfdetr,
    rtmdet,
    yolo,
    yolo_end2end,
    yolov5,
)
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.reading import Reading, described

log = logging.getLogger("edge.segment")

Read = Callable[[ModelFile, Outputs, Sequence[str] | None], Reading | None]

# From the most particular to the most general: the first that fits is taken.
FAMILIES: dict[str, tuple[Read, str]] = {
    "yolo-end2end": (yolo_end2end.read, yolo_end2end.CONVENTION),
    "yolov5": (yolov5.read, yolov5.CONVENTION),
    "yolo": (yolo.read, yolo.CONVENTION),
    "rfdetr": (rfdetr.read, rfdetr.CONVENTION),
    "dfine": (dfine.read, dfine.CONVENTION),
    "rtmdet": (rtmdet.read, rtmdet.CONVENTION),
    "mmdet-maskrcnn": (detectron.read_mmdet, detectron.MMDET),
    "torchvision": (maskrcnn.read_torchvision, maskrcnn.TORCHVISION),
    "maskrcnn-zoo": (maskrcnn.read_zoo, maskrcnn.ZOO),
    "detectron2": (detectron.read_detectron2, detectron.DETECTRON2),
    "generic": (generic.read, generic.CONVENTION),
}


def recognised(
    model: ModelFile,
    outputs: Outputs,
    family: str | None = None,
    names: Sequence[str] | None = None,
) -> Reading:
    """How to read a model; warns of what was assumed, unless the family is named.

    Args:
        model: what its file says.
        outputs: what it gave for a black picture.
        family: one of `FAMILIES`; None: the first that fits.
        names: class names; None: the file's own, or the usual ones of the family.

    Raises:
        ModelError: no such family, or the outputs do not fit; says what was found and would fit.
    """
    if family is not None and family not in FAMILIES:
        raise ModelError(f"{model.path}: expected family {', '.join(FAMILIES)}, got {family}")
    asked = FAMILIES if family is None else {family: FAMILIES[family]}
    for read, _ in asked.values():
        reading = read(model, outputs, names)
        if reading is not None:
            if family is None and reading.assumed:
                log.warning(
                    "%s: read as %s, assuming %s; if that is wrong, name its family (--family, or "
                    "model.family; docs/models.md) or export it in another form",
                    *(model.path, reading.family, reading.assumed),
                )
            return reading
    got = described(model, outputs)
    if family is not None:
        raise ModelError(f"{model.path}: expected outputs {FAMILIES[family][1]}, got {got}")
    raise ModelError(
        f"{model.path}: expected an instance segmentation model of a family that is known "
        f"({', '.join(FAMILIES)}; docs/models.md says what each gives), got {got}"
    )
