"""Ready-made instances in some of the forms that exporters give them."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import filled, reading_of, rectangle

from edge.segment.letterbox import stretched
from edge.segment.limits import Limits

BOX = stretched((64, 128), (64, 64))
BOXES = np.array([[4, 8, 20, 16], [30, 20, 60, 40]], np.float32)
SCORES = np.array([0.6, 0.9], np.float32)
LABELS = np.array([2, 0])
MASKS = np.stack([rectangle((64, 64), *map(int, b)) for b in BOXES])
DETS = np.column_stack([BOXES, SCORES, LABELS]).astype(np.float32)


@pytest.mark.parametrize(
    "outputs",
    [
        {"boxes": BOXES, "scores": SCORES, "labels": LABELS, "masks": MASKS},
        {"pred_masks": MASKS[None], "pred_boxes": BOXES[None], "pred_scores": SCORES[None],
         "pred_classes": LABELS[None].astype(np.int32)},
        {"dets": DETS[:, :5], "labels": LABELS, "masks": MASKS[:, None]},
        {"detections": DETS[None], "final_masks": MASKS[None]},
        {"bboxes": BOXES / 64, "conf": SCORES, "labels": LABELS.astype(np.float32),
         "masks": MASKS},
        {"boxes": BOXES, "scores": SCORES, "labels": LABELS, "masks": MASKS * 8 - 4},
        {"boxes": BOXES, "scores": SCORES, "labels": LABELS, "masks": MASKS.astype(bool)},
        {"boxes": BOXES.astype(np.float16), "scores": SCORES.astype(np.float16),
         "labels": LABELS, "masks": MASKS.astype(np.float16)},
    ],
)  # fmt: skip
def test_forms_of_the_same_instances(outputs):
    reading = reading_of(outputs)
    assert reading.family == "generic"
    found, broken = reading.decode(list(outputs.values()), BOX, Limits())
    assert broken == 0
    assert found.class_ids.tolist() == [0, 2]
    np.testing.assert_allclose(found.scores, [0.9, 0.6], atol=1e-3)
    assert found.boxes.tolist() == [[60, 20, 120, 40], [8, 8, 40, 16]]
    assert [filled(found, k) for k in range(2)] == [(60, 20, 120, 40), (8, 8, 40, 16)]


def test_small_masks_lie_in_their_boxes():
    outputs = {"detections": DETS[None], "masks": np.ones((1, 2, 28, 28), np.float32)}
    reading = reading_of(outputs)
    assert reading.family == "generic"
    found, _ = reading.decode(list(outputs.values()), BOX, Limits())
    assert filled(found, 1) == (8, 8, 41, 17)


def two(masks, boxes=BOXES):
    return {"boxes": boxes, "scores": SCORES, "labels": LABELS, "masks": masks}


@pytest.mark.parametrize("first", [MASKS, MASKS * 0])  # for the grey picture
@pytest.mark.parametrize("rounding", [1.0005, -0.0005])
def test_probabilities_beyond_1_by_rounding_stay_probabilities(first, rounding):
    masks = np.clip(MASKS, 0.1, 0.9)  # above 0 everywhere
    masks[1, 30, 40] = rounding
    found, broken = reading_of(two(first)).decode(list(two(masks).values()), BOX, Limits())
    assert broken == 0
    areas = np.diff(found.masks.offsets)
    assert areas.tolist() == [60 * 20, 32 * 8]


def test_what_masks_and_boxes_are_is_told_by_the_first_picture():
    logits = two(MASKS * 8 - 4, BOXES / 64)
    reading = reading_of(logits)
    # Logits that might be probabilities, and a box that might be in pixels.
    its = two(np.where(MASKS > 0, 0.005, -0.009).astype(np.float32), BOXES / 64)
    its["boxes"][1, 2] = 1.6
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert found.boxes.tolist() == [[60, 20, 128, 40], [8, 8, 40, 16]]
    assert [filled(found, k) for k in range(2)] == [(60, 20, 120, 40), (8, 8, 40, 16)]


def test_one_broken_mask_changes_no_other():
    masks = np.clip(MASKS, 0.1, 0.9)
    masks[0] = 1e9
    found, broken = reading_of(two(MASKS * 0)).decode(list(two(masks).values()), BOX, Limits())
    assert (found.class_ids.tolist(), broken) == ([0], 1)
    assert filled(found, 0) == (60, 20, 120, 40)


def test_what_is_assumed_is_warned_of_once_and_not_when_the_family_is_named(caplog):
    reading_of(two(MASKS))
    [said] = caplog.messages
    assert said.startswith("m.onnx: read as generic, assuming that it wants its picture as YOLO")
    assert "--family" in said
    assert "model.family" in said
    reading_of(two(MASKS), family="generic")
    assert len(caplog.messages) == 1


def test_values_that_cannot_be_are_dropped_and_counted():
    dets = np.concatenate([DETS, DETS, 0 * DETS])
    dets[0, 4], dets[3, 0] = np.nan, np.inf
    outputs = {"dets": dets, "masks": np.concatenate([MASKS] * 3)}
    found, broken = reading_of(outputs).decode(list(outputs.values()), BOX, Limits(0.0))
    assert (found.class_ids.tolist(), broken) == ([0, 2], 2)


def test_no_instances():
    outputs = {"dets": DETS[:0], "masks": MASKS[:0]}
    found, broken = reading_of(outputs).decode(list(outputs.values()), BOX, Limits())
    assert (len(found), broken) == (0, 0)
