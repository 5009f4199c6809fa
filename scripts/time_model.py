"""Time models alone: scripts/time_model MODEL.onnx [HEIGHTxWIDTH...] [--against OTHER.onnx...].

Median of 40 runs on the CPU with one and two threads, threads not spinning, as `edge` runs it.
`--against` runs the models in turns, so that other work on the machine slows all of them alike, and
gives the ratio of MODEL's time to the other's: its median over the turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.segment import Session

RUNS = 40


def times_ms(
    sessions: Sequence[Session], height: int, width: int, runs: int = RUNS
) -> list[list[float]]:
    """For each session the times of its runs, which come in turns."""
    x = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    for session in sessions:
        session.run(x)
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(runs):
        for session, its in zip(sessions, times, strict=True):
            began = time.perf_counter()
            session.run(x)
            its.append((time.perf_counter() - began) * 1e3)
    return times


def main() -> None:
    parser = argparse.ArgumentParser("scripts/time_model", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("shapes", nargs="*", metavar="HEIGHTxWIDTH", default=["416x416", "480x640"])
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="OTHER.onnx")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N")
    args = parser.parse_args()
    for threads in (1, 2):
        sessions = [Session(path, "cpu", threads) for path in (args.model, *args.against)]
        for shape in args.shapes:
            height, width = map(int, shape.split("x"))
            first, *others = times_ms(sessions, height, width, args.runs)
            ms = statistics.median(first)
            print(f"{threads} thread(s), {height}x{width}: {ms:.1f} ms")
            for path, its in zip(args.against, others, strict=True):
                ratio = statistics.median(a / b for a, b in zip(first, its, strict=True))
                best = min(first) / min(its)
                print(
                    f"    {path.name}: {statistics.median(its):.1f} ms, {ratio:.2f} x as fast "
                    f"({best:.2f} by the fastest runs)"
                )


if __name__ == "__main__":
    main()
