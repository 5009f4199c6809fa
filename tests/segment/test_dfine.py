"""D-FINE-seg by hand: input 64 x 64, planes 16 x 16, a frame of 128 x 64 pixels."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import filled, reading_of, rectangle

from edge.segment.coco import COCO_80
from edge.segment.letterbox import stretched
from edge.segment.limits import Limits

BOX = stretched((64, 128), (64, 64))
BOXES = [[16, 16, 32, 48], [16, 16, 32, 47], [40, 10.1, 56.3, 50.2], [0, 0, 64, 64], [0, 0, 9, 9]]


def outputs(dtype=np.float32):
    """Rows 0 and 1 are doubles of two classes; the mask of row 2 goes beyond its box."""
    masks = [rectangle((16, 16), 4, 4, 8, 12), rectangle((16, 16), 4, 4, 8, 12),
             rectangle((16, 16), 0, 0, 16, 16), rectangle((16, 16), 0, 0, 2, 2),
             np.zeros((16, 16))]  # fmt: skip
    return {
        "labels": np.array([[0, 2, 1, 0, 0]], np.int64),
        "boxes": np.array([BOXES], dtype),
        "scores": np.array([[0.9, 0.8, 0.7, 0.1, 0.6]], dtype),
        "masks": np.array([masks], dtype),
    }


def test_instances_with_masks_cut_at_their_boxes_and_without_doubles():
    its = outputs()
    reading = reading_of(its)
    assert (reading.family, reading.class_names) == ("dfine", COCO_80)
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert found.class_ids.tolist() == [0, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.7], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[32, 16, 64, 48], [80, 10.1, 112.6, 50.2]], rtol=1e-6)
    # A pixel is in a box if its upper left corner is.
    assert [filled(found, k) for k in range(2)] == [(32, 16, 64, 48), (80, 11, 113, 51)]


def test_doubles_of_different_classes_stay_when_every_class_is_asked():
    its = outputs()
    values, reading = list(its.values()), reading_of(its)
    every, _ = reading.decode(values, BOX, Limits(every_class=True))
    assert every.class_ids.tolist() == [0, 2, 1]
    assert len(reading.decode(values, BOX, Limits(nms_iou=1.0))[0]) == 3
    assert len(reading.decode(values, BOX, Limits(most=1))[0]) == 1


def test_half_precision():
    its = outputs(np.float16)
    found, _ = reading_of(its).decode(list(its.values()), BOX, Limits())
    assert filled(found, 0) == (32, 16, 64, 48)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [("boxes", (0, 0, 0), np.nan), ("scores", (0, 0), np.nan), ("labels", (0, 0), 80),
     ("labels", (0, 0), -1)],
)  # fmt: skip
def test_values_that_cannot_be_are_dropped_and_counted(name, at, value):
    its = outputs()
    its[name][at] = value
    found, broken = reading_of(its).decode(list(its.values()), BOX, Limits())
    assert (found.class_ids.tolist(), broken) == ([2, 1], 1)


def test_a_mask_of_no_numbers_is_dropped_and_counted():
    its = outputs()
    its["masks"][0, 0, 8, 6] = np.nan
    found, broken = reading_of(its).decode(list(its.values()), BOX, Limits())
    assert (found.class_ids.tolist(), broken) == ([1], 1)


def test_boxes_in_shares_of_the_input_are_read_and_warned_of(caplog):
    expected, _ = reading_of(outputs()).decode(list(outputs().values()), BOX, Limits())
    assert not caplog.messages
    its = outputs()
    its["boxes"] /= 64
    reading = reading_of(its)
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert (reading.family, broken) == ("dfine", 0)
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=1e-5)
    assert [filled(found, k) for k in range(2)] == [filled(expected, k) for k in range(2)]
    [said] = caplog.messages
    assert "read as dfine, assuming that it wants its picture as D-FINE-seg does" in said


def test_masks_of_logits_are_read_and_warned_of(caplog):
    expected, _ = reading_of(outputs()).decode(list(outputs().values()), BOX, Limits())
    its = outputs()
    its["masks"] = its["masks"] * 8 - 4
    found, broken = reading_of(its).decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert [filled(found, k) for k in range(2)] == [filled(expected, k) for k in range(2)]
    assert len(caplog.messages) == 1


def test_planes_of_another_size_than_a_quarter_are_warned_of(caplog):
    its = outputs()
    its["masks"] = np.zeros((1, 5, 20, 20), np.float32)
    assert reading_of(its).family == "dfine"
    assert "read as dfine, assuming" in caplog.messages[0]


def test_class_names_come_from_the_file_or_are_given():
    assert reading_of(outputs(), metadata={"names": "{0: 'a', 1: 'b'}"}).class_names == ("a", "b")
    assert reading_of(outputs(), names=("x", "y", "z")).class_names == ("x", "y", "z")
