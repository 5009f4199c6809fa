"""Track files of MOTChallenge (boxes) and KITTI MOTS (masks), read and checked.

Both are text with one object a line and are how others exchange tracks and ground truth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edge.errors import ConfigError
from edge.evaluate.coco import require_pycocotools
from edge.types import F32, I64, Bool

IGNORE_CLASS = 10  # KITTI MOTS: a region where nothing is labelled
CLASS_NAMES = {1: "car", 2: "person"}


@dataclass(frozen=True, slots=True)
class BoxRows:
    """One MOTChallenge file: `frame,id,x,y,w,h,flag,...` with frames from 1."""

    frames: I64  # (N,)
    ids: I64  # (N,)
    boxes: F32  # (N, 4) x1, y1, x2, y2
    considered: (
        Bool  # (N,) of ground truth: flag is not 0. Of tracks it is a score and says nothing
    )


@dataclass(frozen=True, slots=True)
class MaskRows:
    """One MOTS file: `frame id class height width counts` (COCO run lengths)."""

    frames: I64  # (N,)
    ids: I64  # (N,)
    class_ids: I64  # (N,) 1 car, 2 person, 10 ignore
    runs: tuple[dict[str, object], ...]  # (N,) {"size": [h, w], "counts": bytes}, for pycocotools


def read_boxes(path: Path) -> BoxRows:
    """A MOTChallenge file of tracks or ground truth, separated by commas or spaces.

    Raises:
        ConfigError: no such file, a line that is no row of numbers, an id twice in a frame.
    """
    rows = []
    for number, line in _lines(path):
        fields = [f for f in re.split(r"[,\s]+", line) if f]
        try:
            row = [float(f) for f in fields[:7]]
        except ValueError:
            row = []
        if len(row) < 6 or not all(np.isfinite(row)):
            raise ConfigError(
                f"{path}:{number}: expected numbers frame,id,x,y,w,h,..., got {line[:60]!r}"
            )
        rows.append([*row[:6], row[6] if len(row) > 6 else 1.0])
    table = np.array(rows, np.float64).reshape(-1, 7)
    boxes = table[:, 2:6].astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    frames, ids = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    _refuse_twins(path, frames, ids)
    return BoxRows(frames, ids, boxes, table[:, 6] != 0)


def read_masks(path: Path) -> MaskRows:
    """A MOTS file of tracks or ground truth.

    Raises:
        ConfigError: no such file, a line that is no row of the format, an id twice in a frame.
    """
    numbers: list[tuple[int, int, int]] = []
    runs: list[dict[str, object]] = []
    for number, line in _lines(path):
        fields = line.split()
        if len(fields) != 6 or not all(f.lstrip("-").isdigit() for f in fields[:5]):
            raise ConfigError(
                f"{path}:{number}: expected 'frame id class height width rle', got {line[:60]!r}"
            )
        frame, track_id, class_id, height, width = (int(f) for f in fields[:5])
        if min(height, width) < 1:
            raise ConfigError(f"{path}:{number}: expected a height and a width, got {line[:60]!r}")
        numbers.append((frame, track_id, class_id))
        runs.append({"size": [height, width], "counts": fields[5].encode("utf-8")})
    table = np.array(numbers, np.int64).reshape(-1, 3)
    objects = table[:, 2] != IGNORE_CLASS
    _refuse_twins(path, table[objects, 0], table[objects, 1])
    return MaskRows(table[:, 0], table[:, 1], table[:, 2], tuple(runs))


def refuse_shared_pixels(path: Path, rows: MaskRows) -> None:
    """Tracks in which two objects own one pixel are no MOTS results, and are refused.

    Raises:
        ConfigError: two masks of one frame overlap.
        EdgeError: pycocotools is not installed.
    """
    mask = require_pycocotools("mask")
    objects = rows.class_ids != IGNORE_CLASS
    for frame in np.unique(rows.frames[objects]).tolist():
        runs = [rows.runs[k] for k in np.flatnonzero((rows.frames == frame) & objects)]
        shared = int(mask.area(runs).sum()) - int(mask.area(mask.merge(runs)))
        if shared:
            raise ConfigError(
                f"{path}: expected masks that share no pixel, got {shared} shared in frame "
                f"{frame}; leave each to the better score"
            )


def track_format(path: Path) -> Literal["mot", "mots"]:
    """The format that the first line of a file looks like: `mots` has six fields and no comma.

    Raises:
        ConfigError: no such file.
    """
    _, first = next(iter(_lines(path)), (1, ""))
    return "mots" if "," not in first and len(first.split()) == 6 else "mot"


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable text file, got {error}") from error
    return [(k, line.strip()) for k, line in enumerate(text.splitlines(), 1) if line.strip()]


def _refuse_twins(path: Path, frames: I64, ids: I64) -> None:
    pairs, counts = np.unique(np.stack([frames, ids], 1), axis=0, return_counts=True)
    if (counts > 1).any():
        frame, track_id = pairs[counts > 1][0].tolist()
        raise ConfigError(f"{path}: expected each id once a frame, got {track_id} twice in {frame}")
