"""The main loop: source -> segmenter -> tracker -> counters -> outputs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from edge.outputs import Counter, Output
from edge.segment import Segmenter
from edge.track.tracker import Tracker
from edge.types import U8, Frame, Instances, Stamp, Step

Seen = tuple[Stamp, U8 | None, Instances]


def segmented(frames: Iterable[Frame], segmenter: Segmenter) -> Iterator[Seen]:
    """What a model sees in each frame."""
    for frame in frames:
        yield frame.stamp, frame.image, segmenter.segment(frame.image)


def replayed(recorded: Iterable[tuple[Stamp, Instances]]) -> Iterator[Seen]:
    """What was recorded of each frame."""
    for stamp, instances in recorded:
        yield stamp, None, instances


def run(
    seen: Iterable[Seen],
    tracker: Tracker,
    counters: list[Counter],
    outputs: list[Output],
    stop: threading.Event | None = None,
    max_frames: int | None = None,
) -> int:
    """Count until the source ends, `stop` is set, or `max_frames` have been seen.

    Outputs are closed in any case, so that nothing counted is lost; an error of the source,
    the model or an output is raised after that.

    Returns:
        The number of frames.
    """
    frames = 0
    with ExitStack() as finish:
        for output in outputs:
            finish.callback(output.close)
        for stamp, image, instances in seen:
            tracks = tracker.update(stamp, instances)
            events = [e for c in counters for e in c.update(stamp, tracks, instances)]
            step = Step(stamp, image, instances, tracks, tuple(events))
            for output in outputs:
                output.write(step)
            frames += 1
            if frames == max_frames or (stop is not None and stop.is_set()):
                break
    return frames
