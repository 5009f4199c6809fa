"""What comes in: flicker, crowds without identity, wrong classes, broken instances, other sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay import (
    ACROSS,
    FASTER,
    MIDDLE,
    NAMES,
    RATES,
    changed,
    film,
    flipped,
    joined,
    once,
    person,
    played,
)
from strategies import rectangles, standing

from edge import masks as mask_ops
from edge.sinks.detections import DetectionsSink
from edge.sources.detections import DetectionsFile
from edge.testing import CAR, PERSON, TRUCK, Actor, Noise, times
from edge.types import Instances, Stamp, Step


def shown(windows, fps, **options):
    """A film of rectangles: for each frame its windows."""
    return [
        (Stamp(k, k / fps), rectangles(list(seen), **options)) for k, seen in enumerate(windows)
    ]


# One-frame flicker: A, A, A, B, A, A, A.

A, B = (120, 120, 144, 180), (150, 120, 174, 180)  # 28 px before the line, 2 px beyond
FAR = (176, 120, 200, 180)  # 28 px beyond


@pytest.mark.parametrize("fps", [5, 10, 25])
@pytest.mark.parametrize("b", [B, FAR, (120, 120, 200, 180), (134, 120, 214, 180)])
@pytest.mark.parametrize(
    "pattern", ["AAABAAA", "AAAABAAAAABAAAAABAAAA", "AAABAABAABAAA", "AAAAAAB"]
)
def test_one_frame_flicker_to_the_other_side_counts_nothing(fps, b, pattern):
    places = {"A": A, "B": b}
    assert played(shown([[places[p]] for p in pattern], fps)).counts() == (0, 0)


@pytest.mark.parametrize("fps", [5, 10, 25])
@pytest.mark.parametrize("bottom", [150, 170, 200])
def test_one_frame_with_a_shadow_below_counts_nothing(fps, bottom):
    """The mask runs down over the line for one frame; the line is at y = 144."""
    whole, shadow = (120, 70, 144, 130), (120, 70, 144, bottom)
    seen = [[whole]] * 6 + [[shadow]] + [[whole]] * 6 + [[shadow]] + [[whole]] * 3
    assert played(shown(seen, fps), {"gate": ACROSS}).counts() == (0, 0)


@RATES
def test_a_change_of_side_that_lasts_counts_once(fps, way):
    step_px = max(4, min(20, 100 // fps))
    xs = range(162 - 6 * step_px, 160 + 6 * step_px, step_px)
    seen = [[(x - 12, 120, x + 12, 180)] for x in (xs if way > 0 else xs[::-1])]
    assert played(shown(seen, fps)).counts() == once(way)


# Many objects that are not confirmed.


@pytest.mark.parametrize("fps", [10, 25])
def test_many_objects_that_live_for_one_frame_count_nothing(fps):
    """roboflow/supervision#2578: all of them shared one id, and each frame crossed the line."""
    phases = [(0, 0), (40, 0), (0, 40), (40, 40)]
    storm = [
        [(x + dx, y + dy, x + dx + 12, y + dy + 24) for x in range(0, 300, 80)
         for y in range(0, 200, 80) if not (x + dx < 300 and y + dy + 24 >= 96 and y + dy <= 184)]
        for dx, dy in phases * 12
    ]  # fmt: skip
    walker = list(film([person((0, 20, 180), (46 / fps, 300, 180))], times(48 / fps, fps)))
    both = [
        (s, joined(i, rectangles(ghosts))) for (s, i), ghosts in zip(walker, storm, strict=True)
    ]
    assert played(both).counts() == (0, 1)


@pytest.mark.parametrize("fps", [2, 10, 25])
def test_all_cross_before_any_is_confirmed(fps):
    """Seven to the right and nine to the left, over the line between the first two frames."""
    step_px, lanes = 8, range(0, 16 * 14, 14)
    rows = [
        [
            (x - 6, y, x + 6, y + 12)
            for lane, y in enumerate(lanes)
            for x in [154 + step_px * k if lane < 7 else 166 - step_px * k]
        ]
        for k in range(8)
    ]
    assert played(shown(rows, fps), {"gate": ((0.5, 0.0), (0.5, 1.0))}).counts() == (9, 7)


