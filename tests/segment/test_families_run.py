"""Every family through onnxruntime: several pictures a run, and float16 in and out.

The input is 64 x 64, as the frame is, so that a box is the same in both. Each picture shows one car
of its own, its mask the whole of its box.
"""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from edge import masks as mask_ops
from edge.segment import Limits, Segmenter, Session

PICTURE = np.zeros((64, 64, 3), np.uint8)
BOXES = [(8, 16, 24, 48), (32, 8, 60, 32), (4, 40, 40, 56)]
METADATA = {"names": "{0: 'person', 1: 'car'}"}
PLANES = np.ones((1, 2, 16, 16), np.float32)


def centred(box):
    x1, y1, x2, y2 = box
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]


def plane(box, cells, inside=1.0, outside=0.0):
    """Masks (1, 4, cells, cells) over the input, the first of which has a box in it."""
    x1, y1, x2, y2 = (side * cells // 64 for side in box)
    planes = np.full((1, 4, cells, cells), outside, np.float32)
    planes[0, 0, y1:y2, x1:x2] = inside
    return planes


def four(*row):
    """One row and three that fill up."""
    return np.array([[row, *[[0.0] * len(row)] * 3]], np.float32)


def labels():
    return np.array([[1, 0, 0, 0]], np.int64)


def yolo(box):
    cells = np.zeros((1, 8, 84), np.float32)
    cells[0, :, 7] = *centred(box), 0.1, 0.75, 0, 1
    return {"output0": cells, "output1": PLANES}


def yolov5(box):
    cells = np.zeros((1, 252, 9), np.float32)
    cells[0, 7] = *centred(box), 1, 0.1, 0.75, 0, 1
    return {"output0": cells, "output1": PLANES}


def end2end(box):
    return {"output0": four(*box, 0.75, 1, 0, 1), "output1": PLANES}


def rfdetr(box):
    logits = np.full((1, 4, 3), -6, np.float32)
    logits[0, 0, 1] = 3
    dets = four(*(side / 64 for side in centred(box)))
    return {"dets": dets, "labels": logits, "masks": plane(box, 16, 9, -9)}


def dfine(box):
    scores = four(0.75)[..., 0]
    return {"labels": labels(), "boxes": four(*box), "scores": scores, "masks": plane(box, 16)}


def rtmdet(box):
    return {"dets": four(*box, 0.75), "labels": labels(), "masks": plane(box, 64)}


def mmdet(box):
    squares = np.ones((1, 4, 28, 28), np.float32)
    return {"dets": four(*box, 0.75), "labels": labels(), "masks": squares}


def torchvision(box):
    its = dfine(box)
    return {
        "boxes": its["boxes"][0],
        "labels": labels()[0] + 1,
        "scores": its["scores"][0],
        "masks": plane(box, 64)[0][:, None],
    }


def zoo(box):
    squares = np.ones((4, 1, 28, 28), np.float32)
    return torchvision(box) | {"masks": squares}


def detectron2(box):
    its = zoo(box)
    found = [its["boxes"], its["labels"] - 1, its["masks"], its["scores"], np.array([64, 64])]
    return {str(k): array for k, array in enumerate(found)}


def generic(box):
    return {"detections": four(*box, 0.75, 1)[0], "masks": plane(box, 64)[0]}


WITH_A_BATCH = {
    "yolo": yolo,
    "yolov5": yolov5,
    "yolo-end2end": end2end,
    "rfdetr": rfdetr,
    "dfine": dfine,
    "rtmdet": rtmdet,
    "mmdet-maskrcnn": mmdet,
}
ALL = WITH_A_BATCH | {
    "torchvision": torchvision,
    "maskrcnn-zoo": zoo,
    "detectron2": detectron2,
    "generic": generic,
}


def is_car_at(found, box):
    """Whether a car is there; pasted and interpolated edges may be a pixel beside."""
    assert found.class_ids.tolist() == [1]
    np.testing.assert_allclose(found.boxes, [box], atol=0.05)
    np.testing.assert_allclose(mask_ops.extents(found.masks), [box], atol=1)


@pytest.mark.parametrize("family", WITH_A_BATCH)
def test_each_picture_of_a_batch_has_its_own_instances(save_named, family):
    each = [WITH_A_BATCH[family](box) for box in BOXES]
    outputs = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    s = Segmenter(Session(save_named(outputs, (3, 3, 64, 64), METADATA), "cpu", 1), Limits(0.5))
    assert (s.reading.family, s.takes_batches) == (family, True)
    prepared = [s.prepare(PICTURE) for _ in BOXES]
    for its, one, box in zip(s.infer_all(prepared), prepared, BOXES, strict=True):
        is_car_at(s.decode(its, one), box)
    # Fewer than it takes: black ones are among them.
    for its, one, box in zip(s.infer_all(prepared[:2]), prepared[:2], BOXES[:2], strict=True):
        is_car_at(s.decode(its, one), box)
    is_car_at(s.segment(PICTURE), BOXES[0])
    assert s.dropped == 0


@pytest.mark.parametrize("family", ALL)
def test_float16_in_and_out(save_named, family):
    outputs = {
        name: array.astype(np.float16) if array.dtype.kind == "f" else array
        for name, array in ALL[family](BOXES[0]).items()
    }
    shape = (1, 3, 64, 64) if family in (*WITH_A_BATCH, "generic") else (3, 64, 64)
    path = save_named(outputs, shape, METADATA, TensorProto.FLOAT16)
    s = Segmenter(Session(path, "cpu", 1), Limits(0.5))
    assert s.reading.family == family
    assert s.prepare(PICTURE).tensor.dtype == np.float16
    is_car_at(s.segment(PICTURE), BOXES[0])
    assert s.dropped == 0
