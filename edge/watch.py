"""The main loop over many cameras that share one model: whoever has waited longest is next."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from edge.lane import Lane, longest_waiting
from edge.segment import Outputs, Prepared, Segmenter
from edge.types import Frame

IDLE_S = 0.25  # how long to wait for a frame before looking at the clock again
Observe = Callable[[str, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class _Taken:
    """A frame that the model is to see, and how long it had waited."""

    lane: Lane
    frame: Frame
    prepared: Prepared
    wait_s: float


@dataclass(frozen=True, slots=True)
class _Running:
    """Frames that the model is at work on, of different cameras."""

    taken: list[_Taken]
    outputs: Future[tuple[list[Outputs], float]]


def watch(  # noqa: PLR0913
    lanes: list[Lane],
    segmenter: Segmenter,
    stop: threading.Event,
    wake: threading.Event,
    each_turn: Callable[[], None],
    observe: Observe | None = None,
    batch: int = 1,
) -> None:
    """Count in all lanes until `stop` is set or all feeds have ended.

    While the model runs, on as many frames at once as it is good for, the ones before them are
    decoded, tracked and counted here, in the order in which they were taken. A frame is taken when
    the model is free, not before: it is the newest that its camera has.

    Args:
        lanes: the cameras; `each_turn` may change the list.
        segmenter: the model.
        stop: ends the loop; the frames that the model is at work on are still counted.
        wake: set by feeds when they have something new, and when the model is done.
        each_turn: called before each frame, and about four times a second without frames.
        observe: told the camera and the seconds of each stage of a frame.
        batch: most frames, of different cameras, that the model sees at once.

    Raises:
        ModelError: the model fails.
        SinkError: a result cannot be written.
    """
    with ThreadPoolExecutor(segmenter.at_once, "edge-infer") as workers:
        running: deque[_Running] = deque()
        while running or not stop.is_set():
            each_turn()
            is_full = len(running) == segmenter.at_once
            done = running.popleft() if is_full or _is_done(running) else None
            outputs, infer_s = done.outputs.result() if done else ([], 0.0)
            while len(running) < segmenter.at_once and not stop.is_set():
                if (started := _started(lanes, segmenter, workers, batch)) is None:
                    break
                running.append(started)
                started.outputs.add_done_callback(lambda _: wake.set())
            if done is not None:
                for taken, its in zip(done.taken, outputs, strict=True):
                    _count(taken, its, infer_s, lanes, segmenter, observe)
                continue
            if not running and lanes and all(lane.feed.ended for lane in lanes):
                return
            wake.wait(IDLE_S)
            wake.clear()


def _is_done(running: deque[_Running]) -> bool:
    return bool(running) and running[0].outputs.done()


def _count(
    taken: _Taken,
    outputs: Outputs,
    infer_s: float,
    lanes: list[Lane],
    segmenter: Segmenter,
    observe: Observe | None,
) -> None:
    """Track and count what the model saw in a frame, unless its camera is gone by now."""
    if taken.lane not in lanes:
        return
    began_s = time.monotonic()
    taken.lane.take(taken.frame, segmenter.decode(outputs, taken.prepared))
    if observe is not None:
        observe(taken.lane.name, _stages(taken, infer_s, began_s))


def _started(
    lanes: list[Lane], segmenter: Segmenter, workers: ThreadPoolExecutor, batch: int
) -> _Running | None:
    """Set the model to work on the next frames, if there are any."""
    taken: list[_Taken] = []
    others = lanes
    while len(taken) < batch and (found := longest_waiting(others)) is not None:
        lane, frame = found
        now_s = time.monotonic()
        prepared = segmenter.prepare(frame.image)
        if batch > 1:  # the next one of this size would be written over it
            prepared = replace(prepared, tensor=prepared.tensor.copy())
        wait_s = now_s - (frame.arrived_s if frame.arrived_s is not None else now_s)
        taken.append(_Taken(lane, frame, prepared, wait_s))
        others = [other for other in others if other is not lane]
    if not taken:
        return None

    def infer() -> tuple[list[Outputs], float]:
        began_s = time.monotonic()
        outputs = segmenter.infer_all([one.prepared for one in taken])
        return outputs, time.monotonic() - began_s

    return _Running(taken, workers.submit(infer))


def _stages(taken: _Taken, infer_s: float, began_s: float) -> dict[str, float]:
    """Seconds that a frame spent waiting, in the model, and after it; and in all."""
    now_s = time.monotonic()
    arrived_s = taken.frame.arrived_s
    stages = {"wait": taken.wait_s, "infer": infer_s, "count": now_s - began_s}
    if arrived_s is not None:
        stages["total"] = now_s - arrived_s
    return stages
