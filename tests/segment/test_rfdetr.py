"""RF-DETR-Seg by hand: input 64 x 64, planes 16 x 16, a frame of 128 x 64 pixels.

A plane's cell is 8 pixels wide and 4 high. Between a cell of +3 and one of -3 the edge lies in the
middle, where the cells meet.
"""

from __future__ import annotations

import numpy as np
import pytest
from handmade import filled, reading_of, rectangle

from edge.errors import ModelError
from edge.segment.coco import COCO_91
from edge.segment.letterbox import stretched
from edge.segment.limits import Limits
from edge.segment.preparation import IMAGENET_MEAN

BOX = stretched((64, 128), (64, 64))
Q = 5


def outputs(classes=3, dtype=np.float32, mask_name="masks"):
    """Query 0 is of class 1, 2 of class 0, 3 of class 0 and less of class 1."""
    dets = np.tile(np.array([0.5, 0.5, 0.25, 0.5], np.float32), (1, Q, 1))
    labels = np.full((1, Q, classes), -9, np.float32)
    labels[0, 0, 1], labels[0, 2, 0], labels[0, 3, :2] = 2, 3, (1, 0.5)
    masks = np.stack([rectangle((16, 16), 4 + k, 4, 8 + k, 12, 3, -3) for k in range(Q)])[None]
    made = {"dets": dets, "labels": labels, mask_name: masks}
    return {name: array.astype(dtype) for name, array in made.items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("mask_name", ["masks", "4245"])
def test_each_query_gives_its_best_class(dtype, mask_name):
    its = outputs(dtype=dtype, mask_name=mask_name)
    reading = reading_of(its, names=("person", "car"))
    assert (reading.family, reading.class_names) == ("rfdetr", ("person", "car"))
    found, broken = reading.decode(list(its.values()), BOX, Limits())
    assert broken == 0
    assert found.class_ids.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp([-3, -2, -1])), rtol=1e-6)
    assert found.boxes.tolist() == [[48, 16, 80, 48]] * 3
    assert [filled(found, k) for k in range(3)] == [
        (48, 16, 80, 48), (32, 16, 64, 48), (56, 16, 88, 48)
    ]  # fmt: skip


def test_pairs_of_query_and_class_when_asked():
    its = outputs()
    found, _ = reading_of(its).decode(list(its.values()), BOX, Limits(0.3, every_class=True))
    assert found.class_ids.tolist() == [0, 1, 0, 1]
    assert found.masks.windows[2].tolist() == found.masks.windows[3].tolist()
    few, _ = reading_of(its).decode(list(its.values()), BOX, Limits(0.0, every_class=True))
    assert len(few) == Q  # of all pairs, as many as there are queries
    two, _ = reading_of(its).decode(list(its.values()), BOX, Limits(0.0, most=2))
    assert two.class_ids.tolist() == [0, 1]


def test_labels_that_look_like_boxes():
    its = outputs(classes=4)
    reading = reading_of(its)
    assert reading.class_names == ("class0", "class1", "class2")
    found, _ = reading.decode(list(its.values()), BOX, Limits())
    assert found.class_ids.tolist() == [0, 1, 0]
    turned = {name: its[name] for name in ("labels", "masks", "dets")}
    again, _ = reading_of(turned).decode(list(turned.values()), BOX, Limits())
    assert again.boxes.tolist() == found.boxes.tolist()


def test_the_last_class_is_the_background_unless_it_has_a_name():
    its = outputs(classes=3)
    its["labels"][0, 1, 2] = 9
    values = list(its.values())
    assert reading_of(its).decode(values, BOX, Limits())[0].class_ids.tolist() == [0, 1, 0]
    named = reading_of(its, names=("a", "b", "c"))
    assert named.decode(values, BOX, Limits())[0].class_ids.tolist() == [2, 0, 1, 0]
    with pytest.raises(ModelError, match="expected 2 class names given, got 1"):
        reading_of(its, names=("a",))


def test_coco_is_numbered_as_its_annotations():
    its = outputs(classes=91)
    its["labels"][0, 4, 90] = 4
    reading = reading_of(its)
    assert reading.class_names == COCO_91
    found, _ = reading.decode(list(its.values()), BOX, Limits())
    assert reading.class_names[found.class_ids[0]] == "toothbrush"


def test_91_classes_of_ones_own_are_not_those_of_coco():
    assert reading_of(outputs(classes=92)).class_names == tuple(f"class{k}" for k in range(91))


def test_a_mask_is_not_cut_at_its_box():
    its = outputs()
    its["dets"][0, :, 2:] = 0.01
    found, _ = reading_of(its).decode(list(its.values()), BOX, Limits())
    assert filled(found, 0) == (48, 16, 80, 48)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [("dets", (0, 2, 1), np.nan), ("dets", (0, 2, 2), -0.1), ("labels", (0, 2, 0), np.nan),
     ("masks", (0, 2, 8, 8), np.nan), ("masks", (0, 2, 8, 8), np.inf)],
)  # fmt: skip
@pytest.mark.parametrize("every_class", [False, True])
def test_values_that_cannot_be_are_dropped_and_counted(name, at, value, every_class):
    its = outputs()
    its[name][at] = value
    limits = Limits(0.7, every_class=every_class)
    found, broken = reading_of(its).decode(list(its.values()), BOX, limits)
    assert (found.class_ids.tolist(), broken) == ([1, 0], 1)


def test_the_picture_is_stretched_and_normalised():
    how = reading_of(outputs()).preparation
    assert (how.geometry, how.is_rgb, how.mean, how.averages) == (
        "stretch", True, IMAGENET_MEAN, False
    )  # fmt: skip
