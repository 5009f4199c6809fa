"""Mask R-CNN by hand, from torchvision and from the ONNX zoo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from handmade import filled, model_file, reading_of, rectangle

from edge.segment.coco import COCO_80, COCO_91
from edge.segment.families import recognised
from edge.segment.letterbox import by_shortest, stretched
from edge.segment.limits import Limits

HW = (40, 60)
BOX = stretched(HW, HW)


def torchvision(dtype=np.float32):
    masks = [rectangle(HW, 10, 5, 20, 25), rectangle(HW, 30, 8, 50, 30), np.zeros(HW)]
    return {
        "boxes": np.array([[10, 5, 20, 25], [30, 8, 50, 30], [1, 1, 5, 5]], dtype),
        "labels": np.array([3, 1, 1], np.int64),
        "scores": np.array([0.9, 0.6, 0.5], dtype),
        "masks": np.array(masks, dtype)[:, None],
    }


def zoo():
    return torchvision() | {"masks": np.ones((3, 1, 28, 28), np.float32)}


def anonymous(outputs):
    """Exports name their outputs as they like, and order them so too."""
    return {str(6568 + k): array for k, array in enumerate(outputs.values())}


@pytest.mark.parametrize("rename", [dict, anonymous])
def test_torchvision(rename):
    its = rename(torchvision())
    reading = reading_of(its)
    assert (reading.family, reading.class_names) == ("torchvision", COCO_91)
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert [reading.class_names[k] for k in found.class_ids] == ["car", "person"]
    assert found.boxes.tolist() == [[10, 5, 20, 25], [30, 8, 50, 30]]
    assert [filled(found, k) for k in range(2)] == [(10, 5, 20, 25), (30, 8, 50, 30)]


@pytest.mark.parametrize("rename", [dict, anonymous])
def test_the_zoo(rename):
    its = rename(zoo())
    reading = reading_of(its)
    assert (reading.family, reading.class_names) == ("maskrcnn-zoo", COCO_80)
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert [reading.class_names[k] for k in found.class_ids] == ["car", "person", "person"]
    assert filled(found, 0) == (10, 5, 21, 26)  # whole pixels, the last one included


@pytest.mark.parametrize(("name", "shape", "warned"), [("image", (3, None, None), 0),
                                                       ("image", (3, 800, 800), 1)])  # fmt: skip
def test_only_what_might_not_be_the_zoos_is_warned_of(caplog, name, shape, warned):
    its = anonymous(zoo())
    file = replace(model_file(its), input_name=name, input_shape=shape)
    assert recognised(file, list(its.values())).family == "maskrcnn-zoo"
    assert len(caplog.messages) == warned


def test_an_input_of_another_size():
    # Torchvision's on half the frame's size: masks and boxes are pixels of the input.
    its = torchvision()
    box = stretched((80, 120), HW)
    found, _ = reading_of(its).decode(list(its.values()), box, Limits())
    assert found.boxes[0].tolist() == [20, 10, 40, 50]
    assert filled(found, 0) == (20, 10, 40, 50)
    # The zoo's short side is 800 pixels.
    its = zoo()
    its["boxes"] *= 20
    found, _ = reading_of(its).decode(list(its.values()), by_shortest(HW, 800, 32), Limits())
    assert found.boxes.tolist() == [[10, 5, 20, 25], [30, 8, 50, 30], [1, 1, 5, 5]]


def test_names_with_and_without_the_background():
    its = torchvision()
    for names in (["__background__", "a", "b", "c"], ["a", "b", "c"]):
        reading = reading_of(its, names=names)
        found, _ = reading.decode(list(its.values()), BOX, Limits())
        assert [reading.class_names[k] for k in found.class_ids] == ["c", "a"]


def test_half_precision_and_no_instances():
    its = torchvision(np.float16)
    assert len(reading_of(its).decode(list(its.values()), BOX, Limits())[0]) == 2
    none = {name: array[:0] for name, array in its.items()}
    reading = reading_of(none)
    assert reading.family == "torchvision"
    assert len(reading.decode(list(none.values()), BOX, Limits())[0]) == 0


@pytest.mark.parametrize("make", [torchvision, zoo])
@pytest.mark.parametrize(
    ("name", "at", "value"),
    [("boxes", (0, 0), np.nan), ("scores", 0, np.nan), ("scores", 0, 2), ("labels", 0, 200),
     ("labels", 0, -1), ("masks", (0, 0, 8, 12), np.inf)],
)  # fmt: skip
def test_values_that_cannot_be_are_dropped_and_counted(make, name, at, value):
    its = make()
    its[name][at] = value
    found, broken = reading_of(its).decode(list(its.values()), BOX, Limits(min_score=0.55))
    assert (found.class_ids % 2).tolist() in ([1], [0])
    assert (len(found), broken) == (1, 1)


def test_how_the_pictures_are_prepared():
    native, short = (reading_of(make()).preparation for make in (torchvision, zoo))
    assert (native.sizing, native.is_rgb) == ("native", True)
    assert (short.sizing, short.size_px, short.is_rgb) == ("shortest", 800, False)
    assert short.padding == short.mean  # which leaves zeros
