"""One picture against its truth: matches, misses, merges, and the failure check."""

import json

import cv2
import numpy as np
import pytest
from strategies import rectangles

from edge import rle
from edge.errors import ConfigError
from edge.evaluate.agreement import agreement
from edge.evaluate.failures import findings, unusually_large
from edge.evaluate.instances import instance_facts
from edge.evaluate.truthfiles import PictureTruth, of_coco, of_instance_map

NAMES = ("person", "car")
H, W = 240, 320
A, B, C = (20, 40, 60, 140), (60, 40, 100, 140), (200, 40, 240, 140)


def truth(*windows, classes="person", crowd=None, is_complete=True):
    n = len(windows)
    names = (classes,) * n if isinstance(classes, str) else tuple(classes)
    flags = np.array(crowd or [False] * n, bool)
    ids = tuple(10 * (k + 1) for k in range(n))
    return PictureTruth(rectangles(list(windows)).masks, ids, names, flags, is_complete, ())


def compared(true, *windows, class_ids=0, scores=0.9):
    instances = rectangles(list(windows), scores, class_ids)
    agreed = agreement(instances, NAMES, true)
    checks = findings(instance_facts(instances, NAMES), agreed, true.is_complete)
    return agreed, {c.name: c for c in checks}


def test_truth_itself_is_perfect():
    agreed, checks = compared(truth(A, B, C), A, B, C)
    assert [(m.id, m.truth_id, m.iou, m.dice, m.boundary_iou) for m in agreed.matches] == [
        (1, 10, 1, 1, 1), (2, 20, 1, 1, 1), (3, 30, 1, 1, 1),
    ]  # fmt: skip
    assert (agreed.missed, agreed.false, agreed.merged, agreed.split) == ((), (), {}, {})
    person, every = agreed.classes
    assert (person.class_name, person.truth, person.matched, person.iou) == ("person", 3, 3, 1)
    assert every.class_name == "all"
    assert not any(c.is_failure for c in checks.values())


def test_two_melted_into_one():
    agreed, checks = compared(truth(A, B, C), (20, 40, 100, 140), C)
    assert agreed.merged == {1: (10, 20)}
    found = checks["merged_neighbours"]
    assert (found.is_found, found.ids, found.text) == (True, (1,), "#1 covers true #10, #20")
    assert found.is_failure
    assert checks["missed_instances"].ids == (10, 20)  # IoU is .5 with each, not above


def test_one_taken_apart():
    agreed, checks = compared(truth(A), (20, 40, 60, 80), (20, 80, 60, 140))
    assert agreed.split == {10: (2, 1)}
    assert checks["split_objects"].ids == (1, 2)
    assert checks["split_objects"].sentence == "true #10 is in #2, #1"


def test_wrong_class_is_a_confusion_not_a_miss():
    agreed, checks = compared(truth(A), A, class_ids=1)
    assert (agreed.missed, agreed.false) == ((), ())
    assert checks["class_confusion"].text == "#1 is said to be car, is person"
    assert checks["class_confusion"].is_failure


def test_missed_and_false():
    agreed, checks = compared(truth(A, C), A, (130, 40, 170, 140))
    assert (agreed.missed, agreed.false) == ((20,), (2,))
    assert checks["missed_instances"].sentence == "true #20 true objects that no instance shows"
    assert checks["false_instances"].ids == (2,)
    _, checks = compared(truth(A, is_complete=False), A, C)
    assert checks["false_instances"].is_found is None


def test_crowds_are_neither_missed_nor_false():
    agreed, _ = compared(truth(A, (180, 20, 300, 200), crowd=[False, True]), A, C)
    assert (agreed.missed, agreed.false) == ((), ())
    assert agreed.classes[-1].truth == 1


def test_truth_without_classes():
    agreed, checks = compared(truth(A, B, classes=""), (20, 40, 100, 140), class_ids=1)
    assert agreed.merged == {1: (10, 20)}
    assert checks["class_confusion"].is_found is False  # nothing matched, nothing confused
    _, checks = compared(truth(A, classes=""), A)
    assert checks["class_confusion"].is_found is None


