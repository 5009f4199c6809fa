"""`edge run` in parts, so that it can be stopped and timed between two frames."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tracking_bench.pets import LINES, Counts

from edge import build, pipeline
from edge.cli.bench_stages import bare_session
from edge.cli.options import combined
from edge.config import with_model
from edge.evaluate.trackfiles import BoxRows, read_boxes
from edge.outputs import EventsOutput, Output, lines_to
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.tracks import TracksSink
from edge.sources import open_source
from edge.types import Step

WARM = 6  # frames before the clock runs: the model may have been done with five before


class _Open:
    """An output that is not closed between two turns."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, step: Step) -> None:
        self._output.write(step)

    def close(self) -> None:
        pass


class Ours:
    """The pipeline on one recording, with events and tracks written to files."""

    name = "edge run"

    def __init__(
        self,
        source: Path,
        model: str | None,
        threads: int | None,
        input_size: int | None,
        lines: list[str],
    ) -> None:
        config = combined(None, [str(source)], lines, None, "person")
        changes = {"name": model, "threads": threads, "input_size": input_size}
        config = with_model(config, {k: v for k, v in changes.items() if v is not None})
        self._segmenter = build.configured_segmenter(config)
        self._bare = bare_session(self._segmenter)
        self._folder = TemporaryDirectory(prefix="edge-rivals-")
        [camera] = config.cameras
        names = self._segmenter.class_names
        with open_source(str(source), reads_ahead=False) as first:
            self._prepared = self._segmenter.prepare(next(first).image)
        self._source = open_source(str(source))
        self._tracker = build.tracker(config, camera, names)
        size = self._source.width, self._source.height
        self._counters = build.counters(config, camera, names, *size)
        provenance = build.provenance(camera, self._source, self._segmenter)
        self._sink = JsonLinesSink(Path(self._folder.name, "events.jsonl"))
        encoder = build.encoder(config, camera, provenance)
        self._tracks = TracksSink(Path(self._folder.name, "tracks.txt"), names, "mot")
        events = EventsOutput(encoder, lines_to(self._sink), self._counters)
        self._outputs: list[Output] = [_Open(events), _Open(self._tracks)]
        self._seen = pipeline.segmented(self._source, self._segmenter)

    @property
    def model_path(self) -> Path:
        """The model's file."""
        return self._segmenter.session.file.path

    @property
    def input_hw(self) -> tuple[int, int]:
        """Size of the model's input."""
        return self._prepared.box.input_hw

    def bare(self, runs: int) -> float:
        """Seconds of one inference on all threads, nothing else at work."""
        began = time.perf_counter()
        for _ in range(runs):
            self._bare.run(self._prepared.tensor)
        return (time.perf_counter() - began) / runs

    def count(self, frames: int) -> tuple[int, float]:
        """Frames done, at most so many, and their seconds, as if all had been timed."""
        warm = self._run(min(WARM, frames))
        began = time.perf_counter()
        done = self._run(frames - WARM) if frames > WARM else 0
        spent_s = time.perf_counter() - began
        return warm + done, spent_s * (warm + done) / max(1, done)

    def _run(self, frames: int) -> int:
        return pipeline.run(self._seen, self._tracker, self._counters, self._outputs, None, frames)

    def counts(self) -> list[Counts]:
        """In and out on each line."""
        found = {counter.rule_id: counter.totals for counter in self._counters}
        return [tuple((found[name].count_in, found[name].count_out) for name in LINES)]

    def tracks(self) -> BoxRows:
        """As written."""
        self._tracks.close()
        return read_boxes(Path(self._folder.name, "tracks.txt"))

    def __enter__(self) -> Ours:
        return self

    def __exit__(self, *error: object) -> None:
        self._seen.close()  # type: ignore[attr-defined]
        self._source.close()
        self._sink.close()
        self._folder.cleanup()
