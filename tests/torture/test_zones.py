"""Zones: every visit once, whatever happens at their edge."""

from __future__ import annotations

import pytest
from replay import FASTER, TWO_RATES, YARD, film, flipped, person, pixels, played, true_visits

from edge.testing import CAR, UNSEEN, Actor, Noise, times, zone_visits

ZONES = {"yard": YARD}  # x 96..224, y 72..228


def visits(actors, fps, duration_s, noise=None, seed=0):
    seen = film(actors, times(duration_s, fps), noise=noise, seed=seed)
    return played(seen, zones=ZONES).counts("yard")


@TWO_RATES
@pytest.mark.parametrize(
    ("path", "total"),
    [
        (((0, 20, 180), (5, 300, 180)), 1),  # through
        (((0, 20, 180), (2, 160, 180), (4, 20, 180)), 1),  # in and back
        (((0, 20, 60), (5, 300, 60)), 0),  # past it
        (((0, 160, 180), (3, 160, 180), (5, 300, 180)), 1),  # begins inside
        (((0, 20, 180), (2, 160, 180), (4, 160, 180)), 1),  # vanishes inside
        (((0, 20, 150), (3, 160, 150), (6, 300, 150), (9, 160, 150), (12, 20, 150)), 2),
    ],
)  # fmt: skip
def test_visits(fps, way, path, total):
    walker = flipped([person(*path)], way)
    assert true_visits(walker) == (total, total)
    assert visits(walker, fps, path[-1][0] + 3) == (total, total)


@pytest.mark.parametrize("fps", [5, 10, 25])
def test_how_long_a_visit_is(fps):
    walker = person((0, 20, 180), (2, 160, 180), (6, 160, 180), (8, 300, 180))
    (visit,) = zone_visits([walker], pixels(YARD))
    outcome = played(film([walker], times(9, fps)), zones=ZONES)
    (leaving,) = (e for e in outcome.events if e.kind == "zone_exited")
    assert leaving.dwell_s == pytest.approx(visit.left_s - visit.entered_s, abs=0.25 + 1 / fps)


@FASTER
def test_a_u_turn_on_the_edge_is_no_visit(fps, way):
    walker = flipped([person((0, 20, 180), (2, 97, 180), (4, 20, 180))], way)
    assert visits(walker, fps, 5) == (0, 0)


@FASTER
def test_hidden_while_entering_and_while_inside(fps, way):
    """Two pillars: one on the edge, one in the middle."""
    walker = person((0, 20, 180), (5, 300, 180))
    pillars = [Actor(UNSEEN, 40, 230, ((0, x, 239), (99, x, 239))) for x in (96, 165)]
    assert visits(flipped([walker, *pillars], way), fps, 8) == (1, 1)


@FASTER
def test_two_who_melt_on_the_edge_and_split_inside(fps, way):
    two = [
        person((0, 10, 180), (2, 101, 180), (4, 130, 160), (8, 300, 160)),
        person((0, 50, 187), (2, 92, 187), (4, 150, 200), (8, 290, 210)),
    ]
    noise = Noise(merge_overlap=0.1)
    assert visits(flipped(two, way), fps, 11, noise) == (2, 2)


@FASTER
@pytest.mark.parametrize("seed", [1, 2])
def test_misses_jitter_duplicates_and_low_scores(fps, way, seed):
    actors = [
        person((0, 20, 150), (5, 300, 150)),
        person((0.5, 300, 215), (6, 20, 215)),
        Actor(CAR, 80, 40, ((1, 330, 100), (4, 160, 100), (7, 160, 100), (10, 330, 100))),
    ]
    noise = Noise(misses=0.08, jitter_px=0.8, duplicates=0.2, low_scores=0.1, class_flips=0.2)
    assert visits(flipped(actors, way), fps, 13, noise, seed) == (3, 3)


@pytest.mark.parametrize(("fps", "seed"), [(2, 1), (5, 2), (10, 3)])
def test_who_stays_for_minutes_has_entered_once(fps, seed):
    stay_s = 240 / fps
    guest = person((0, 20, 180), (2, 160, 180), (2 + stay_s, 165, 180), (4 + stay_s, 300, 180))
    noise = Noise(misses=0.05, jitter_px=1.0, low_scores=0.1)
    assert visits([guest], fps, stay_s + 7, noise, seed) == (1, 1)
