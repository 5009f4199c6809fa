from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import av
import cv2
import numpy as np
import pytest
from scenes import CLIP

from edge import masks
from edge.track.camera import STAND, CameraMotion, warped, warped_boxes, zoom_of
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Instances, Stamp

NOBODY = np.zeros((0, 4), np.float32)
ENDS = np.array([[0, 0], [768, 0], [0, 576], [768, 576], [384, 288]], np.float64)


@pytest.fixture(scope="module")
def pictures():
    with av.open(str(CLIP)) as clip:
        return [f.to_ndarray(format="bgr24") for f in islice(clip.decode(video=0), 12)]


def moved_by(turn_deg, zoom, x, y):
    matrix = cv2.getRotationMatrix2D((384, 288), turn_deg, zoom)
    matrix[:, 2] += (x, y)
    return matrix


def shown(picture, matrix):
    return cv2.warpAffine(picture, matrix, (768, 576), borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("way", [(0, 1, 12, 5), (2, 1, -7, 3), (1, 1.03, 4, 4), (0, 1, 40, -20)])
def test_a_known_motion_is_found_though_people_walk(pictures, way):
    camera = CameraMotion()
    assert (camera.update(pictures[0], NOBODY) == STAND).all()
    true = moved_by(*way)
    found = camera.update(shown(pictures[1], true), NOBODY)
    assert np.abs(warped(ENDS, found) - warped(ENDS, true)).max() < 0.5


def test_a_camera_that_stands_is_seen_to_stand(pictures):
    camera = CameraMotion()
    assert all((camera.update(p, NOBODY) == STAND).all() for p in pictures)


def test_the_same_pictures_give_the_same_bytes(pictures):
    def all_of():
        camera = CameraMotion()
        return [
            camera.update(shown(p, moved_by(0, 1, 5 * k, k)), NOBODY)
            for k, p in enumerate(pictures)
        ]

    for a, b in zip(all_of(), all_of(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_nothing_to_see_and_another_size_mean_it_stands(pictures):
    camera = CameraMotion()
    blank = np.zeros_like(pictures[0])
    for picture in (blank, blank, pictures[0], pictures[0][:300], np.zeros((1, 1, 3), np.uint8)):
        assert (camera.update(picture, NOBODY) == STAND).all()
    everything = np.array([[0, 0, 768, 576]], np.float32)
    camera.update(pictures[0], everything)
    assert (camera.update(shown(pictures[0], moved_by(0, 1, 9, 0)), everything) == STAND).all()


def test_boxes_move_grow_and_stay_upright():
    box = np.array([[10, 20, 30, 60]], np.float32)
    assert warped_boxes(box, np.array([[1.0, 0, 5], [0, 1, -5]])).tolist() == [[15, 15, 35, 55]]
    doubled = warped_boxes(box, np.array([[2.0, 0, 0], [0, 2, 0]]))
    assert doubled.tolist() == [[20, 40, 60, 120]]
    turned = np.array([[0.0, -1, 0], [1, 0, 0]])
    assert zoom_of(turned) == 1
    assert warped_boxes(box, turned).tolist() == [[-50, 0, -30, 40]]


def row_of_people(shift, camera=None):
    """Six who walk slowly abreast, 30 px apart, in a picture that has gone `shift` px aside."""
    windows = [(100 + 30 * k + shift, 100, 120 + 30 * k + shift, 160) for k in range(6)]
    return Instances(
        np.array(windows, np.float32),
        np.full(6, 0.9, np.float32),
        np.zeros(6, np.int32),
        masks.from_crops(240, 640, windows, [np.ones((60, 20), bool)] * 6),
        camera,
    )


def tracked(is_told):
    """Ids that each person had in a camera which jumps a place aside and back, every .4 s."""
    tracker = Tracker(TrackerSettings(), (0,), (False,))
    before, ids = 0, []
    for frame in range(40):
        shift = 30 * (frame // 4 % 2)
        camera = np.array([[1.0, 0, shift - before], [0, 1, 0]]) if is_told else None
        tracks = tracker.update(Stamp(frame, frame / 10), row_of_people(shift, camera))
        by_instance = np.full(6, -1)
        by_instance[tracks.instance[tracks.instance >= 0]] = tracks.ids[tracks.instance >= 0]
        ids.append(by_instance)
        before = shift
    return np.array(ids)


def test_identities_outlive_a_camera_that_jumps_where_it_is_told():
    assert (tracked(is_told=True) == np.arange(1, 7)).all()
    assert (tracked(is_told=False) != np.arange(1, 7)).mean() > 0.2


def test_speeds_and_feet_turn_with_the_picture():
    tracker = Tracker(TrackerSettings(), (0,), (False,))
    for frame in range(10):
        tracker.update(Stamp(frame, frame / 10), row_of_people(4 * frame))
    nobody = replace(
        row_of_people(0),
        boxes=NOBODY,
        scores=np.zeros(0, np.float32),
        class_ids=np.zeros(0, np.int32),
        masks=masks.empty(240, 640),
    )
    still = tracker.update(Stamp(10, 1.0), nobody)
    moved = replace(nobody, camera=np.array([[1.0, 0, 50], [0, 1, 20]]))
    after = tracker.update(Stamp(11, 1.1), moved)
    expected = still.feet + np.array([50 + 4, 20])
    assert np.abs(after.feet - expected).max() < 2
    assert np.abs(after.velocities - still.velocities).max() < 1


def test_a_run_of_a_moving_camera_replays_to_the_same_bytes(edge, tmp_path, square_model, pictures):
    video = tmp_path / "sway.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(
                shown(picture, moved_by(0, 1, 10 * np.sin(k), 0)), format="bgr24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    live, again = tmp_path / "live.jsonl", tmp_path / "again.jsonl"
    recorded = tmp_path / "seen.jsonl"
    rules = ["--line", "middle=.5,0,.5,1", "--quiet"]
    run = edge(
        "run", video, *rules, "--events", live, "--save-detections", recorded, "--camera-motion"
    )
    assert run.code == 0, run.err
    rows = [json.loads(line) for line in recorded.read_text().splitlines()]
    assert rows[0]["camera"] == [1, 0, 0, 0, 1, 0]
    ways = [row["camera"][2] for row in rows]
    true = np.diff([10 * np.sin(k) for k in range(12)])
    assert np.abs(np.array(ways[1:]) - true).max() < 1.5
    assert edge("track", recorded, *rules, "--events", again).code == 0
    assert live.read_bytes() == again.read_bytes()
    rows[3]["camera"] = [1, 0, float("nan"), 0, 1, 0]
    recorded.write_text("".join(json.dumps(row) + "\n" for row in rows))
    broken = edge("track", recorded, *rules)
    assert broken.code == 3
    assert (
        "seen.jsonl:4: expected a frame, got a motion of the camera that is no number" in broken.err
    )


def test_what_passes_over_a_bare_floor_is_not_taken_for_the_camera(pictures):
    camera, floor = CameraMotion(), np.full((576, 768, 3), 120, np.uint8)
    for k in range(5):
        picture = floor.copy()
        picture[200:400, 100 + 15 * k : 400 + 15 * k] = pictures[0][200:400, 300:600]
        assert (camera.update(picture, NOBODY) == STAND).all()


def test_boxes_that_are_no_numbers_hide_nothing(pictures):
    camera, broken = CameraMotion(), np.array([[np.nan, 0, np.inf, 10]], np.float32)
    camera.update(pictures[0], broken)
    found = camera.update(shown(pictures[1], moved_by(0, 1, 12, 5)), broken)
    assert np.abs(found[:, 2] - [12, 5]).max() < 0.5
