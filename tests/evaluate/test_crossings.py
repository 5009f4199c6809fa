"""True crossings from paths, and one-to-one matching of events."""

import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.evaluate.counts import totals
from edge.evaluate.crossings import Crossing, Line, match_quality, passages, true_crossings
from edge.evaluate.trackfiles import BoxRows, read_boxes

SHARED = Path(os.environ.get("EDGECOUNT_SHARED", Path(__file__).parents[2].parent / "shared"))
DOWN = Line("door", (50.0, 0.0), (50.0, 100.0))  # who walks down it has the left side on the right


def walk(*points, height=20.0, line=DOWN):
    path = np.array(points, np.float64)
    return passages(path, np.full(len(path), height), np.arange(len(path), dtype=np.float64), line)


@pytest.mark.parametrize(
    ("a", "b", "start", "end"),
    [
        ((50, 0), (50, 100), (60, 50), (40, 50)),  # looking down: left hand points right
        ((50, 100), (50, 0), (40, 50), (60, 50)),  # up
        ((0, 50), (100, 50), (50, 40), (50, 60)),  # to the right: left hand points up
        ((100, 50), (0, 50), (50, 60), (50, 40)),
    ],
)
def test_in_leads_from_the_left_hand_to_the_right(a, b, start, end):
    line = Line("x", a, b)
    assert walk(start, end, line=line) == [("in", 0.5)]
    assert walk(end, start, line=line) == [("out", 0.5)]


def test_the_time_is_interpolated():
    assert walk((60, 50), (52, 50), (44, 50)) == [("in", 1.25)]


def test_round_the_end_counts_nothing():
    assert walk((60, 50), (60, 120), (40, 120), (40, 50)) == []
    assert walk((40, 120), (60, 120)) == []


def test_jitter_on_the_line_counts_nothing_and_a_passage_through_it_once():
    jitter = [(50.9, 50), (49.1, 50)] * 4
    assert walk((60, 50), *jitter, (60, 50)) == []
    assert [d for d, _ in walk((60, 50), *jitter, (40, 50))] == ["in"]
    assert walk(*jitter) == []


def test_born_on_the_line_counts_nothing():
    assert walk((50.5, 50), (40, 50)) == []


def test_there_and_back_counts_twice():
    assert walk((60, 50), (40, 50), (60, 50)) == [("in", 0.5), ("out", 1.5)]


points = st.lists(st.tuples(*[st.floats(-20, 120, width=32)] * 2), min_size=2, max_size=12)


@given(points)
@settings(max_examples=200, deadline=None)
def test_walking_backwards_swaps_in_and_out(path):
    forth, back = walk(*path), walk(*path[::-1])
    swapped = {"in": "out", "out": "in"}
    assert [d for d, _ in forth] == [swapped[d] for d, _ in back][::-1]


@given(points)
@settings(max_examples=200, deadline=None)
def test_a_closed_path_comes_out_even_on_an_endless_line(path):
    endless = Line("x", (50.0, -1e6), (50.0, 1e6))
    there = [p for p in path if abs(p[0] - 50) > 1.5]
    found = [d for d, _ in walk(*there, *there[:1], line=endless)] if len(there) > 1 else []
    assert found.count("in") == found.count("out")


@given(points, st.integers(0, 10), st.floats(0.1, 0.9))
@settings(max_examples=200, deadline=None)
def test_more_frames_on_a_straight_piece_change_nothing(path, at, share):
    k = at % (len(path) - 1)
    between = np.array(path[k]) + share * (np.array(path[k + 1]) - np.array(path[k]))
    finer = [*path[: k + 1], tuple(between), *path[k + 1 :]]
    low = 1e-9  # no band: a point inside one may make it another path
    expected = [d for d, _ in walk(*path, height=low)]
    # On the line itself or at its ends the last digit decides.
    assume(min(abs(x - 50) for x, _ in finer) > 1e-6)
    assert [d for d, _ in walk(*finer, height=low)] == expected


def test_boxes_become_feet_inside_the_frame_and_gaps_are_straight():
    boxes = np.array([[55, 80, 65, 120], [35, 80, 45, 120], [0, 0, 9, 9]], np.float32)
    considered = np.array([True, True, False])
    truth = BoxRows(np.array([1, 11, 1]), np.array([7, 7, 8]), boxes, considered)
    (crossing,) = true_crossings(truth, [DOWN], fps=10, frame_wh=(100, 100))
    assert crossing == Crossing("door", "in", 0.5, 7)
    assert totals([crossing], ["door", "gate"]) == {
        "door": {"in": 1, "out": 0},
        "gate": {"in": 0, "out": 0},
    }


def at(*times, direction="in", line="a"):
    return [Crossing(line, direction, t, 0) for t in times]


def test_matching_by_line_direction_and_time():
    truth = at(1.0, 5.0) + at(1.0, direction="out") + at(3.0, line="b")
    said = at(1.5, 5.0, 5.2) + at(9.0, direction="out") + at(3.0, line="c")
    a, b, c, every = match_quality(truth, said)
    assert (a.matched, a.missed, a.spurious, a.time_error_s) == (2, 1, 2, 0.25)
    assert (a.precision, a.recall, a.f1) == (0.5, 2 / 3, pytest.approx(4 / 7))
    assert (b.matched, b.missed, b.spurious) == (0, 1, 0)
    assert (c.matched, c.missed, c.spurious) == (0, 0, 1)
    assert (every.line, every.matched, every.missed, every.spurious) == ("all", 2, 2, 3)
    assert math.isnan(b.precision)
    assert math.isnan(c.recall)


def test_nothing_to_match():
    (every,) = match_quality([], [])
    assert math.isnan(every.f1)
    assert math.isnan(every.time_error_s)


moments = st.lists(st.integers(0, 12).map(lambda k: k / 4), max_size=5)


@given(moments, moments)
@settings(max_examples=150, deadline=None)
def test_as_many_as_possible_match(true_s, said_s):
    most = max(
        sum(abs(t - s) <= 1 for t, s in zip(order, said_s, strict=False))
        for order in itertools.permutations([*true_s, *[99.0] * len(said_s)], len(said_s))
    )
    assert match_quality(at(*true_s), at(*said_s))[-1].matched == most


@pytest.mark.shared
def test_the_lines_of_the_sample_clip():
    truth = read_boxes(SHARED / "data/tracking/pets09-s2l1/gt.txt")
    lines = [Line(str(x), (x * 768, 0.0), (x * 768, 576.0)) for x in (0.5, 0.651, 0.3255)]
    found = true_crossings(truth, lines, fps=10, frame_wh=(768, 576))
    assert totals(found, [a.name for a in lines]) == {
        "0.5": {"in": 18, "out": 14},
        "0.651": {"in": 19, "out": 14},
        "0.3255": {"in": 12, "out": 8},
    }
