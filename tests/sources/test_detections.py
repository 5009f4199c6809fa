from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from edge import masks, rle
from edge.errors import SourceError
from edge.sources.detections import DetectionsFile
from edge.types import Stamp

LARGE = np.zeros((8, 16), bool)  # what RLE shows, at twice its size
LARGE[2:6, 4:10] = True
RLE = {"size": [4, 8], "counts": "922000;"}  # rows 1..3 of columns 2..5


def found(**changes):
    return {"class": "car", "score": 0.9, "box": [2, 1, 5, 3], "rle": RLE, **changes}


def row(frame=0, **changes):
    plain = {"frame": frame, "time_s": frame / 10, "size": [4, 8], "instances": [found()]}
    return {**plain, **changes}


def file(tmp_path, *rows, name="d.jsonl"):
    path = tmp_path / name
    lines = [r if isinstance(r, str) else json.dumps(r) for r in rows]
    text = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["d.jsonl", "d.jsonl.gz"])
def test_frames_come_back(tmp_path, name):
    path = file(tmp_path, row(0), "", row(2, instances=[]), name=name)
    recorded = DetectionsFile(path)
    assert (recorded.width, recorded.height, recorded.provenance) == (8, 4, {})
    for _ in range(2):  # it can be read again
        (stamp, instances), (later, nothing) = recorded
        assert (stamp, later) == (Stamp(0, 0.0), Stamp(2, 0.2))
        assert instances.boxes.tolist() == [[2, 1, 5, 3]]
        assert masks.unpacked(instances.masks).sum() == 6
        assert len(nothing) == 0
        assert recorded.class_names == ["car"]


def test_classes_are_numbered_as_the_model_did_or_as_they_appear(tmp_path):
    bus = {"class": "bus", "score": 0.5, "box": [0, 0, 1, 1], "rle": RLE}
    named = file(tmp_path, row(provenance={"class_names": ["person", "car"]}), row(1))
    assert [i.class_ids.tolist() for _, i in DetectionsFile(named)] == [[1], [1]]
    plain = DetectionsFile(file(tmp_path, row(0), row(1, instances=[bus])))
    assert plain.class_names == ["car", "bus"]  # before any frame is read
    assert [i.class_ids.tolist() for _, i in plain] == [[0], [1]]
    cut = DetectionsFile(file(tmp_path, row(0), row(1, instances=[bus]), "oops"))
    assert cut.class_names == ["car", "bus"]


def test_frames_of_another_size_are_scaled_to_the_first(tmp_path):
    run = {"size": [8, 16], "counts": rle.encoded(masks.packed(LARGE[None]))[0]["counts"]}
    larger = row(1, size=[8, 16], instances=[found(box=[4, 2, 10, 6], rle=run)])
    empty = row(2, size=[2, 4], instances=[])
    recorded = DetectionsFile(file(tmp_path, row(0), larger, empty, row(3)))
    for _ in range(2):  # counted anew each time
        seen = [instances for _, instances in recorded]
        assert {(i.masks.height, i.masks.width) for i in seen} == {(4, 8)}
        assert [i.boxes.tolist() for i in seen] == [
            [[2, 1, 5, 3]],
            [[2, 1, 5, 3]],
            [],
            [[2, 1, 5, 3]],
        ]
        assert masks.unpacked(seen[1].masks).tolist() == masks.unpacked(seen[0].masks).tolist()
        assert recorded.warnings.sentences() == ["2 resized frames scaled to the first one's size"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], ": expected detections, got an empty file"),
        (["{"], ":1: expected a frame as JSON, got a broken line"),
        ([[1]], ":1: expected a frame as JSON, got "),
        ([row(size=[4])], ":1: expected a frame as JSON, got "),
        ([row(size=[0, 8])], ":1: expected a frame as JSON, got a time or size that is no number"),
        ([row(time_s=float("nan"))], ":1: expected a frame as JSON, got a time or size that is"),
        ([row(provenance=3)], ":1: expected provenance as an object, got a value"),
        ([row(), "oops"], ":2: expected a frame as JSON, got a broken line"),
        (
            [{"time_s": 0, "size": [4, 8], "instances": []}],
            ":1: expected a frame, got no 'frame'",
        ),
        ([{"frame": 0, "time_s": 0, "size": [4, 8]}], ":1: expected a frame, got no "),
        (
            [row(instances=[found(box=[1, 2, 3])])],
            ":1: expected a frame, got ",
        ),
        (
            [row(instances=[found(rle={})])],
            ":1: expected a frame, got ",
        ),
        (
            [row(instances=[found(rle={"size": [4, 8], "counts": "zzz"})])],
            ":1: expected a frame, got rle: expected COCO counts",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_line(tmp_path, rows, message):
    path = file(tmp_path, *rows)
    with pytest.raises(SourceError) as caught:
        list(DetectionsFile(path))
    assert str(caught.value).startswith(f"{path}{message}")


def test_what_is_no_recording(tmp_path):
    with pytest.raises(SourceError, match="none: expected recorded detections, got No such file"):
        DetectionsFile(tmp_path / "none")
    with pytest.raises(SourceError, match="expected recorded detections, got Is a directory"):
        DetectionsFile(tmp_path)
    path = file(tmp_path, row(), name="d.jsonl.gz")
    path.write_bytes(b"\x89PNG not gzip")
    with pytest.raises(SourceError, match="expected recorded detections, got Not a gzipped file"):
        DetectionsFile(path)


def test_a_recording_that_was_cut_off_gives_what_is_there(tmp_path):
    path = file(tmp_path, *(row(k, score=k) for k in range(5000)), name="d.jsonl.gz")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames = []
    with pytest.raises(SourceError, match=r"d\.jsonl\.gz:\d+: expected a frame as JSON, got Comp"):
        frames.extend(stamp.frame for stamp, _ in DetectionsFile(path))
    assert frames == list(range(len(frames)))
    assert len(frames) > 1000
