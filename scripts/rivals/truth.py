"""What is true of the sample clip, and how far an answer is from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tracking_bench.pets import FPS, IGNORED, LINES, Counts, best_orientation, count_error

from edge.evaluate.counts import totals
from edge.evaluate.crossings import Line, true_crossings
from edge.evaluate.trackfiles import BoxRows, read_boxes
from edge.evaluate.tracks import box_overlaps, track_quality
from edge.sources import open_source


@dataclass(frozen=True, slots=True)
class Truth:
    """True boxes and passages; lines go from the top to the bottom."""

    boxes: BoxRows
    counts: Counts
    frame_wh: tuple[int, int]

    def texts(self) -> list[str]:
        """The lines as `--line` takes them."""
        return [f"{name}={x},0,{x},1" for name, x in LINES.items()]

    @property
    def pixels(self) -> list[str]:
        """The same in pixels of the frame."""
        width, height = self.frame_wh
        return [f"{name}={x * width},0,{x * width},{height}" for name, x in LINES.items()]


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer, judged."""

    idf1: float
    wrong: int
    true: int

    def numbers(self) -> dict[str, float]:
        """For JSON."""
        return {"idf1": self.idf1, "wrong": self.wrong, "true": self.true}


def line_totals(truth: Path, source: Path) -> Truth:
    """The truth of a clip.

    Raises:
        EdgeError: a file cannot be read.
    """
    boxes = read_boxes(truth)
    with open_source(str(source), reads_ahead=False) as opened:
        frame_wh = opened.width, opened.height
    width, height = frame_wh
    lines = [Line(name, (x * width, 0.0), (x * width, height)) for name, x in LINES.items()]
    found = totals(true_crossings(boxes, lines, FPS, frame_wh), list(LINES))
    return Truth(boxes, tuple((found[n]["in"], found[n]["out"]) for n in LINES), frame_wh)


def judged(truth: Truth, answers: list[Counts], tracks: BoxRows) -> Judged:
    """How good an answer is; of several counts the best, and whichever way round is nearer."""
    true = sum(map(sum, truth.counts))
    errors = [
        count_error(truth.counts, best_orientation(truth.counts, counts)) for counts in answers
    ]
    overlaps = box_overlaps(truth.boxes, tracks, 0, [IGNORED], drop_flagged=True)
    return Judged(track_quality([overlaps]).idf1, round(min(errors) * true), true)
