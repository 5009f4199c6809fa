from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import masks
from edge.errors import SinkError
from edge.sinks.detections import DetectionsSink
from edge.sources.detections import DetectionsFile
from edge.types import Instances, Stamp, Step

NAMES = ("person", "car")
PROVENANCE = {"source_id": "gate", "class_names": list(NAMES)}


def written(path: Path, *steps: Step) -> Path:
    with DetectionsSink(path, NAMES, PROVENANCE) as sink:
        for step in steps:
            sink.write(step)
    return path


def test_a_line_a_frame_as_documented(tmp_path, make_step):
    path = written(
        tmp_path / "d.jsonl", make_step(0, [(2, 1, 5, 3)], [1], size=(8, 4)), make_step(3)
    )
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first == {
        "frame": 0,
        "time_s": 0.0,
        "size": [4, 8],
        "instances": [
            {
                "class": "car",
                "score": 0.9,
                "box": [2.0, 1.0, 5.0, 3.0],
                "rle": {"size": [4, 8], "counts": "922000;"},
            }
        ],
        "provenance": PROVENANCE,
    }
    assert second == {"frame": 3, "time_s": 0.3, "size": [48, 64], "instances": []}


def test_gzip_holds_the_same_and_is_the_same_every_time(tmp_path, make_step):
    steps = [make_step(k, [(k, 1, k + 9, 20)]) for k in range(5)]
    plain = written(tmp_path / "d.jsonl", *steps)
    packed = written(tmp_path / "d.jsonl.gz", *steps)
    again = written(tmp_path / "other.jsonl.gz", *steps)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes() == again.read_bytes()


finite = st.floats(0, 1, width=32)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    score=finite,
    box=st.tuples(finite, finite, finite, finite),
    pixels=st.lists(st.booleans(), min_size=12, max_size=12),
    media_s=st.floats(0, 1e6),
)
def test_what_is_read_back_is_what_was_written(tmp_path, make_step, score, box, pixels, media_s):
    mask = np.array(pixels, bool).reshape(1, 3, 4)
    instances = Instances(
        np.array([box], np.float32),
        np.array([score], np.float32),
        np.array([1], np.int32),
        masks.packed(mask),
    )
    step = Step(Stamp(7, media_s), None, instances, make_step().tracks, ())
    path = written(tmp_path / "d.jsonl.gz", step)
    [(stamp, found)] = DetectionsFile(path)
    assert stamp == Stamp(7, media_s)
    assert found.boxes.tobytes() == instances.boxes.tobytes()
    assert found.scores.tobytes() == instances.scores.tobytes()
    assert found.class_ids.tolist() == [1]
    assert masks.unpacked(found.masks).astype(bool).tolist() == mask.tolist()


def test_no_such_folder(tmp_path):
    with pytest.raises(SinkError, match=r"no/d\.jsonl: cannot write detections: No such file"):
        DetectionsSink(tmp_path / "no" / "d.jsonl", NAMES, {})


@pytest.mark.parametrize("name", ["full.jsonl", "full.jsonl.gz"])
def test_a_full_disk(tmp_path, make_step, name):
    (tmp_path / name).symlink_to("/dev/full")
    sink = DetectionsSink(tmp_path / name, NAMES, {})
    sink.write(make_step())
    with pytest.raises(SinkError, match="No space left on device"):
        sink.close()
