"""Makes the programs in scripts/ importable."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from edge import rle
from edge.masks import packed

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))


@pytest.fixture(scope="session")
def bench_tracking():
    """The program `scripts/bench_tracking` as a module."""
    return importlib.import_module("bench_tracking")


@pytest.fixture
def kitti(tmp_path):
    """A folder of data with one sequence: a car and two people pass, with an ignore region."""
    folder = tmp_path / "kitti-mots"
    folder.mkdir()
    lines = []
    for frame in range(24):
        objects = [
            (1001, 1, (4 * frame, 40, 4 * frame + 40, 70)),
            (2001, 2, (20 + 3 * frame, 20, 32 + 3 * frame, 60)),
            (2002, 2, (140 - 3 * frame, 10, 152 - 3 * frame, 44)),
            (10000, 10, (0, 0, 8, 8)),
        ]
        taken = np.zeros((90, 160), bool)
        for track_id, class_id, (x1, y1, x2, y2) in objects:
            mask = np.zeros((90, 160), bool)
            mask[y1:y2, x1:x2] = True
            [run] = rle.encoded(packed((mask & ~taken)[None]))
            taken |= mask
            lines.append(f"{frame} {track_id} {class_id} 90 160 {run['counts']}\n")
    (folder / "0003.txt").write_text("".join(lines))
    return tmp_path
