"""The main loop: source -> segmenter -> tracker -> counters -> outputs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from edge.errors import EdgeError
from edge.outputs import Counter, Output
from edge.segment import Outputs, Prepared, Segmenter
from edge.track.camera import CameraMotion
from edge.track.tracker import Tracker
from edge.types import U8, Frame, Instances, Stamp, Step

Seen = tuple[Stamp, U8 | None, Instances]


def segmented(frames: Iterable[Frame], segmenter: Segmenter) -> Iterator[Seen]:
    """What a model sees in each frame.

    While one frame is decoded, tracked and counted here, the model runs on the next one on a
    thread of its own; the order and the results are the same as without.
    """
    waiting: tuple[Frame, Prepared, Future[Outputs]] | None = None
    failure: EdgeError | None = None
    source = iter(frames)
    with ThreadPoolExecutor(1, "edge-infer") as worker:
        while True:
            try:
                frame = next(source, None)
            except EdgeError as error:  # what was read before it still counts
                frame, failure = None, error
            prepared = None if frame is None else segmenter.prepare(frame.image)
            done = None if waiting is None else (waiting, waiting[2].result())
            if frame is not None and prepared is not None:
                waiting = (frame, prepared, worker.submit(segmenter.infer, prepared))
            if done is not None:
                (before, its, _), outputs = done
                yield before.stamp, before.image, segmenter.decode(outputs, its)
            if frame is None:
                break
    if failure is not None:
        raise failure


def followed(seen: Iterable[Seen], camera: CameraMotion) -> Iterator[Seen]:
    """The same, and how the camera has moved since the picture before."""
    for stamp, image, instances in seen:
        if image is not None:
            instances = replace(instances, camera=camera.update(image, instances.boxes))
        yield stamp, image, instances


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

    All frames have one size: a source scales others, and counts them, or refuses them. Outputs
    are closed in any case, so that nothing counted is lost; an error of the source,
    the model or an output is raised after that.

    Returns:
        The number of frames.
    """
    frames = 0
    with ExitStack() as finish:
        for output in outputs:
            finish.push(_closing(output))
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


def _closing(output: Output) -> Callable[..., None]:
    """Closes `output` at the end of a block; an error before it says more than one of closing."""

    def close(kind: object, error: BaseException | None, trace: object) -> None:
        try:
            output.close()
        except EdgeError:
            if error is None:
                raise

    return close
