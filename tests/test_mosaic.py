from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.masks import from_crops
from edge.mosaic import LEAST_BLOCK_PX, hide, without_people
from edge.types import Instances

H, W = 120, 160


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)


def seen(boxes, class_ids, filled=True) -> Instances:
    crops = [np.full((y2 - y1, x2 - x1), int(filled), np.uint8) for x1, y1, x2, y2 in boxes]
    return Instances(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(len(boxes), np.float32),
        np.array(class_ids, np.int32),
        from_crops(H, W, boxes, crops),
    )


@pytest.mark.parametrize("filled", [True, False])
def test_people_are_hidden_and_nobody_else(filled):
    image = noise()
    before = image.copy()
    picture = without_people(
        image, seen([(20, 20, 50, 100), (90, 20, 120, 100)], [0, 1], filled), {0}
    )
    assert (image == before).all()
    assert (picture[:, 70:] == image[:, 70:]).all()
    person = picture[20:100, 20:50].astype(int)
    # Blocks of one colour, of at least the least size: neighbours are mostly the same.
    assert (np.diff(person, axis=0) == 0).all(-1).mean() > 1 - 1.5 / LEAST_BLOCK_PX
    assert (picture[20:100, 20:50] != image[20:100, 20:50]).any(-1).mean() > 0.9


def test_without_people_nothing_changes():
    image = noise()
    assert (without_people(image, seen([], []), {0}) == image).all()
    assert (without_people(image, seen([(0, 0, 9, 9)], [1]), {0}) == image).all()
    assert (without_people(image, seen([(0, 0, 9, 9)], [0]), ()) == image).all()


@settings(max_examples=60)
@given(
    st.integers(-60, 200), st.integers(-60, 150), st.integers(0, 40), st.integers(0, 60), st.data()
)
def test_every_pixel_of_a_mask_is_replaced_and_none_far_away(x, y, w, h, data):
    rows = data.draw(st.integers(0, 2**30))
    mask = np.random.default_rng(rows).integers(0, 2, (h, w), np.uint8)
    image = noise()
    picture = image.copy()
    hide(picture, image, mask, (x, y), (max(h, 1), max(w, 1)))
    changed = (picture != image).any(-1)
    near = np.zeros((H + 400, W + 400), bool)
    near[200 + y - 8 : 200 + y + h + 8, 200 + x - 8 : 200 + x + w + 8] = True
    assert not changed[~near[200:-200, 200:-200]].any()
    inside = np.zeros((H + 400, W + 400), bool)
    inside[200 + y : 200 + y + h, 200 + x : 200 + x + w] = mask > 0
    inside = inside[200:-200, 200:-200]
    if inside.sum() > 200:  # a block may happen to have a pixel's own colour
        assert changed[inside].mean() > 0.9
