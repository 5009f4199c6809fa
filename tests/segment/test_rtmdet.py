"""RTMDet-Ins by hand: input 64 x 64, a frame of 128 x 64 that covers its upper half."""

from __future__ import annotations

import numpy as np
import pytest
from handmade import filled, reading_of, rectangle

from edge.segment.coco import COCO_80
from edge.segment.letterbox import cornered
from edge.segment.limits import Limits

BOX = cornered((64, 128), (64, 64))


def outputs(dtype=np.float32):
    """Two instances, and a row that fills up."""
    dets = [[4, 8, 20, 16, 0.9], [30, 20, 60, 40, 0.6], [0, 0, 0, 0, 0]]
    masks = [rectangle((64, 64), 4, 8, 20, 16), rectangle((64, 64), 30, 20, 60, 40),
             np.ones((64, 64))]  # fmt: skip
    return {
        "dets": np.array([dets], dtype),
        "labels": np.array([[2, 0, 0]], np.int64),
        "masks": np.array([masks], dtype),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_instances_and_nothing_from_the_padding(dtype):
    its = outputs(dtype)
    reading = reading_of(its)
    assert (reading.family, reading.class_names) == ("rtmdet", COCO_80)
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert found.class_ids.tolist() == [2, 0]
    assert found.boxes.tolist() == [[8, 16, 40, 32], [60, 40, 120, 64]]
    # The input's pixels are two of the frame: edges of probability lie between them.
    assert [filled(found, k) for k in range(2)] == [(8, 16, 40, 32), (60, 40, 120, 64)]


def test_rows_that_fill_up_are_no_instances_whatever_is_asked():
    its = outputs()
    found, broken = reading_of(its).decode(list(its.values()), BOX, Limits(min_score=0.0))
    assert (len(found), broken) == (2, 0)
    assert len(reading_of(its).decode(list(its.values()), BOX, Limits(most=1))[0]) == 1


def test_no_instances():
    its = {name: array[:, :0] for name, array in outputs().items()}
    reading = reading_of(its)
    assert reading.family == "rtmdet"
    assert len(reading.decode(list(its.values()), BOX, Limits())[0]) == 0


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [("dets", (0, 0, 2), np.inf), ("dets", (0, 0, 4), np.nan), ("labels", (0, 0), 80),
     ("masks", (0, 0, 12, 9), np.nan), ("masks", (0, 0, 12, 9), 4.0)],
)  # fmt: skip
def test_values_that_cannot_be_are_dropped_and_counted(name, at, value):
    its = outputs()
    its[name][at] = value
    found, broken = reading_of(its).decode(list(its.values()), BOX, Limits())
    assert (found.class_ids.tolist(), broken) == ([0], 1)


def test_the_picture_is_bgr_at_the_top_left():
    how = reading_of(outputs()).preparation
    assert (how.geometry, how.is_rgb) == ("corner", False)
    assert how.mean == (103.53, 116.28, 123.675)
    assert how.std == (57.375, 57.12, 58.395)