# Classes.


@RATES
@pytest.mark.parametrize("seed", [1, 2])
def test_a_car_that_flips_to_truck_is_one_passage(fps, way, seed):
    car = flipped([Actor(CAR, 90, 45, ((0, 50, 180), (4, 270, 180)))], way)
    seen = film(car, times(4, fps), noise=Noise(class_flips=0.4), seed=seed)
    outcome = played(seen)
    assert outcome.counts() == once(way)
    assert {e.track.class_id for e in outcome.events if e.track} <= {CAR, TRUCK}


@RATES
def test_a_class_that_flips_on_the_line_is_one_passage(fps, way):
    car = flipped([Actor(CAR, 90, 45, ((0, 50, 180), (4, 270, 180)))], way)
    seen = changed(film(car, times(4, fps)), lambda _, i: reclassed(i, TRUCK, 130, 190))
    outcome = played(seen)
    assert outcome.counts() == once(way)
    assert [e.track.class_id for e in outcome.events if e.track] == [CAR]


@RATES
def test_a_class_that_flips_on_the_line_of_a_rule_for_cars_counts_as_a_car(fps, way):
    car = flipped([Actor(CAR, 90, 45, ((0, 50, 180), (4, 270, 180)))], way)
    seen = changed(film(car, times(4, fps)), lambda _, i: reclassed(i, TRUCK, 140, 180))
    assert played(seen, {"gate": MIDDLE}, classes=["car"]).counts() == once(way)


@FASTER
def test_a_person_that_is_a_car_for_one_frame_on_the_line(fps, way):
    walker = flipped([person((0, 20, 180), (5, 300, 180))], way)
    step_px = 56 / fps
    low, high = 160 - step_px / 2, 160 + step_px / 2
    seen = changed(film(walker, times(5, fps)), lambda _, i: reclassed(i, CAR, low, high))
    outcome = played(seen)
    assert outcome.counts() == once(way)
    assert [e.track.class_id for e in outcome.events if e.track] == [PERSON]


def reclassed(instances: Instances, class_id: int, low_x: float, high_x: float) -> Instances:
    """The instances; those with their middle between two columns are of another class."""
    middle = instances.boxes[:, [0, 2]].mean(1)
    there = (middle >= low_x) & (middle < high_x)
    classes = np.where(there, class_id, instances.class_ids).astype(np.int32)
    return dataclasses.replace(instances, class_ids=classes)


# Broken instances.

WALKERS = [person((0, 20, 180), (4, 300, 180)), person((0, 300, 110), (4, 20, 110))]
BAD_BOXES = [
    (np.nan, 100, 180, 160),
    (np.nan,) * 4,
    (np.inf, 0, np.inf, 9),
    (150, 100, 150, 160),
    (170, 160, 150, 100),
    (-np.inf, -np.inf, np.inf, np.inf),
]  # fmt: skip


def broken(kind: str, n: int, size_hw: tuple[int, int] = (240, 320)) -> Instances:
    """Instances near the line with something wrong in each."""
    bad = rectangles([(150 + k, 100, 170 + k, 160) for k in range(n)], size_hw=size_hw)
    if kind == "box":
        boxes = np.array([BAD_BOXES[k % len(BAD_BOXES)] for k in range(n)], np.float32)
        return dataclasses.replace(bad, boxes=boxes.reshape(-1, 4))
    if kind == "score":
        scores = np.array([(np.nan, np.inf, -np.inf)[k % 3] for k in range(n)], np.float32)
        return dataclasses.replace(bad, scores=scores)
    if kind == "class":
        return dataclasses.replace(
            bad, class_ids=np.array([(-1, 99)[k % 2] for k in range(n)], np.int32)
        )
    windows = [(150, 100, 170, 160) if k % 2 else (0, 0, 0, 0) for k in range(n)]
    crops = [np.zeros((y2 - y1, x2 - x1), np.uint8) for x1, y1, x2, y2 in windows]
    return dataclasses.replace(bad, masks=mask_ops.from_crops(*size_hw, windows, crops))


