"""Mask quality: hand-made scenes of rectangles, pycocotools itself, and the shared pictures."""

import contextlib
import io
import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edge import rle
from edge.errors import ConfigError, EdgeError
from edge.evaluate import coco
from edge.evaluate.coco import checked_predictions, results_of, truth_from
from edge.evaluate.masks import mask_quality
from edge.evaluate.overlays import comparison
from edge.evaluate.tracks import track_quality
from edge.masks import empty, extents, packed
from edge.types import Instances

SHARED = Path(os.environ.get("EDGECOUNT_SHARED", Path(__file__).parents[2].parent / "shared"))
NAMES = {1: "person", 3: "car", 7: "vehicle"}
H, W = 200, 300
ONE = pytest.approx(1.0)  # COCO divides by right + wrong + a hair


def truth_box(image_id, category_id, box, **extra):
    x1, y1, x2, y2 = box
    polygon = [[x1, y1, x2, y1, x2, y2, x1, y2]]
    annotation = {"image_id": image_id, "category_id": category_id, "segmentation": polygon}
    area = (x2 - x1) * (y2 - y1)
    return annotation | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": area, "iscrowd": 0} | extra


def dataset(*annotations, exhaustive=(True, True)):
    return {
        "images": [
            {"id": k + 1, "width": W, "height": H, "file_name": f"{k + 1}.jpg", "exhaustive": e}
            for k, e in enumerate(exhaustive)
        ],
        "categories": [{"id": k, "name": n} for k, n in NAMES.items()],
        "annotations": [a | {"id": k + 1} for k, a in enumerate(annotations)],
    }


def said(image_id, category_id, box, score=0.9):
    dense = np.zeros((1, H, W), np.uint8)
    x1, y1, x2, y2 = box
    dense[0, y1:y2, x1:x2] = 1
    return {
        "image_id": image_id,
        "category_id": category_id,
        "score": score,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "segmentation": rle.encoded(packed(dense))[0],
    }


BIG, SMALL, FAR = (10, 10, 130, 130), (200, 20, 220, 40), (150, 120, 210, 190)
SCENE = dataset(truth_box(1, 1, BIG), truth_box(1, 1, SMALL), truth_box(2, 3, FAR))
PERFECT = [said(1, 1, BIG), said(1, 1, SMALL), said(2, 3, FAR)]


def quality(data, predictions, with_masks=True, classes=None):
    return mask_quality(truth_from(data, classes), predictions, with_masks)


def test_perfect_predictions_score_one_everywhere():
    q = quality(SCENE, PERFECT)
    person, car, vehicle = q.classes
    for row in (q.total, person, car):
        aps = (row.mask_ap, row.mask_ap50, row.mask_ap75, row.box_ap, row.box_ap50)
        overlaps = (row.mean_mask_iou, row.mean_dice, row.boundary_iou)
        assert aps == pytest.approx((1.0,) * 5)
        assert (row.precision, row.recall, *overlaps) == (1.0,) * 5
        assert (row.merged, row.split) == (0, 0)
    assert (q.total.truth, person.truth, car.truth, q.total.matched) == (3, 2, 1, 3)
    assert vehicle.truth == 0
    assert math.isnan(vehicle.mask_ap)
    assert math.isnan(vehicle.mean_mask_iou)
    assert math.isnan(vehicle.recall)
    assert [s.truth for s in q.sizes] == [1, 1, 1]
    assert [s.mask_ap for s in q.sizes] == pytest.approx([1.0, 1.0, 1.0])
    assert q.pictures == {1: 1.0, 2: 1.0}


