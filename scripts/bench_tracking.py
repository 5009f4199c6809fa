"""Compare the tracker with others on the same detections: scripts/bench_tracking --help.

KITTI MOTS ground truth gives the detections: `clean`; `noisy` with drops, shape and position
noise, ghosts and random scores; `third` and `third-clean`, one frame in three. The sample clip
with the default model's detections follows. Tables to standard output, progress to standard
error. The oracle has the same detections under their true ids. Seeded: the same everywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
from tracking_bench import ablation, figures, pets, run, speed, table
from tracking_bench.rivals import HOW, NAMES, Rivals, note
from tracking_bench.streams import RECIPES

from edge.errors import ConfigError, EdgeError

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("EDGECOUNT_SHARED", ROOT.parent / "shared"))


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    try:
        if asked.speed:
            for line in speed.report():
                print(line, flush=True)
            return 0
        cv2.setNumThreads(1)  # as `edge` does
        if asked.ablation:
            return _ablate(asked)
        return _compare(asked)
    except EdgeError as error:
        note(f"bench_tracking: {error}")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench_tracking", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=SHARED / "data/tracking", help="kitti-mots/, pets09-s2l1/")
    add("--sequences", default="", metavar="0012,0017", help="default: all")
    add("--streams", default="", metavar=",".join(RECIPES), help="default: all; 'none': only PETS")
    add("--trackers", default="", metavar=",".join(run.ALL), help="default: all")
    add("--without-rivals", action="store_true", help="only what runs without other packages")
    add(
        "--pets", default="", metavar="DETECTIONS.jsonl.gz|none", help="default: run the model once"
    )
    add("--json", type=Path, metavar="FILE", help="write all numbers too")
    add("--record", type=Path, metavar="FIGURES.json", help="keep the figures of ours")
    add("--check", type=Path, metavar="FIGURES.json", help="exit code 1 if a figure fell")
    add("--cache", type=Path, default=ROOT / ".bench-cache", help="what others' trackers said")
    add("--speed", action="store_true", help="only: time for 10 to 500 instances on one core")
    add("--ablation", action="store_true", help="only: what each design choice gains, as Markdown")
    return parser


def _ablate(asked: argparse.Namespace) -> int:
    truth = asked.data / "pets09-s2l1" / "gt.txt"
    recorded = (
        None if asked.pets == "none" else Path(asked.pets or pets.recording(asked.cache) or "")
    )
    clip = pets.clip(recorded, truth) if recorded and truth.exists() else None
    for line in ablation.table(_files(asked.data, asked.sequences), clip):
        print(line, flush=True)
    return 0


def _compare(asked: argparse.Namespace) -> int:
    trackers = run.chosen("--trackers", asked.trackers, run.ALL)
    if asked.without_rivals:
        trackers = [t for t in trackers if t not in NAMES]
    rivals = Rivals(ROOT / ".venv-rivals", asked.cache)
    scope, rows = asked.sequences or "all", []
    if asked.streams != "none":
        recipes = run.chosen("--streams", asked.streams, list(RECIPES))
        rows += run.streams_rows(_files(asked.data, asked.sequences), recipes, trackers, rivals)
    rows += _pets(asked, trackers, rivals)
    found = table.targets(rows)
    print("\n\n".join(table.tables(rows)))
    print("\n" + "\n".join([*HOW, "", *table.target_lines(found)]))
    if asked.json:
        asked.json.write_text(json.dumps(_plain(rows, found), indent=2) + "\n", encoding="utf-8")
    ours = figures.figures(rows)
    if asked.record:
        figures.record(asked.record, scope, ours)
    worse = figures.falls(asked.check, scope, ours) if asked.check else []
    for sentence in worse:
        print(f"worse: {sentence}")
    return 1 if worse else 0


def _files(data: Path, sequences: str) -> list[Path]:
    files = sorted((data / "kitti-mots").glob("*.txt"))
    if not files:
        raise ConfigError(f"{data}: expected kitti-mots/*.txt, got none; --data names the folder")
    names = run.chosen("--sequences", sequences, [p.stem for p in files])
    return [p for p in files if p.stem in names]


def _pets(asked: argparse.Namespace, trackers: list[str], rivals: Rivals) -> list[table.Row]:
    truth = asked.data / "pets09-s2l1" / "gt.txt"
    if asked.pets == "none" or not truth.exists():
        return []
    recorded = Path(asked.pets) if asked.pets else pets.recording(asked.cache)
    if recorded is None:
        note(f"pets: left out, no clip {pets.CLIP}: install opencv-doc, or give --pets")
        return []
    return run.pets_rows(pets.clip(recorded, truth), trackers, rivals)


def _plain(rows: list[table.Row], found: list[table.Target]) -> dict[str, object]:
    return {
        "machine": speed.cpu(),
        "how": list(HOW),
        "rows": [asdict(r) for r in rows],
        "targets": [
            asdict(t) | {"half_way": t.half_way, "is_reached": t.is_reached} for t in found
        ],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
