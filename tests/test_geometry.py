from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import points, polylines

from edge import geometry

segments = st.tuples(points, points).filter(lambda s: s[0] != s[1])


def array(*rows):
    return np.array(rows, np.float64)


def cross(ax, ay, bx, by):
    return ax * by - ay * bx


def rational_crossing(p, q, line):
    """The same question in exact arithmetic."""
    met = []
    for (ax, ay), (bx, by) in pairwise(line):
        turn = cross(q[0] - p[0], q[1] - p[1], bx - ax, by - ay)
        if turn:
            share = Fraction(cross(ax - p[0], ay - p[1], bx - ax, by - ay), turn)
            along = Fraction(cross(ax - p[0], ay - p[1], q[0] - p[0], q[1] - p[1]), turn)
            if 0 < share <= 1 and 0 <= along <= 1:
                met.append(share)
    return min(met, default=None)


@given(points, points, polylines)
def test_a_crossing_equals_exact_arithmetic(p, q, line):
    share = geometry.crossing(array(*p), array(*q), array(*line))
    expected = rational_crossing(p, q, line)
    assert share == (None if expected is None else pytest.approx(float(expected), abs=1e-12))


@given(points, points, polylines)
def test_a_crossing_does_not_depend_on_the_line_s_direction(p, q, line):
    way = array(*p), array(*q)
    forth, back = geometry.crossing(*way, array(*line)), geometry.crossing(*way, array(*line[::-1]))
    assert forth == (None if back is None else pytest.approx(back, abs=1e-12))


@given(segments, segments)
def test_walking_back_meets_a_segment_at_the_same_place(way, line):
    p, q = array(*way)
    forth, back = geometry.crossing(p, q, array(*line)), geometry.crossing(q, p, array(*line))
    assume(forth is not None and back is not None)
    np.testing.assert_allclose(p + forth * (q - p), q + back * (p - q), atol=1e-9)


def test_a_way_that_ends_on_the_line_meets_it_and_one_that_starts_there_does_not():
    line = array((0, 5), (10, 5))
    assert geometry.crossing(array(3, 0), array(3, 5), line) == 1.0
    assert geometry.crossing(array(3, 5), array(3, 9), line) is None
    assert geometry.crossing(array(11, 0), array(11, 9), line) is None
    assert geometry.crossing(array(0, 5), array(9, 5), line) is None


@given(st.lists(points, min_size=1, max_size=5), segments)
def test_the_side_of_a_segment_is_its_cross_product(at, line):
    (ax, ay), (bx, by) = line
    length = np.hypot(bx - ax, by - ay)
    expected = [cross(x - ax, y - ay, bx - ax, by - ay) / length for x, y in at]
    distance = geometry.side_distance(array(*at), array(*line))
    np.testing.assert_allclose(distance, expected, atol=1e-9)
    flipped = geometry.side_distance(array(*at), array(*line[::-1]))
    np.testing.assert_allclose(flipped, np.negative(expected), atol=1e-9)


def test_left_is_the_left_hand_of_someone_who_walks_in_the_picture():
    left_of = {"down": (9, 5), "up": (1, 5), "right": (5, 1), "left": (5, 9)}
    ways = {"down": (5, 9), "up": (5, 1), "right": (9, 5), "left": (1, 5)}
    for name, end in ways.items():
        line = array((10 - end[0], 10 - end[1]), end)
        assert geometry.side_distance(array(left_of[name]), line)[0] > 0, name


