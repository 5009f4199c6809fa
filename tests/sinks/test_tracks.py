from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import masks, rle
from edge.errors import SinkError
from edge.sinks.tracks import TracksSink, mots_numbers
from edge.types import TrackState

NAMES = ("person", "bicycle", "car")


def written(path: Path, form, *steps) -> list[list[str]]:
    with TracksSink(path, NAMES, form) as sink:
        for step in steps:
            sink.write(step)
    return [line.split("," if form == "mot" else " ") for line in path.read_text().splitlines()]


def test_boxes_as_motchallenge_has_them(tmp_path, make_step):
    boxes = [(2, 1, 12, 31), (20, 5, 40, 45)]
    rows = written(tmp_path / "t.txt", "mot", make_step(0, boxes), make_step(4, boxes[:1]))
    assert rows == [
        ["1", "1", "2.00", "1.00", "10.00", "30.00", "0.9000", "-1", "-1", "-1"],
        ["1", "2", "20.00", "5.00", "20.00", "40.00", "0.8000", "-1", "-1", "-1"],
        ["5", "1", "2.00", "1.00", "10.00", "30.00", "0.9000", "-1", "-1", "-1"],
    ]
    assert not (tmp_path / "t.classes.txt").exists()


def test_masks_as_mots_has_them(tmp_path, make_step):
    step = make_step(4, [(2, 1, 5, 3)], [1], size=(8, 4))
    assert written(tmp_path / "t.txt", "mots", step) == [["4", "1", "3", "4", "8", "922000;"]]
    assert (tmp_path / "t.classes.txt").read_text() == "1 car\n2 person\n3 bicycle\n"


def test_masks_of_a_frame_do_not_overlap_and_the_nearest_keeps_the_pixels(tmp_path, make_step):
    behind, before = (10, 5, 30, 30), (20, 10, 40, 40)
    rows = written(tmp_path / "t.txt", "mots", make_step(0, [behind, before]))
    assert [row[1] for row in rows] == ["1", "2"]
    runs = [{"size": [48, 64], "counts": row[5]} for row in rows]
    dense = masks.unpacked(rle.decoded(runs, 48, 64)).astype(bool)
    assert not (dense[0] & dense[1]).any()
    assert np.count_nonzero(dense[1]) == 20 * 30
    assert np.count_nonzero(dense[0]) == 20 * 25 - 10 * 20


@pytest.mark.parametrize("form", ["mot", "mots"])
def test_only_confirmed_tracks_that_are_seen(tmp_path, make_step, form):
    step = make_step(
        0, [(2, 1, 12, 31), (20, 5, 40, 45)], states=[TrackState.TENTATIVE, TrackState.CONFIRMED]
    )
    assert [row[1] for row in written(tmp_path / "t.txt", form, step)] == ["2"]
    assert written(tmp_path / "t.txt", form, make_step()) == []
    step.tracks.instance[:] = -1
    assert written(tmp_path / "t.txt", form, step) == []


def test_class_numbers_leave_1_and_2_to_car_and_person():
    assert mots_numbers(("bus", "dog")) == [3, 4]
    assert mots_numbers(()) == []


def test_no_such_folder(tmp_path):
    with pytest.raises(SinkError, match=r"no/t\.txt: cannot write tracks: No such file"):
        TracksSink(tmp_path / "no" / "t.txt", NAMES, "mot")


def test_a_full_disk(make_step):
    sink = TracksSink(Path("/dev/full"), NAMES, "mot")
    sink.write(make_step(0, [(2, 1, 12, 31)]))
    with pytest.raises(SinkError, match="No space left on device"):
        sink.close()
