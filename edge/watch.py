"""The main loop over many cameras that share one model: whoever has waited longest is next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from edge.lane import Lane, longest_waiting
from edge.segment import Prepared, Segmenter
from edge.types import F32, Frame

IDLE_S = 0.25  # how long to wait for a frame before looking at the clock again
Observe = Callable[[str, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class _Running:
    """A frame that the model is at work on."""

    lane: Lane
    frame: Frame
    prepared: Prepared
    outputs: Future[tuple[list[F32], float]]
    wait_s: float  # from its arrival until it was taken


def watch(
    lanes: list[Lane],
    segmenter: Segmenter,
    stop: threading.Event,
    wake: threading.Event,
    each_turn: Callable[[], None],
    observe: Observe | None = None,
) -> None:
    """Count in all lanes until `stop` is set or all feeds have ended.

    While the model runs on one frame, the one before it is decoded, tracked and counted here. A
    frame is taken when the model is free, not before: it is the newest that its camera has.

    Args:
        lanes: the cameras; `each_turn` may change the list.
        segmenter: the model.
        stop: ends the loop; the frame that the model is at work on is still counted.
        wake: set by feeds when they have something new.
        each_turn: called before each frame, and about four times a second without frames.
        observe: told the camera and the seconds of each stage of a frame.

    Raises:
        ModelError: the model fails.
        SinkError: a result cannot be written.
    """
    with ThreadPoolExecutor(1, "edge-infer") as worker:
        running: _Running | None = None
        while running is not None or not stop.is_set():
            each_turn()
            outputs, infer_s = ([], 0.0) if running is None else running.outputs.result()
            done, running = running, None
            if not stop.is_set():
                running = _started(lanes, segmenter, worker)
            if done is not None and done.lane in lanes:
                began_s = time.monotonic()
                done.lane.take(done.frame, segmenter.decode(outputs, done.prepared))
                if observe is not None:
                    observe(done.lane.name, _stages(done, infer_s, began_s))
            elif running is None:
                if lanes and all(lane.feed.ended for lane in lanes):
                    return
                wake.wait(IDLE_S)
                wake.clear()


def _started(
    lanes: list[Lane], segmenter: Segmenter, worker: ThreadPoolExecutor
) -> _Running | None:
    """Set the model to work on the next frame, if there is one."""
    found = longest_waiting(lanes)
    if found is None:
        return None
    lane, frame = found
    taken_s = time.monotonic()
    prepared = segmenter.prepare(frame.image)

    def infer() -> tuple[list[F32], float]:
        began_s = time.monotonic()
        outputs = segmenter.infer(prepared)
        return outputs, time.monotonic() - began_s

    wait_s = taken_s - (frame.arrived_s if frame.arrived_s is not None else taken_s)
    return _Running(lane, frame, prepared, worker.submit(infer), wait_s)


def _stages(done: _Running, infer_s: float, began_s: float) -> dict[str, float]:
    """Seconds that a frame spent waiting, in the model, and after it; and in all."""
    now_s = time.monotonic()
    arrived_s = done.frame.arrived_s
    stages = {"wait": done.wait_s, "infer": infer_s, "count": now_s - began_s}
    if arrived_s is not None:
        stages["total"] = now_s - arrived_s
    return stages
