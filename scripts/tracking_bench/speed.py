"""Time of the tracker, two lines and one zone in crowds of growing size, on one core."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge import build
from edge.cli.options import combined
from edge.testing import CAR, PERSON, Actor, Noise, frames, times
from edge.types import Instances, Stamp

COUNTS = (10, 25, 50, 100, 200, 350, 500)
SIZE_HW = (1080, 1920)
FPS, WARM_UP, MEASURED = 10.0, 15, 60
LIMITS_MS = {50: 1.0, 200: 4.0}
CLASS_NAMES = ("person", "car", "truck")
RULES = (
    ["middle=0.5,0,0.5,1", "across=0.1,0.6,0.9,0.6"],
    ["square=0.3,0.4,0.7,0.4,0.7,0.9,0.3,0.9"],
)


def report() -> Iterator[str]:
    """The table, line by line as it is measured."""
    _one_core()
    yield (
        f"tracker, two lines, one zone: 1080p masks at {FPS:g} fps, {MEASURED} frames, "
        f"one core of {cpu()}"
    )
    yield "   asked   seen  median ms   p95 ms   CPU ms  us each  growth"
    before: tuple[float, float] | None = None
    for count in COUNTS:
        seen, wall_ms, cpu_ms = measured(count)
        median = statistics.median(wall_ms)
        p95 = float(np.quantile(wall_ms, 0.95))
        line = (
            f"  {count:6d} {seen:6.0f} {median:10.2f} {p95:8.2f} {statistics.median(cpu_ms):8.2f}"
        )
        line += f" {1e3 * median / seen:8.1f}"
        if before is not None:  # exponent: 1 is linear, 2 quadratic
            line += f"  n^{np.log(median / before[1]) / np.log(seen / before[0]):.2f}"
        if count in LIMITS_MS:
            verdict = "within" if median <= LIMITS_MS[count] else "over"
            line += f"  ({verdict} the {LIMITS_MS[count]:g} ms asked for)"
        before = seen, median
        yield line


def measured(
    count: int, frame_count: int = WARM_UP + MEASURED
) -> tuple[float, list[float], list[float]]:
    """Mean number of instances, and wall and CPU milliseconds of each frame after the warm-up."""
    config = combined(None, ["speed"], *RULES, None)
    tracker = build.tracker(config, "speed", CLASS_NAMES)
    counters = build.counters(config, "speed", CLASS_NAMES, SIZE_HW[1], SIZE_HW[0])
    seen, wall_ms, cpu_ms = [], [], []
    for stamp, instances in _scene(count, frame_count):
        began, began_cpu = time.perf_counter(), time.process_time()
        tracks = tracker.update(stamp, instances)
        for counter in counters:
            counter.update(stamp, tracks, instances)
        cpu_ms.append((time.process_time() - began_cpu) * 1e3)
        wall_ms.append((time.perf_counter() - began) * 1e3)
        seen.append(len(instances))
    skip = min(WARM_UP, frame_count // 2)
    return statistics.fmean(seen[skip:]), wall_ms[skip:], cpu_ms[skip:]


def _scene(count: int, frame_count: int) -> Iterator[tuple[Stamp, Instances]]:
    """A square full of walkers and some cars, each on a way of its own, with a little noise."""
    rng = np.random.default_rng(count)
    height, width = SIZE_HW
    until_s = frame_count / FPS
    actors = []
    for _ in range(count):
        is_car = rng.random() < 0.15
        tall = float(rng.uniform(0.05, 0.11)) * height
        wide = tall * (1.8 if is_car else 0.4)
        x, y = rng.uniform(0.02, 0.98) * width, rng.uniform(0.12, 0.99) * height
        speed = tall * float(rng.uniform(0.3, 1.2))  # a second
        angle = float(rng.uniform(0, 2 * np.pi))
        end_x = float(np.clip(x + until_s * speed * np.cos(angle), 0, width))
        end_y = float(np.clip(y + until_s * speed * np.sin(angle) * 0.3, tall, height))
        path = ((0.0, float(x), float(y)), (until_s, end_x, end_y))
        actors.append(Actor(CAR if is_car else PERSON, wide, tall, path))
    noise = Noise(misses=0.02, jitter_px=1.0)
    for stamp, instances, _ in frames(actors, times(until_s, FPS), SIZE_HW, noise):
        yield stamp, instances


def _one_core() -> None:
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def cpu() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
