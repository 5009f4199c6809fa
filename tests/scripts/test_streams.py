"""Streams made of ground truth, what trackers say of them, and the judgement."""

import numpy as np
import pytest
from tracking_bench import judge, ours, streams
from tracking_bench.streams import FIRST_GHOST, RECIPES, Noise, Recipe

from edge import masks as mask_ops


def made(kitti, name):
    recipe = RECIPES[name] if isinstance(name, str) else name
    return streams.sequence(kitti / "kitti-mots" / "0003.txt", recipe)


def arrays(sequence):
    return [
        np.concatenate([np.asarray(getattr(s.instances, a)).ravel() for s in sequence.frames])
        for a in ("boxes", "scores", "class_ids")
    ] + [np.concatenate([s.instances.masks.pixels for s in sequence.frames])]


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_recipe_gives_the_same_stream(kitti, name):
    first, second = made(kitti, name), made(kitti, name)
    for a, b in zip(arrays(first), arrays(second), strict=True):
        assert np.array_equal(a, b)
    assert first.key() == second.key()


def test_clean_is_the_truth(kitti):
    clean = made(kitti, "clean")
    assert [s.stamp.media_s for s in clean.frames[:3]] == [0.0, 0.1, 0.2]
    assert clean.fps == 10
    for shown in clean.frames:
        assert sorted(shown.truth_ids) == [1001, 2001, 2002]
        assert np.abs(shown.instances.scores - 0.9).max() < 2e-3
        assert (np.diff(shown.instances.scores) <= 0).all()
        assert (shown.instances.boxes == mask_ops.extents(shown.instances.masks)).all()
        assert not shown.is_contested


def test_one_frame_in_three_keeps_its_number_and_time(kitti):
    third = made(kitti, "third-clean")
    assert [s.stamp.frame for s in third.frames] == list(range(0, 24, 3))
    assert third.frames[1].stamp.media_s == pytest.approx(0.3)
    assert set(third.truth.frames.tolist()) == set(range(0, 24, 3))
    assert third.fps == pytest.approx(10 / 3)


def test_noise_drops_moves_and_adds(kitti):
    noisy = made(
        kitti, Recipe(1, Noise(drops=0.5, shape=0.07, jitter=0.03, ghosts=1, low_score=0.3))
    )
    ids = np.concatenate([s.truth_ids for s in noisy.frames])
    assert 10 < np.count_nonzero(ids < FIRST_GHOST) < 62  # of 72
    ghosts, lives = np.unique(ids[ids >= FIRST_GHOST], return_counts=True)
    assert len(ghosts) > 5
    assert lives.max() <= 3
    scores = np.concatenate([s.instances.scores for s in noisy.frames])
    assert scores.min() >= 0.3
    assert scores.max() <= 0.95
    assert np.ptp(scores) > 0.4


def test_a_wavy_boundary_keeps_the_mask_recognisable():
    crop = np.ones((40, 30), np.uint8)
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(20):
        wavy, (dx, dy) = streams.distorted(crop, Noise(shape=0.07), rng)
        back = np.zeros((60, 60), np.uint8)
        back[10 + dy : 10 + dy + wavy.shape[0], 10 + dx : 10 + dx + wavy.shape[1]] = wavy
        inside = np.count_nonzero(back[10:50, 10:40])
        areas.append(inside / (1200 + np.count_nonzero(back) - inside))
    assert 0.5 < min(areas) < max(areas) < 1.0
    still, moved = streams.distorted(crop, Noise(), rng)
    assert np.array_equal(still[1:-1, 1:-1], crop)
    assert moved == (-1, -1)


def test_the_oracle_is_perfect_on_clean_and_bounds_the_rest(kitti):
    for name in ("clean", "third-clean"):
        sequence = made(kitti, name)
        found = judge.qualities([sequence], [ours.oracle(sequence)])
        assert [q.hota for q in found.values()] == pytest.approx([1.0, 1.0])
        assert list(found) == ["car", "person"]
    noisy = made(kitti, "noisy")
    oracle = judge.qualities([noisy], [ours.oracle(noisy)])
    plain = judge.qualities([noisy], [ours.mask_iou(noisy)])
    assert all(plain[c].hota <= oracle[c].hota < 1 for c in oracle)


def test_what_was_judged_once_is_read_from_the_cache(kitti, tmp_path):
    sequence = made(kitti, "noisy")
    answers = [ours.oracle(sequence)]
    first = judge.qualities([sequence], answers, tmp_path / "cache")
    [kept] = (tmp_path / "cache").iterdir()
    assert judge.qualities([sequence], answers, tmp_path / "cache") == first
    kept.write_text(kept.read_text().replace('"id_switches": 0', '"id_switches": 99'))
    again = judge.qualities([sequence], answers, tmp_path / "cache")
    assert again["car"].id_switches == 99
    other = judge.qualities([sequence], [ours.mask_iou(sequence)], tmp_path / "cache")
    assert other["car"].id_switches != 99


def test_ours_is_judged_by_the_track_file(kitti):
    sequence = made(kitti, "noisy")
    filled, seen = ours.ours(sequence), ours.ours_seen(sequence)
    rows, fewer = judge.rows(sequence, filled), judge.rows(sequence, seen)
    assert len(rows.ids) > len(fewer.ids) > 50
    assert filled.ms > 0
    missed = set(zip(rows.frames, rows.ids, strict=True)) - set(
        zip(fewer.frames, fewer.ids, strict=True)
    )
    assert len(missed) == len(rows.ids) - len(fewer.ids)
    better = judge.qualities([sequence], [filled])["car"]
    assert better.recall > judge.qualities([sequence], [seen])["car"].recall


def test_a_contested_pixel_goes_to_the_higher_score_among_those_tracked(kitti):
    sequence = made(kitti, "noisy")
    shown = next(s for s in sequence.frames if s.is_contested)
    everyone = np.arange(1, len(shown.instances) + 1)
    whole = streams.Sequence("x", 10.0, (shown,), sequence.truth)
    rows = judge.rows(whole, judge.Answer((everyone,), 0.0))
    flat = mask_ops.area(mask_ops.without_overlap(shown.instances.masks))
    assert len(rows.ids) == np.count_nonzero(flat)
    for k in everyone - 1:  # alone, each keeps all its pixels
        alone = np.where(everyone == k + 1, 7, judge.NOBODY)
        rows = judge.rows(whole, judge.Answer((alone,), 0.0))
        [again] = streams.exclusive_runs(mask_ops.chosen(shown.instances.masks, [int(k)]))
        assert rows.runs == (again,)
        assert rows.ids.tolist() == [7]


def test_the_plain_matcher_follows_overlap_and_forgets_after_a_second(kitti):
    sequence = made(kitti, "clean")
    ids = ours.mask_iou(sequence).ids
    cars = [
        int(i[np.flatnonzero(s.truth_ids == 1001)[0]])
        for i, s in zip(ids, sequence.frames, strict=True)
    ]
    assert len(set(cars)) == 1
    frames = [sequence.frames[0], *(f for f in sequence.frames if f.stamp.frame > 10)]
    gap = streams.Sequence("gap", 10.0, tuple(frames), sequence.truth)
    first, after = ours.mask_iou(gap).ids[:2]
    assert set(first.tolist()).isdisjoint(after.tolist())
