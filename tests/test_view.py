"""Pictures for the page: drawn from a step and what the page knows of its rules."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
from told import event

from edge.types import Stamp, Wall
from edge.view import LONGEST_PX, Painter, Scene, View
from edge.web.board import Board, Rule
from edge.web.pictures import PLAIN, Pictures

RULES = {
    "gate": [
        Rule("gate", "line", ((0.5, 0.0), (0.5, 1.0))),
        Rule("hall", "zone", ((0.1, 0.1), (0.4, 0.1), (0.4, 0.9))),
    ]
}


def painter(board: Board | None = None) -> Painter:
    return Painter(lambda: RULES, board or Board(), ("person",))


def picture(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_rules_and_tracks_are_drawn_on_the_frame_which_stays_as_it_is(make_step):
    step = make_step(0, [(100, 100, 140, 160)], size=(640, 480), with_image=True)
    before = step.image.copy()
    shown = picture(painter().jpeg("gate", Scene(step, 1)))
    assert shown.shape == (480, 640, 3)
    assert np.array_equal(step.image, before)
    plain = picture(
        painter().jpeg("yard", Scene(make_step(0, size=(640, 480), with_image=True), 1))
    )
    changed = np.abs(shown.astype(int) - plain).max(axis=2) > 40
    assert changed[300, 320], "the line"
    assert changed[100:160, 100:140].mean() > 0.5, "the track"
    assert not changed[300, 600]


def test_a_picture_to_draw_on_has_tracks_and_no_rules(make_step):
    step = make_step(0, [(100, 100, 140, 160)], size=(640, 480), with_image=True)
    plain = painter().jpeg("gate" + PLAIN, Scene(step, 1))
    assert plain == painter().jpeg("yard", Scene(step, 1))
    assert plain != painter().jpeg("gate", Scene(step, 1))


def test_people_are_hidden_where_asked_for(make_step):
    step = make_step(0, [(100, 100, 140, 200)], size=(640, 480), with_image=True)
    step.image[100:200, 100:140] = np.random.default_rng(0).integers(0, 256, (100, 40, 1), np.uint8)
    before = step.image.copy()

    def roughness(hidden: set[int], view: str) -> float:
        one = Painter(lambda: RULES, Board(), ("person",), hidden)
        shown = picture(one.jpeg(view, Scene(step, 1)))[125:180, 105:135]
        return float(np.abs(np.diff(shown.astype(int), axis=0)).mean())

    for view in ("gate", "gate" + PLAIN):
        assert roughness({0}, view) < roughness(set(), view) / 4
    assert np.array_equal(step.image, before)


def test_a_forgotten_camera_leaves_no_tails(make_step):
    one = painter()
    for number in range(4):
        x = 100 + 60 * number
        step = make_step(number, [(x, 100, x + 40, 160)], size=(640, 480), with_image=True)
        seen = [one.jpeg(view, Scene(step, 1)) for view in ("gate", "gate" + PLAIN)]
    one.forget("gate")
    one.forget("none")
    for before, view in zip(seen, ("gate", "gate" + PLAIN), strict=True):
        after = one.jpeg(view, Scene(step, 1))
        assert after == painter().jpeg(view, Scene(step, 1))
        assert after != before


def test_large_frames_are_made_smaller(make_step):
    step = make_step(0, size=(2560, 720), with_image=True)
    assert picture(painter().jpeg("gate", Scene(step, 1))).shape == (360, LONGEST_PX, 3)


def test_a_line_flashes_after_a_passage(make_step):
    board = Board()
    step = make_step(0, size=(640, 480), with_image=True)
    still = picture(painter(board).jpeg("gate", Scene(step, 1)))
    crossing = event(media_s=-0.2)  # decided 0.1 s before this frame
    board.take("gate", crossing)
    lit = picture(painter(board).jpeg("gate", Scene(step, 1)))
    assert int(lit[400, 320, 0]) < int(still[400, 320, 0]) - 60, "yellow has no blue"


def test_tails_are_those_of_one_run_of_frames(make_step):
    one = painter()
    for frame in range(5):
        seen = make_step(
            frame,
            [(100 + 60 * frame, 200, 120 + 60 * frame, 240)],
            size=(640, 480),
            with_image=True,
        )
        with_tail = picture(one.jpeg("gate", Scene(seen, "first")))
    anew = picture(one.jpeg("gate", Scene(seen, "second")))
    alone = picture(painter().jpeg("gate", Scene(seen, "second")))
    assert np.array_equal(anew, alone)
    assert not np.array_equal(with_tail, alone)


def test_world_time_is_shown_where_it_is_known(make_step):
    step = make_step(0, size=(640, 480), with_image=True)
    live = type(step)(
        Stamp(0, 0.0, Wall(1.0, "arrival", 500.0)),
        step.image,
        step.instances,
        step.tracks,
        step.events,
    )
    shown, other = (painter().jpeg("gate", Scene(each, 1)) for each in (step, live))
    assert shown != other


def test_a_view_leaves_the_newest_step_with_a_picture(make_step):
    pictures = Pictures(painter().jpeg)
    try:
        view = View("gate", pictures)
        view.write(make_step(0))  # recorded detections have none
        assert asyncio.run(pictures.still("gate", 0.05)) is None
        view.write(make_step(1, size=(64, 48), with_image=True))
        view.close()
        assert picture(asyncio.run(pictures.still("gate"))).shape == (48, 64, 3)
    finally:
        pictures.close(5.0)
