"""Where the line is, and which way somebody goes: every count exact, at every frame rate."""

from __future__ import annotations

import pytest
from replay import (
    ACROSS,
    EVERY_RATE,
    FASTER,
    MIDDLE,
    RATES,
    TWO_RATES,
    film,
    flipped,
    once,
    person,
    played,
    true_counts,
)

from edge.testing import CAR, Actor, times


@pytest.mark.parametrize("fps", [2, 10])
@pytest.mark.parametrize(
    ("line", "start", "end"),
    [
        (MIDDLE, (20, 170), (300, 180)),
        (MIDDLE, (300, 150), (20, 200)),
        (MIDDLE[::-1], (20, 170), (300, 180)),
        (ACROSS, (100, 70), (120, 230)),
        (ACROSS, (200, 235), (180, 80)),
        (ACROSS[::-1], (200, 235), (180, 80)),
        (((0.2, 0.2), (0.8, 0.95)), (60, 220), (250, 80)),
        (((0.8, 0.95), (0.2, 0.2)), (60, 220), (250, 80)),
    ],
)  # fmt: skip
def test_one_walker_over_a_line_of_any_direction(line, start, end, fps):
    walker = [person((0, *start), (4, *end))]
    expected = true_counts(walker, line)
    assert sum(expected) == 1
    assert played(film(walker, times(5, fps)), {"gate": line}).counts() == expected


@EVERY_RATE
def test_two_who_meet_on_the_line(fps, way):
    two = [person((0, 40, 170), (4, 280, 170)), person((0, 280, 190), (4, 40, 190))]
    assert played(film(flipped(two, way), times(4, fps))).counts() == (1, 1)


@RATES
def test_two_side_by_side_in_one_direction_over_the_line(fps, way):
    two = [person((0, 40, 170), (4, 280, 170)), person((0, 48, 195), (4, 288, 195))]
    assert played(film(flipped(two, way), times(4, fps))).counts() == once(way, 2)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(
    ("fps", "depth_px"),
    [(2, 90), (5, 20), (5, 90), (10, 20), (25, 20)],
)  # at 2 fps, 20 px would show in one frame only, like a flicker
def test_a_u_turn_beyond_the_line_counts_both_ways(fps, way, depth_px):
    walker = [person((0, 50, 180), (3, 160 + depth_px, 180), (6, 50, 180))]
    assert played(film(flipped(walker, way), times(6, fps))).counts() == (1, 1)


@RATES
def test_a_u_turn_before_the_line_counts_nothing_though_the_mask_touches_it(fps, way):
    walker = [person((0, 50, 180), (2, 153, 180), (4, 50, 180))]
    assert played(film(flipped(walker, way), times(4, fps))).counts() == (0, 0)


@EVERY_RATE
def test_to_and_fro_counts_every_time(fps, way):
    path = [(2.0 * k, 100 if k % 2 else 220, 180) for k in range(4)]
    path[-1] = (7.0, 40, 180)  # in the end clearly away
    counts = played(film(flipped([person(*path)], way), times(7, fps))).counts()
    assert counts == ((2, 1) if way > 0 else (1, 2))


@EVERY_RATE
def test_who_starts_on_the_line_and_leaves_it_has_not_passed(fps, way):
    walker = [person((0, 160, 180), (1, 160, 180), (4, 280, 180))]
    assert played(film(flipped(walker, way), times(4, fps))).counts() == (0, 0)


@RATES
def test_who_stops_on_the_line_has_not_passed(fps, way):
    walker = [person((0, 40, 180), (3, 160, 180), (5, 160, 180))]
    assert played(film(flipped(walker, way), times(5, fps))).counts() == (0, 0)


@EVERY_RATE
def test_who_starts_astride_the_line_and_crosses_it_has_passed(fps, way):
    """The mask lies on both sides from the first frame; the foot is clear of the line."""
    car = [Actor(CAR, 100, 50, ((0, 140, 180), (1, 140, 180), (3, 240, 180)))]
    assert played(film(flipped(car, way), times(3, fps))).counts() == once(way)


