"""From a picture through onnxruntime to instances, with models whose outputs are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto

from edge import build
from edge import masks as mask_ops
from edge.errors import ModelError
from edge.segment import Limits, Segmenter, Session, find_model

ROWS = [
    # x, y, w, h, person, car, coefficients
    [32, 32, 16, 8, 0.9, 0.1, 1, 0],
    [32, 32, 16, 8, 0.2, 0.8, 0, 1],
    [10, 40, 8, 16, 0.7, 0.0, 0, 1],
    [10, 40, 8, 16, 0.6, 0.0, 0, 1],
    [50, 20, 8, 8, float("nan"), 0.0, 0, 1],
]
CELLS = np.zeros((1, 8, 12), np.float32)
CELLS[0, :, : len(ROWS)] = np.array(ROWS, np.float32).T
PROTOTYPES = np.ones((1, 2, 16, 16), np.float32)
PROTOTYPES[0, 0, :, 8:] = -1

# The same for the other YOLO families: corners of what suppression leaves, or an objectness of 1.
READY = np.zeros((1, 20, 8), np.float32)
for row, k in enumerate((0, 1, 2, 4)):
    x, y, w, h, person, car, *coefficients = ROWS[k]
    corners = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    READY[0, row] = *corners, np.maximum(person, car), car > person, *coefficients
WITH_OBJECTNESS = np.insert(CELLS, 4, 1, axis=1).transpose(0, 2, 1)

NAMES = "{0: 'person', 1: 'car'}"
PICTURE = np.zeros((72, 128, 3), np.uint8)


def segmenter(path, longest_px=None, **limits) -> Segmenter:
    return Segmenter(Session(path, "cpu", threads=1), Limits(**limits), longest_px)


def test_instances_of_a_wide_and_of_a_tall_picture(save_fixed):
    s = segmenter(save_fixed([CELLS, PROTOTYPES]))
    assert s.class_names == ("person", "car")
    wide = s.segment(PICTURE)
    np.testing.assert_allclose(wide.scores, [0.9, 0.8, 0.7])
    assert wide.class_ids.tolist() == [0, 1, 0]
    assert wide.boxes.tolist() == [[48, 28, 80, 44], [48, 28, 80, 44], [12, 36, 28, 68]]
    assert mask_ops.extents(wide.masks)[0].tolist() == [48, 28, 64, 44]
    assert s.dropped == 1
    tall = s.segment(np.zeros((128, 72, 3), np.uint8))
    assert tall.boxes.tolist() == [[20, 56, 52, 72]] * 2  # the third lies in the padding
    assert mask_ops.extents(tall.masks)[0].tolist() == [20, 56, 36, 72]
    assert (tall.masks.height, tall.masks.width) == (128, 72)
    assert s.dropped == 2


def test_outputs_in_the_other_order_give_the_same(save_fixed):
    one = segmenter(save_fixed([CELLS, PROTOTYPES])).segment(PICTURE)
    other = segmenter(save_fixed([PROTOTYPES, CELLS])).segment(PICTURE)
    np.testing.assert_array_equal(one.boxes, other.boxes)
    np.testing.assert_array_equal(one.masks.pixels, other.masks.pixels)


def test_a_fixed_input_size_is_kept(save_fixed):
    path = save_fixed([CELLS, PROTOTYPES], metadata={"imgsz": "[999, 999]"})
    assert segmenter(path).longest_px == 64
    assert segmenter(path, 64).longest_px == 64
    with pytest.raises(ModelError, match="expected its fixed input size 64, got 320"):
        segmenter(path, 320)


@pytest.mark.parametrize(
    ("metadata", "asked", "frame_hw", "input_hw"),
    [
        ({}, None, (1080, 1920), (384, 640)),
        ({"imgsz": "[320, 320]"}, None, (1080, 1920), (192, 320)),
        ({"imgsz": "(320, 256)"}, None, (1920, 1080), (320, 192)),
        ({"imgsz": "320"}, 256, (480, 640), (192, 256)),
        ({"imgsz": "many"}, 128, (100, 100), (128, 128)),
        ({"stride": "64"}, 256, (100, 200), (128, 256)),
        ({"stride": "wide"}, 256, (100, 200), (128, 256)),
    ],
)
def test_the_input_follows_the_frame_where_the_model_takes_any(
    save_dynamic, metadata, asked, frame_hw, input_hw
):
    s = segmenter(save_dynamic(2, metadata), asked)
    assert s.class_names == ("class0", "class1")
    prepared = s.prepare(np.zeros((*frame_hw, 3), np.uint8))
    assert prepared.tensor.shape == (1, 3, *input_hw)
    instances = s.decode(s.infer(prepared), prepared)
    assert len(instances) == 0
    assert (instances.masks.height, instances.masks.width) == frame_hw


@pytest.mark.parametrize("classes", [1, 80, 365])
def test_models_of_any_size_may_have_many_classes(save_dynamic, classes):
    assert len(segmenter(save_dynamic(classes, {}), 64).class_names) == classes


@pytest.mark.parametrize("batch", [1, "n"])
def test_a_model_that_says_any_size_and_takes_a_square(save_fixed, batch):
    """As exports do whose graph was made for one size, though their axes have names."""
    path = save_fixed(
        [CELLS, PROTOTYPES],
        (batch, 3, "h", "w"),
        {"names": NAMES, "imgsz": "[416, 416]"},
        takes_only=(416, 416),
    )
    s = segmenter(path)
    assert s.longest_px == 416
    prepared = s.prepare(PICTURE)
    assert prepared.tensor.shape == (1, 3, 416, 416)
    assert len(s.infer(prepared)) == 2


def test_the_size_that_is_asked_for_is_tried(save_fixed, capfd):
    outputs, names = [CELLS, PROTOTYPES], {"names": NAMES}
    path = save_fixed(outputs, (1, 3, "h", "w"), names, takes_only=(320, 320))
    with pytest.raises(ModelError, match=r"failed on input \(1, 3, 384, 640\): Non-zero status"):
        segmenter(path)
    assert build.segmenter(model=str(path), provider="cpu", input_size=320).longest_px == 320
    assert capfd.readouterr() == ("", "")  # what onnxruntime says of the size that is not taken


def test_two_may_read_one_session(save_fixed):
    session = Session(save_fixed([CELLS, PROTOTYPES]), "cpu", threads=1)
    one, other = Segmenter(session, Limits()), Segmenter(session, Limits(min_score=0.75))
    assert (len(one.segment(PICTURE)), len(other.segment(PICTURE))) == (3, 2)


def test_pictures_of_changing_size(save_fixed):
    s = segmenter(save_fixed([CELLS, PROTOTYPES]))
    first = s.segment(PICTURE)
    s.segment(np.zeros((90, 40, 3), np.uint8))
    s.segment(np.zeros((1, 1, 3), np.uint8))
    np.testing.assert_array_equal(s.segment(PICTURE).boxes, first.boxes)


def test_a_prepared_picture_outlives_the_next_one(save_fixed):
    s = segmenter(save_fixed([CELLS, PROTOTYPES]))
    first = s.prepare(np.full((72, 128, 3), 255, np.uint8))
    kept = first.tensor.copy()
    second = s.prepare(PICTURE)
    np.testing.assert_array_equal(first.tensor, kept)
    assert not np.array_equal(second.tensor, kept)


@pytest.mark.parametrize("shape", [(1, 1, 64, 64), (1, 64, 64, 3), (0, 3, 64, 64), (64, 64, 3)])
def test_inputs_that_are_no_colour_picture_are_told(save_fixed, shape):
    path = save_fixed([CELLS, PROTOTYPES], input_shape=shape)
    with pytest.raises(ModelError, match=r"expected an input \(1, 3, height, width\), got") as told:
        segmenter(path)
    assert str(shape) in str(told.value)


def test_a_model_of_another_kind_is_told_with_what_it_has(save_fixed):
    path = save_fixed([np.zeros((1, 84, 100))])
    with pytest.raises(ModelError, match=r"family .*yolo.*, got output0 \(1, 84, 100\)"):
        segmenter(path)


def test_a_wrong_number_of_names_is_told(save_fixed):
    path = save_fixed([CELLS, PROTOTYPES], metadata={"names": "{0: 'person'}"})
    with pytest.raises(ModelError, match="expected 2 class names in the metadata, got 1"):
        segmenter(path)


def test_several_pictures_at_once_give_what_each_gives_alone():
    """The default model takes several; sums inside it may differ in their last bits."""
    s = Segmenter(Session(find_model(None).path, "cpu", threads=1), Limits(), 128)
    assert s.takes_batches
    rng = np.random.default_rng(7)
    pictures = [rng.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(3)]
    pictures.append(rng.integers(0, 256, (128, 96, 3), np.uint8))  # another shape: one by one

    def prepared(picture):
        one = s.prepare(picture)
        return replace(one, tensor=one.tensor.copy())

    inputs = [prepared(picture) for picture in pictures]
    for some in (inputs[:1], inputs[:3], inputs):
        for one, together in zip(some, s.infer_all(some), strict=True):
            for alone, output in zip(s.infer(one), together, strict=True):
                assert output.shape == alone.shape
                np.testing.assert_allclose(output, alone, atol=2e-3)


def kept(s, grey):
    """A prepared picture of one grey, whose tensor is its own."""
    one = s.prepare(np.full((72, 128, 3), grey, np.uint8))
    return replace(one, tensor=one.tensor.copy())


@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_each_picture_of_a_batch_gets_its_own_outputs(save_telling, batch):
    s = segmenter(save_telling(batch))
    assert s.takes_batches == (batch != 1)
    for count in (1, 2, 3, 4, 5, 9):
        inputs = [kept(s, 20 * k) for k in range(count)]
        together = s.infer_all(inputs)
        assert len(together) == count
        for one, outputs in zip(inputs, together, strict=True):
            expected = 0.25 + one.tensor.mean() / 2  # what the model makes of its picture
            np.testing.assert_allclose(s.decode(outputs, one).scores, [expected], atol=1e-5)
            for alone, output in zip(s.infer(one), outputs, strict=True):
                assert len(output) == 1
                np.testing.assert_allclose(output, alone, atol=1e-6)


def test_a_model_of_four_pictures_segments_one(save_telling):
    s = segmenter(save_telling(4))
    white = s.segment(np.full((64, 64, 3), 255, np.uint8))
    np.testing.assert_allclose(white.scores, [0.75], atol=1e-5)


def test_outputs_that_mix_the_pictures_are_told(save_fixed):
    s = segmenter(save_fixed([CELLS, PROTOTYPES], input_shape=("n", 3, 64, 64)))
    assert len(s.segment(PICTURE)) == 3
    with pytest.raises(ModelError, match=r"expected outputs for 2 pictures, got output0 \(1, 8"):
        s.infer_all([kept(s, 0), kept(s, 1)])


@pytest.mark.parametrize(
    ("family", "cells"), [("yolo", CELLS), ("yolo-end2end", READY), ("yolov5", WITH_OBJECTNESS)]
)
def test_outputs_of_half_precision(save_named, family, cells):
    seen = []
    for dtype, onnx_type in ((np.float32, TensorProto.FLOAT), (np.float16, TensorProto.FLOAT16)):
        outputs = {"cells": cells.astype(dtype), "prototypes": PROTOTYPES.astype(dtype)}
        s = segmenter(save_named(outputs, input_type=onnx_type))
        assert s.reading.family == family
        prepared = s.prepare(PICTURE)
        given = s.infer(prepared)
        assert {output.dtype for output in given} == {np.dtype(dtype)}
        seen.append(s.decode(given, prepared))
        assert s.dropped == 1
    single, half = seen
    assert single.class_ids.tolist() == [0, 1, 0]
    assert half.boxes.tolist() == single.boxes.tolist()
    assert half.class_ids.tolist() == single.class_ids.tolist()
    np.testing.assert_allclose(half.scores, single.scores, atol=1e-3)
    dense = [mask_ops.unpacked(one.masks) for one in (single, half)]
    np.testing.assert_array_equal(*dense)


def mask_rcnn(hw, square=None):
    """Outputs of one person in the middle half, as Mask R-CNN gives them, without a batch."""
    h, w = hw
    mask = np.zeros(hw, np.float32)
    mask[h // 4 : h * 3 // 4, w // 4 : w * 3 // 4] = 1
    return {
        "boxes": np.array([[w / 4, h / 4, w * 3 / 4, h * 3 / 4]], np.float32),
        "labels": np.array([1]),
        "scores": np.array([0.9], np.float32),
        "masks": np.ones((1, 1, 28, 28), np.float32) if square else mask[None, None],
    }


@pytest.mark.parametrize("input_shape", [(3, "h", "w"), (3, 72, 128)])
@pytest.mark.parametrize("input_type", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_a_model_without_a_batch_sees_the_picture_as_it_is(save_named, input_shape, input_type):
    path = save_named(mask_rcnn((72, 128)), input_shape=input_shape, input_type=input_type)
    s = segmenter(path)
    assert s.reading.family == "torchvision"
    assert s.longest_px in (None, 128)
    assert not s.takes_batches
    prepared = s.prepare(PICTURE)
    assert prepared.tensor.shape == (3, 72, 128)
    for outputs in s.infer_all([prepared, prepared]):
        found = s.decode(outputs, prepared)
        assert found.boxes.tolist() == [[32, 18, 96, 54]]
        assert mask_ops.extents(found.masks).tolist() == [[32, 18, 96, 54]]
        assert mask_ops.area(found.masks).tolist() == [64 * 36]


def test_a_longest_side_may_be_asked_of_a_model_that_takes_any(save_named):
    s = segmenter(save_named(mask_rcnn((36, 64)), input_shape=(3, "h", "w")), longest_px=64)
    assert s.prepare(PICTURE).tensor.shape == (3, 36, 64)
    assert mask_ops.extents(s.segment(PICTURE).masks).tolist() == [[32, 18, 96, 54]]


def test_the_zoo_gets_a_short_side_of_800(save_named):
    s = segmenter(save_named(mask_rcnn((800, 1422), "square"), input_shape=(3, "h", "w")))
    assert s.reading.family == "maskrcnn-zoo"
    assert s.prepare(PICTURE).tensor.shape == (3, 800, 1440)
    found = s.segment(PICTURE)
    np.testing.assert_allclose(found.boxes, [[32, 18, 96, 54]], atol=0.01)
    assert mask_ops.area(found.masks)[0] > 64 * 36


def test_the_size_of_a_model_of_any_comes_from_its_file(save_named):
    outputs = {
        "labels": np.zeros((1, 2), np.int64),
        "boxes": np.array([[[16, 16, 48, 48], [0, 0, 9, 9]]], np.float32),
        "scores": np.array([[0.9, 0.0]], np.float32),
        "masks": np.ones((1, 2, 16, 16), np.float32),
    }
    path = save_named(outputs, (1, 3, "h", "w"), {"img_size": "64x64"})
    s = segmenter(path)
    assert (s.reading.family, s.longest_px) == ("dfine", 64)
    assert s.segment(PICTURE).boxes.tolist() == [[32, 18, 96, 54]]
