"""Count in a recording at full speed, again and again, and see whether memory grows.

Each round is a session of a live camera, between outages: events go to the journal and to a
rotating file. Every so many frames a line says what the process uses. Exit code 1: at the end it
uses more memory than after a tenth of the frames, by more than 3 %; or more threads or open files;
or the journal does not balance.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from edge import build
from edge.cli.bench_sources import lane_of
from edge.cli.heap import keep_freed_memory
from edge.config import Config
from edge.errors import EdgeError
from edge.lane import Lane
from edge.ledger import Ledger
from edge.segment import Segmenter
from edge.sources import VideoFile
from edge.types import Frame, Notice, Stamp, Wall
from edge.watch import watch

CLIP = Path(__file__).resolve().parent.parent / "tests" / "data" / "people.mp4"
CAMERA = "soak"
ROWS = 20  # lines that are printed
EARLY = 2  # the line with which the last one is compared: after a tenth of the frames
GAP_S = 2.0  # media time of each outage
BEGAN_UTC_S = 1_790_000_000.0
SAVE_EVERY_S = 5.0


class Looped:
    """A recording as a live camera that is lost at each of its ends, as fast as it is asked."""

    def __init__(self, path: Path, frames: int, session: int) -> None:
        self._path, self._frames, self.session = path, frames, session
        self._source = VideoFile(path)
        self._notices: list[Notice] = []
        self._number = 0
        self._shift_s = self._last_s = 0.0

    @property
    def ended(self) -> bool:
        return self._number >= self._frames

    def poll(self) -> Frame | Notice | None:
        if self.ended:
            return None
        if self._notices:
            return self._notices.pop(0)
        frame = next(self._source, None)
        if frame is None:
            self._reopen()
            return self._notices.pop(0)
        self._last_s = frame.stamp.media_s + self._shift_s
        stamp = self._stamp()
        self._number += 1
        return replace(frame, stamp=stamp, arrived_s=time.monotonic())

    def close(self, patience_s: float = 5.0) -> None:
        self._source.close()

    def _reopen(self) -> None:
        step_s = 1 / self._source.fps
        self._source.close()
        self._source = VideoFile(self._path)
        self._last_s += step_s
        lost = Notice("source_lost", self._stamp(), self.session, reason="the recording ended")
        self._last_s += GAP_S
        self._shift_s = self._last_s
        self.session += 1
        restored = Notice("source_restored", self._stamp(), self.session, gap_s=GAP_S)
        self._notices = [lost, restored]

    def _stamp(self) -> Stamp:
        wall = Wall(BEGAN_UTC_S + self._last_s, "arrival", 500.0)
        return Stamp(self._number, self._last_s, wall)


@dataclass(frozen=True)
class Usage:
    """What the process uses after so many frames."""

    frames: int
    elapsed_s: float
    rss_mb: float
    threads: int
    open_files: int
    journal_mb: float
    events: int
    sessions: int

    def __str__(self) -> str:
        return "".join(f"{value:>11}" for value in astuple(self))


HEADER = "".join(f"{field.name:>11}" for field in fields(Usage))


def usage(frames: int, began_s: float, ledger: Ledger, sessions: int) -> Usage:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(
        frames=frames,
        elapsed_s=round(time.monotonic() - began_s, 1),
        rss_mb=round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        threads=threading.active_count(),
        open_files=len(os.listdir("/proc/self/fd")),
        journal_mb=round(ledger.journal.size_bytes / 1e6, 2),
        events=ledger.journal.newest,
        sessions=sessions,
    )


def verdict(rows: Sequence[Usage], most_growth: float) -> list[str]:
    """What is wrong at the end, compared with how it was after a tenth of the frames."""
    early, last = rows[EARLY - 1], rows[-1]
    late = rows[max(EARLY, len(rows) * 3 // 4) :]
    found = []
    most_mb = early.rss_mb * (1 + most_growth)
    if last.rss_mb > most_mb:
        found.append(f"memory: expected at most {most_mb:.1f} MB, got {last.rss_mb:.1f} MB")
    for name in ("threads", "open_files"):
        # Some come and go by the second: none may have come to stay.
        most = max(getattr(row, name) for row in rows[:EARLY])
        least = min(getattr(row, name) for row in late)
        if least > most:
            found.append(f"{name}: expected at most {most}, got {least}")
    return found


def config_of(folder: Path, clip: Path, model: str | None, input_size: int | None) -> Config:
    asked = {"name": model, "input_size": input_size}
    return Config.model_validate(
        {
            "snapshot_every_s": 60.0,
            "cameras": {
                CAMERA: {
                    "source": str(clip),
                    "lines": {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}},
                    "zones": {
                        "hall": {
                            "polygon": [[0.2, 0.2], [0.8, 0.2], [0.8, 1.0], [0.2, 1.0]],
                            "dwell_s": 3.0,
                            "occupancy_every_s": 5.0,
                        }
                    },
                }
            },
            "model": {k: v for k, v in asked.items() if v is not None},
            "journal": {"path": str(folder / "journal.db")},
            "sinks": {
                "file": {
                    "type": "file",
                    "path": str(folder / "events.jsonl"),
                    "max_mb": 1.0,
                    "keep": 3,
                }
            },
        }
    )


def soak(
    config: Config, segmenter: Segmenter, frames: int, say: Callable[[str], None]
) -> tuple[list[Usage], list[str]]:
    """Count in so many frames; what was used, and what is wrong with the journal."""
    rows: list[Usage] = []
    ledger = Ledger(Path(str(config.journal.path)), config)
    try:
        feed = Looped(Path(config.cameras[CAMERA].source), frames, 1)
        lane: Lane = lane_of(config, CAMERA, feed, "rtsp", segmenter, ledger)
        began_s = saved_s = time.monotonic()
        say(HEADER)

        def turn() -> None:
            nonlocal saved_s
            if time.monotonic() - saved_s >= SAVE_EVERY_S:
                saved_s = time.monotonic()
                ledger.save_state(CAMERA, lane.events.state())
            ledger.retain()
            if lane.frames >= (len(rows) + 1) * frames // ROWS:
                rows.append(usage(lane.frames, began_s, ledger, lane.number))
                say(str(rows[-1]))

        watch([lane], segmenter, threading.Event(), threading.Event(), turn)
        lane.close()
        ledger.flush()
        audit = ledger.journal.audit()
        wrong = [] if audit.is_balanced else ["journal: totals are not the sum of their events"]
    finally:
        ledger.close(10.0)
    return rows, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("scripts/soak", description=str(__doc__).splitlines()[0])
    parser.add_argument("--frames", type=int, default=20_000, help=f"at least {ROWS}")
    parser.add_argument("--model", help="name or path; the default model if left out")
    parser.add_argument("--input-size", type=int, help="longest side of the model's input, pixels")
    parser.add_argument("--clip", type=Path, default=CLIP, help="the recording")
    parser.add_argument("--most-growth", type=float, default=0.03, help="share of memory")
    args = parser.parse_args(arguments)
    if args.frames < ROWS:
        parser.error(f"--frames: expected at least {ROWS}, got {args.frames}")
    cv2.setNumThreads(1)  # as `edge` does
    keep_freed_memory()
    try:
        with TemporaryDirectory(prefix="edge-soak-") as folder:
            config = config_of(Path(folder), args.clip, args.model, args.input_size)
            segmenter = build.configured_segmenter(config)
            rows, wrong = soak(config, segmenter, args.frames, lambda t: print(t, flush=True))
    except EdgeError as error:
        print(f"scripts/soak: {error}", file=sys.stderr)
        return error.exit_code
    wrong += verdict(rows, args.most_growth)
    early, last = rows[EARLY - 1], rows[-1]
    growth = last.rss_mb / early.rss_mb - 1
    print(f"memory after {last.frames} frames against {early.frames}: {growth:+.2%}")
    for text in wrong:
        print(f"wrong: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
