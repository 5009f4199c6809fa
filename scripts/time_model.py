"""Time a model alone: scripts/time_model MODEL.onnx [HEIGHTxWIDTH...].

Median of 40 runs on the CPU with one and two threads, threads not spinning, as `edge` runs it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from edge.segment import Session

RUNS = 40


def median_ms(session: Session, height: int, width: int) -> float:
    x = np.random.default_rng(0).random((1, 3, height, width), np.float32)
    session.run(x)
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        session.run(x)
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser("scripts/time_model", description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("shapes", nargs="*", metavar="HEIGHTxWIDTH", default=["416x416", "480x640"])
    args = parser.parse_args()
    for threads in (1, 2):
        opened = Session(args.model, "cpu", threads)
        for shape in args.shapes:
            height, width = map(int, shape.split("x"))
            ms = median_ms(opened, height, width)
            print(f"{threads} thread(s), {height}x{width}: {ms:.1f} ms")


if __name__ == "__main__":
    main()
