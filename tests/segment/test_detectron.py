"""Mask R-CNN of MMDetection and Detectron2, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import filled, reading_of

from edge.segment.coco import COCO_80
from edge.segment.letterbox import cornered
from edge.segment.limits import Limits

BOX = cornered((40, 60), (80, 120))
BOXES = np.array([[20, 10, 40, 50], [60, 16, 100, 60], [2, 2, 10, 10]], np.float32)
LABELS = np.array([2, 0, 0])
SCORES = np.array([0.6, 0.9, 0.0], np.float32)  # what fills up has a score of 0
SQUARES = np.ones((3, 28, 28), np.float32)
SQUARES[1, :, 14:] = 0


def mmdet():
    dets = np.column_stack([BOXES, SCORES])
    return {"dets": dets[None], "labels": LABELS[None], "masks": SQUARES[None]}


def detectron2(*names):
    """By its tracing, without names and with the input's size; or with names and without it."""
    outputs = [BOXES, LABELS, SQUARES[:, None], SCORES, np.array([80, 120])]
    return dict(zip(names or ("1", "2", "3", "4", "5"), outputs, strict=False))


NAMED = ("pred_boxes", "pred_classes", "pred_masks", "scores")


@pytest.mark.parametrize(
    ("outputs", "family"),
    [(mmdet(), "mmdet-maskrcnn"), (detectron2(), "detectron2"), (detectron2(*NAMED), "detectron2")],
)
def test_squares_lie_in_their_boxes_and_classes_count_from_0(caplog, outputs, family):
    reading = reading_of(outputs)
    assert (reading.family, reading.class_names) == (family, COCO_80)
    assert not caplog.messages
    found, broken = reading.decode(list(outputs.values()), BOX, Limits(0.0))
    assert broken == 0
    assert [reading.class_names[k] for k in found.class_ids] == ["person", "car"]
    assert found.boxes.tolist() == [[30, 8, 50, 30], [10, 5, 20, 25]]
    assert [filled(found, k) for k in range(2)] == [(30, 8, 40, 30), (10, 5, 20, 25)]


def test_what_looks_like_the_zoos_may_be_detectron2s(caplog):
    outputs = detectron2("boxes", "labels", "masks", "scores")
    assert reading_of(outputs).family == "maskrcnn-zoo"
    [said] = caplog.messages
    assert "read as maskrcnn-zoo, assuming that labels count from 1" in said
    assert "family detectron2" in said
    reading = reading_of(outputs, family="detectron2")
    found, _ = reading.decode(list(outputs.values()), BOX, Limits())
    assert [reading.class_names[k] for k in found.class_ids] == ["person", "car"]


@pytest.mark.parametrize("make", [mmdet, detectron2])
@pytest.mark.parametrize("value", [np.nan, 1.5, -0.5])
def test_squares_that_cannot_be_are_dropped_and_counted(make, value):
    outputs = {name: array.copy() for name, array in make().items()}
    name = "masks" if "masks" in outputs else "3"
    outputs[name].reshape(3, 28, 28)[1, 3, 3] = value
    found, broken = reading_of(outputs).decode(list(outputs.values()), BOX, Limits())
    assert (found.class_ids.tolist(), broken) == ([2], 1)


def test_how_pictures_are_prepared():
    mm, detectron = (reading_of(make()).preparation for make in (mmdet, detectron2))
    for how in (mm, detectron):
        box = how.placed((1080, 1920), None, None)
        assert (box.input_hw, box.left, box.top) == ((768, 1344), 0, 0)
        assert how.placed((480, 640), None, None).input_hw == (800, 1088)
        assert set(np.round(np.subtract(how.padding, how.mean), 3)) <= {
            0,
            *np.round(how.padding, 3),
        }
    assert mm.padding == mm.mean  # which leaves zeros
    assert (detectron.is_rgb, detectron.mean, detectron.std) == (False, (0,) * 3, (1,) * 3)
