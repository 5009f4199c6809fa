"""`edge bench`: what each stage of the pipeline costs, one after the other on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge import build
from edge.config import Config
from edge.outputs import Counter, EventsOutput, VideoOutput, lines_to
from edge.segment import Segmenter, Session
from edge.sinks.jsonl import JsonLinesSink
from edge.sources import ImageFolder, VideoFile, open_source
from edge.track.tracker import Tracker
from edge.types import U8, Step

STAGES = ("read", "prepare", "infer", "decode", "track", "count", "send")
DRAW = "draw"  # the stage of annotated videos and of the page, if asked for
SHARES = (50, 95)  # percentiles

Parts = tuple[VideoFile | ImageFolder, Tracker, list[Counter], EventsOutput]


def bare_session(segmenter: Segmenter) -> Session:
    """The model as a plain script runs it: one picture after the other, on all threads."""
    its = segmenter.session
    if its.at_once == 1:
        return its
    return Session(its.file.path, its.provider, its.threads)


@contextmanager
def parts_of(config: Config, segmenter: Segmenter, reads_ahead: bool = True) -> Iterator[Parts]:
    """What `edge run` makes of a config with one camera; events go to a file for a while.

    Raises:
        EdgeError: the source cannot be read, or a class is unknown.
    """
    [camera] = config.cameras
    with (
        open_source(config.cameras[camera].source, reads_ahead) as source,
        TemporaryDirectory(prefix="edge-bench-") as folder,
        JsonLinesSink(Path(folder) / "events.jsonl") as sink,
    ):
        names = segmenter.class_names
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, source.width, source.height)
        provenance = build.provenance(camera, source, segmenter)
        events = EventsOutput(build.encoder(config, camera, provenance), lines_to(sink), counters)
        yield source, tracker, counters, events


def spent_s(
    config: Config,
    segmenter: Segmenter,
    frames: int,
    clock: Callable[[], float] = time.perf_counter,
    draws: bool = False,
) -> dict[str, list[float]]:
    """Seconds of each stage in each frame, nothing else at work.

    `read` is demultiplexing, decoding and the conversion to BGR; `send` is the encoding and
    writing of events, most frames have none. If it `draws`, that is the last stage, without the
    encoding, which runs beside the rest.
    """
    stages = (*STAGES, DRAW) if draws else STAGES
    spent: dict[str, list[float]] = {stage: [] for stage in stages}
    with parts_of(config, segmenter, reads_ahead=False) as (source, tracker, counters, events):
        pictures = VideoOutput(_Discarding(), segmenter.class_names, counters)
        for _ in range(frames):
            marks = [clock()]
            frame = next(source, None)
            if frame is None:
                break
            marks.append(clock())
            prepared = segmenter.prepare(frame.image)
            marks.append(clock())
            outputs = segmenter.infer(prepared)
            marks.append(clock())
            instances = segmenter.decode(outputs, prepared)
            marks.append(clock())
            tracks = tracker.update(frame.stamp, instances)
            marks.append(clock())
            found = [e for c in counters for e in c.update(frame.stamp, tracks, instances)]
            marks.append(clock())
            step = Step(frame.stamp, frame.image, instances, tracks, tuple(found))
            events.write(step)
            marks.append(clock())
            if draws:
                pictures.write(step)
                marks.append(clock())
            for stage, (begin, end) in zip(stages, pairwise(marks), strict=True):
                spent[stage].append(end - begin)
        events.close()
    return spent


class _Discarding:
    """A sink of pictures that keeps none."""

    def write(self, image: U8, media_s: float) -> None:
        pass

    def close(self) -> None:
        pass


def percentiles_ms(spent: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile in milliseconds, of seconds; stages without any are left out.

    >>> percentiles_ms({"read": [0.001, 0.002, 0.003], "track": []})
    {'read': {'p50_ms': 2.0, 'p95_ms': 2.9}}
    """
    found = {}
    for stage, seconds in spent.items():
        if seconds:
            values = np.percentile(np.array(seconds) * 1e3, SHARES)
            pairs = zip(SHARES, values, strict=True)
            found[stage] = {f"p{share}_ms": round(float(ms), 3) for share, ms in pairs}
    return found
