from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from edge import build, pipeline
from edge.config import Config
from edge.errors import ModelError, SinkError, SourceError
from edge.outputs import EventsOutput, lines_to
from edge.segment.providers import CpuSettings, ProviderSettings
from edge.sinks.detections import DetectionsSink
from edge.sinks.jsonl import JsonLinesSink
from edge.sources import VideoFile, open_source
from edge.sources.detections import DetectionsFile
from edge.types import Frame, Stamp

MANY = ProviderSettings(cpu=CpuSettings(at_once=None))  # runs
CONFIG = Config.model_validate(
    {"cameras": {"gate": {"source": "-", "lines": {"middle": {"a": [0.5, 0], "b": [0.5, 1]}}}}}
)


class Recorder:
    """An output that keeps what it gets, and may fail."""

    def __init__(self, write_error=None, close_error=None):
        self.steps = []
        self.closed = 0
        self._errors = write_error, close_error

    def write(self, step):
        if self._errors[0] and len(self.steps) == 2:
            raise self._errors[0]
        self.steps.append(step)

    def close(self):
        self.closed += 1
        if self._errors[1]:
            raise self._errors[1]


@pytest.fixture
def square(square_model):
    return build.segmenter(model=str(square_model), provider="cpu", threads=1)


@pytest.fixture
def parts():
    """Tracker and counters of the config's one camera."""
    return (
        build.tracker(CONFIG, "gate", ["person"]),
        build.counters(CONFIG, "gate", ["person"], 64, 48),
    )


def test_frames_go_through_all_stages_in_order(scene, square, parts):
    recorder = Recorder()
    with VideoFile(scene()) as source:
        assert pipeline.run(pipeline.segmented(source, square), *parts, [recorder]) == 60
    assert [s.stamp.frame for s in recorder.steps] == list(range(60))
    assert all(s.image.shape == (48, 64, 3) and len(s.instances) == 1 for s in recorder.steps)
    assert {i for s in recorder.steps for i in s.tracks.ids.tolist()} == {1}
    events = [e for s in recorder.steps for e in s.events]
    assert [(e.kind, e.direction) for e in events] == [
        ("line_crossed", "out"),
        ("line_crossed", "in"),
    ]
    # The foot, 8 pixels right of the left edge, is on the line at x = 32 when that is at 24:
    # 12 frames there, and 12 back from the 24th. The foot is smoothed, so it lags a little.
    assert [e.media_s for e in events] == pytest.approx([1.2, 3.6], abs=0.2)
    assert recorder.closed == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_the_model_running_ahead_changes_nothing(scene, square_model, threads):
    square = build.segmenter(
        model=str(square_model), provider="cpu", threads=threads, settings=MANY
    )
    assert square.at_once == min(threads, 4)
    with VideoFile(scene()) as source:
        alone = [(f.stamp, square.segment(f.image)) for f in source]
    with VideoFile(scene()) as source:
        for (stamp, _, ahead), (same, expected) in zip(
            pipeline.segmented(source, square), alone, strict=True
        ):
            assert stamp == same
            assert ahead.boxes.tolist() == expected.boxes.tolist()
            assert ahead.scores.tolist() == expected.scores.tolist()
            assert ahead.masks.pixels.tobytes() == expected.masks.pixels.tobytes()


def test_events_are_the_same_with_and_without_the_model_running_ahead(scene, square, tmp_path):
    def one_by_one(frames, segmenter):
        for frame in frames:
            yield frame.stamp, frame.image, segmenter.segment(frame.image)

    written = []
    for name, see, reads_ahead in (
        ("ahead", pipeline.segmented, True),
        ("again", pipeline.segmented, True),
        ("plain", one_by_one, False),
    ):
        path = tmp_path / f"{name}.jsonl"
        tracker = build.tracker(CONFIG, "gate", ["person"])
        counters = build.counters(CONFIG, "gate", ["person"], 64, 48)
        with open_source(str(scene()), reads_ahead) as source, JsonLinesSink(path) as sink:
            encoder = build.encoder(CONFIG, "gate", build.provenance("gate", source, square))
            events = EventsOutput(encoder, lines_to(sink), counters)
            pipeline.run(see(source, square), tracker, counters, [events])
        written.append(path.read_bytes())
    assert written[0].count(b"line_crossed") == 2
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_model_has_one_input_more_than_it_works_on(square_model, threads):
    square = build.segmenter(
        model=str(square_model), provider="cpu", threads=threads, settings=MANY
    )
    taken, done = [], []

    def frames():
        for k in range(6):
            taken.append(k)
            yield Frame(Stamp(k, k / 10), np.zeros((48, 64, 3), np.uint8))

    for stamp, _, _ in pipeline.segmented(frames(), square):
        done.append(stamp.frame)
        assert taken[-1] == min(
            stamp.frame + threads, 5
        )  # its input is ready before it is asked for
    assert done == list(range(6))