@given(segments, points, st.floats(0, 2 * np.pi))
def test_both_sides_of_a_joint_are_told_apart(first, end, angle):
    a, b, c = array(*first, end)
    assume(tuple(b) != end)
    before, after = (b - a) / np.hypot(*(b - a)), (c - b) / np.hypot(*(c - b))
    turn = cross(*before, *after)
    assume(abs(turn) > 0.05)
    # Near the joint, what is nearer to it than to any other point lies outside of the bend. In
    # a picture, y downwards, a positive cross product turns right: outside is on the left.
    away = np.array([np.cos(angle), np.sin(angle)])
    if away @ before < 0 or away @ after > 0:
        away = before - after
    outer, inner = geometry.side_distance(
        array(b + 0.01 * away, b - 0.01 * (before - after)), array(a, b, c)
    )
    assert (outer > 0) == (turn > 0)
    assert (inner > 0) == (turn < 0)


def test_a_hairpin_has_one_outside():
    hairpin = array((0, 0), (10, 0), (0, 1))  # there and back again, further down: a right turn
    round_the_tip = array((11, -0.5), (11, 0), (11, 0.5), (12, 3), (5, -1), (5, 2))
    assert (geometry.side_distance(round_the_tip, hairpin) > 0).all()
    assert (geometry.side_distance(array((5, 0.1), (9, 0.05)), hairpin) < 0).all()


@given(polylines, st.integers(0, 3), st.floats(0.1, 0.9), st.sampled_from([-1e-3, 1e-3]))
def test_just_beside_a_piece_its_side_counts(line, piece, share, beside):
    piece %= len(line) - 1
    a, b = array(*line[piece : piece + 2])
    left = np.array([b[1] - a[1], a[0] - b[0]]) / np.hypot(*(b - a))
    point = a + share * (b - a) + beside * left
    others = [pair for k, pair in enumerate(pairwise(line)) if k != piece]
    gaps = [abs(geometry.polygon_distance(array(point), array(*pair))[0]) for pair in others]
    assume(all(gap > 0.1 for gap in gaps))
    assert geometry.side_distance(array(point), array(*line))[0] == pytest.approx(beside)


@st.composite
def stars(draw):
    """Simple polygons, float64 (K, 2): corners at rising angles round a centre."""
    radii = draw(st.lists(st.integers(5, 40), min_size=3, max_size=8))
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    corners = np.stack([np.cos(angles), np.sin(angles)], 1) * np.array(radii)[:, None]
    return corners.astype(np.float32).astype(np.float64) + 50


def naive_polygon_distance(point, polygon):
    gap, is_inside = np.inf, False
    for a, b in pairwise([*polygon, polygon[0]]):
        share = np.clip((point - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        gap = min(gap, float(np.hypot(*(point - a - share * (b - a)))))
        if (a[1] > point[1]) != (b[1] > point[1]):
            is_inside ^= point[0] < a[0] + (point[1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1])
    return gap if is_inside else -gap


@given(stars(), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=5))
def test_polygon_distance_equals_a_naive_one(polygon, at):
    near = np.array(at, np.float64).reshape(-1, 2)
    expected = [naive_polygon_distance(p, polygon) for p in near]
    distance = geometry.polygon_distance(near, polygon)
    np.testing.assert_allclose(distance, expected, atol=1e-3)
    np.testing.assert_allclose(
        geometry.polygon_distance(near, polygon[::-1].copy()), distance, atol=1e-3
    )


@given(stars())
def test_a_polygon_s_pixels_are_those_inside(polygon):
    mask = geometry.polygon_mask(polygon, 100, 100)
    ys, xs = np.mgrid[5:95:3, 5:95:3]
    centres = np.stack([xs.ravel() + 0.5, ys.ravel() + 0.5], 1)
    distance = geometry.polygon_distance(centres, polygon)
    is_set = mask[ys.ravel(), xs.ravel()]
    assert is_set[distance > 0.1].all()
    assert not is_set[distance < -1.5].any()  # pixels that the edge touches may be set too


def test_the_pixels_of_a_rectangle():
    mask = geometry.polygon_mask(array((2, 1), (5, 1), (5, 4), (2, 4)), 6, 7)
    assert mask.shape == (6, 7)
    assert mask[1:4, 2:5].all()
    assert mask.sum() <= 16  # the edge may take the next pixel along
