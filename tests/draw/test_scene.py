from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import rectangles, tracks_of

from edge.draw import LineOverlay, Overlay, Trails, ZoneOverlay, draw, draw_instances
from edge.draw.colours import class_colour, colour
from edge.draw.pen import MASK_OPACITY
from edge.types import U8, Instances, Stamp, Tracks, TrackState

Window = tuple[int, int, int, int]


def scene(
    height: int, width: int, windows: list[Window], states: list[TrackState] | None = None
) -> tuple[Instances, Tracks]:
    """One filled instance and one track for each window; a lost track has no instance."""
    n = len(windows)
    instances = rectangles(windows, size_hw=(height, width))
    states = states or [TrackState.CONFIRMED] * n
    lost = np.array([s == TrackState.LOST for s in states], bool)
    tracks = tracks_of(
        instances.boxes,
        states=np.array(states, np.uint8),
        instance=np.where(lost, -1, np.arange(n)).astype(np.int32),
    )
    return instances, tracks


def ground(height: int = 360, width: int = 480) -> U8:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def changed(before: U8, after: U8) -> np.ndarray:
    return (before != after).any(2)


def test_nothing_to_draw_is_a_copy():
    image = ground()
    drawn = draw(image, *scene(360, 480, []), Overlay())
    assert (drawn == image).all()
    assert not np.shares_memory(drawn, image)


def test_the_given_picture_stays_as_it_is():
    image = ground()
    kept = image.copy()
    overlay = Overlay(("person",), [LineOverlay("a", ((9, 9), (99, 99)), 0, 0)], text="now")
    assert changed(image, draw(image, *scene(360, 480, [(100, 100, 150, 200)]), overlay)).any()
    assert (image == kept).all()


def test_only_confirmed_tracks_that_are_seen_are_drawn():
    states = [TrackState.TENTATIVE, TrackState.LOST, TrackState.CONFIRMED]
    windows = [(20, 100, 60, 200), (120, 100, 160, 200), (300, 100, 340, 200)]
    where = changed(ground(), draw(ground(), *scene(360, 480, windows, states), Overlay(("p",))))
    assert not where[:, :250].any()
    assert where[110:190, 305:335].mean() > 0.95


def test_a_mask_is_tinted_and_its_surroundings_are_not():
    image = np.full((360, 480, 3), 128, np.uint8)
    drawn = draw(image, *scene(360, 480, [(200, 100, 260, 220)]), Overlay(("person",)))
    inside = drawn[150, 230].astype(int) - 128
    towards = np.array(colour(1)) - 128
    assert (np.sign(inside) == np.sign(towards)).all()
    where = changed(image, drawn)
    where[80:230, 180:280] = False
    assert not where.any()


def test_edges_are_soft():
    image = np.full((360, 480, 3), 255, np.uint8)
    drawn = draw(image, *scene(360, 480, [(200, 100, 260, 220)]), Overlay(("p",)))
    across = drawn[160, 196:206, 0].astype(int)  # blue, from the outside in
    steps = set(across.tolist())
    assert len(steps) >= 4


def test_the_arrow_points_in():
    image = np.zeros((360, 480, 3), np.uint8)
    line = LineOverlay("gate", ((240, 20), (240, 340)), 3, 1)
    drawn = draw(image, *scene(360, 480, []), Overlay(lines=[line]))
    assert (drawn[180, 225:240] > 200).all()  # the shaft, towards smaller x
    assert not drawn[180, :215].any()


def test_a_crossing_flashes():
    image = np.zeros((360, 480, 3), np.uint8)
    drawn = [
        draw(
            image,
            *scene(360, 480, []),
            Overlay(lines=[LineOverlay("a", ((50, 90), (430, 90)), 1, 0, flash)]),
        )
        for flash in (False, True)
    ]
    assert changed(*drawn).sum() > 300


