from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import masks, rle
from edge.errors import SinkError
from edge.sinks.tracks import TracksSink, mots_numbers
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Instances, Stamp, Step, TrackState

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


def walk(at, missed=(), others=(), form="mots", fps=10.0, **options):
    """Rows of a walker at x = 10 k in frame k, as the real tracker sees it."""
    tracker = Tracker(TrackerSettings(), (0, 1, 2), (False, False, True))
    path = options.pop("path")
    with TracksSink(path, NAMES, form, **options) as sink:
        for k in at:
            windows = [] if k in missed else [(10 * k, 20, 10 * k + 20, 70)]
            windows += others
            n = len(windows)
            instances = Instances(
                np.array(windows, np.float32).reshape(-1, 4),
                np.full(n, 0.9, np.float32),
                np.zeros(n, np.int32),
                masks.from_crops(
                    100,
                    400,
                    windows,
                    [np.ones((y2 - y1, x2 - x1), bool) for x1, y1, x2, y2 in windows],
                ),
            )
            stamp = Stamp(k, k / fps)
            sink.write(Step(stamp, None, instances, tracker.update(stamp, instances), ()))
    return [line.split("," if form == "mot" else " ") for line in path.read_text().splitlines()]


@pytest.mark.parametrize("missed", [[6], [6, 7], [4, 5, 8], range(4, 10)])
def test_a_track_is_written_where_frames_missed_it(tmp_path, missed):
    rows = walk(range(12), missed, path=tmp_path / "t.txt")
    assert [(int(r[0]), r[1]) for r in rows] == [(k, "1") for k in range(12)]
    runs = [{"size": [100, 400], "counts": r[5]} for r in rows]
    windows = masks.extents(rle.decoded(runs, 100, 400))
    assert np.abs(windows - [(10 * k, 20, 10 * k + 20, 70) for k in range(12)]).max() <= 1


def test_boxes_too(tmp_path):
    rows = walk(range(10), [6], form="mot", path=tmp_path / "t.txt")
    assert [int(r[0]) for r in rows] == list(range(1, 11))
    assert [float(v) for v in rows[6][2:6]] == [60, 20, 20, 50]


@pytest.mark.parametrize(
    ("missed", "others", "fill_s"),
    [
        ([6], [], 0.0),
        ([5, 6], [], 0.25),
        ([6], [(58, 10, 90, 80)], 0.7),  # somebody stands before it
    ],
)
def test_what_may_have_been_hidden_or_is_long_is_left_out(tmp_path, missed, others, fill_s):
    rows = walk(range(10), missed, others, path=tmp_path / "t.txt", fill_s=fill_s)
    own = min(rows, key=lambda r: int(r[0]))[1]
    frames = {int(r[0]) for r in rows if r[1] == own} if not others else None
    if others:
        assert [int(r[0]) for r in rows].count(6) == 1  # only who stands there
    else:
        assert frames == set(range(10)) - set(missed)


def test_who_is_not_seen_again_has_no_rows_after_the_last(tmp_path):
    rows = walk(range(30), range(8, 30), path=tmp_path / "t.txt")
    assert [int(r[0]) for r in rows] == list(range(8))
    rows = walk(range(10), [8, 9], path=tmp_path / "t.txt")  # the stream ends while it is lost
    assert [int(r[0]) for r in rows] == list(range(8))


def test_frames_are_held_back_no_longer_than_the_longest_gap(tmp_path):
    tracker = Tracker(TrackerSettings(), (0,), (False,))
    sink = TracksSink(tmp_path / "t.txt", NAMES, "mots")
    waiting = []
    for k in range(60):
        windows = [(10, 20, 30, 70)] if k < 5 else []
        instances = Instances(
            np.array(windows, np.float32).reshape(-1, 4),
            np.full(len(windows), 0.9, np.float32),
            np.zeros(len(windows), np.int32),
            masks.from_crops(100, 100, windows, [np.ones((50, 20), bool)] * len(windows)),
        )
        stamp = Stamp(k, k / 30)
        sink.write(Step(stamp, None, instances, tracker.update(stamp, instances), ()))
        waiting.append(len(sink._waiting))
    sink.close()
    assert max(waiting) <= 0.7 * 30 + 1
    assert waiting[-1] == 0
    assert not sink._sighted