def test_nothing_at_all():
    agreed, checks = compared(truth())
    assert agreed.matches == agreed.missed == agreed.false == ()
    assert np.isnan(agreed.classes[-1].iou)
    assert not any(c.is_found for c in checks.values())


def test_without_truth_shape_tells():
    size = {"size_hw": (H, W)}
    row = [(20 + 50 * k, 100, 40 + 50 * k, 160) for k in range(4)]
    wide = (220, 100, 265, 160)
    facts = instance_facts(rectangles([*row, wide], **size), NAMES)
    assert unusually_large(facts) == (5,)
    checks = {c.name: c for c in findings(facts, None)}
    assert checks["merged_neighbours"].ids == (5,)
    assert "suspected by shape" in checks["merged_neighbours"].text
    assert checks["missed_instances"].is_found is None
    assert unusually_large(facts[-2:]) == ()  # one neighbour is no measure


def test_small_doubled_and_cut():
    facts = instance_facts(
        rectangles([A, (20, 40, 60, 138), (0, 150, 20, 160)], class_ids=[0, 1, 0]), NAMES
    )
    checks = {c.name: c for c in findings(facts, None)}
    assert checks["doubled_objects"].text == "#1 person and #2 car are one"
    assert (checks["small_instances"].ids, checks["cut_by_border"].ids) == ((3,), (3,))
    assert not checks["small_instances"].is_failure


@pytest.fixture
def dataset():
    run = rle.encoded(rectangles([A]).masks)[0]
    one = {"bbox": [20, 40, 40, 100], "area": 4000, "segmentation": run}
    return {
        "images": [
            {"id": 1, "file_name": "day/a.jpg", "height": H, "width": W},
            {"id": 2, "file_name": "night/a.jpg", "height": H, "width": W, "exhaustive": False},
            {"id": 3, "file_name": "b.jpg", "height": 9, "width": 9},
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 7, "name": "vehicle"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 1, **one},
            {"id": 6, "image_id": 1, "category_id": 7, **one},
            {"id": 7, "image_id": 2, "category_id": 1, "iscrowd": 1, **one},
        ],
    }


def test_coco_truth_by_file_name(dataset):
    day = of_coco(dataset, "/somewhere/day/a.jpg", (H, W), NAMES)
    assert (day.ids, day.class_names, day.crowd.tolist()) == ((5,), ("person",), [False])
    assert day.masks.windows.tolist() == [list(A)]
    assert day.notes == (
        "1 true objects of classes that the model does not have are left out: vehicle",
    )
    night = of_coco(dataset, "night/a.jpg", (H, W), NAMES)
    assert (night.crowd.tolist(), night.is_complete) == ([True], False)
    for name, text in (
        ("a.jpg", "expected one picture with the file_name a.jpg, got 2"),
        ("x/c.jpg", "expected one picture with the file_name c.jpg, got 0"),
        ("b.jpg", "expected b.jpg to be 9 x 9 as its entry says, got 240 x 320"),
    ):
        with pytest.raises(ConfigError) as caught:
            of_coco(dataset, name, (H, W), NAMES)
        assert text in str(caught.value)
    with pytest.raises(ConfigError, match="with a list 'images'"):
        of_coco(json.loads("[]"), "a.jpg", (H, W), NAMES)


def test_instance_map_truth(tmp_path):
    path = tmp_path / "map.png"
    canvas = np.zeros((H, W), np.uint16)
    canvas[40:140, 20:60] = 700
    canvas[40:140, 200:240] = 3
    cv2.imwrite(str(path), canvas)
    found = of_instance_map(path, (H, W))
    assert (found.ids, found.class_names) == ((3, 700), ("", ""))
    assert found.masks.windows.tolist() == [list(C), list(A)]
    with pytest.raises(ConfigError, match="240 x 9 pixels as the picture, got 240 x 320"):
        of_instance_map(path, (H, 9))
    cv2.imwrite(str(path), np.zeros((H, W, 3), np.uint8))
    with pytest.raises(ConfigError, match="expected an instance map, grey"):
        of_instance_map(path, (H, W))
    with pytest.raises(ConfigError, match="got no picture"):
        of_instance_map(tmp_path / "none.png", (H, W))
