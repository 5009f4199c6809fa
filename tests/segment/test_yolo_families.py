"""End-to-end exports and YOLOv5/7, against values worked out by hand, and what tells them apart.

The input is 64 x 64, prototypes are 16 x 16: prototype 0 is +1 in the left half and -1 in the
right one, prototype 1 is +1. A frame of 128 x 72 lies in it with 14 rows of padding above.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import masks as mask_ops
from edge.errors import ModelError
from edge.segment import yolo_end2end, yolov5
from edge.segment.coco import COCO_80
from edge.segment.families import recognised
from edge.segment.letterbox import letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile

BOX = letterbox((72, 128), (64, 64))
PROTOTYPES = np.ones((2, 16, 16), np.float32)
PROTOTYPES[0, :, 8:] = -1
LIMITS = Limits(min_score=0.25)
NAN, INF = float("nan"), float("inf")


def ready(x1=24.0, y1=28.0, x2=40.0, y2=36.0, score=0.9, label=0.0, coefficients=(0, 1)):
    return [x1, y1, x2, y2, score, label, *coefficients]


def end2end(*rows, limits=LIMITS):
    filled_up = np.array([*rows, *[[0.0] * 8] * 12], np.float32)
    return yolo_end2end.decoded(filled_up, PROTOTYPES, BOX, 2, limits)


def cell(x=32.0, y=32.0, w=16.0, h=8.0, objectness=1.0, person=0.0, car=0.0, coefficients=(0, 1)):
    return [x, y, w, h, objectness, person, car, *coefficients]


def v5(*cells, limits=LIMITS):
    rows = np.array([*cells, *[[0.0] * 9] * 12], np.float32)
    return yolov5.decoded(rows, PROTOTYPES, BOX, 2, limits)


def test_ready_rows_become_instances():
    found, broken = end2end(ready(), ready(score=0.5, label=1, coefficients=(1, 0)))
    assert found.boxes.tolist() == [[48, 28, 80, 44]] * 2
    np.testing.assert_allclose(found.scores, [0.9, 0.5])
    assert found.class_ids.tolist() == [0, 1]
    assert mask_ops.extents(found.masks).tolist() == [[48, 28, 80, 44], [48, 28, 64, 44]]
    assert broken == 0


def test_ready_rows_are_not_suppressed_but_limited():
    assert len(end2end(ready(), ready(score=0.8), ready(score=0.7))[0]) == 3
    few = Limits(min_score=0.25, most=2)
    np.testing.assert_allclose(
        end2end(ready(score=0.6), ready(score=0.9), ready(score=0.7), limits=few)[0].scores,
        [0.9, 0.7],
    )
    assert len(end2end(ready(score=0.2))[0]) == 0


@pytest.mark.parametrize(
    "bad",
    [
        ready(x1=NAN),
        ready(y2=INF),
        ready(x2=24),  # no width
        ready(score=NAN),
        ready(score=1.5),
        ready(label=2),
        ready(label=-1),
        ready(label=0.5),
        ready(label=NAN),
        ready(coefficients=(NAN, 1)),
        ready(coefficients=(1, -INF)),
    ],
)
def test_rows_that_cannot_be_are_dropped_and_counted(bad):
    found, broken = end2end(bad, ready(score=0.7, label=1), bad)
    assert broken == 2
    assert found.class_ids.tolist() == [1]


def test_a_score_is_objectness_times_probability():
    found, broken = v5(
        cell(objectness=0.5, person=0.8, car=0.2),
        cell(x=12, objectness=0.9, car=0.9, coefficients=(1, 0)),
        cell(x=50, objectness=0.4, person=0.6),  # 0.24
        cell(x=50, objectness=0.2, person=1),
    )
    np.testing.assert_allclose(found.scores, [0.81, 0.4])
    assert found.class_ids.tolist() == [1, 0]
    assert found.boxes.tolist() == [[8, 28, 40, 44], [48, 28, 80, 44]]
    assert broken == 0


def test_cells_with_objectness_are_suppressed():
    near = cell(x=33, person=0.8)
    found, _ = v5(cell(person=0.9), near, cell(x=33, car=0.7))
    np.testing.assert_allclose(found.scores, [0.9, 0.7])


def test_a_cell_with_objectness_gives_every_class_when_asked():
    limits = Limits(min_score=0.25, every_class=True)
    found, _ = v5(cell(objectness=0.8, person=0.5, car=0.75), limits=limits)
    np.testing.assert_allclose(found.scores, [0.6, 0.4])
    assert found.class_ids.tolist() == [1, 0]


@pytest.mark.parametrize(
    "bad",
    [
        cell(x=NAN, person=0.9),
        cell(w=0, person=0.9),
        cell(objectness=NAN, person=0.9),
        cell(objectness=2, person=0.9),
        cell(objectness=INF, person=0.9, car=0),
        cell(person=NAN),
        cell(person=0.9, coefficients=(NAN, 1)),
    ],
)
def test_cells_with_objectness_that_cannot_be_are_dropped_and_counted(bad):
    found, broken = v5(bad, cell(car=0.7), bad)
    assert broken == 2
    assert found.class_ids.tolist() == [1]


@settings(max_examples=60)
@given(
    hnp.arrays(np.float32, (12, 9), elements=st.floats(-100, 100, width=32)),
    st.booleans(),
    st.sampled_from([np.float32, np.float16]),
)
def test_any_output_gives_sound_instances(rows, are_scores, dtype):
    if are_scores:
        rows[:, 4:7] = np.abs(rows[:, 4:7]) / 100
    for found, broken in (
        yolov5.decoded(rows.astype(dtype), PROTOTYPES, BOX, 2, LIMITS),
        yolo_end2end.decoded(rows[:, :8].astype(dtype), PROTOTYPES, BOX, 2, LIMITS),
    ):
        assert 0 <= len(found) + broken <= 12
        assert ((found.boxes >= 0) & (found.boxes <= (128, 72, 128, 72))).all()
        assert ((found.scores >= 0.25) & (found.scores <= 1)).all()
        assert (np.diff(found.scores) <= 0).all()
        assert (mask_ops.area(found.masks) > 0).all()


# What tells them apart.

P640, P64 = (1, 32, 160, 160), (1, 32, 16, 16)
MAPS = [(1, 3, 80, 80, 117), (1, 3, 40, 40, 117), (1, 3, 20, 20, 117)]
PLAIN_MAPS = [(1, 351, 80, 80), (1, 351, 40, 40), (1, 351, 20, 20)]


def reading(*shapes, family=None, **metadata):
    names = tuple((f"output{k}", shape) for k, shape in enumerate(shapes))
    model = ModelFile(Path("m.onnx"), "", metadata, "images", (1, 3, 640, 640), names)
    return recognised(model, [np.zeros(s, np.float32) for s in shapes], family)


SAYS_NMS = "{'batch': 1, 'nms': True, 'dynamic': False}"  # Ultralytics' metadata


def names(count):
    return repr({k: f"kind{k}" for k in range(count)})


@pytest.mark.parametrize(
    ("shapes", "metadata", "family", "classes"),
    [
        ([(1, 116, 8400), P640], {}, "yolo", 80),
        ([(1, 37, 8400), P640], {}, "yolo", 1),
        ([P640, (1, 116, 8400)], {"names": names(80)}, "yolo", 80),
        ([(1, 1036, 84), P64], {}, "yolo", 1000),  # more rows than cells
        ([(1, 8400, 116), P640], {}, "yolo", 80),  # turned
        ([(1, 2000, 116), P640], {"names": names(80)}, "yolo", 80),  # of other strides
        ([(1, 8400, 38), P640], {}, "yolo", 2),  # turned, and as wide as ready rows
        ([(1, 8400, 38), P640], {"names": names(2)}, "yolo", 2),
        ([(1, 84, 38), P64], {"names": names(2)}, "yolo", 2),
        ([(1, 2000, 38), P640], {"names": names(2)}, "yolo", 2),  # more than anybody keeps
        ([(1, 300, 38), P640], {"names": names(3)}, "yolo-end2end", 3),
        ([(1, 300, 38), P640], {"names": names(2)}, "yolo-end2end", 2),
        ([(1, 1000, 38), P640], {}, "yolo-end2end", 80),
        ([(1, 1000, 38), P640], {"names": names(2)}, "yolo-end2end", 2),
        ([(1, 2000, 38), P640], {"names": names(3)}, "yolo-end2end", 3),  # no cells are so wide
        ([(1, 2000, 38), P640], {"names": names(2), "args": SAYS_NMS}, "yolo-end2end", 2),
        ([(1, 300, 38), P640], {"names": names(3), "end2end": "True"}, "yolo-end2end", 3),
        ([(1, 20, 38), P64], {"names": names(1)}, "yolo-end2end", 1),
        ([(1, 252, 38), P64], {"end2end": "True", "names": names(2)}, "yolo-end2end", 2),
        ([(1, 300, 38), P640], {}, "yolo-end2end", 80),
        ([(1, 25200, 117), P640], {}, "yolov5", 80),
        ([(1, 25200, 117), P640], {"names": names(80)}, "yolov5", 80),
        ([(1, 25200, 38), P640], {}, "yolov5", 1),  # as wide as ready rows
        ([(1, 252, 38), P64], {}, "yolov5", 1),
        ([(1, 252, 337), P64], {}, "yolov5", 300),  # more columns than cells
        ([(1, 8400, 117), P640], {"names": names(80)}, "yolov5", 80),  # one anchor
        ([(1, 25500, 117), P640], {}, "yolov5", 80),  # P6
        ([(1, 25200, 117), *MAPS, P640], {}, "yolov5", 80),  # YOLOv7
        ([(1, 25200, 117), *PLAIN_MAPS, P640], {}, "yolov5", 80),
    ],
)
def test_the_kind_of_yolo_is_told(shapes, metadata, family, classes):
    found = reading(*shapes, **metadata)
    assert (found.family, len(found.class_names)) == (family, classes)
    asked = reading(*shapes, family=family, **metadata)
    assert (asked.family, asked.class_names) == (family, found.class_names)


def test_classes_of_ready_rows_without_names_are_those_of_coco():
    assert reading((1, 300, 38), P640).class_names == COCO_80


@pytest.mark.parametrize("family", ["yolo", "yolov5", "yolo-end2end"])
def test_outputs_that_a_family_cannot_have_are_told(family):
    with pytest.raises(
        ModelError, match=r"expected outputs \w+ \(1, .*, got output0 \(1, 36, 20\)"
    ):
        reading((1, 36, 20), (1, 32, 16, 16), family=family)


def test_what_names_cannot_settle_may_be_asked_for():
    turned = [(1, 2000, 116), P640]  # 80 classes and no objectness, or 79 and one
    assert reading(*turned).family == "yolov5"
    assert len(reading(*turned, family="yolo").class_names) == 80