def test_who_stops_early_waits_for_the_model_once(square):
    running = []

    class Counted:
        prepare, decode, at_once = square.prepare, square.decode, square.at_once

        def infer(self, prepared):
            running.append(threading.current_thread().name)
            return square.infer(prepared)

    frames = (Frame(Stamp(k, k / 10), np.zeros((48, 64, 3), np.uint8)) for k in range(100))
    seen = pipeline.segmented(frames, Counted())
    next(seen)
    seen.close()
    assert 1 <= len(running) <= 2
    assert running[0].startswith("edge-infer")
    assert not any(t.name.startswith("edge-infer") for t in threading.enumerate())


def test_a_replay_gives_the_same_steps_without_pictures(scene, square, parts, tmp_path):
    live, path = Recorder(), tmp_path / "d.jsonl.gz"
    provenance = {"class_names": ["person"]}
    with VideoFile(scene()) as source:
        sink = DetectionsSink(path, ("person",), provenance)
        pipeline.run(pipeline.segmented(source, square), *parts, [live, sink])
    again = Recorder()
    tracker = build.tracker(CONFIG, "gate", ["person"])
    counters = build.counters(CONFIG, "gate", ["person"], 64, 48)
    pipeline.run(pipeline.replayed(DetectionsFile(path)), tracker, counters, [again])
    assert all(s.image is None for s in again.steps)
    assert [s.events for s in again.steps] == [s.events for s in live.steps]
    for one, other in zip(live.steps, again.steps, strict=True):
        assert one.tracks.feet.tolist() == other.tracks.feet.tolist()


def test_max_frames_ends_early(scene, square, parts):
    recorder = Recorder()
    with VideoFile(scene()) as source:
        seen = pipeline.segmented(source, square)
        assert pipeline.run(seen, *parts, [recorder], None, 7) == 7
    assert len(recorder.steps) == 7
    assert recorder.closed == 1


def test_stop_ends_after_the_frame_at_hand(scene, square, parts):
    stop = threading.Event()
    stop.set()
    recorder = Recorder()
    with VideoFile(scene()) as source:
        seen = pipeline.segmented(source, square)
        assert pipeline.run(seen, *parts, [recorder], stop) == 1
    assert recorder.closed == 1


def test_a_segmenter_that_fails_in_frame_3_loses_nothing(scene, square, parts, tmp_path):
    class Failing:
        prepare, decode, at_once = square.prepare, square.decode, square.at_once
        calls = 0

        def infer(self, prepared):
            self.calls += 1
            if self.calls == 3:
                raise ModelError("m.onnx: failed on input (1, 3, 48, 64): out of memory")
            return square.infer(prepared)

    recorder, path = Recorder(), tmp_path / "events.jsonl"
    with VideoFile(scene()) as source, JsonLinesSink(path) as sink:
        provenance = build.provenance("gate", source, square)
        events = EventsOutput(build.encoder(CONFIG, "gate", provenance), lines_to(sink), parts[1])
        seen = pipeline.segmented(source, Failing())
        with pytest.raises(ModelError, match="out of memory"):
            pipeline.run(seen, *parts, [events, recorder])
    assert len(recorder.steps) == 2
    assert recorder.closed == 1
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(e["type"], e["time"]["frame"]) for e in lines] == [("started", 0), ("stopped", 1)]


def test_an_error_outside_the_pipeline_closes_the_outputs_too(parts):
    def seen():
        raise RuntimeError("a bug")
        yield

    recorder = Recorder()
    with pytest.raises(RuntimeError, match="a bug"):
        pipeline.run(seen(), *parts, [recorder])
    assert recorder.closed == 1


def test_an_output_that_fails_closes_the_others(scene, square, parts):
    outputs = [Recorder(), Recorder(write_error=SinkError("disk full")), Recorder()]
    with VideoFile(scene()) as source, pytest.raises(SinkError, match="disk full"):
        pipeline.run(pipeline.segmented(source, square), *parts, outputs)
    assert [o.closed for o in outputs] == [1, 1, 1]
    assert [len(o.steps) for o in outputs] == [3, 2, 2]


def test_the_first_error_is_the_one_that_is_raised(parts):
    def seen():
        raise SourceError("the file ended")
        yield

    broken = [Recorder(close_error=SinkError(name)) for name in "abc"]
    with pytest.raises(SourceError, match="the file ended"):
        pipeline.run(seen(), *parts, broken)
    assert [o.closed for o in broken] == [1, 1, 1]


def test_an_error_of_closing_is_raised_and_the_others_are_closed(parts):
    broken = [Recorder(close_error=SinkError(name)) for name in "abc"]
    with pytest.raises(SinkError, match="c"):  # closed in reverse order, and the first one counts
        pipeline.run(iter(()), *parts, broken)
    assert [o.closed for o in broken] == [1, 1, 1]


class _Breaking:
    """Frames of a source that fails after the third."""

    def __init__(self, frames):
        self._frames = frames

    def __iter__(self):
        yield from self._frames[:3]
        raise SourceError("clip.mp4: expected more video after 0.2 s, got a read error")


def test_frames_before_a_failing_source_are_all_seen(square_model):
    segmenter = build.segmenter(model=str(square_model), provider="cpu", threads=1)
    frames = [Frame(Stamp(k, k / 10), np.zeros((48, 64, 3), np.uint8)) for k in range(5)]
    seen = pipeline.segmented(_Breaking(frames), segmenter)
    assert [next(seen)[0].frame for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceError, match="read error"):
        next(seen)
