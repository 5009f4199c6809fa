from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge import build, pipeline
from edge.config import load
from edge.recent import Recent
from edge.sources.detections import DetectionsFile
from edge.types import Stamp

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def recording():
    """The golden recording: its config, camera, class names and size, and what ran on it."""
    config = load(GOLDEN / "people.yaml")
    [camera] = config.cameras
    source = DetectionsFile(GOLDEN / "people.jsonl.gz")

    def counters():
        return build.counters(config, camera, source.class_names, source.width, source.height)

    def run(*outputs):
        live = counters()
        tracker = build.tracker(config, camera, source.class_names)
        pipeline.run(pipeline.replayed(source), tracker, live, list(outputs))
        return {c.rule_id: c.totals for c in live}

    return run, counters


def test_rules_tried_afterwards_count_what_they_would_have_counted(recording):
    run, counters = recording
    recent = Recent()
    totals = run(recent)
    fresh = counters()
    assert recent.replay(fresh) > 100
    assert {c.rule_id: c.totals for c in fresh} == totals
    assert sum(t.count_in + t.count_out for t in totals.values()) > 10
    assert recent.replay(counters()) > 100  # as often as one likes


def test_only_the_last_minutes_are_kept(recording):
    run, counters = recording
    recent = Recent(kept_s=5.0)
    run(recent)
    assert recent.span_s == pytest.approx(5.0, abs=0.11)
    assert recent.replay(counters()) == pytest.approx(51, abs=1)


def test_frames_of_another_size_begin_anew(recording):
    run, _ = recording

    class Turned:
        """Hands steps on, with masks of another size from the tenth."""

        def __init__(self, inner):
            self.inner = inner

        def write(self, step):
            if step.stamp.frame >= 10:
                masks = replace(step.instances.masks, width=2000, height=1000)
                step = replace(step, instances=replace(step.instances, masks=masks))
            self.inner.write(replace(step, stamp=Stamp(step.stamp.frame, step.stamp.media_s)))

        def close(self):
            self.inner.close()

    recent = Recent(kept_s=1e9)
    run(Turned(recent))
    assert recent.size == (2000, 1000)
    whole = Recent(kept_s=1e9)
    run(whole)
    assert recent.replay([]) == whole.replay([]) - 10


def test_nothing_is_tried_before_the_first_frame():
    recent = Recent()
    assert (recent.size, recent.span_s, recent.replay([])) == (None, 0.0, 0)


def test_heights_are_those_of_confirmed_tracks(recording):
    run, _ = recording
    recent = Recent()
    assert recent.heights_px() == []
    run(recent)
    heights_px = recent.heights_px()
    assert len(heights_px) > 5
    assert recent.size is not None
    assert all(1.0 < height < recent.size[1] for height in heights_px)
