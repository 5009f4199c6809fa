"""Rewrite the golden run in tests/golden: recorded detections and the events they must give.

    scripts/golden            events again, from the recorded detections
    scripts/golden --record   detections too, with the default model

Look at the difference before you commit it: every changed line is a changed count, place or time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
CLIP = ROOT / "tests" / "data" / "people.mp4"
FRAMES = 200


def edge(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "edge", *map(str, arguments)], check=True, cwd=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser("scripts/golden", description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="run the model again as well")
    parser.add_argument("--model", default="person-vehicle-seg-nano", help="name or path")
    args = parser.parse_args()
    detections = GOLDEN / "people.jsonl.gz"
    config = GOLDEN / "people.yaml"
    if args.record:
        edge("run", "--config", config, "--model", args.model, "--max-frames", FRAMES,
             "--events", "/dev/null", "--save-detections", detections)  # fmt: skip
    events = GOLDEN / "people.events.jsonl"
    edge("track", detections, "--config", config, "--events", events)
    for path in (detections, events):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