def test_every_class_has_its_own_sizes_and_the_mean_is_over_classes():
    q = quality(SCENE, PERFECT[:2])
    person, car, _ = q.classes
    assert (person.mask_ap_small, person.mask_ap_large) == (ONE, ONE)
    assert math.isnan(person.mask_ap_medium)
    assert (car.mask_ap, car.mask_ap_medium) == (0.0, 0.0)
    assert (q.mean.mask_ap, q.mean.recall, q.mean.truth) == (pytest.approx(0.5), 0.5, 3)
    assert (q.total.recall, q.mean.mean_mask_iou, q.mean.boundary_iou) == (2 / 3, 1.0, 1.0)


def test_merges_and_splits_are_counted_by_class():
    left, right = (10, 10, 40, 90), (40, 10, 70, 90)
    data = dataset(truth_box(1, 1, left), truth_box(1, 1, right), truth_box(2, 3, FAR))
    halves = [said(2, 3, (150, 120, 180, 190)), said(2, 3, (180, 120, 210, 190))]
    q = quality(data, [said(1, 1, (10, 10, 70, 90)), *halves])
    person, car, _ = q.classes
    assert (person.merged, person.split, car.merged, car.split) == (1, 0, 0, 1)
    assert (q.total.merged, q.total.split) == (q.mean.merged, q.mean.split) == (1, 1)
    low = quality(data, [said(1, 1, (10, 10, 70, 90), 0.2)])
    assert low.total.merged == 0  # below the working point


def test_confusion_of_classes():
    q = quality(SCENE, [said(2, 1, FAR), PERFECT[0]])
    assert q.confusion.names == ("person", "car", "vehicle")
    assert q.confusion.matrix.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert (q.confusion.missed.tolist(), q.confusion.false.tolist()) == ([1, 0, 0], [0, 0, 0])
    boxes = quality(SCENE, [said(2, 1, FAR), PERFECT[0]], with_masks=False)
    assert boxes.confusion.matrix.tolist() == q.confusion.matrix.tolist()


def test_nothing_found_is_zero_not_undefined():
    q = quality(SCENE, [])
    assert (q.total.mask_ap, q.total.box_ap, q.total.recall) == (0.0, 0.0, 0.0)
    assert math.isnan(q.total.precision)
    assert math.isnan(q.total.mean_mask_iou)
    assert q.pictures == {1: 0.0, 2: 0.0}


def test_half_found_has_precision_one_up_to_recall_one_half():
    q = quality(SCENE, [said(1, 1, BIG)], classes=["person"])
    assert q.total.mask_ap == pytest.approx(51 / 101)  # recall levels 0, .01 ... .5
    assert (q.total.precision, q.total.recall) == (1.0, 0.5)
    assert q.notes == ("classes the model does not have, left out: car, vehicle",)


def test_mask_smaller_than_its_box_lowers_mask_numbers_only():
    half = said(2, 3, (150, 120, 210, 155)) | {"bbox": [150, 120, 60, 70]}
    q = quality(SCENE, [half], classes=["car"])
    assert q.total.box_ap == ONE
    assert q.total.mask_ap == pytest.approx(0.1)  # IoU is .5: right at one threshold of ten
    assert q.total.mean_mask_iou == pytest.approx(0.5)
    assert q.total.mean_dice == pytest.approx(2 / 3)
    assert q.total.boundary_iou < 0.8


def test_wrong_class_is_both_missed_and_spurious():
    q = quality(SCENE, [said(2, 1, FAR), *PERFECT[:2]])
    person, car, _ = q.classes
    assert (person.precision, person.recall) == (2 / 3, 1.0)
    assert (car.recall, car.matched) == (0.0, 0)
    assert q.pictures[2] == 0.0


def test_low_scores_count_for_ap_but_not_at_the_working_point():
    q = quality(SCENE, [p | {"score": 0.2} for p in PERFECT])
    assert q.total.mask_ap == ONE
    assert q.total.recall == 0.0


