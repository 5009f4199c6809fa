"""Staying on the line for minutes and hours: not one count."""

from __future__ import annotations

import pytest
from replay import ACROSS, MIDDLE, YARD, film, flipped, once, person, played

from edge.testing import CAR, Actor, Noise, times

SHAKY = Noise(misses=0.2, jitter_px=1.0, shape_jitter=0.04, low_scores=0.2)


@pytest.mark.parametrize(("fps", "minutes"), [(2, 2), (5, 1), (25, 0.2)])
@pytest.mark.parametrize(("line", "seed"), [(MIDDLE, 1), (ACROSS, 2)])
def test_hovering_on_the_line_for_minutes_counts_nothing(fps, minutes, seed, line):
    x, y = (160, 190) if line == MIDDLE else (100, 144)
    end_s = minutes * 60
    stays = person((0, x, y), (end_s, x + 1, y))
    outcome = played(film([stays], times(end_s, fps), noise=SHAKY, seed=seed), {"gate": line})
    assert outcome.counts() == (0, 0)


@pytest.mark.parametrize(("fps", "way"), [(2, 1), (5, -1), (10, 1), (25, -1)])
@pytest.mark.parametrize("is_passing", [True, False])
def test_who_waits_on_the_line_counts_by_where_they_go(fps, way, is_passing):
    wait_s = 150.0 / fps
    there = 280 if is_passing else 40
    walker = person((0, 40, 180), (2, 160, 180), (2 + wait_s, 160, 180), (4 + wait_s, there, 180))
    noise = Noise(misses=0.05, jitter_px=1.0)
    seen = film(flipped([walker], way), times(5 + wait_s, fps), noise=noise, seed=3)
    assert played(seen).counts() == (once(way) if is_passing else (0, 0))


def test_four_hours_on_the_line_with_a_new_id_in_every_frame():
    """A frame every 40 s: a car at a stop line, as in opendatacam/opendatacam#204."""
    car = Actor(CAR, 100, 50, ((0, 160, 180), (14400, 160, 180)))
    noise = Noise(jitter_px=1.0, shape_jitter=0.03)
    outcome = played(film([car], times(14400, 0.025), noise=noise, seed=1))
    assert outcome.counts() == (0, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_minutes_on_the_line_with_a_new_id_every_few_seconds(seed):
    """Not found for 2 s in every 5: each time another track, born on the line."""
    car = Actor(CAR, 100, 50, ((0, 160, 180), (120, 160, 180)))
    seen = film([car], times(120, 4), noise=Noise(jitter_px=1.0, shape_jitter=0.03), seed=seed)
    gone = film([], times(120, 4))
    both = [(b if a[0].media_s % 5 >= 3 else a) for a, b in zip(seen, gone, strict=True)]
    outcome = played(both)
    assert len(outcome.confirmed) >= 20
    assert outcome.counts() == (0, 0)


@pytest.mark.parametrize("fps", [5, 25])
def test_lingering_on_the_edge_of_a_zone_enters_at_most_once(fps):
    stays = person((0, 160, 72), (200 / fps, 161, 72))  # the upper edge of the zone is at y = 72
    seen = film([stays], times(200 / fps, fps), noise=SHAKY, seed=5)
    entries, exits = played(seen, zones={"yard": YARD}).counts("yard")
    assert entries <= 1
    assert exits <= entries
