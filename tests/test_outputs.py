from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import standing

from edge import build
from edge.config import Config
from edge.errors import SinkError
from edge.events import Event
from edge.outputs import FLASH_S, EventsOutput, VideoOutput, lines_to
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.video import VideoSink
from edge.sources import VideoFile
from edge.types import CountEvent, Stamp, Step, Totals, TrackFlag

CONFIG = Config.model_validate(
    {
        "cameras": {
            "gate": {
                "source": "-",
                "lines": {"middle": {"a": [0.5, 0], "b": [0.5, 1]}},
                "zones": {"left": {"polygon": [[0, 0], [0.4, 0], [0.4, 1], [0, 1]]}},
            }
        }
    }
)
PROVENANCE = {"width": 64, "height": 48, "class_names": ["person"]}


@pytest.fixture
def counters():
    return build.counters(CONFIG, "gate", ["person"], 64, 48)


@pytest.fixture
def large_counters():
    return build.counters(CONFIG, "gate", ["person"], 640, 480)


def occupancy(frame: int) -> CountEvent:
    stamp = Stamp(frame, frame / 10)
    return CountEvent("zone_occupancy", "left", frame / 10, frame, stamp, "", 0, Totals(0, 0), None)


def sent(counters, *steps, snapshot_every_s=None):
    stream = io.StringIO()
    encoder = build.encoder(CONFIG, "gate", PROVENANCE)
    output = EventsOutput(encoder, lines_to(JsonLinesSink(stream)), counters, snapshot_every_s)
    for step in steps:
        output.write(step)
    output.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_events_lie_between_started_and_stopped(counters, make_step):
    steps = [make_step(0), make_step(1, events=(occupancy(1),)), make_step(2)]
    lines = sent(counters, *steps)
    assert [e["type"] for e in lines] == ["started", "zone_occupancy", "stopped"]
    assert [e["seq"] for e in lines] == [1, 2, 3]
    assert lines[2]["time"] == {"media_s": 0.2, "frame": 2}
    assert [c["rule_id"] for c in lines[2]["counts"]] == ["middle", "left"]


def crossed(frame: int, totals: Totals) -> CountEvent:
    stamp = Stamp(frame, frame / 10)
    return CountEvent("line_crossed", "middle", 0.0, 0, stamp, "in", 1, totals, None)


def test_snapshots_come_at_the_end_of_each_window_with_the_totals_until_then(counters, make_step):
    totals = [Totals(n, 0, {0: (n, 0)}) for n in (1, 2)]
    events = {5: crossed(5, totals[0]), 20: crossed(20, totals[1])}
    steps = [make_step(k, events=(events[k],) if k in events else ()) for k in range(26)]
    lines = sent(counters, *steps, snapshot_every_s=1.0)
    assert [e["type"] for e in lines] == [
        *("started", "line_crossed"),
        *["count_snapshot"] * 4,
        "line_crossed",
        *["count_snapshot"] * 2,
        "stopped",
    ]
    middle = [e for e in lines if e["type"] == "count_snapshot" and e["rule"]["id"] == "middle"]
    assert [e["count"]["in"] for e in middle] == [1, 1, 2]
    assert [e["window"] for e in middle] == [
        {"start": float(k), "end": float(k + 1)} for k in range(3)
    ]
    assert [e["coverage"] for e in middle] == [1.0, 1.0, 0.5]
    assert [e["time"]["media_s"] for e in middle] == [1.0, 2.0, 2.5]


sightings = st.tuples(
    st.sampled_from([4, 20, 30, 34, 44, 60]),  # x: the line is at 32, the zone ends at 25
    st.booleans(),  # whether the foot is inferred
    st.integers(0, 1),  # class
)


@given(st.lists(st.dictionaries(st.integers(1, 3), sightings), min_size=1, max_size=60))
def test_the_log_adds_up_at_any_point_and_corrects_what_it_said(film):
    names = ["person", "car"]
    counters = build.counters(CONFIG, "gate", names, 64, 48)
    encoder = build.encoder(CONFIG, "gate", PROVENANCE | {"class_names": names})
    stream = io.StringIO()
    output = EventsOutput(encoder, lines_to(JsonLinesSink(stream)), counters, 1.0)
    for k, at in enumerate(film):
        stamp, generation = Stamp(k, 0.2 * k), k // 20 * 3
        ended = range(generation - 2, generation + 1) if k % 20 == 0 and k else ()
        feet = {i + generation: (x, 24) for i, (x, _, _) in at.items()}
        tracks, instances = standing(feet, ended, height_px=20)
        mine = [at[i - generation] for i in tracks.ids.tolist()]
        flags = [TrackFlag.FOOT_INFERRED * inferred for _, inferred, _ in mine]
        tracks = replace(
            tracks,
            flags=np.array(flags, np.uint8),
            class_ids=np.array([c for _, _, c in mine], np.int32),
        )
        events = [e for c in counters for e in c.update(stamp, tracks, instances)]
        output.write(Step(stamp, None, instances, tracks, tuple(events)))
    output.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    sums, crossed_by = {}, {}
    for line in lines:
        Event.model_validate(line)
        if "count" not in line:
            continue
        rule, count = line["rule"], line["count"]
        key = (rule["id"], rule.get("direction"))
        sums[key] = sums.get(key, 0) + count["delta"]
        for way in ("in", "out"):
            assert count[way] == sums.get((rule["id"], way), 0)
            assert count[way] == sum(c[way] for c in count["by_class"].values())
        if line["type"] == "line_crossed":
            crossed_by[line["event_id"]] = line
        elif line["type"] == "line_crossing_reverted":
            wrong = crossed_by.pop(line["corrects"])  # once only
            for part in ("rule", "object"):
                assert line[part] == wrong[part]
    assert len({line["event_id"] for line in lines}) == len(lines)
    finals = {c["rule_id"]: c["count"] for c in lines[-1]["counts"]}
    assert finals["middle"]["in"] + finals["middle"]["out"] == len(crossed_by)