def test_crowd_is_neither_missed_nor_spurious():
    run = said(1, 1, (140, 100, 290, 190))["segmentation"]
    crowd = truth_box(1, 1, (140, 100, 290, 190), iscrowd=1, segmentation=run)
    data = dataset(truth_box(1, 1, BIG), crowd)
    inside = [said(1, 1, BIG), said(1, 1, (150, 110, 180, 170), 0.8)]
    q = quality(data, inside)
    assert (q.total.truth, q.total.precision, q.total.recall, q.total.mask_ap) == (1, 1.0, 1.0, ONE)


def test_pictures_with_unlabelled_objects_are_left_out():
    data = dataset(truth_box(1, 1, BIG), truth_box(2, 1, BIG), exhaustive=(True, False))
    q = quality(data, [said(1, 1, BIG), said(2, 1, FAR)])
    assert (q.total.truth, q.total.precision, q.total.mask_ap) == (1, 1.0, ONE)
    assert q.notes == ("1 pictures left out: not all objects in them are labelled",)
    with pytest.raises(ConfigError, match="expected fully labelled pictures"):
        truth_from(dataset(exhaustive=(False, False)), None)


def test_boxes_only_needs_no_masks():
    bare = [{k: v for k, v in p.items() if k != "segmentation"} for p in PERFECT]
    q = quality(SCENE, checked_predictions(bare, SCENE, False), with_masks=False)
    assert (q.total.box_ap, q.total.precision) == (ONE, 1.0)
    assert math.isnan(q.total.mask_ap)
    assert math.isnan(q.total.mean_mask_iou)
    assert q.pictures == {1: 1.0, 2: 1.0}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({}, "predictions: expected a list of COCO results, got dict"),
        ([{"image_id": 1}], "prediction 0: expected a field 'category_id', got none"),
        ([said(9, 1, BIG)], "prediction 0: expected image_id to be in the truth, got 9"),
        ([said(1, 2, BIG)], "prediction 0: expected category_id to be in the truth, got 2"),
        (
            [{"image_id": 1, "category_id": 1, "score": 0.5, "bbox": [0, 0, 1, 1]}],
            "prediction 0: expected a field 'segmentation', got none; --boxes-only evaluates boxes",
        ),
    ],
)
def test_predictions_that_do_not_fit_are_refused(raw, text):
    with pytest.raises(ConfigError) as caught:
        checked_predictions(raw, SCENE, True)
    assert str(caught.value) == text


def test_run_lengths_of_another_size_are_refused():
    for run in ({"size": [2, 2], "counts": "13"}, {"size": [H, W], "counts": [3]}, [[0, 0, 5, 5]]):
        with pytest.raises(ConfigError, match=r"segmentation with 'size' \[200, 300\]"):
            checked_predictions([said(2, 3, FAR) | {"segmentation": run}], SCENE, True)
    wrong = said(2, 3, FAR) | {"segmentation": {"size": [2, 2], "counts": "13"}}
    with pytest.raises(ConfigError, match=r"expected size \[200, 300\]"):
        coco.masks([wrong], SCENE["images"][1])


def test_truth_without_its_fields_is_refused():
    with pytest.raises(ConfigError, match="with a list 'annotations', got none"):
        truth_from({"images": []}, None)
    bare = truth_box(1, 1, BIG)
    del bare["area"]
    with pytest.raises(ConfigError, match="annotation 1: expected a field 'area', got none"):
        truth_from(dataset(bare), None)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    with pytest.raises(EdgeError, match=r"`scripts/install eval`"):
        quality(SCENE, PERFECT)
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(EdgeError, match=r"`scripts/install eval`"):
        track_quality([])


