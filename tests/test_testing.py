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
    TRUCK,
    UNSEEN,
    Actor,
    Crossing,
    Noise,
    Visit,
    crowd,
    frames,
    labelled_frames,
    line_counts,
    line_crossings,
    times,
    zone_counts,
    zone_visits,
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


def test_everything_wrong_at_once_is_still_sound_and_repeatable():
    noise = Noise(0.1, 1.0, 0.2, 0.1, 1.5, 0.3, 0.3, 0.05, ((0, 0, 90, 240),))
    actors = crowd(12, 6, seed=4)
    one, two = (list(labelled_frames(actors, times(6, 5), noise=noise, seed=9)) for _ in range(2))
    for (_, instances, members), (_, same, same_members) in zip(one, two, strict=True):
        assert members == same_members
        np.testing.assert_array_equal(instances.masks.pixels, same.masks.pixels)
        assert len(instances) == len(members)
        assert (np.diff(instances.scores) <= 0).all()
        np.testing.assert_array_equal(instances.boxes, mask_ops.extents(instances.masks))
    everything = [m for _, _, members in one for m in members]
    assert () in everything  # a ghost
    assert any(len(m) > 1 for m in everything)  # a merger
    assert any(len(set(m)) < len(m) for _, _, m in one)  # a double


def still(class_id, *places):
    return [Actor(class_id, 20, 60, ((0, x, y), (99, x, y))) for x, y in places]


def test_neighbours_melt_by_how_much_they_share():
    near, far, other = still(PERSON, (100, 150), (106, 152), (118, 150))
    ((_, apart, _),) = labelled_frames([near, far, other], [1.0])
    ((_, melted, members),) = labelled_frames(
        [near, far, other], [1.0], noise=Noise(merge_overlap=0.5)
    )
    assert sorted(members, key=len) == [(3,), (2, 1)]  # who is in front comes first
    assert sum(mask_ops.area(apart.masks)) == sum(mask_ops.area(melted.masks))
    ((_, _, members),) = labelled_frames([near, far, other], [1.0], noise=Noise(merge_overlap=0))
    assert members == [(2, 1, 3)]
    _, _, true_ids = next(frames([near, far, other], [1.0], noise=Noise(merge_overlap=0)))
    assert true_ids.tolist() == [2]
    mixed = [near, *still(CAR, (106, 152))]
    assert len(next(labelled_frames(mixed, [1.0], noise=Noise(merge_overlap=0)))[2]) == 2


def test_what_is_unseen_hides_and_is_not_found():
    behind, beside = still(PERSON, (100, 150), (200, 150))
    pillar = Actor(UNSEEN, 40, 200, ((0, 100, 200), (99, 100, 200)))
    _, _, true_ids = next(frames([behind, pillar, beside], [1.0]))
    assert true_ids.tolist() == [3]


def test_flips_stay_in_their_group_and_scores_fall_in_weak_windows():
    cars, people = still(CAR, (40, 150), (280, 150)), still(PERSON, (160, 150))
    noise = Noise(class_flips=0.5, weak_windows=((0, 100, 100, 200),))
    seen = list(frames([*cars, *people], times(10, 10), noise=noise))
    classes = {true_id: set() for true_id in (1, 2, 3)}
    for _, instances, true_ids in seen:
        for true_id, class_id in zip(true_ids.tolist(), instances.class_ids.tolist(), strict=True):
            classes[true_id].add(class_id)
        weak = instances.scores < 0.5
        assert true_ids[weak].tolist() == [1]
    assert classes == {1: {CAR, TRUCK}, 2: {CAR, TRUCK}, 3: {PERSON}}


def test_ghosts_and_doubles_are_as_many_as_asked_for():
    people = still(PERSON, *((40 + 60 * k, 150) for k in range(5)))
    noise = Noise(ghosts=0.5, duplicates=0.25)
    members = [
        m for _, _, found in labelled_frames(people, times(40, 10), noise=noise) for m in found
    ]
    assert members.count(()) / 400 == pytest.approx(0.5, abs=0.1)
    assert (len(members) - members.count(())) / 2000 == pytest.approx(1.25, abs=0.04)


def test_true_crossings_and_visits_say_who_and_when():
    back = Actor(PERSON, 20, 60, (WALKER.path[0], (2.0, 160, 150), (3.0, 50, 150)))
    first, second, third = line_crossings([WALKER, back], LINE)
    assert (first, second) == (
        Crossing(2, pytest.approx(1 + 100 / 110), (150, 150), is_in=False),
        Crossing(1, 2.0, (150, 150), is_in=False),
    )
    assert third == Crossing(2, pytest.approx(2 + 10 / 110), (150, 150), is_in=True)
    assert zone_visits([WALKER], SQUARE) == [Visit(1, 1.5, 2.5)]
    begins = Actor(PERSON, 20, 60, ((0, 150, 150), (1, 250, 150)))
    assert zone_visits([begins, WALKER], SQUARE) == [Visit(1, 0, 0.5), Visit(2, 1.5, 2.5)]


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