@RATES
def test_who_ends_astride_the_line_after_crossing_it_has_passed(fps, way):
    car = [Actor(CAR, 100, 50, ((0, 60, 180), (2, 180, 180), (4, 180, 180)))]
    assert played(film(flipped(car, way), times(4, fps))).counts() == once(way)


@RATES
@pytest.mark.parametrize("sightings", [3, 4])
def test_who_is_clearly_beyond_three_times_and_then_gone_has_passed(fps, way, sightings):
    """The next frames show nobody: what three sightings told must be enough."""
    step_s, step_px = 1 / fps, 12.0
    path = [(k * step_s, 160 + (k - 6.4) * step_px, 180.0) for k in range(7 + sightings)]
    walker = flipped([person(*path)], way)
    when = [k * step_s for k in range(7 + sightings)] + [9.0 + k * step_s for k in range(4)]
    assert played(film(walker, when)).counts() == once(way)


@pytest.mark.parametrize(("fps", "way"), [(10, 1), (25, -1), (60, 1)])
@pytest.mark.parametrize("inward", [True, False])
def test_a_line_near_the_side_border(fps, way, inward):
    """Both sides of it are wide enough for a foot, but not for a whole mask."""
    line = ((0.06, 0.0), (0.06, 1.0)) if way > 0 else ((0.94, 0.0), (0.94, 1.0))  # 19 px
    path = ((0, -20, 180), (3, 110, 180)) if inward else ((0, 110, 180), (3, -20, 180))
    walker = flipped([person(*path)], way)
    expected = true_counts(walker, line)
    assert sum(expected) == 1
    assert played(film(walker, times(4, fps)), {"gate": line}).counts() == expected


@pytest.mark.parametrize("fps", [5, 10, 25])
@pytest.mark.parametrize("is_down", [True, False])
def test_a_line_near_the_bottom_border(fps, is_down):
    """Feet leave the frame just below it."""
    line = ((0.0, 0.93), (1.0, 0.93))  # 17 px above the border
    path = [(150, 120), (170, 290)][:: 1 if is_down else -1]
    walker = [person(*((4.0 * k, *p) for k, p in enumerate(path)))]
    expected = true_counts(walker, line)
    assert expected == ((1, 0) if is_down else (0, 1))
    assert played(film(walker, times(4, fps)), {"gate": line}).counts() == expected


@TWO_RATES
@pytest.mark.parametrize(("y", "passes"), [(100, 0), (112, 0), (128, 1), (140, 1)])
def test_passing_beyond_the_end_within_the_extension_counts_nothing(fps, way, y, passes):
    line = ((0.5, 0.5), (0.5, 1.0))  # ends at y = 120
    walker = flipped([person((0, 40, y), (4, 280, y))], way)
    assert sum(played(film(walker, times(4, fps)), {"gate": line}).counts()) == passes


@RATES
def test_walking_round_the_end_and_back_over_the_line(fps, way):
    line = ((0.5, 0.6), (0.5, 1.0))  # ends at y = 144
    path = [(0, 100, 200), (2, 100, 110), (4, 220, 110), (6, 220, 200), (9, 80, 200)]
    walker = flipped([person(*path)], way)
    expected = true_counts(walker, line)
    assert sum(expected) == 1
    assert played(film(walker, times(9, fps)), {"gate": line}).counts() == expected


CORNER = ((0.25, 0.9), (0.25, 0.55), (0.75, 0.55))  # up, then right: y 216..132, x 80..240


@TWO_RATES
@pytest.mark.parametrize(
    ("path", "total"),
    [
        (((0, 30, 180), (4, 180, 180)), 1),  # over the first piece
        (((0, 180, 80), (4, 180, 190)), 1),  # over the second
        (((0, 40, 90), (4, 150, 200)), 1),  # close by the corner
        (((0, 30, 180), (3, 150, 180), (6, 150, 80)), 2),  # in by one, out by the other
        (((0, 30, 180), (3, 150, 180), (6, 10, 180)), 2),  # U-turn
        (((0, 40, 200), (3, 40, 90), (6, 200, 90)), 0),  # round the corner, outside
        (((0, 110, 215), (3, 110, 165), (6, 220, 165)), 0),  # inside
    ],
)  # fmt: skip
def test_a_corner_of_a_polyline(fps, way, path, total):
    line = CORNER if way > 0 else tuple((1 - x, y) for x, y in CORNER)
    walker = flipped([person(*path, tall=50)], way)
    expected = true_counts(walker, line)
    assert sum(expected) == total
    assert played(film(walker, times(6, fps)), {"gate": line}).counts() == expected