def test_zones_show_their_occupancy():
    image = ground()
    polygon = ((100, 100), (300, 120), (280, 300), (90, 280))
    drawn = [
        draw(image, *scene(360, 480, []), Overlay(zones=[ZoneOverlay("plaza", polygon, n)]))
        for n in (2, 3)
    ]
    where = changed(image, drawn[0])
    assert where[200, 150:250].mean() > 0.5
    assert not where[:80].any()
    assert 0 < changed(*drawn).sum() < 300  # the digit


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_place_and_size_it_draws(data):
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))

    def window() -> Window:
        x1, y1 = data.draw(st.integers(0, width)), data.draw(st.integers(0, height))
        return x1, y1, data.draw(st.integers(x1, width)), data.draw(st.integers(y1, height))

    windows = [window() for _ in range(data.draw(st.integers(0, 4)))]
    number = st.floats(-200, 200)
    points = st.lists(st.tuples(number, number), min_size=2, max_size=5)
    overlay = Overlay(
        ("person",),
        [LineOverlay("Entrée 門", data.draw(points), 1, 2, data.draw(st.booleans()))],
        [ZoneOverlay("z", data.draw(points), 0)],
        {1: np.array(data.draw(points), np.float32)},
        data.draw(st.text(max_size=5)),
    )
    drawn = draw(ground(height, width), *scene(height, width, windows), overlay)
    assert (drawn.shape, drawn.dtype) == ((height, width, 3), np.uint8)


def test_an_unknown_class_is_named_by_its_number():
    instances, tracks = scene(360, 480, [(200, 100, 260, 220)])
    assert changed(
        draw(ground(), instances, tracks, Overlay()),
        draw(ground(), instances, tracks, Overlay(("person",))),
    ).any()


@pytest.mark.parametrize("height", [360, 576, 720, 1080])
def test_labels_grow_with_the_picture(height):
    image = np.zeros((height, 2 * height, 3), np.uint8)
    rows = np.flatnonzero(
        draw(image, *scene(height, 2 * height, []), Overlay(text="I")).any((1, 2))
    )
    assert 0.024 < len(rows) / height < 0.05


# Trails


def walk(trails: Trails, media_s: float, x: int, ended: list[int] | None = None) -> dict:
    instances, tracks = scene(100, 500, [(x, 10, x + 10, 50)] if ended is None else [])
    del instances
    if ended is not None:
        empty = scene(100, 500, [])[1]
        values = {name: getattr(empty, name) for name in Tracks.__dataclass_fields__}
        tracks = Tracks(**{**values, "ended": np.array(ended, np.int64)})
    return trails.update(Stamp(0, media_s), tracks)


def test_trails_keep_the_recent_feet():
    trails = Trails(tail_s=1.0)
    for k in range(30):
        tails = walk(trails, k / 10, 10 * k)
    assert tails[1].dtype == np.float32
    assert tails[1][:, 0].tolist() == [10 * k + 5 for k in range(19, 30)]


def test_trails_forget_ended_tracks():
    trails = Trails()
    walk(trails, 0.0, 10)
    assert list(walk(trails, 0.1, 0, ended=[])) == [1]
    assert walk(trails, 0.2, 0, ended=[1, 77]) == {}
    assert trails._feet == {}


def test_trails_of_lost_tracks_fade():
    trails = Trails(tail_s=1.0)
    walk(trails, 0.0, 10)
    lost = scene(100, 500, [(20, 10, 30, 50)], [TrackState.LOST])[1]
    assert len(trails.update(Stamp(1, 0.5), lost)[1]) == 1
    assert trails.update(Stamp(2, 1.5), lost) == {}


def test_instances_in_the_colours_of_their_numbers():
    image = np.full((240, 320, 3), 90, np.uint8)
    before = image.copy()
    found = rectangles([(40, 60, 80, 160), (200, 60, 240, 160)])
    picture = draw_instances(image, found, ["#1", "#2"])
    assert (image == before).all()
    for k, x in enumerate((60, 220)):
        blend = np.rint(90 + MASK_OPACITY * (np.array(colour(k + 1)) - 90))
        assert np.abs(picture[110, x] - blend).max() <= 1
    assert (picture[200:] == 90).all()
    assert (draw_instances(image, rectangles([]), []) == image).all()


def test_neighbours_differ_inside_and_classes_at_the_rim():
    image = np.full((360, 480, 3), 128, np.uint8)
    instances, tracks = scene(360, 480, [(60, 100, 120, 220), (260, 100, 320, 220)])
    tracks = replace(tracks, class_ids=np.array([0, 2], np.int32))
    drawn = draw(image, instances, tracks, Overlay(("person", "bicycle", "car")))
    for k, x in enumerate((60, 260)):
        inside = drawn[180, x + 30].astype(int) - 128
        assert (np.sign(inside) == np.sign(np.array(colour(k + 1)) - 128)).all()
        rim = drawn[180, x - 2 : x + 2].astype(int)
        assert np.abs(rim - class_colour((0, 2)[k])).max(1).min() < 40
