from __future__ import annotations

import doctest
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import Scribe

import edge
from edge.errors import ConfigError, ShapeError, SourceError
from edge.events.journal import Journal

MIDDLE = {"middle": (0.5, 0, 0.5, 1)}  # the square crosses it twice in 60 frames


def test_every_name_is_there_and_listed():
    assert 10 <= len(edge.__all__) <= 20
    for name in edge.__all__:
        assert getattr(edge, name).__doc__, name
    assert set(edge.__all__) <= set(dir(edge))
    with pytest.raises(AttributeError, match="no attribute 'count_vidoe'"):
        _ = edge.count_vidoe


def test_importing_edge_imports_nothing_heavy():
    heavy = {"numpy", "cv2", "onnxruntime", "av", "pydantic", "edge.api"}
    code = f"import sys, edge; print(*{heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_video_is_counted_with_each_step_told(scene, square_model):
    square = edge.open_segmenter(model=str(square_model), provider="cpu", threads=1)
    steps = []
    totals = edge.count_video(scene(), lines=MIDDLE, segmenter=square, on_step=steps.append)
    assert [step.stamp.frame for step in steps] == list(range(60))
    assert all(step.image.shape == (48, 64, 3) for step in steps)
    events = [event for step in steps for event in step.events]
    assert [(e.kind, e.direction) for e in events] == [
        ("line_crossed", "out"),
        ("line_crossed", "in"),
    ]
    assert totals == {"middle": edge.Totals(1, 1, {0: (1, 1)})}


def test_it_stops_after_so_many_frames(scene):
    steps = []
    edge.count_video(scene(), lines=MIDDLE, segmenter=Bright(), on_step=steps.append, max_frames=7)
    assert len(steps) == 7


@pytest.mark.parametrize(
    "name",
    [
        *("count_video", "read_events", "open_segmenter", "open_source", "instances_of"),
        "InstanceSegmenter",
    ],
)
def test_what_is_called_has_an_example_that_runs(name):
    [example] = doctest.DocTestFinder(recurse=False).find(getattr(edge, name), name)
    assert example.examples


class Bright:
    """A segmenter of one's own: the square is brighter than its background."""

    class_names = ("square",)

    def segment(self, image):
        bright = image.max(axis=2) > 128
        return edge.instances_of(bright[None], [0.9], [0])


def test_an_own_segmenter_counts_the_same(scene):
    totals = edge.count_video(
        scene(), lines=MIDDLE, zones={"half": (0, 0, 0.5, 0, 0.5, 1, 0, 1)}, segmenter=Bright()
    )
    assert totals["middle"] == edge.Totals(1, 1, {0: (1, 1)})
    assert totals["half"].count_in - totals["half"].count_out in (0, 1)
    assert totals["half"].count_in >= 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"lines": {"gate": (0.5, 0, 0.5, 1.2)}}, r"gate\.b: expected two numbers in 0\.\.1"),
        ({"lines": {"gate": (0.5, 0, 0.5)}}, "--line"),
        ({"lines": {"gate": (0.5, float("nan"), 0.5, 1)}}, "--line"),
        ({"zones": {"hall": (0.1, 0.1, 0.9, 0.9)}}, "--zone"),
        ({"lines": MIDDLE, "zones": {"middle": (0, 0, 1, 0, 1, 1)}}, "twice"),
        ({"lines": MIDDLE, "classes": ["lorry"]}, "lorry"),
    ],
)
def test_wrong_rules_are_refused_in_a_sentence(scene, more, message):
    with pytest.raises(ConfigError, match=message):
        edge.count_video(scene(), segmenter=Bright(), **more)


def test_a_video_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"none\.mp4"):
        edge.count_video(tmp_path / "none.mp4", lines=MIDDLE, segmenter=Bright())


def test_what_on_step_raises_ends_the_count(scene):
    def fail(step):
        raise KeyError(step.stamp.frame)

    with pytest.raises(KeyError, match="0"):
        edge.count_video(scene(), lines=MIDDLE, segmenter=Bright(), on_step=fail)


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_instances_are_ordered_and_keep_their_masks(n, seed):
    rng = np.random.default_rng(seed)
    dense = rng.random((n, 5, 7)) < 0.2
    scores = rng.random(n).round(1)
    found = edge.instances_of(dense, scores, range(n))
    assert sorted(found.class_ids.tolist()) == [k for k in range(n) if dense[k].any()]
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    for k, class_id in enumerate(found.class_ids.tolist()):
        x1, y1, x2, y2 = found.boxes[k].astype(int)
        assert found.scores[k] == np.float32(scores[class_id])
        assert dense[class_id, y1:y2, x1:x2].sum() == dense[class_id].sum()
        assert np.array_equal(found.masks.crop(k), dense[class_id, y1:y2, x1:x2])


def test_wrong_arrays_are_refused():
    one = np.ones((1, 4, 4), np.uint8)
    with pytest.raises(ShapeError, match=r"masks: expected bool or uint8 \(N, H, W\), got float64"):
        edge.instances_of(np.ones((1, 4, 4)), [1], [0])
    with pytest.raises(ShapeError, match="masks"):
        edge.instances_of(one[0], [1], [0])
    with pytest.raises(ShapeError, match=r"scores: expected \(1,\), got \(2,\)"):
        edge.instances_of(one, [1, 1], [0])
    with pytest.raises(ShapeError, match="class_ids"):
        edge.instances_of(one, [1], 0)


LINES = b'{"seq":1}\n\n{"seq":2}\n'


def test_events_are_read_from_lines(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINES + b'{"seq":3')  # still being written
    assert list(edge.read_events(path)) == [{"seq": 1}, {"seq": 2}]
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(LINES))
    assert list(edge.read_events(str(packed))) == [{"seq": 1}, {"seq": 2}]
    packed.write_bytes(gzip.compress(LINES)[:-9])
    assert [e["seq"] for e in edge.read_events(packed)] in ([1, 2], [1], [])


def test_events_are_read_from_a_journal_that_is_written(tmp_path):
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        scribe = Scribe(journal.stream("door", None, {"gate": "g"}, 0.0))
        journal.append([scribe.crossed(), scribe.crossed(way="out")])
        events = list(edge.read_events(path))
        assert events == [json.loads(entry.line) for entry in scribe.made]
        assert [event["rule"]["direction"] for event in events] == ["in", "out"]


@pytest.mark.parametrize("line", [b"{]", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_line_that_is_no_event_is_refused_with_its_number(tmp_path, line):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"seq":1}\n' + line + b"\n")
    with pytest.raises(ConfigError, match=r"events\.jsonl:2: expected an event as JSON"):
        list(edge.read_events(path))


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(SourceError, match="none: expected events or a journal"):
        edge.read_events(tmp_path / "none")
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(b"no gzip\n")
    with pytest.raises(ConfigError, match="1: expected a line"):
        list(edge.read_events(path))
