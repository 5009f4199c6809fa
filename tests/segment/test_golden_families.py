"""YOLO-seg exports as their own package reads them: `scripts/compare_families --record`.

Each file holds the outputs of a model with random weights for a picture, and what that package
(ultralytics, for YOLOv5 yolov5) makes of them: boxes, scores, classes, and masks at the frame's
resolution. Exports differ: suppression inside, an input that is wide or of any size, two pictures a
run, float16; and pictures 3 and 4 do not become whole pixels of the input.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import masks as mask_ops
from edge import rle
from edge.segment.families import recognised
from edge.segment.letterbox import letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile
from edge.segment.preparation import Canvas

HERE = Path(__file__).parent / "golden"
FILES = sorted(HERE.glob("yolo*.npz"))
PLAIN = ("yolov8", "yolo11", "yolo12", "yolo26", "yolov5")
READY = ("yolov8-nms", "yolo11-nms", "yolo26-nms", "yolo26-end2end")
OTHERS = ("yolo11-wide", "yolo11-dynamic", "yolo11-pair", "yolo11-half")
FAMILY = {name: "yolo-end2end" for name in READY} | {"yolov5": "yolov5"}
LIMITS = Limits(min_score=0.25, nms_iou=0.65, most=20)

# The first model's files are for the conventions that all have.
FIRST = [path for path in FILES if path.stem.rpartition("-")[0] == "yolov8"]

each_file = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


def read(path):
    """A file's content; its outputs, box and metadata."""
    golden = np.load(path)
    cells = golden["cells"]
    planes = golden["planes"].astype(np.float32) * np.float32(golden["step"])
    outputs = [cells, planes.astype(cells.dtype)]
    box = letterbox(tuple(golden["hw"].tolist()), tuple(golden["input_hw"].tolist()))
    return golden, outputs, box, dict(golden["metadata"].tolist())


def reading_of(outputs, metadata, family=None):
    names = tuple((f"output{k}", output.shape) for k, output in enumerate(outputs))
    model = ModelFile(Path("m.onnx"), "", metadata, "images", (1, 3, None, None), names)
    return recognised(model, outputs, family)


def theirs_in(golden):
    """The reference's masks, and which of them are not empty: the others are no instances."""
    h, w = golden["hw"].tolist()
    runs = [{"size": [h, w], "counts": text.decode()} for text in golden["masks"].tolist()]
    masks = rle.decoded(runs, h, w)
    return masks, np.flatnonzero(mask_ops.area(masks))


def agrees(found, golden):
    """Whether instances are the reference's, one by one."""
    theirs, shown = theirs_in(golden)
    assert len(found) == len(shown) > 0
    np.testing.assert_allclose(found.boxes, golden["boxes"][shown], atol=0.01)
    np.testing.assert_allclose(found.scores, golden["scores"][shown], atol=1e-6)
    np.testing.assert_array_equal(found.class_ids, golden["labels"][shown])
    for k, j in enumerate(shown.tolist()):
        both = mask_ops.intersection(found.masks, k, theirs, j)
        either = mask_ops.area(found.masks)[k] + mask_ops.area(theirs)[j] - both
        assert both / either >= 0.99


@each_file
def test_instances_are_those_of_the_package(path):
    golden, outputs, box, metadata = read(path)
    reading = reading_of(outputs, metadata)
    assert reading.family == FAMILY.get(path.stem.rpartition("-")[0], "yolo")
    assert reading.class_names == ("person", "car", "dog")
    found, dropped = reading.decode(outputs, box, LIMITS)
    agrees(found, golden)
    assert dropped == 0


@each_file
def test_half_precision_changes_little(path):
    golden, outputs, box, metadata = read(path)
    halves = [output.astype(np.float16) for output in outputs]
    found, dropped = reading_of(halves, metadata).decode(halves, box, LIMITS)
    assert dropped == 0
    _, shown = theirs_in(golden)
    assert abs(len(found) - len(shown)) <= 2  # a score or an overlap at its limit
    # The same cells: equal scores may change their order, so each looks for its own.
    off = np.abs(found.scores[:, None] - golden["scores"]) < 1e-3
    off &= (np.abs(found.boxes[:, None] - golden["boxes"]) < 0.01).all(2)
    assert np.count_nonzero(off.any(1)) >= len(found) - 2


@pytest.mark.parametrize("path", FIRST)
def test_the_same_cells_with_objectness_give_the_same(path):
    """What YOLOv5 would say of them, and YOLOv7 with its further maps."""
    golden, (cells, planes), box, metadata = read(path)
    rows = cells.transpose(0, 2, 1)
    objectness = np.maximum(rows[..., 4:7].max(2, keepdims=True), 0.5)
    rows = np.concatenate(
        [rows[..., :4], objectness, rows[..., 4:7] / objectness, rows[..., 7:]], 2
    )
    outputs = [rows, np.zeros((1, 3, 8, 8, 40), np.float32), planes]
    reading = reading_of(outputs, metadata)
    assert reading.family == "yolov5"
    agrees(reading.decode(outputs, box, LIMITS)[0], golden)


@pytest.mark.parametrize("path", FIRST)
def test_pictures_are_prepared_as_by_the_package(path):
    golden = np.load(path)
    picture, theirs = golden["picture"], golden["prepared"]
    ours = Canvas(letterbox(picture.shape[:2], theirs.shape[:2])).fill(picture)[0]
    # Rounding of the resized picture; what shrinks to half or less is averaged by us alone.
    np.testing.assert_allclose(ours * 255, theirs[..., ::-1].transpose(2, 0, 1), atol=1.01)


def test_the_files_are_there_and_small():
    assert {path.stem.rpartition("-")[0] for path in FILES} == {*PLAIN, *READY, *OTHERS}
    assert np.load(HERE / "yolo11-half-4.npz")["cells"].dtype == np.float16
    assert np.load(HERE / "yolo11-wide-3.npz")["input_hw"].tolist() == [160, 256]
    assert np.load(HERE / "yolo11-dynamic-4.npz")["input_hw"].tolist() == [128, 256]
    assert sum(path.stat().st_size for path in FILES) < 1_500_000
