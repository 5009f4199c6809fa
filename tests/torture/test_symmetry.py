"""What must not change a count, on random walks: mirrors, scales, directions, what is far away."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import MIDDLE, SIZE, changed, film, kept, played, true_counts
from strategies import chosen, lane_walks

from edge import masks as mask_ops
from edge.testing import Noise, crowd, times
from edge.types import Instances, Masks

FEW = settings(max_examples=5)
DURATION_S = 8.0
rates = st.sampled_from([4, 7, 12])
MILD = Noise(misses=0.03, jitter_px=0.6, shape_jitter=0.03, low_scores=0.05, duplicates=0.05)


def mirrored(instances: Instances) -> Instances:
    """As in a mirror: left and right change places."""
    m, width = instances.masks, instances.masks.width
    windows = [(width - x2, y1, width - x1, y2) for x1, y1, x2, y2 in m.windows.tolist()]
    crops = [m.crop(k)[:, ::-1] for k in range(len(m))]
    boxes = instances.boxes.copy()
    boxes[:, [0, 2]] = width - instances.boxes[:, [2, 0]]
    masks = mask_ops.from_crops(m.height, width, windows, crops)
    return dataclasses.replace(instances, boxes=boxes, masks=masks)


def enlarged(instances: Instances, times_: int) -> Instances:
    """Every pixel as a square of pixels."""
    m = instances.masks
    windows = [tuple(times_ * v for v in w) for w in m.windows.tolist()]
    crops = [np.kron(m.crop(k), np.ones((times_, times_), np.uint8)) for k in range(len(m))]
    masks: Masks = mask_ops.from_crops(m.height * times_, m.width * times_, windows, crops)
    return dataclasses.replace(instances, boxes=instances.boxes * np.float32(times_), masks=masks)


@settings(max_examples=6)
@given(lane_walks(), rates, st.integers(0, 99))
def test_every_passage_of_a_random_walk_counts(walkers, fps, seed):
    expected = true_counts(walkers)
    assert played(film(walkers, times(DURATION_S, fps))).counts() == expected
    assert played(film(walkers, times(DURATION_S, fps, 0.5, seed))).counts() == expected


@FEW
@given(lane_walks(), rates, st.integers(0, 99))
def test_a_mirrored_scene_gives_mirrored_counts(walkers, fps, seed):
    seen = list(film(walkers, times(DURATION_S, fps), noise=MILD, seed=seed))
    ins, outs = played(seen).counts()
    assert played(changed(seen, lambda _, i: mirrored(i))).counts() == (outs, ins)


@FEW
@given(lane_walks(), rates, st.integers(0, 99))
def test_a_reversed_line_swaps_in_and_out(walkers, fps, seed):
    seen = list(film(walkers, times(DURATION_S, fps), noise=MILD, seed=seed))
    ins, outs = played(seen).counts()
    assert played(seen, {"gate": MIDDLE[::-1]}).counts() == (outs, ins)


@FEW
@given(lane_walks(), rates)
def test_a_film_shown_backwards_swaps_in_and_out(walkers, fps):
    seen = list(film(walkers, times(DURATION_S, fps)))
    stamps = [s for s, _ in seen]
    backwards = list(zip(stamps, [i for _, i in seen[::-1]], strict=True))
    ins, outs = played(seen).counts()
    assert played(backwards).counts() == (outs, ins)


@FEW
@given(lane_walks(), rates, st.integers(0, 99))
def test_twice_as_large_a_picture_gives_the_same_counts(walkers, fps, seed):
    seen = list(film(walkers, times(DURATION_S, fps), noise=MILD, seed=seed))
    larger = changed(seen, lambda _, i: enlarged(i, 2))
    size_hw = (2 * SIZE[0], 2 * SIZE[1])
    assert played(larger, size_hw=size_hw).counts() == played(seen).counts()


@FEW
@given(lane_walks(), rates)
def test_what_is_far_from_the_line_does_not_matter(walkers, fps):
    """Instances farther from it than 75 px, 1.5 heights, are taken away."""
    seen = list(film(walkers, times(DURATION_S, fps)))

    def near(_: object, i: Instances) -> Instances:
        return kept(i, np.abs(i.boxes[:, [0, 2]].mean(1) - SIZE[1] / 2) < 75)

    assert played(changed(seen, near)).counts() == played(seen).counts() == true_counts(walkers)


@FEW
@given(lane_walks(), rates, st.randoms(use_true_random=False))
def test_the_order_of_instances_does_not_matter(walkers, fps, random):
    seen = list(film(walkers, times(DURATION_S, fps), noise=MILD))

    def shuffled(_: object, i: Instances) -> Instances:
        order = list(range(len(i)))
        random.shuffle(order)
        return chosen(i, order)

    assert played(changed(seen, shuffled)).counts() == played(seen).counts()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_film_gives_the_same_events(seed):
    actors = crowd(8, 10, seed=seed)
    one, two = (played(film(actors, times(12, 6), noise=MILD, seed=seed)) for _ in range(2))
    assert one.events == two.events
    assert one.events