def test_a_source_without_frames_sends_nothing(counters):
    assert sent(counters) == []


def test_the_frame_rate_is_that_of_the_last_second(counters, make_step):
    class Rates:
        """An encoder that keeps the frame rates it is told."""

        fps: list

        def __init__(self):
            self.fps = []

        def started(self, stamp, snapshot_every_s):
            return {}

        def stopped(self, stamp, totals):
            return {}

        def encode(self, event, fps, dropped):
            self.fps.append(fps)
            return {}

    rates = Rates()
    output = EventsOutput(rates, lines_to(JsonLinesSink(io.StringIO())), counters)
    for frame in [*range(30), *range(30, 60, 5)]:  # 10 a second, then 2
        output.write(make_step(frame, events=(occupancy(frame),)))
    assert rates.fps[0] is None
    assert rates.fps[1:30] == pytest.approx([10.0] * 29)
    assert rates.fps[-3:] == pytest.approx([2.0] * 3)


def test_a_full_disk_is_an_error_of_the_step(counters, make_step, tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    output = EventsOutput(
        build.encoder(CONFIG, "gate", PROVENANCE),
        lines_to(JsonLinesSink(tmp_path / "full")),
        counters,
    )
    with pytest.raises(SinkError, match="no space left on device"):
        output.write(make_step(0))


def test_the_video_shows_every_step_with_its_overlay(large_counters, make_step, tmp_path):
    path = tmp_path / "out.mp4"
    output = VideoOutput(VideoSink(path, 640, 480, 10), ("person",), large_counters)
    for k in range(10):
        box = (300 + 5 * k, 100, 360 + 5 * k, 300)
        output.write(make_step(k, [box], size=(640, 480), with_image=True))
    output.write(make_step(11))  # a step without a picture draws none
    output.close()
    with VideoFile(path) as video:
        frames = list(video)
    assert [f.stamp.media_s for f in frames] == [k / 10 for k in range(10)]
    different = np.abs(frames[-1].image.astype(int) - 90).max(2) > 30
    assert different[100:300, 345:405].mean() > 0.2  # the mask
    assert different[320:, 316:324].any()  # the line


def test_a_line_lights_up_after_a_crossing(large_counters, make_step, tmp_path):
    crossed = CountEvent("line_crossed", "middle", 0, 0, Stamp(0, 0), "in", 1, Totals(1, 0), None)
    shown = []

    class Sink:
        def write(self, image, media_s):
            shown.append(image)

        def close(self):
            pass

    output = VideoOutput(Sink(), ("person",), large_counters)
    late = round(FLASH_S * 10) + 1
    for frame, events in ((0, ()), (1, (crossed,)), (2, ()), (2 + late, ())):
        output.write(make_step(frame, events=events, size=(640, 480), with_image=True))
    # Beside the line and below the totals, where only its glow reaches.
    quiet, lit, still, after = (image[240:, 310:330].astype(int).sum() for image in shown)
    assert lit == still
    assert lit != quiet
    assert after == quiet


def test_a_video_hides_people_if_asked(make_step):
    class Sink:
        def __init__(self):
            self.pictures = []

        def write(self, picture, time_s):
            self.pictures.append(picture)

    plain, hiding = Sink(), Sink()
    step = make_step(0, [(4, 4, 24, 44)], with_image=True)
    noisy = np.random.default_rng(0).integers(0, 256, step.image.shape, np.uint8)
    step = replace(step, image=noisy)
    VideoOutput(plain, ("person",), []).write(step)
    VideoOutput(hiding, ("person",), [], {0}).write(step)
    [shown], [hidden] = plain.pictures, hiding.pictures
    assert (shown[30:42, 8:20] != hidden[30:42, 8:20]).any(-1).mean() > 0.8
    assert (shown[:, 40:] == hidden[:, 40:]).all()
