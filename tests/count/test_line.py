from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import polylines, rectangles, stamps, standing

from edge import geometry
from edge.count.line import Band, LineCounter
from edge.testing import (
    CAR,
    CLASS_GROUPS,
    PERSON,
    TRUCK,
    Actor,
    Noise,
    crowd,
    frames,
    line_counts,
    times,
)
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Stamp, TrackFlag, TrackState

RIGID = (False, True, True)  # of CLASS_GROUPS
BAND = Band(height_share=0.0, min_px=3.0)
DOWN = np.array([[100.0, 50.0], [100.0, 150.0]])  # its left-hand side is where x is larger


def counter(line=DOWN, class_ids=None, band=BAND) -> LineCounter:
    return LineCounter("gate", np.array(line, np.float64), class_ids, band)


def walked(path, step_px=4.0, line=DOWN, speed_px_s=50.0):
    """Events and counter after one track took the path, seen every `step_px` and at corners."""
    at = [path[0]]
    for p, q in pairwise(path):
        count = max(1, int(np.hypot(q[0] - p[0], q[1] - p[1]) // step_px))
        at += [tuple(np.array(p) + (np.array(q) - p) * k / count) for k in range(1, count + 1)]
    gaps = [np.hypot(q[0] - p[0], q[1] - p[1]) / speed_px_s for p, q in pairwise(at)]
    return watched(at, [0.0, *np.maximum(np.cumsum(gaps), 1e-3 * np.arange(1, len(at)))], line)


def watched(at, times_s, line=DOWN, **counter_options):
    c = counter(line, **counter_options)
    events = []
    for stamp, foot in zip(stamps(times_s), at, strict=True):
        events += c.update(stamp, *standing({1: foot}))
    return events, c


def directions(events):
    return [e.direction for e in events]


# The meaning of in and out.


def test_in_is_from_the_left_hand_side_to_the_right_hand_side():
    events, c = walked([(140, 100), (60, 100)])
    assert directions(events) == ["in"]
    assert (c.totals.count_in, c.totals.count_out) == (1, 0)
    events, c = walked([(60, 100), (140, 100)])
    assert directions(events) == ["out"]
    assert (c.totals.count_in, c.totals.count_out) == (0, 1)


@pytest.mark.parametrize(
    ("line", "path", "direction"),
    [
        # A above B: one who stands at A and looks down has the larger x on the left.
        ([(100, 50), (100, 150)], [(140, 100), (60, 100)], "in"),
        ([(100, 150), (100, 50)], [(140, 100), (60, 100)], "out"),
        # A left of B: looking to the right, the left hand is up.
        ([(50, 100), (150, 100)], [(100, 60), (100, 140)], "in"),
        ([(150, 100), (50, 100)], [(100, 60), (100, 140)], "out"),
    ],
)
def test_directions_of_all_four_lines(line, path, direction):
    assert directions(walked(path, line=line)[0]) == [direction]
    assert {direction, *directions(walked(path[::-1], line=line)[0])} == {"in", "out"}


def test_an_event_says_what_happened():
    (event,), c = walked([(140, 100), (60, 100)])
    assert event.kind == "line_crossed"
    assert event.rule_id == "gate"
    assert event.delta == 1
    assert event.totals == c.totals
    assert event.totals.by_class == {0: (1, 0)}
    assert event.media_s == pytest.approx(0.8)
    assert event.frame == 10  # the first at or after that time
    assert event.decided.media_s > event.media_s
    assert event.track.track_id == 1
    assert event.track.foot == pytest.approx((100, 100))


# Any path and any line: what must hold for all of them.

COORDINATES = st.integers(0, 200)
PATHS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=2, max_size=5)
LINES = st.tuples(*[st.tuples(COORDINATES, COORDINATES)] * 2).filter(
    lambda ab: np.hypot(ab[0][0] - ab[1][0], ab[0][1] - ab[1][1]) > 20
)


@st.composite
def clear_walks(draw):
    """A line, and a path whose corners are clear of it and that does not graze its ends."""
    line, path = draw(LINES), draw(PATHS)
    distances = geometry.side_distance(np.array(path, float), np.array(line, float))
    path = [p for p, d in zip(path, distances.tolist(), strict=True) if abs(d) > 20]
    path = [p for p, q in zip(path, [None, *path], strict=False) if p != q]
    assume(len(path) >= 2)
    for p, q in pairwise(path):
        way = np.array([p, q], float)
        gaps = geometry.polygon_distance(np.array(line, float), way)
        assume((np.abs(gaps) > 0.5).all())
    return line, path


def truth(path, line):
    actor = Actor(PERSON, 10, 40, tuple((float(k), *p) for k, p in enumerate(path)))
    return line_counts([actor], np.array(line, np.float64))


@given(clear_walks(), st.floats(1.0, 7.0))
def test_every_passage_counts_once_and_no_other(walk, step_px):
    line, path = walk
    _, c = walked(path, step_px, line)
    assert (c.totals.count_in, c.totals.count_out) == truth(path, line)


@given(clear_walks())
def test_a_reversed_path_swaps_in_and_out(walk):
    line, path = walk
    forth, back = walked(path, line=line)[1].totals, walked(path[::-1], line=line)[1].totals
    assert (forth.count_in, forth.count_out) == (back.count_out, back.count_in)


@given(clear_walks())
def test_a_reversed_line_swaps_in_and_out(walk):
    line, path = walk
    one, other = walked(path, line=line)[1].totals, walked(path, line=line[::-1])[1].totals
    assert (one.count_in, one.count_out) == (other.count_out, other.count_in)


@given(clear_walks(), st.floats(1.0, 7.0), st.floats(1.0, 7.0))
def test_more_points_on_straight_pieces_change_neither_counts_nor_times(walk, step_px, other_px):
    line, path = walk
    one, two = walked(path, step_px, line)[0], walked(path, other_px, line)[0]
    assert directions(one) == directions(two)
    np.testing.assert_allclose([e.media_s for e in one], [e.media_s for e in two], atol=1e-4)
    np.testing.assert_allclose(
        np.array([e.track.foot for e in one]), np.array([e.track.foot for e in two]), atol=1e-3
    )


@given(clear_walks())
def test_a_closed_path_beyond_the_ends_nets_zero(walk):
    line, path = walk
    _, c = walked([*path, *path[::-1]], line=line)
    assert c.totals.count_in == c.totals.count_out


@given(clear_walks())
def test_totals_are_the_sum_of_all_events(walk):
    line, path = walk
    events, c = walked(path, line=line)
    assert c.totals.count_in == sum(e.delta for e in events if e.direction == "in")
    assert c.totals.count_out == sum(e.delta for e in events if e.direction == "out")
    assert [e.totals.count_in + e.totals.count_out for e in events] == [
        k + 1 for k in range(len(events))
    ]


# Time.


@given(
    st.floats(2, 60),
    st.floats(20, 400),
    st.floats(0, 0.9),
    st.integers(0, 99),
    st.sampled_from([-1, 1]),
)
def test_the_time_of_even_motion_is_exact_at_any_frame_rate(fps, speed, irregular, seed, way):
    when = times(6, fps, irregular, seed)
    start_s = 3.0 - 1 / 7
    at = [(100 + way * speed * (t - start_s), 100 + 0.1 * (t - start_s)) for t in when]
    events, _ = watched(at, when)
    (event,) = events
    assert event.direction == ("in" if way < 0 else "out")
    assert event.media_s == pytest.approx(start_s, abs=1e-4)
    assert event.track.foot == pytest.approx((100, 100), abs=1e-2)
    assert when[event.frame - 1] < event.media_s + 1e-6
    assert event.media_s - 1e-6 <= when[event.frame]


@pytest.mark.parametrize("way", [-1, 1])
@pytest.mark.parametrize("line", [[(50, 100), (150, 100)], [(150, 100), (50, 100)],
                                  [(50, 50), (150, 150)], [(150, 150), (50, 50)]])  # fmt: skip
def test_a_foot_exactly_on_the_line_loses_nothing(line, way):
    at = [(100, 100 + way * y) for y in (-30, -20, -10, 0, 10, 20, 30)]
    events, _ = watched(at, [k / 10 for k in range(7)], line)
    assert [e.media_s for e in events] == [pytest.approx(0.3)]


def test_a_fast_object_at_two_frames_a_second_counts():
    at = [(x, 100) for x in (250, 190, 130, 70, 10)]
    events, _ = watched(at, [0.5 * k for k in range(5)])
    assert directions(events) == ["in"]
    assert events[0].media_s == pytest.approx(1.25)


# What counts nothing, and what counts again.


def test_walking_round_the_end_counts_nothing():
    round_the_end = [(140, 100), (140, 180), (60, 180), (60, 100)]
    events, c = walked(round_the_end)
    assert events == []
    assert directions(walked([*round_the_end, (140, 100)])[0]) == ["out"]
    assert (c.totals.count_in, c.totals.count_out) == (0, 0)


@given(st.lists(st.floats(-2.9, 2.9), min_size=3, max_size=40))
def test_jitter_within_the_band_counts_nothing(jitter):
    at = [(130, 100), (115, 100), *[(100 + j, 100) for j in jitter], (115, 100), (130, 100)]
    assert watched(at, 0.1 * np.arange(len(at)))[0] == []


@given(st.lists(st.floats(-2.9, 2.9), max_size=20))
def test_jitter_on_the_way_counts_one_passage(jitter):
    at = [
        *[(x, 100) for x in (130, 120, 110)],
        *[(100 + j, 100) for j in jitter],
        *[(x, 100) for x in (90, 80, 70)],
    ]
    assert directions(watched(at, 0.1 * np.arange(len(at)))[0]) == ["in"]


def test_turning_back_inside_the_band_counts_nothing():
    assert walked([(140, 100), (98, 100), (140, 100)], step_px=1)[0] == []


def test_one_bad_foot_counts_nothing():
    at = [(x, 100) for x in (140, 135, 130, 60, 120, 115, 110)]
    assert watched(at, 0.1 * np.arange(7))[0] == []


def test_every_passage_of_one_track_counts():
    events, c = walked([(140, 100), (60, 100)] * 5)
    assert directions(events) == ["in", "out"] * 4 + ["in"]
    assert (c.totals.count_in, c.totals.count_out) == (5, 4)


def test_who_appears_on_the_line_and_leaves_has_not_passed():
    assert walked([(100, 100), (140, 100)])[0] == []
    assert walked([(100, 100), (60, 100)])[0] == []


def test_who_vanishes_before_the_other_side_is_clear_has_not_passed():
    assert walked([(140, 100), (99, 100)])[0] == []


def test_the_band_grows_with_the_object():
    assert Band(0.05, 3.0).width_px(200) == pytest.approx(10)
    assert Band(0.05, 3.0).width_px(20) == 3.0


def test_tracks_do_not_disturb_each_other():
    c = counter()
    events = []
    for stamp, k in zip(stamps(0.1 * np.arange(21)), range(21), strict=True):
        feet = {1: (140 - 4 * k, 100), 2: (60 + 4 * k, 100), 7: (300, 100)}
        events += c.update(stamp, *standing(feet))
    assert sorted((e.track.track_id, e.direction) for e in events) == [(1, "in"), (2, "out")]


# Polylines.

CORNER = [(50, 50), (100, 50), (100, 100)]


@given(st.integers(60, 90), st.integers(10, 35), st.integers(60, 90))
def test_a_corner_counts_at_either_piece(x, y, other_y):
    into = [(x, y), (x, 80)]  # over the first piece from its left
    assert directions(walked(into, line=CORNER)[0]) == ["in"]
    aside = [(140, other_y), (70, other_y)]  # over the second piece, from its left
    assert directions(walked(aside, line=CORNER)[0]) == ["in"]
    through = [*into, (x, other_y), (140, other_y)]
    assert directions(walked(through, line=CORNER)[0]) == ["in", "out"]


def test_through_the_joint_counts_once():
    assert directions(walked([(130, 20), (70, 80)], line=CORNER)[0]) == ["in"]
    assert directions(walked([(70, 80), (130, 20)], line=CORNER)[0]) == ["out"]


@given(polylines, PATHS)
def test_any_polyline_and_any_path_keep_the_books(line, path):
    events, c = walked(path, line=line, step_px=10)
    assert c.totals.count_in + c.totals.count_out == len(events)
    assert all(a.direction != b.direction for a, b in pairwise(events)) or len(line) > 2


# Tracks: tentative, lost, ended; classes.


def test_what_a_tentative_track_did_counts_once_it_is_confirmed():
    c = counter()
    when = stamps(0.1 * np.arange(8))
    xs = [130, 115, 95, 80, 65, 50, 35, 20]
    events = []
    for stamp, x in zip(when[:5], xs[:5], strict=True):
        events += c.update(stamp, *standing({1: (x, 100)}, state=TrackState.TENTATIVE))
    assert events == []
    for stamp, x in zip(when[5:], xs[5:], strict=True):
        events += c.update(stamp, *standing({1: (x, 100)}))
    (event,) = events
    assert event.direction == "in"
    assert event.media_s == pytest.approx(0.175)
    assert event.frame == 2
    assert event.decided == when[5]


def test_a_tentative_track_that_ends_counts_nothing_and_is_forgotten():
    c = counter()
    for stamp, x in zip(stamps(0.1 * np.arange(5)), [130, 110, 90, 70, 50], strict=True):
        assert not c.update(stamp, *standing({1: (x, 100)}, state=TrackState.TENTATIVE))
    assert c._passages
    c.update(Stamp(5, 0.5), *standing({}, ended=[1]))
    assert not c._passages
    assert not len(c._live)


def test_predicted_feet_of_lost_tracks_never_count():
    c = counter()
    for k in range(8):
        assert not c.update(Stamp(k, 0.1 * k), *standing({1: (140 - 4 * k, 100)}))
    for k in range(8, 40):
        lost = standing({1: (140 - 4 * k, 100)}, state=TrackState.LOST, is_seen=False)
        assert not c.update(Stamp(k, 0.1 * k), *lost)


def test_a_passage_while_lost_counts_when_it_is_seen_again():
    at = [(x, 100) for x in (140, 135, 130, 125, 75, 70, 65, 60)]
    events, _ = watched(at, [0.0, 0.1, 0.2, 0.3, 1.3, 1.4, 1.5, 1.6])
    assert directions(events) == ["in"]
    assert 0.3 < events[0].media_s < 1.3


def test_only_the_classes_asked_for_count():
    c = counter(class_ids={CAR})
    for k in range(21):
        stamp = Stamp(k, 0.1 * k)
        assert not c.update(stamp, *standing({1: (140 - 4 * k, 100)}, class_id=PERSON))
    events = []
    for k in range(21):
        stamp = Stamp(30 + k, 3 + 0.1 * k)
        events += c.update(stamp, *standing({2: (140 - 4 * k, 100)}, class_id=CAR))
    assert [e.track.class_id for e in events] == [CAR]
    assert c.totals.by_class == {CAR: (1, 0)}


def test_20000_short_tracks_leave_nothing_behind():
    c = counter()
    passed, most = 0, 0
    for k in range(0, 4000, 4):
        mine = range(5 * k, 5 * k + 20)
        gone: range | list[int] = range(5 * k - 20, 5 * k) if k else []
        for n, x in enumerate((130, 110, 80, 50)):
            state = TrackState.TENTATIVE if n == 0 or k % 3 == 0 else TrackState.CONFIRMED
            feet = {i + 1: (x, 60 + i % 20) for i in mine}
            tracks = standing(feet, [i + 1 for i in gone] if n == 0 else [], state)
            passed += len(c.update(Stamp(k + n, 0.1 * (k + n)), *tracks))
            most = max(most, len(c._passages), len(c._live))
    assert passed > 10_000
    assert most <= 40
    c.update(Stamp(4000, 400.0), *standing({}, ended=list(range(19981, 20001))))
    assert not c._passages
    assert not len(c._live)


# What is taken back.


def seen(c, k, x, inferred=False, class_id=0, state=TrackState.CONFIRMED):
    """Events of one more sighting of track 1, a tenth of a second after the one before."""
    tracks, instances = standing({1: (x, 100)}, class_id=class_id, state=state)
    flags = np.full(1, TrackFlag.FOOT_INFERRED if inferred else 0, np.uint8)
    return c.update(Stamp(k, 0.1 * k), replace(tracks, flags=flags), instances)


def told(c, xs, inferred, **options):
    return [e for k, x in enumerate(xs) for e in seen(c, k, x, k in inferred, **options)]


def kinds(events):
    return [(e.kind, e.direction, e.delta) for e in events]


IN = ("line_crossed", "in", 1)
IN_REVERTED = ("line_crossing_reverted", "in", -1)


def test_a_passage_of_an_inferred_foot_is_taken_back_when_the_real_one_never_passed():
    c = counter()
    events = told(c, [140, 130, 120, 80, 75, 70, 118, 117, 116, 115, 114], {3, 4, 5})
    assert kinds(events) == [IN, IN_REVERTED]
    wrong, undone = events
    assert (c.totals.count_in, c.totals.count_out) == (0, 0)
    assert undone.totals == c.totals
    assert undone.track == wrong.track
    assert (undone.media_s, undone.frame) == (wrong.media_s, wrong.frame)
    assert undone.decided.frame > 6
    # What comes later counts as ever.
    later = [e for k in range(11, 31) for e in seen(c, k, 140 - 4 * (k - 11))]
    assert kinds(later) == [IN]
    assert not c._live.records["is_open"].any()


def test_a_passage_back_counts_once_a_real_foot_was_beyond_the_line():
    c = counter()
    events = told(c, [140, 130, 120, 80, 75, 70, 65, 60, 80, 118, 120, 122, 124], {3, 4, 5})
    assert kinds(events) == [IN, ("line_crossed", "out", 1)]


def test_inferred_feet_prove_nothing_and_take_nothing_back():
    c = counter()
    events = told(c, [140, 130, 120, 80, 75, 70, 118, 117, 116, 115, 114], range(3, 11))
    assert kinds(events) == [IN, ("line_crossed", "out", 1)]
    assert c._live.records["is_open"].all()


def test_a_real_foot_within_the_band_decides_nothing():
    c = counter()
    events = told(c, [140, 130, 120, 80, 75, 98, 98, 98, 118, 117, 116, 115], {3, 4})
    assert kinds(events) == [IN, IN_REVERTED]


def test_what_is_taken_back_before_the_track_is_confirmed_is_not_told():
    c = counter()
    xs = [140, 130, 120, 80, 75, 70, 118, 117, 116, 115]
    assert told(c, xs, {3, 4, 5}, state=TrackState.TENTATIVE) == []
    assert seen(c, 10, 114) == []
    assert not c._passages


def test_a_change_of_class_counts_the_last_passage_anew():
    c = counter()
    first = told(c, [140 - 4 * k for k in range(21)], (), class_id=CAR)
    later = [e for k in range(21, 25) for e in seen(c, k, 60, class_id=TRUCK)]
    assert kinds(first) == [IN]
    assert kinds(later) == [IN_REVERTED, IN]
    undone, anew = later
    assert undone.track == first[0].track
    assert undone.totals.by_class == {CAR: (0, 0)}
    assert (anew.track.class_id, anew.decided.frame) == (TRUCK, 21)
    assert (anew.media_s, anew.frame, anew.track.foot) == (
        first[0].media_s,
        first[0].frame,
        first[0].track.foot,
    )
    assert c.totals.by_class == {CAR: (0, 0), TRUCK: (1, 0)}


@pytest.mark.parametrize(("before", "after", "expected"), [
    (CAR, TRUCK, [IN, IN_REVERTED]),  # of a class that does not count
    (TRUCK, CAR, [IN]),  # of one that does, after all
])  # fmt: skip
def test_a_change_between_classes_that_count_and_others(before, after, expected):
    c = counter(class_ids={CAR})
    events = told(c, [140 - 4 * k for k in range(21)], (), class_id=before)
    events += [e for k in range(21, 25) for e in seen(c, k, 60, class_id=after)]
    assert kinds(events) == expected
    assert c.totals.count_in == (after == CAR)


def test_only_the_last_passage_of_a_track_is_remembered():
    c = counter()
    xs = [140 - 4 * abs(20 - k % 40) for k in range(200)]
    events = told(c, xs, ())
    assert len(events) > 8
    assert [len(p) for p in c._passages.values()] == [1]
    assert len([e for e in seen(c, 200, xs[-1], class_id=CAR) if e.delta < 0]) == 1


steps = st.tuples(
    st.sampled_from([-60, -30, -4, 0, 4, 30, 60]),  # from the line, pixels
    st.booleans(),  # inferred
    st.sampled_from([PERSON, CAR]),
    st.booleans(),  # seen
)


@given(
    st.lists(st.dictionaries(st.integers(1, 3), steps), max_size=60),
    st.sampled_from([None, {CAR}]),
    st.integers(3, 20),
)
def test_the_totals_are_the_sum_of_all_deltas_whatever_happens(film, class_ids, life):
    c = counter(class_ids=class_ids)
    sums, by_class = {"in": 0, "out": 0}, {}
    for k, sightings in enumerate(film):
        age = k // life * 3  # all tracks end together, and others begin
        at = {age + n: s for n, s in sightings.items()}
        feet = {i: (100 + s[0], 100) for i, s in at.items()}
        ended = range(age - 2, age + 1) if k % life == 0 and age else []
        state = TrackState.TENTATIVE if k % life < 2 else TrackState.CONFIRMED
        tracks, instances = standing(feet, ended, state)
        mine = [at[i] for i in tracks.ids.tolist()]
        tracks = replace(
            tracks,
            flags=np.array([8 * s[1] for s in mine], np.uint8),
            class_ids=np.array([s[2] for s in mine], np.int32),
            instance=np.array([n if s[3] else -1 for n, s in enumerate(mine)], np.int32),
        )
        for e in c.update(Stamp(k, 0.1 * k), tracks, instances):
            sums[e.direction] += e.delta
            key = e.track.class_id, e.direction
            by_class[key] = by_class.get(key, 0) + e.delta
            assert (e.totals.count_in, e.totals.count_out) == (sums["in"], sums["out"])
            assert min(*sums.values(), *by_class.values()) >= 0
            for class_id, counts in e.totals.by_class.items():
                assert counts == tuple(by_class.get((class_id, d), 0) for d in ("in", "out"))
            assert class_ids is None or e.track.class_id in class_ids
        assert len(c._passages) <= len(c._live) <= 3
        assert all(len(p) == 1 for p in c._passages.values()) or state == TrackState.TENTATIVE
    assert (c.totals.count_in, c.totals.count_out) == (sums["in"], sums["out"])


# Synthetic scene -> tracker -> counter.


def counted(actors, line, times_s, noise=None, seed=0):
    t = Tracker(TrackerSettings(), CLASS_GROUPS, RIGID)
    c = LineCounter("gate", line, None, Band())
    for stamp, instances, _ in frames(actors, times_s, noise=noise, seed=seed):
        c.update(stamp, t.update(stamp, instances), instances)
    return c.totals


STREET = [
    Actor(PERSON, 24, 60, ((0.0, 30, 110), (6.0, 290, 115))),
    Actor(PERSON, 28, 70, ((0.5, 290, 200), (6.5, 30, 205))),
    Actor(PERSON, 26, 64, ((2.0, 20, 150), (5.0, 190, 150), (8.0, 20, 150))),  # turns back
    Actor(PERSON, 26, 64, ((4.0, 300, 230), (6.0, 200, 230))),  # vanishes before the line
    Actor(CAR, 90, 45, ((3.0, 40, 175), (6.0, 280, 175))),
    Actor(TRUCK, 120, 60, ((7.0, 270, 140), (10.0, 45, 140))),
]
MIDDLE = np.array([[160.0, 60.0], [160.0, 239.0]])


@pytest.mark.parametrize("fps", [4, 8, 15, 30])
@pytest.mark.parametrize("irregular", [0.0, 0.6])
def test_the_true_counts_of_a_street_at_any_frame_rate(fps, irregular):
    assert line_counts(STREET, MIDDLE) == (3, 3)
    totals = counted(STREET, MIDDLE, times(11, fps, irregular, seed=1))
    assert (totals.count_in, totals.count_out) == (3, 3)


def test_the_true_counts_with_an_imperfect_segmenter():
    noise = Noise(misses=0.05, jitter_px=0.8, low_scores=0.05)
    totals = counted(STREET, MIDDLE, times(11, 12), noise)
    assert (totals.count_in, totals.count_out) == (3, 3)


def test_a_crowd_is_counted_almost_exactly():
    actors = crowd(24, 60, seed=11)
    ins, outs = line_counts(actors, MIDDLE)
    totals = counted(actors, MIDDLE, times(70, 8), Noise(misses=0.02, jitter_px=0.5))
    assert ins + outs >= 20
    assert abs(totals.count_in - ins) + abs(totals.count_out - outs) <= 2


def test_an_empty_street_counts_nothing():
    c = counter()
    assert c.update(Stamp(0, 0.0), *standing({})) == []
    assert c.update(Stamp(1, 0.1), standing({})[0], rectangles([])) == []
    assert c.totals.by_class == {}
