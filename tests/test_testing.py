from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import masks as mask_ops
from edge.testing import (
    CAR,
    PERSON,
    Actor,
    Noise,
    crowd,
    frames,
    line_counts,
    times,
    zone_counts,
)

WALKER = Actor(PERSON, 20, 60, ((1.0, 50, 150), (3.0, 250, 150)))
LINE = np.array([[150.0, 100.0], [150.0, 200.0]])
SQUARE = np.array([[100.0, 100.0], [200.0, 100.0], [200.0, 200.0], [100.0, 200.0]])


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.floats(2, 60), st.floats(0, 0.9))
def test_scenes_are_sound_and_repeatable(seed, fps, irregular):
    when = times(12 / fps, fps, irregular, seed)
    assert all(a < b for a, b in pairwise(when))
    actors, noise = crowd(5, 4, seed=seed), Noise(0.1, 1.0, 0.3)
    seen = list(frames(actors, [2 + t for t in when], noise=noise, seed=seed))
    again = list(frames(actors, [2 + t for t in when], noise=noise, seed=seed))
    for (stamp, instances, true_ids), (_, same, same_ids) in zip(seen, again, strict=True):
        assert stamp.media_s >= 2
        np.testing.assert_array_equal(instances.scores, same.scores)
        np.testing.assert_array_equal(instances.masks.pixels, same.masks.pixels)
        np.testing.assert_array_equal(true_ids, same_ids)
        assert len(true_ids) == len(instances) == len(set(true_ids.tolist()))
        assert (np.diff(instances.scores) <= 0).all()
        np.testing.assert_array_equal(instances.boxes, mask_ops.extents(instances.masks))
        overlap = mask_ops.intersection_matrix(instances.masks, instances.masks)
        np.testing.assert_array_equal(overlap, np.diag(np.diagonal(overlap)))
        classes = [actors[k - 1].class_id for k in true_ids.tolist()]
        assert instances.class_ids.tolist() == classes


def test_the_foot_is_where_the_path_says():
    for stamp, instances, true_ids in frames([WALKER], times(4, 10)):
        if 1 <= stamp.media_s <= 3:
            expected = WALKER.foot(stamp.media_s)
            assert true_ids.tolist() == [1]
            np.testing.assert_allclose(mask_ops.feet(instances.masks)[0], expected, atol=1.6)
        else:
            assert len(instances) == 0


def test_who_stands_lower_hides_the_other():
    front = Actor(CAR, 80, 60, ((0, 150, 160), (1, 150, 160)))
    behind = Actor(PERSON, 20, 60, ((0, 150, 150), (1, 150, 150)))
    ((_, instances, true_ids),) = frames([behind, front], [0.5])
    assert true_ids.tolist() == [2]  # the one behind shows too little
    assert instances.class_ids.tolist() == [CAR]


def test_noise_does_what_it_says():
    still = [
        Actor(PERSON, 20, 60, ((0, 30 + 40 * k, 150), (99, 30 + 40 * k, 150))) for k in range(6)
    ]
    noisy = list(frames(still, times(20, 10), noise=Noise(misses=0.25, low_scores=0.4)))
    found = sum(len(i) for _, i, _ in noisy) / (6 * len(noisy))
    weak = np.concatenate([i.scores for _, i, _ in noisy]) < 0.5
    assert found == pytest.approx(0.75, abs=0.05)
    assert weak.mean() == pytest.approx(0.4, abs=0.05)
    jittery = frames(still[:1], times(20, 10), noise=Noise(jitter_px=2.0))
    feet = np.array([mask_ops.feet(i.masks)[0] for _, i, _ in jittery])
    assert feet.std(0) == pytest.approx([2, 2], abs=0.5)


def test_true_counts_of_lines():
    back = Actor(PERSON, 20, 60, (WALKER.path[0], (2.0, 160, 150), (3.0, 50, 150)))
    assert line_counts([WALKER], LINE) == (0, 1)
    assert line_counts([WALKER], LINE[::-1]) == (1, 0)
    assert line_counts([back], LINE) == (1, 1)
    assert line_counts([WALKER, back], LINE + np.array([0, 60])) == (0, 0)


def test_true_counts_of_zones():
    inside = Actor(PERSON, 20, 60, ((0, 150, 150), (1, 160, 150)))
    leaves = Actor(PERSON, 20, 60, ((0, 150, 150), (1, 300, 150), (2, 150, 150)))
    stays_out = Actor(PERSON, 20, 60, ((0, 20, 20), (1, 90, 300)))
    assert [zone_counts([a], SQUARE) for a in (WALKER, inside, leaves, stays_out)] == [1, 1, 2, 0]