@pytest.mark.parametrize("fps", [2, 5, 10])  # at 10 fps 12 car lengths a second: a motorway
@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("size", [(100, 50), (130, 90)])
def test_a_vehicle_that_jumps_120_px_a_frame(fps, way, size):
    """No frame shows it within the band."""
    car = [Actor(CAR, *size, ((0, -30, 180), (8 / fps, 930, 180)))]
    for offset in (0.0, 0.3, 0.6):
        when = [(k + offset) / fps for k in range(9)]
        seen = film(flipped(car, way, 960), when, (240, 960))
        assert played(seen, size_hw=(240, 960)).counts() == once(way)


@pytest.mark.parametrize(("fps", "way"), [(2, 1), (5, -1), (10, 1)])
def test_a_column_of_vehicles_that_jump_120_px_a_frame(fps, way):
    cars = [
        Actor(CAR, 100, 50, ((k * 3 / fps, -30, 180), ((k * 3 + 8) / fps, 930, 180)))
        for k in range(4)
    ]
    seen = film(flipped(cars, way, 960), [k / fps for k in range(20)], (240, 960))
    assert played(seen, size_hw=(240, 960)).counts() == once(way, 4)


@pytest.mark.parametrize("fps", [2, 5])
@pytest.mark.parametrize("way", [1, -1])
def test_a_runner_who_jumps_over_the_band_in_one_frame(fps, way):
    """40 px a frame, 60 px tall: seen 20 px to either side of the line, never nearer."""
    path = [(k / fps, 20.0 + 40 * k, 180.0) for k in range(8)]  # ... 140, 180 ...
    walker = flipped([person(*path)], way)
    assert played(film(walker, [k / fps for k in range(8)])).counts() == once(way)


@pytest.mark.parametrize(("fps", "way"), [(2, 1), (2, -1), (5, -1), (10, 1), (25, -1)])
def test_twelve_abreast_walk_over_the_line_at_once(fps, way):
    size_hw, ys = (300, 420), (90, 270)[::way]
    twelve = [person((0, 45 + 30 * k, ys[0]), (4, 45 + 30 * k, ys[1])) for k in range(12)]
    outcome = played(film(twelve, times(4, fps), size_hw), {"gate": ACROSS}, size_hw=size_hw)
    assert outcome.counts() == once(-way, 12)


@FASTER
def test_twelve_in_depth_walk_over_the_line_at_once(fps, way):
    """Each hides most of the one behind."""
    twelve = [person((0, 40, 160 + 26 * k), (5, 280, 160 + 26 * k)) for k in range(12)]
    seen = film(flipped(twelve, way), times(5, fps), (480, 320))
    assert played(seen, size_hw=(480, 320)).counts() == once(way, 12)


@FASTER
def test_streams_in_both_directions(fps, way):
    """Six each way, in lanes that hide each other's feet."""
    there = [person((0.7 * k, 10, 170), (0.7 * k + 4, 310, 170)) for k in range(6)]
    back = [person((0.7 * k, 310, 200), (0.7 * k + 4, 10, 200)) for k in range(6)]
    assert played(film(flipped(there + back, way), times(8, fps))).counts() == (6, 6)


def test_three_lines_count_independently():
    walkers = [person((0, 20, 180), (5, 300, 180)), person((0, 300, 210), (5, 20, 210))]
    lines = {name: ((x, 0.0), (x, 1.0)) for name, x in (("a", 0.3), ("b", 0.5), ("c", 0.7))}
    outcome = played(film(walkers, times(5, 10)), lines)
    assert [outcome.counts(name) for name in lines] == [(1, 1)] * 3
