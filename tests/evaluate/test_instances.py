"""Facts about instances, on rectangles whose answers are plain."""

import numpy as np
from hypothesis import given
from strategies import dense_masks, rectangles

from edge.evaluate.instances import contact_matrix, in_front, instance_facts
from edge.masks import instance_map, packed

NAMES = ("person", "car")


def facts(*windows, **options):
    return instance_facts(rectangles(list(windows), **options), NAMES)


def test_one_instance_alone():
    [f] = facts((50, 60, 90, 160), class_ids=1, scores=0.75)
    assert (f.id, f.class_name, f.score, f.box) == (1, "car", 0.75, (50, 60, 90, 160))
    assert (f.area_px, f.foot, f.visible, f.solidity) == (4000, (69.5, 160), 1.0, 1.0)
    assert (f.touches_border, f.near_border, f.neighbours) == (False, False, ())
    assert (f.thin_share, f.lobes) == (0.0, 1)


def test_border_is_touched_or_near():
    touching, near, far = facts((0, 60, 20, 80), (290, 60, 317, 80), (100, 60, 120, 80))
    assert (touching.touches_border, touching.near_border) == (True, True)
    assert (near.touches_border, near.near_border) == (False, True)
    assert (far.touches_border, far.near_border) == (False, False)


def test_neighbours_share_pixels_or_touch():
    a, b, c = facts((50, 50, 70, 100), (70, 60, 90, 130), (60, 90, 80, 150))
    assert [(n.id, n.shared_px, n.contact_px) for n in a.neighbours] == [(2, 0, 40), (3, 100, 10)]
    assert [n.is_in_front for n in a.neighbours] == [True, True]
    assert [n.id for n in c.neighbours] == [1, 2]
    assert [n.is_in_front for n in c.neighbours] == [False, False]
    assert [(n.id, n.shared_px) for n in b.neighbours] == [(1, 0), (3, 400)]


def test_visible_counts_what_stands_in_front_within_the_hull():
    behind = np.zeros((240, 320), np.uint8)
    behind[40:100, 50:110] = 1
    front = np.zeros_like(behind)
    front[60:140, 70:90] = 1
    behind[front > 0] = 0  # the hull of what is left still covers the gap
    instances = rectangles([(50, 40, 110, 100), (70, 60, 90, 140)])
    instances = type(instances)(
        instances.boxes, instances.scores, instances.class_ids, packed(np.stack([behind, front]))
    )
    hidden, whole = instance_facts(instances, NAMES)
    assert hidden.visible == round(1 - 20 * 40 / 3600, 4)
    assert whole.visible == 1.0
    assert hidden.solidity < 1


def test_nothing_and_empty_masks():
    assert facts() == []
    empty_one, other = facts((10, 10, 10, 10), (20, 20, 40, 40))
    assert (empty_one.area_px, empty_one.foot, empty_one.visible) == (0, None, 0.0)
    assert (empty_one.touches_border, empty_one.lobes) == (False, 0)
    assert other.visible == 1.0


def test_who_is_in_front():
    feet = np.array([[0, 100], [0, 104], [0, 120], [np.nan, np.nan]], np.float32)
    assert np.argwhere(in_front(feet)).tolist() == [[0, 2], [1, 2]]


@given(dense_masks())
def test_contact_equals_a_loop_over_pixels(dense):
    canvas = instance_map(packed(dense))
    expected = np.zeros((len(dense), len(dense)), int)
    height, width = canvas.shape
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                v, u = y + dy, x + dx
                if 0 <= v < height and 0 <= u < width:
                    a, b = canvas[y, x], canvas[v, u]
                    if a and b and a != b:
                        expected[a - 1, b - 1] += 1
    assert contact_matrix(canvas, len(dense)).tolist() == expected.tolist()
