"""What a segmenter hides, melts, doubles and doubts, just where it matters."""

from __future__ import annotations

from itertools import pairwise

import pytest
from replay import FASTER, RATES, film, flipped, once, person, played

from edge.testing import CAR, UNSEEN, Actor, Noise, labelled_frames, times

FOOT_Y = 180.0
AT_THE_LINE = (130, 0, 190, 240)


def pillar(width_px: float) -> Actor:
    """Hides the line and what is near it."""
    return Actor(UNSEEN, width_px, 230, ((0, 160, 239), (99, 160, 239)))


def hidden_s(actors, fps):
    """How long the first actor is not to be seen, of all the time it is there."""
    seen = [
        stamp.media_s
        for stamp, _, members in labelled_frames(actors, times(6, fps))
        if any(1 in m for m in members)
    ]
    return max(b - a for a, b in pairwise(seen))


@RATES
@pytest.mark.parametrize("width_px", [44, 60])
def test_hidden_while_crossing(fps, way, width_px):
    walker = person((0, 20, FOOT_Y), (5, 300, FOOT_Y))
    actors = flipped([walker, pillar(width_px)], way)
    assert 0.4 < hidden_s(actors, 25) < 0.9
    assert played(film(actors, times(6, fps))).counts() == once(way)


@FASTER
def test_hidden_for_a_second_while_crossing(fps, way):
    walker = person((0, 20, FOOT_Y), (5, 300, FOOT_Y))
    assert played(film(flipped([walker, pillar(76)], way), times(6, fps))).counts() == once(way)


@FASTER
def test_hidden_while_crossing_by_a_bus_that_comes_the_other_way(fps, way):
    walker = person((0, 20, FOOT_Y), (5, 300, FOOT_Y))
    bus = Actor(CAR, 150, 120, ((0, 300, 232), (5, 20, 232)))
    actors = flipped([walker, bus], way)
    assert hidden_s(actors, 25) > 0.4
    assert played(film(actors, times(6, fps))).counts() == (1, 1)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(("fps", "gap_s"), [(2, 0.8), (5, 0.6), (5, 1.0), (10, 1.0), (25, 1.0)])
def test_not_found_while_crossing(fps, way, gap_s):
    walker = flipped([person((0, 20, FOOT_Y), (5, 300, FOOT_Y))], way)
    when = times(5, fps)
    seen, gone = film(walker, when), film([], when)
    both = [
        b if abs(a[0].media_s - 2.5) < gap_s / 2 else a for a, b in zip(seen, gone, strict=True)
    ]
    assert played(both).counts() == once(way)


@FASTER
def test_two_who_pass_each_other_behind_a_pillar_on_the_line(fps, way):
    two = [person((0, 20, 180), (5, 300, 180)), person((0, 300, 186), (5, 20, 186))]
    assert played(film(flipped([*two, pillar(50)], way), times(6, fps))).counts() == (1, 1)


@FASTER
def test_two_who_follow_each_other_behind_a_pillar_on_the_line(fps, way):
    two = [person((t, 20, 180), (t + 5, 300, 180)) for t in (0.0, 0.7)]
    assert played(film(flipped([*two, pillar(50)], way), times(7, fps))).counts() == once(way, 2)


MELTING = Noise(merge_overlap=0.1)


def merges_on_the_line(actors, fps=25):
    """Whether there is a frame with somebody's instance on the line that holds two or more."""
    return any(
        len(m) > 1 and box[0] < 160 < box[2]
        for _, instances, members in labelled_frames(actors, times(5, fps), noise=MELTING)
        for m, box in zip(members, instances.boxes.tolist(), strict=True)
    )


@FASTER
def test_neighbours_that_melt_on_the_line_and_split_again(fps, way):
    """One catches up with the other just before the line and falls back just after it."""
    steady = person((0, 80, 180), (2, 165, 180), (4, 250, 180))
    quick = person((0, 20, 186), (2, 153, 186), (4, 190, 186))
    two = flipped([steady, quick], way)
    assert merges_on_the_line(two)
    assert played(film(two, times(4, fps), noise=MELTING)).counts() == once(way, 2)


@FASTER
@pytest.mark.parametrize("duration_s", [4, 8])
def test_neighbours_that_meet_melt_on_the_line_and_pass_each_other(fps, way, duration_s):
    two = [
        person((0, 40, 180), (duration_s, 280, 180)),
        person((0, 280, 187), (duration_s, 40, 187)),
    ]
    assert merges_on_the_line(two)
    seen = film(flipped(two, way), times(duration_s, fps), noise=MELTING)
    assert played(seen).counts() == (1, 1)


@FASTER
def test_neighbours_that_meet_melt_and_one_turns_back(fps, way):
    """One passes; the other comes from the same side, waits at the line and goes back."""
    passing = person((0, 20, 180), (5, 300, 180))
    waiting = person((0, 70, 186), (2, 146, 186), (3, 146, 186), (5, 70, 186))
    two = flipped([passing, waiting], way)
    assert merges_on_the_line(two)
    assert played(film(two, times(5, fps), noise=MELTING)).counts() == once(way)


@FASTER
def test_three_that_melt_on_the_line_and_split_again(fps, way):
    three = [
        person((0, 20 + 50 * k, 170 + 8 * k), (2, 150 + 12 * k, 170 + 8 * k),
               (4, 200 + 45 * k, 170 + 8 * k))
        for k in range(3)
    ]  # fmt: skip
    assert merges_on_the_line(three)
    seen = film(flipped(three, way), times(4, fps), noise=MELTING)
    assert played(seen).counts() == once(way, 3)


@RATES
@pytest.mark.parametrize("seed", [1, 2])
def test_duplicate_instances(fps, way, seed):
    walkers = [person((0, 20, 180), (5, 300, 180)), person((0.5, 300, 110), (5, 20, 110))]
    seen = film(flipped(walkers, way), times(6, fps), noise=Noise(duplicates=0.6), seed=seed)
    assert played(seen).counts() == (1, 1)


@RATES
@pytest.mark.parametrize("seed", [1, 2])
def test_low_scores_at_the_line(fps, way, seed):
    """0.15 to 0.4 on 60 px round the line: some of them too low for anything."""
    walkers = [person((0, 20, 180), (4, 300, 180)), person((0.5, 300, 110), (4.5, 20, 110))]
    noise = Noise(weak_windows=(AT_THE_LINE,))
    assert played(film(flipped(walkers, way), times(5, fps), noise=noise, seed=seed)).counts() == (
        1,
        1,
    )


@FASTER
@pytest.mark.parametrize("seed", [1, 2])
def test_misses_and_jitter(fps, way, seed):
    walkers = [person((0, 20, 180), (5, 300, 180)), person((0, 300, 110), (5, 20, 110))]
    noise = Noise(misses=0.1, jitter_px=1.0, shape_jitter=0.05, low_scores=0.1)
    assert played(film(flipped(walkers, way), times(6, fps), noise=noise, seed=seed)).counts() == (
        1,
        1,
    )


@pytest.mark.parametrize("fps", [2, 5, 10, 25])
@pytest.mark.parametrize("seed", [1, 2])
def test_ghosts_are_no_passages(fps, seed):
    walkers = [person((0, 20, 180), (5, 300, 180))]
    seen = film(walkers, times(6, fps), noise=Noise(ghosts=0.5), seed=seed)
    assert played(seen).counts() == (0, 1)
