"""Compare the whole way from video to counts with a script: scripts/bench_rivals --help.

The script (scripts/rivals/user_script.py) is what one writes with supervision, trackers and
onnxruntime from their documentation. Same model, same input size, same clip (PETS09-S2L1), same
three lines. Both take turns of some frames on a machine that nothing else uses, each beside bare
inference of its own session. The table goes to standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
from rivals.ours import Ours
from rivals.theirs import Theirs
from rivals.truth import Judged, judged, line_totals

from edge.cli.heap import keep_freed_memory
from edge.errors import EdgeError

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("EDGECOUNT_SHARED", ROOT.parent / "shared"))
SETTLE_S = 0.5  # what was begun in one's turn is not to disturb the other's


@dataclass(frozen=True, slots=True)
class Row:
    """One of the two, over all rounds: medians."""

    name: str
    ms: float  # a frame
    bare_ms: float
    ratio: float  # of both, in the same round
    judged: Judged


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    cv2.setNumThreads(1)  # both as in `edge`
    keep_freed_memory()
    try:
        rows, about = compared(asked)
    except EdgeError as error:
        print(f"bench_rivals: {error}", file=sys.stderr)
        return error.exit_code
    for line in table(rows, about):
        print(line)
    if asked.json:
        numbers = [
            {
                "name": r.name,
                "ms": r.ms,
                "bare_ms": r.bare_ms,
                "ratio": r.ratio,
                **r.judged.numbers(),
            }
            for r in rows
        ]
        asked.json.write_text(json.dumps({"about": about, "rows": numbers}, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench_rivals", description=__doc__)
    add = parser.add_argument
    add("--source", type=Path, default=ROOT / "tests/data/people.mp4", help="the sample clip")
    add(
        "--truth",
        type=Path,
        default=SHARED / "data/tracking/pets09-s2l1/gt.txt",
        metavar="gt.txt",
        help="its true tracks (MOT15)",
    )
    add("--model", help="default: the default model")
    add("--threads", type=int, help="CPU threads of our model; theirs takes all by default")
    add("--input-size", type=int, help="longest side of both models' input, pixels")
    add("--round", type=int, default=50, help="frames a turn")
    add(
        "--max-frames",
        type=int,
        help="stop there; counts are then judged on the whole all the same",
    )
    add("--cache", type=Path, default=ROOT / ".bench-cache", help="where their environment is made")
    add("--json", type=Path, metavar="FILE", help="write all numbers too")
    return parser


def compared(asked: argparse.Namespace) -> tuple[list[Row], dict[str, str]]:
    """Both on the clip, in turns.

    Raises:
        EdgeError: a file is missing, or the other environment cannot be made.
    """
    lines = line_totals(asked.truth, asked.source)
    with (
        Ours(asked.source, asked.model, asked.threads, asked.input_size, lines.texts()) as ours,
        Theirs(asked.cache, ours.model_path, asked.source, ours.input_hw, lines.pixels) as theirs,
    ):
        spent: dict[str, list[tuple[float, float]]] = {ours.name: [], theirs.name: []}
        left = asked.max_frames or sys.maxsize
        while left > 0:
            done = 0
            for each in (ours, theirs):
                time.sleep(SETTLE_S)
                bare_s = each.bare(asked.round)
                done, spent_s = each.count(min(asked.round, left))
                if done == asked.round:
                    spent[each.name].append((spent_s / done, bare_s))
            left = left - done if done == asked.round else 0
            print(f"bench_rivals: {len(spent[ours.name])} rounds", file=sys.stderr, flush=True)
        rows = [
            Row(
                each.name,
                statistics.median(s for s, _ in spent[each.name]) * 1e3,
                statistics.median(b for _, b in spent[each.name]) * 1e3,
                statistics.median(s / b for s, b in spent[each.name]),
                judged(lines, each.counts(), each.tracks()),
            )
            for each in (ours, theirs)
        ]
    return rows, {"input": "x".join(map(str, ours.input_hw)), **theirs.versions}


def table(rows: list[Row], about: dict[str, str]) -> list[str]:
    """The rows as Markdown."""
    head = [
        "",
        "fps",
        "ms a frame",
        "bare ms",
        "ms outside inference",
        "ratio",
        "IDF1",
        "wrong passages",
    ]
    lines = [" | ".join(["", *head, ""]).strip(), "|---" * len(head) + "|"]
    for row in rows:
        numbers = [
            row.name,
            f"{1e3 / row.ms:.1f}",
            f"{row.ms:.1f}",
            f"{row.bare_ms:.1f}",
            f"{row.ms - row.bare_ms:.1f}",
            f"{row.ratio:.2f}",
            f"{row.judged.idf1:.3f}",
            f"{row.judged.wrong} of {row.judged.true}",
        ]
        lines.append("| " + " | ".join(numbers) + " |")
    ours, theirs = rows
    lines.append("")
    lines.append(f"{theirs.ms / ours.ms:.2f} times their frames a second.")
    lines.append(", ".join(f"{key} {value}" for key, value in about.items()) + ".")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
