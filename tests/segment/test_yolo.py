"""Decoding against values worked out by hand.

The input is 64 x 64, prototypes are 16 x 16: one cell is 4 input pixels. Prototype 0 is +1 in
the left half and -1 in the right one, so its edge lies at input x = 32; prototype 1 is +1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from handmade import reading_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge import masks as mask_ops
from edge.errors import ModelError
from edge.segment.families import recognised as family_of
from edge.segment.letterbox import letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile
from edge.segment.yolo import decoded

LEFT, RIGHT, WHOLE, NOTHING = (1, 0), (-1, 0), (0, 1), (0, -1)
WIDE, TALL = letterbox((72, 128), (64, 64)), letterbox((128, 72), (64, 64))
PROTOTYPES = np.ones((2, 16, 16), np.float32)
PROTOTYPES[0, :, 8:] = -1


def cell(x=32.0, y=32.0, w=16.0, h=8.0, person=0.0, car=0.0, coefficients=WHOLE):
    return [x, y, w, h, person, car, *coefficients]


def read(*cells, box=WIDE, limits=None):
    rows = np.array([*cells, *[[0.0] * 8] * 12], np.float32).T
    return decoded(rows, PROTOTYPES, box, 2, limits or Limits(min_score=0.25))


def filled(instances, k):
    """(x1, y1, x2, y2) of mask k, which must be a full rectangle."""
    (x1, y1, x2, y2) = mask_ops.extents(instances.masks)[k].tolist()
    assert mask_ops.area(instances.masks)[k] == (x2 - x1) * (y2 - y1)
    return x1, y1, x2, y2


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [(WHOLE, (48, 28, 80, 44)), (LEFT, (48, 28, 64, 44)), (RIGHT, (64, 28, 80, 44))],
)
def test_a_wide_picture(coefficients, expected):
    # 128 x 72 shrinks to 64 x 36, with 14 rows of padding above.
    instances, broken = read(cell(person=0.9, coefficients=coefficients))
    assert instances.boxes.tolist() == [[48, 28, 80, 44]]
    assert instances.scores.tolist() == [np.float32(0.9)]
    assert instances.class_ids.tolist() == [0]
    assert (instances.masks.height, instances.masks.width) == (72, 128)
    assert filled(instances, 0) == expected
    assert broken == 0


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [(WHOLE, (28, 48, 44, 80)), (LEFT, (28, 48, 36, 80)), (RIGHT, (36, 48, 44, 80))],
)
def test_a_tall_picture(coefficients, expected):
    instances, _ = read(cell(w=8, h=16, car=0.8, coefficients=coefficients), box=TALL)
    assert instances.boxes.tolist() == [[28, 48, 44, 80]]
    assert instances.class_ids.tolist() == [1]
    assert filled(instances, 0) == expected


def test_a_mask_edge_lies_between_cells():
    # From +1 at the centre of cell 7 (x = 30) to -3 at that of cell 8 (x = 34): zero at x = 31,
    # which is frame x = 62.
    prototypes = PROTOTYPES.copy()
    prototypes[0, :, 8:] = -3
    rows = np.array([cell(person=0.9, coefficients=LEFT), *[[0.0] * 8] * 12], np.float32).T
    instances, _ = decoded(rows, prototypes, WIDE, 2, Limits())
    assert filled(instances, 0) == (48, 28, 62, 44)


def test_what_lies_in_the_padding_or_outside_is_cut_off():
    instances, broken = read(
        cell(y=14, person=0.9),  # half above the picture
        cell(x=62, y=48, car=0.8),  # over the lower right corner
        cell(y=4, w=8, person=0.7),  # all in the padding
        cell(x=-40, person=0.6),
    )
    assert instances.boxes.tolist() == [[48, 0, 80, 8], [108, 60, 128, 72]]
    assert [filled(instances, k) for k in range(2)] == [(48, 0, 80, 8), (108, 60, 128, 72)]
    assert broken == 0


@pytest.mark.parametrize(
    ("author", "expected"), [(None, 49), ("Ultralytics", 49), ("somebody else", 48)]
)
def test_a_mask_begins_where_its_author_would_begin_it(author, expected):
    # The box's left side is at 48.2 in the frame, of which a fifth of pixel 48 lies before it.
    rows = np.array([cell(x=32.1, person=0.9), *[[0.0] * 8] * 335], np.float32).T
    outputs = {"output0": rows[None], "output1": PROTOTYPES[None]}
    stated = {"names": "{0: 'person', 1: 'car'}"} | ({"author": author} if author else {})
    instances, _ = reading_of(outputs, metadata=stated).decode(
        list(outputs.values()), WIDE, Limits(min_score=0.25)
    )
    assert filled(instances, 0)[0] == expected


def test_a_box_without_any_mask_is_no_instance():
    instances, broken = read(cell(person=0.9, coefficients=NOTHING))
    assert len(instances) == 0
    assert broken == 0


def test_boxes_of_one_class_suppress_each_other():
    instances, _ = read(
        cell(person=0.6), cell(x=33, person=0.9), cell(car=0.8), cell(x=50, person=0.5)
    )
    np.testing.assert_allclose(instances.scores, [0.9, 0.8, 0.5])
    assert instances.class_ids.tolist() == [0, 1, 0]
    assert instances.boxes[0].tolist() == [50, 28, 82, 44]


def test_the_best_class_of_a_cell_wins():
    instances, _ = read(cell(person=0.4, car=0.5))
    assert instances.class_ids.tolist() == [1]
    np.testing.assert_allclose(instances.scores, [0.5])


def test_a_cell_gives_every_class_when_asked():
    limits = Limits(min_score=0.25, every_class=True)
    instances, _ = read(cell(person=0.4, car=0.6), limits=limits)
    assert instances.class_ids.tolist() == [1, 0]
    assert instances.scores.tolist() == [np.float32(0.6), np.float32(0.4)]
    assert filled(instances, 0) == filled(instances, 1)
    alone, _ = read(cell(person=0.4, car=0.2), limits=limits)
    assert alone.class_ids.tolist() == [0]


def test_weak_cells_are_left_out():
    limits = Limits(min_score=0.5)
    assert len(read(cell(person=0.49), limits=limits)[0]) == 0
    assert len(read(cell(person=0.5), limits=limits)[0]) == 1


def test_no_candidates():
    instances, broken = read()
    assert len(instances) == 0
    assert instances.boxes.shape == (0, 4)
    assert broken == 0


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "bad",
    [
        cell(x=NAN, person=0.9),
        cell(h=INF, person=0.9),
        cell(w=-3, person=0.9),
        cell(h=0, person=0.9),
        cell(person=NAN),
        cell(person=NAN, car=0.9),
        cell(person=INF),
        cell(person=1.5),
        cell(person=0.9, coefficients=(NAN, 1)),
        cell(person=0.9, coefficients=(1, -INF)),
    ],
)
def test_values_that_cannot_be_are_dropped_and_counted(bad):
    instances, broken = read(bad, cell(car=0.7), bad)
    assert broken == 2
    assert instances.class_ids.tolist() == [1]
    assert filled(instances, 0) == (48, 28, 80, 44)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_score_that_is_no_number_is_counted_whatever_its_sign(dtype, sign):
    cells = np.zeros((8, 12), dtype)
    cells[:, 0] = cell(car=0.7)
    cells[:, 1] = cell(person=np.copysign(NAN, sign))
    cells[4, 2:] = np.tile(np.array([-0.5, -INF], dtype), 5)  # below every score, but numbers
    instances, broken = decoded(cells, PROTOTYPES, WIDE, 2, Limits())
    assert (instances.class_ids.tolist(), broken) == ([1], 1)


def test_thousands_of_candidates_leave_the_best():
    ys, xs = np.mgrid[0:50, 0:50]
    scores = np.random.default_rng(0).permutation(2500) / 2600 + 0.03
    cells = np.zeros((8, 2500), np.float32)
    cells[0], cells[1] = 6.4 + 12.8 * xs.ravel(), 6.4 + 12.8 * ys.ravel()
    cells[2:4] = 10
    cells[4] = scores
    cells[7] = 1
    prototypes = np.ones((2, 160, 160), np.float32)
    box = letterbox((640, 640), (640, 640))
    limits = Limits(min_score=0.0, most=300)
    instances, broken = decoded(cells, prototypes, box, 2, limits)
    np.testing.assert_allclose(instances.scores, np.sort(scores)[::-1][:300], atol=1e-6)
    assert broken == 0
    all_of_them, _ = decoded(cells, prototypes, box, 2, Limits(min_score=0.0, most=5000))
    assert 300 < len(all_of_them) <= 2500
    np.testing.assert_allclose(
        all_of_them.scores, np.sort(scores)[::-1][: len(all_of_them)], atol=1e-6
    )


@settings(max_examples=60)
@given(
    hnp.arrays(np.float32, (8, 12), elements=st.floats(-100, 100, width=32)),
    st.booleans(),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_any_output_gives_sound_instances(cells, are_scores, frame_hw):
    if are_scores:
        cells[4:6] = np.abs(cells[4:6]) / 100
    instances, broken = decoded(cells, PROTOTYPES, letterbox(frame_hw, (64, 64)), 2, Limits())
    h, w = frame_hw
    assert 0 <= len(instances) + broken <= 12
    assert ((instances.boxes >= 0) & (instances.boxes <= (w, h, w, h))).all()
    assert (instances.boxes[:, 2:] > instances.boxes[:, :2]).all()
    assert ((instances.scores >= Limits().min_score) & (instances.scores <= 1)).all()
    assert (np.diff(instances.scores) <= 0).all()
    assert (mask_ops.area(instances.masks) > 0).all()
    extents = mask_ops.extents(instances.masks)
    assert (extents[:, :2] >= instances.boxes[:, :2] - 1).all()
    assert (extents[:, 2:] <= instances.boxes[:, 2:] + 1).all()


# Recognising the convention.


def model_file(*shapes, names="{0: 'person', 1: 'car'}"):
    outputs = tuple((f"output{k}", shape) for k, shape in enumerate(shapes))
    metadata = {"names": names} if names else {}
    return ModelFile(Path("m.onnx"), "", metadata, "images", (1, 3, 64, 64), outputs)


def recognised(*shapes, names="{0: 'person', 1: 'car'}"):
    return family_of(model_file(*shapes, names=names), [np.zeros(s, np.float32) for s in shapes])


def test_outputs_are_found_in_any_order():
    cells, prototypes = np.zeros((1, 8, 20), np.float32), PROTOTYPES[None]
    cells[0, :, 0] = cell(person=0.9)
    for outputs in ([cells, prototypes], [prototypes, cells]):
        reading = family_of(model_file(*[o.shape for o in outputs]), outputs)
        assert (reading.family, reading.class_names) == ("yolo", ("person", "car"))
        found, _ = reading.decode(outputs, WIDE, Limits())
        assert filled(found, 0) == (48, 28, 80, 44)


def test_classes_without_names_are_numbered():
    assert recognised((1, 38, 84), (1, 32, 16, 16), names="").class_names == ("class0", "class1")


@pytest.mark.parametrize("names", ["{0: 'person'}", "['a', 'b', 'c']"])
def test_a_wrong_number_of_names_is_refused(names):
    with pytest.raises(ModelError, match=r"expected 2 class names in the metadata, got [13]"):
        recognised((1, 38, 84), (1, 32, 16, 16), names=names)


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 84, 8400)],  # a detector
        [(1, 1000)],  # a classifier
        [(1, 21, 64, 64)],  # semantic segmentation
        [(1, 300, 36), (1, 32, 160, 160)],  # rows without a class
        [(1, 36, 8400), (1, 32, 160, 160)],  # no class left
        [(1, 38, 84), (1, 38, 84), (1, 32, 16, 16)],
        [(1, 38, 84), (1, 32, 16, 16), (1, 32, 8, 8)],
        [],
    ],
)
def test_outputs_that_fit_nothing_are_told(shapes):
    with pytest.raises(ModelError, match=r"^m.onnx: expected .* a family .*yolo.*, got ") as error:
        recognised(*shapes)
    for shape in shapes:
        assert str(shape) in str(error.value)
    assert "\n" not in str(error.value)
