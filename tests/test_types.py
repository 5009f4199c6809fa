from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from strategies import rectangles, standing

from edge.errors import EdgeError, ShapeError
from edge.types import Frame, Instances, Masks, Stamp, Tracks, check


def test_a_wrong_dtype_and_a_wrong_shape_are_named():
    good = rectangles([(0, 0, 2, 2), (3, 3, 5, 5)])
    with pytest.raises(
        ShapeError, match=r"^Instances.boxes: expected float32 \(2, 4\), got float64 \(2, 4\)$"
    ):
        Instances(np.zeros((2, 4)), good.scores, good.class_ids, good.masks)
    with pytest.raises(ShapeError, match=r"Instances.scores: expected .*\(2\), got .*\(3,\)"):
        Instances(good.boxes, np.zeros(3, np.float32), good.class_ids, good.masks)


def test_no_array_at_all_is_a_shape_error():
    with pytest.raises(ShapeError, match=r"x: expected uint8 \(N, 3\), got \[1, 2\]"):
        check("x", [1, 2], np.uint8, (None, 3))


def test_a_shape_error_is_also_a_value_error():
    assert issubclass(ShapeError, ValueError)
    assert issubclass(ShapeError, EdgeError)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_a_frame_is_bgr_uint8(image):
    with pytest.raises(ShapeError, match=r"Frame\.image"):
        Frame(Stamp(0, 0.0), image)


def test_masks_check_their_offsets():
    with pytest.raises(ShapeError, match=r"Masks\.offsets"):
        Masks(4, 4, np.zeros((2, 4), np.int32), np.zeros(2, np.int64), np.zeros(0, np.uint8))


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Tracks) if f.name != "ended"])
def test_every_column_of_tracks_is_checked(name):
    tracks, _ = standing({1: (5.0, 5.0), 2: (9.0, 9.0)})
    columns = {f.name: getattr(tracks, f.name) for f in dataclasses.fields(Tracks)}
    with pytest.raises(ShapeError, match=r"Tracks\."):
        Tracks(**{**columns, name: columns[name][:1]})


def test_nothing_can_be_reassigned():
    with pytest.raises(dataclasses.FrozenInstanceError):
        rectangles([]).boxes = np.zeros((0, 4), np.float32)  # type: ignore[misc]
    assert len(rectangles([])) == len(standing({})[0]) == 0