def test_numbers_equal_those_of_pycocotools_itself(capsys):
    rng = np.random.default_rng(5)
    annotations, predictions = [], []
    for _ in range(60):
        x, y, w, h = (rng.integers((0, 0, 8, 8), (150, 100, 140, 95))).tolist()
        image, category = int(rng.integers(1, 3)), int(rng.choice([1, 3]))
        box = (x, y, x + w, y + h)
        annotations.append(truth_box(image, category, box, iscrowd=0))
        moved = np.clip(np.add(box, rng.integers(-6, 7, 4)), 0, (W, H, W, H)).tolist()
        predictions.append(said(image, category, moved, float(rng.random())))
    data = dataset(*annotations)
    q = quality(data, predictions)
    assert capsys.readouterr().out == ""
    with contextlib.redirect_stdout(io.StringIO()):
        masks, boxes = (_stats(data, predictions, kind) for kind in ("segm", "bbox"))
    assert (q.total.mask_ap, q.total.mask_ap50, q.total.mask_ap75) == pytest.approx(
        tuple(masks[:3])
    )
    assert (q.total.box_ap, q.total.box_ap50) == pytest.approx(tuple(boxes[:2]))
    assert [s.mask_ap for s in q.sizes] == pytest.approx(masks[3:6].tolist())
    for name, class_id in (("person", 1), ("car", 3)):
        with contextlib.redirect_stdout(io.StringIO()):
            alone = _stats(data, predictions, "segm", [class_id])
        (row,) = (c for c in q.classes if c.name == name)
        sizes = (row.mask_ap_small, row.mask_ap_medium, row.mask_ap_large)
        expected = [float("nan") if v < 0 else v for v in alone[[0, 1, 3, 4, 5]].tolist()]
        assert [row.mask_ap, row.mask_ap50, *sizes] == pytest.approx(expected, nan_ok=True)


def _stats(data, predictions, kind, classes=None):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO()
    truth.dataset = json.loads(json.dumps(data))
    truth.createIndex()
    drop = "bbox" if kind == "segm" else "segmentation"
    reference = COCOeval(
        truth, truth.loadRes([{k: v for k, v in p.items() if k != drop} for p in predictions]), kind
    )
    reference.params.catIds = classes or reference.params.catIds
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    return reference.stats


def test_instances_become_results_of_the_named_categories():
    dense = np.zeros((2, H, W), np.uint8)
    dense[0, 10:20, 30:50] = dense[1, 5:6, 7:9] = 1
    masks = packed(dense)
    instances = Instances(
        extents(masks).astype(np.float32),
        np.array([0.75, 0.5], np.float32),
        np.array([2, 0], np.int32),
        masks,
    )
    (result,) = results_of(4, instances, [-1, 1, 3])
    assert result.pop("segmentation") == rle.encoded(masks)[0]
    assert result == {
        "image_id": 4, "category_id": 3, "score": 0.75, "bbox": [30.0, 10.0, 20.0, 10.0],
    }  # fmt: skip


def test_comparison_shows_both_sides():
    image = np.full((40, 60, 3), 90, np.uint8)
    dense = np.zeros((1, 40, 60), np.uint8)
    dense[0, 10:30, 10:30] = 1
    page = comparison(image, (packed(dense), ["person"]), (empty(40, 60), []), "x")
    assert page.shape == (60, 124, 3)
    assert (page[45, 15] != 90).any()
    assert (page[45, 64 + 15] == 90).all()


@pytest.mark.shared
def test_truth_given_back_as_prediction_is_perfect():
    data = json.loads((SHARED / "data/segmentation/val.json").read_text())
    data["images"] = data["images"][:25]
    scope = truth_from(data, None)
    images = {i["id"]: i for i in scope.images}
    given_back = [
        {k: a[k] for k in ("image_id", "category_id", "bbox")}
        | {"score": 0.9, "segmentation": rle.encoded(coco.masks([a], images[a["image_id"]]))[0]}
        for a in scope.annotations
        if not a["iscrowd"]
    ]
    q = mask_quality(scope, given_back)
    assert (q.total.mask_ap, q.total.box_ap) == (ONE, ONE)
    assert q.total.mean_mask_iou > 0.99
    assert q.total.boundary_iou > 0.99
    assert q.total.recall > 0.98  # twins with nearly equal boxes may swap