@settings(max_examples=12)
@given(
    st.sampled_from(["box", "score", "class", "mask"]),
    st.dictionaries(st.integers(0, 39), st.integers(1, 6), min_size=1, max_size=20),
    st.sampled_from([5, 10]),
)
def test_broken_instances_are_dropped_counted_and_change_nothing(kind, where, fps):
    seen = list(film(WALKERS, times(4, fps)))
    where = {k: n for k, n in where.items() if k < len(seen)}
    mixed = [
        (s, joined(i, broken(kind, where[k])) if k in where else i) for k, (s, i) in enumerate(seen)
    ]
    outcome = played(mixed)
    assert outcome.counts() == (1, 1)
    assert outcome.dropped == ({"unusable instance": sum(where.values())} if where else {})


# Numbers of instances.


@pytest.mark.parametrize("fps", [2, 25])
def test_no_instances_at_all(fps):
    outcome = played(film([], times(60 / fps, fps)))
    assert outcome.counts() == (0, 0)
    assert outcome.events == []


def test_500_instances_at_once():
    """25 x 20 of them walk to the right by 3 px a frame; one column passes the line."""
    size_hw = (480, 640)
    grid = [(6 + 25 * c, 14 + 23 * r) for c in range(25) for r in range(20)]
    seen = [[(x + 3 * k, y, x + 3 * k + 10, y + 16) for x, y in grid] for k in range(9)]
    walk = [(Stamp(k, k / 10), rectangles(w, size_hw=size_hw)) for k, w in enumerate(seen)]
    outcome = played(walk, {"gate": ((0.5, 0.0), (0.5, 1.0))}, size_hw=size_hw)
    assert outcome.counts() == (0, 20)  # from x = 310 to 334, over 320


# Another size of frames in mid-stream.


@pytest.mark.parametrize("scale", [2.0, 0.5])
@pytest.mark.parametrize("fps", [5, 25])
def test_frames_of_another_size_after_a_pause(scale, fps, tmp_path):
    """A camera that reconnects with another resolution: lines are shares of the frame."""
    walk = [person((0, 20, 180), (4, 300, 180))]
    both = before_and_after(walk, walk, scale, fps, pause_s=5.0)
    assert played(recorded(both, tmp_path)).counts() == (0, 2)


@pytest.mark.parametrize("scale", [2.0, 0.5])
@pytest.mark.parametrize("fps", [5, 25])
@pytest.mark.parametrize("at_s", [1.2, 2.8])
def test_frames_of_another_size_in_the_middle_of_a_walk(scale, fps, at_s, tmp_path):
    """From one frame to the next, while somebody is before or beyond the line."""
    walk = [person((0, 20, 180), (4, 300, 180))]
    seen = [f for f in film(walk, times(4, fps)) if f[0].media_s < at_s]
    bigger = [
        f for f in film(scaled(walk, scale), times(4, fps), size_of(scale)) if f[0].media_s >= at_s
    ]
    replay = recorded([*seen, *bigger], tmp_path)
    assert played(replay).counts() == (0, 1)
    assert replay.warnings.resized_frames == len(bigger)


def recorded(film, folder) -> DetectionsFile:
    """The film as a recording: sources see to it that frames have one size."""
    path = folder / "film.jsonl"
    nobody, _ = standing({})
    with DetectionsSink(path, NAMES, {"class_names": NAMES}) as sink:
        for stamp, instances in film:
            sink.write(Step(stamp, None, instances, nobody, ()))
    return DetectionsFile(path)


def size_of(scale: float) -> tuple[int, int]:
    return round(240 * scale), round(320 * scale)


def scaled(actors, scale):
    return [
        Actor(a.class_id, a.width_px * scale, a.height_px * scale,
              tuple((t, x * scale, y * scale) for t, x, y in a.path))
        for a in actors
    ]  # fmt: skip


def before_and_after(first, second, scale, fps, pause_s):
    """A film of the first, and after a pause one of the second in frames of another size."""
    when = times(5, fps)
    seen = list(film(first, when))
    later = film(scaled(second, scale), when, size_of(scale))
    return [*seen, *((Stamp(s.frame, s.media_s + 5 + pause_s), i) for s, i in later)]
