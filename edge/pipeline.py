"""The main loop: source -> segmenter -> tracker -> counters -> outputs."""

from __future__ import annotations

import threading
from collections import deque
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

    The model runs on threads of its own, on as many frames at once as it is good for, and the next
    input is ready before one of them is done: it waits for nobody as long as the others keep up.
    While it runs, what it saw before is decoded, tracked and counted here. The order and the
    results are the same as without.
    """
    waiting: deque[tuple[Frame, Prepared, Future[Outputs]]] = deque()
    failure: EdgeError | None = None
    source = iter(frames)
    workers = ThreadPoolExecutor(segmenter.at_once, "edge-infer")
    try:
        while True:
            try:
                frame = next(source, None)
            except EdgeError as error:  # what was read before it still counts
                frame, failure = None, error
            if frame is not None:
                prepared = segmenter.prepare(frame.image)
                waiting.append((frame, prepared, workers.submit(segmenter.infer, prepared)))
            # Inputs live for `at_once` more: these are with the model, and one is the next.
            if len(waiting) > segmenter.at_once or (frame is None and waiting):
                yield _seen(segmenter, *waiting.popleft())
            elif frame is None:
                break
    finally:
        workers.shutdown(cancel_futures=True)
    if failure is not None:
        raise failure


def _seen(segmenter: Segmenter, frame: Frame, prepared: Prepared, outputs: Future[Outputs]) -> Seen:
    return frame.stamp, frame.image, segmenter.decode(outputs.result(), prepared)


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


def ending(seen: Iterable[Seen], at_end: Callable[[], None]) -> Iterator[Seen]:
    """The same; `at_end` is called when the source has come to its end by itself."""
    yield from seen
    at_end()


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
            del image, step  # 6 MB at 1080p, not to be kept until the next one is there
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
