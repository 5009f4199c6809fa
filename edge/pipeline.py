"""The main loop: source -> segmenter -> tracker -> counters -> outputs."""

from __future__ import annotations

import os
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
BATCH: int | None = getattr(os, "SCHED_BATCH", None)  # on Linux
AHEAD = 2  # inputs that are with the model or ready for it


def segmented(frames: Iterable[Frame], segmenter: Segmenter) -> Iterator[Seen]:
    """What a model sees in each frame.

    The model runs on a thread of its own, and its next input is ready before it is done with the
    one before: it waits for nobody as long as the others keep up. While it runs, what it saw
    before is decoded, tracked and counted here. The order and the results are the same as without.
    Until the end, this thread and those that it starts do not interrupt the model's.
    """
    waiting: deque[tuple[Frame, Prepared, Future[Outputs]]] = deque()
    failure: EdgeError | None = None
    source = iter(frames)
    policy = _scheduled(BATCH)
    worker = ThreadPoolExecutor(1, "edge-infer", lambda: _scheduled(policy))
    try:
        while True:
            try:
                frame = next(source, None)
            except EdgeError as error:  # what was read before it still counts
                frame, failure = None, error
            if frame is not None:
                prepared = segmenter.prepare(frame.image)
                waiting.append((frame, prepared, worker.submit(segmenter.infer, prepared)))
            # Inputs live until the call after the next: one is with the model, the other one next.
            if len(waiting) == AHEAD or (frame is None and waiting):
                yield _seen(segmenter, *waiting.popleft())
            elif frame is None:
                break
    finally:
        worker.shutdown(cancel_futures=True)
        _scheduled(policy)
    if failure is not None:
        raise failure


def _seen(segmenter: Segmenter, frame: Frame, prepared: Prepared, outputs: Future[Outputs]) -> Seen:
    return frame.stamp, frame.image, segmenter.decode(outputs.result(), prepared)


def _scheduled(policy: int | None) -> int | None:
    """Let the kernel schedule this thread, and threads that it starts, so; how it did before.

    A thread under `BATCH` does not interrupt others when it wakes up, but runs when they wait.
    The operators of a model wait for the slowest of its threads: one that is interrupted by the
    decoder of the video stops them all. Measured, 2 CPUs, 320 x 416: the pipeline cost 1.13 times
    bare inference without and 1.08 with it. The share of the CPU is the same, no rights are needed.

    Returns:
        None, and nothing is changed, where there is no such policy or another one is in force.
    """
    if policy is None or not hasattr(os, "sched_setscheduler"):
        return None
    before = os.sched_getscheduler(0)
    if before not in (os.SCHED_OTHER, BATCH):  # somebody knows better
        return None
    try:
        os.sched_setscheduler(0, policy, os.sched_param(0))
    except OSError:  # a sandbox does not allow it
        return None
    return before


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
