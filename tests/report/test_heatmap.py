"""Feet from files and from steps, and the picture of them."""

from __future__ import annotations

import gzip
import json
import math

import cv2
import numpy as np
import pytest
from happenings import Teller, summed
from hypothesis import given
from hypothesis import strategies as st

from edge import masks, rle
from edge.errors import ConfigError
from edge.events.outages import Outages
from edge.report import (
    Feet,
    Footprints,
    Gathering,
    background_of,
    feet_of_detections,
    feet_of_tracks,
)
from edge.report.heatmap import heatmap
from edge.types import TrackState


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.integers(1, 5000), st.integers(1, 5000))
def test_every_point_is_in_the_grid(x, y, width, height):
    feet = Feet()
    feet.add(x, y, width, height)
    grid = feet.grid()
    assert grid.sum() == feet.count == 1
    row, column = np.argwhere(grid)[0]
    if 0 <= x < width and 0 <= y < height and grid.shape[0] < 600:
        assert abs((column + 0.5) / grid.shape[1] - x / width) <= 0.51 / grid.shape[1]
        assert abs((row + 0.5) / grid.shape[0] - y / height) <= 0.51 / grid.shape[0]


def test_no_number_is_no_foot():
    feet = Feet()
    feet.add(math.nan, 1.0, 10, 10)
    feet.add(1.0, 1.0, 0, 10)
    assert not feet
    assert feet.grid().size == 0


def cells(feet: Feet) -> list[list[int]]:
    return np.argwhere(feet.grid()).tolist()


def test_feet_of_both_forms_of_tracks(tmp_path):
    dense = np.zeros((1, 90, 160), bool)
    dense[0, 20:60, 40:50] = True
    [run] = rle.encoded(masks.packed(dense))
    (tmp_path / "mots.txt").write_text(f"0 1 2 90 160 {run['counts']}\n")
    (tmp_path / "mot.csv").write_text(
        "1,1,40,20,10,40,0.9,-1,-1,-1\n\n2,1,41,20,10,40,0.9,-1,-1,-1"
    )
    assert cells(feet_of_tracks(tmp_path / "mots.txt", None)) == [[60, 44]]
    assert cells(feet_of_tracks(tmp_path / "mot.csv", (160, 90))) == [[60, 45], [60, 46]]


def test_feet_of_detections(tmp_path):
    row = {"frame": 0, "time_s": 0.0, "size": [90, 160], "instances": [{"box": [40, 20, 50, 60]}]}
    with gzip.open(tmp_path / "d.jsonl.gz", "wt") as file:
        file.write(json.dumps(row) + "\n")
    assert cells(feet_of_detections(tmp_path / "d.jsonl.gz")) == [[60, 45]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", ":1: expected a row of tracks, got"),
        ("\n0 1 2 90 160\n", ":2: expected a row of tracks, got"),
        ("0 1 2 90 160 xx\n", ":1: expected a row of tracks, got rle"),
        ("1,1,40,20,10,40\n", ":1: expected a row of tracks, got boxes, but no event tells"),
    ],
)
def test_damaged_tracks_are_refused(tmp_path, text, message):
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(ConfigError) as raised:
        feet_of_tracks(tmp_path / "t.txt", None)
    assert message in str(raised.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected a frame of detections in each line, got: No"):
        feet_of_detections(tmp_path / "none.jsonl")
    (tmp_path / "d.jsonl").write_text('{"size": [1, 2]}\n')
    with pytest.raises(ConfigError, match=":1: expected a frame of detections, got no 'instances'"):
        feet_of_detections(tmp_path / "d.jsonl")
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8b\x08\x00rubbish")
    with pytest.raises(ConfigError, match="expected a frame of detections"):
        feet_of_detections(tmp_path / "x.gz")
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(ConfigError, match="expected a picture such as"):
        background_of(tmp_path / "x.png")
    with pytest.raises(ConfigError, match="expected a picture, got"):
        background_of(tmp_path / "none.png")


def test_bright_where_feet_stood():
    feet = Feet()
    for _ in range(9):
        feet.add(120.0, 30.0, 160, 90)
    feet.add(40.0, 60.0, 160, 90)
    image = heatmap(feet.grid(), None, width=160).astype(int).sum(2)
    assert image.shape == (90, 160)
    assert image[30, 120] > image[60, 40] > image[5, 5]


def test_the_background_stays_where_nobody_stood(tmp_path):
    cv2.imwrite(str(tmp_path / "b.png"), np.full((45, 80, 3), 120, np.uint8))
    feet = Feet()
    feet.add(120.0, 30.0, 160, 90)
    image = heatmap(feet.grid(), background_of(tmp_path / "b.png"), width=160)
    assert image[80, 10].tolist() == [120, 120, 120]
    assert image[30, 120].tolist() != [120, 120, 120]


def test_given_feet_replace_those_of_events():
    teller = Teller()
    teller.crossed(1.0)
    gathering = Gathering(Outages)
    gathering.add(teller.told[0])
    feet = Feet()
    feet.add(1.0, 1.0, 64, 48)
    feet.add(2.0, 1.0, 64, 48)
    gathering.add_feet("door", feet)
    assert gathering.summary().sources[0].feet.sum() == 2
    assert summed(teller.told).sources[0].feet.sum() == 1
    with pytest.raises(
        ConfigError, match=r"expected a source of these events, got 'yard' \(door\)"
    ):
        gathering.add_feet("yard", feet)


def test_a_run_leaves_footprints(make_step):
    footprints = Footprints()
    boxes = [(0, 0, 20, 30), (30, 0, 40, 20)]
    states = [TrackState.CONFIRMED, TrackState.TENTATIVE]
    for frame in range(3):
        footprints.write(make_step(frame, boxes, states=states, with_image=frame > 0))
    footprints.close()
    assert footprints.feet.count == 3
    assert footprints.picture is not None
