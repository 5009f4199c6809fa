"""Other people's trackers, run in a virtual environment of their own and kept in a cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.errors import EdgeError
from tracking_bench.judge import Answer
from tracking_bench.streams import Sequence

PACKAGE = "trackers==2.6.1"
NAMES = ("sort", "bytetrack", "ocsort", "botsort", "cbiou", "mcbyte")
DEFAULT_FPS = 30.0
HOW = (
    f"sort ... mcbyte: roboflow {PACKAGE}, one tracker a class, update(detections, timestamp) with",
    "  frame_rate of the stream, below 10 also of 30 (their default), the better of the two shown",
    "  for each class; all else at its defaults (lost buffer 1 s); boxes are extents of the masks.",
    "  The streams have no pictures: camera-motion compensation of botsort and mcbyte is idle.",
    "ms/frame: processor time of the tracker alone, one thread of its libraries.",
    "mcbyte with masks: not run; it needs pictures, and weights of SAM and Cutie to download.",
    "mask-iou: best assignment by the IoU of unmoved masks, at least .3; tracks kept for 1 s.",
)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
RUNNER = Path(__file__).with_name("rival_runner.py")


@dataclass(frozen=True, slots=True)
class Rivals:
    """Where the environment is and where results are kept."""

    environment: Path
    cache: Path

    def python(self) -> Path:
        """The interpreter that has the package; makes the environment the first time.

        Raises:
            EdgeError: it cannot be made.
        """
        python = self.environment / "bin" / "python"
        made = self.environment / f"{PACKAGE}.made"
        if not made.exists():
            note(f"making {self.environment} with {PACKAGE}")
            _run([sys.executable, "-m", "venv", str(self.environment)])
            _run([str(python), "-m", "pip", "install", "--quiet", PACKAGE])
            made.touch()
        return python

    def answers(self, name: str, fps: float, sequences: list[Sequence]) -> list[Answer]:
        """What tracker `name`, told that it gets `fps` frames a second, says of each sequence.

        Raises:
            EdgeError: it could not be run.
        """
        missing = [s for s in sequences if not self._kept(name, fps, s).exists()]
        if missing:
            python = self.python()
            self.cache.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self.cache) as folder:
                pairs = [
                    (Path(folder, f"{k}.npz"), Path(folder, f"{k}.out.npz"))
                    for k in range(len(missing))
                ]
                for sequence, (source, _) in zip(missing, pairs, strict=True):
                    np.savez_compressed(source, **_arrays(sequence))
                paths = [str(path) for pair in pairs for path in pair]
                _run([str(python), str(RUNNER), name, str(fps), *paths])
                for sequence, (_, target) in zip(missing, pairs, strict=True):
                    target.replace(self._kept(name, fps, sequence))
        return [_answer(self._kept(name, fps, s), s) for s in sequences]

    def _kept(self, name: str, fps: float, sequence: Sequence) -> Path:
        key = hashlib.sha256(RUNNER.read_bytes() + f"{PACKAGE} {fps} {sequence.key()}".encode())
        return self.cache / f"{name}-{sequence.name}-{key.hexdigest()[:16]}.npz"


def _answer(kept: Path, sequence: Sequence) -> Answer:
    with np.load(kept) as found:
        ids, spent_ms = found["ids"], float(found["spent_ms"].sum())
        counts = tuple((int(a), int(b)) for a, b in found["line_counts"])
    ends = np.cumsum([len(shown.instances) for shown in sequence.frames])
    return Answer(tuple(np.split(ids, ends[:-1])), spent_ms, counts)


def note(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def _arrays(sequence: Sequence) -> dict[str, np.ndarray]:
    frames = sequence.frames
    return {
        "lines": np.array(sequence.lines, float).reshape(-1, 4),
        "times_s": np.array([f.stamp.media_s for f in frames]),
        "counts": np.array([len(f.instances) for f in frames]),
        "boxes": np.concatenate([f.instances.boxes for f in frames]),
        "scores": np.concatenate([f.instances.scores for f in frames]),
        "class_ids": np.concatenate([f.instances.class_ids for f in frames]),
    }


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | ONE_THREAD
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EdgeError(
            f"{' '.join(command[:4])}: expected it to succeed, got {last}; "
            "--without-rivals leaves the other trackers out"
        )
