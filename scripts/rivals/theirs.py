"""The other script, at work in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tracking_bench.pets import LINES, Counts
from tracking_bench.rivals import note

from edge.errors import EdgeError
from edge.evaluate.trackfiles import BoxRows

PACKAGES = (
    "supervision==0.31.2",
    "trackers==2.6.1",
    "onnxruntime==1.32.0",
    "opencv-python==5.0.0.93",
)
SCRIPT = Path(__file__).with_name("user_script.py")


class Theirs:
    """A process that does what it is told, one request at a time."""

    name = "supervision + trackers"

    def __init__(
        self, cache: Path, model: Path, source: Path, input_hw: tuple[int, int], lines: list[str]
    ) -> None:
        self._process = subprocess.Popen(
            [str(part) for part in command(cache, model, source, input_hw, lines)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.versions: dict[str, str] = self._answer()["versions"]
        self._result: dict[str, Any] | None = None

    def bare(self, runs: int) -> float:
        """Seconds of one inference of its session."""
        found = self._asked(f"bare {runs}")
        return float(found["spent_s"]) / runs

    def count(self, frames: int) -> tuple[int, float]:
        """Frames done, at most so many, and their seconds."""
        found = self._asked(f"count {frames}")
        return int(found["frames"]), float(found["spent_s"])

    def counts(self) -> list[Counts]:
        """In and out on each line, with its default anchors and with others."""
        return [
            tuple((found[name][0], found[name][1]) for name in LINES)
            for found in self._all()["lines"]
        ]

    def tracks(self) -> BoxRows:
        """Boxes of tracks that it has confirmed."""
        rows = np.array(self._all()["tracks"], np.float64).reshape(-1, 6)
        ids = rows[:, :2].astype(np.int64)
        boxes = rows[:, 2:].astype(np.float32)
        return BoxRows(ids[:, 0], ids[:, 1], boxes, np.ones(len(rows), bool))

    def _all(self) -> dict[str, Any]:
        if self._result is None:
            self._result = self._asked("result")
        return self._result

    def _asked(self, request: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended, and said why
            print(request, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EdgeError(f"{SCRIPT.name}: expected an answer, got an end; its reason is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Theirs:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def command(
    cache: Path, model: Path, source: Path, input_hw: tuple[int, int], lines: list[str]
) -> list[object]:
    """How the script is started."""
    files = model.resolve(), source.resolve()
    return [environment(cache), SCRIPT, *files, *input_hw, *lines]


def environment(cache: Path) -> Path:
    """The interpreter that has their packages; made the first time.

    Raises:
        EdgeError: it cannot be made.
    """
    folder = cache / "rivals"
    python = folder / "bin" / "python"
    made = folder / f"{'-'.join(PACKAGES)}.made"
    if not made.exists():
        note(f"making {folder} with {', '.join(PACKAGES)}")
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *PACKAGES],
        ):
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=os.environ
            )
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise EdgeError(f"{' '.join(command[:4])}: expected it to succeed, got {last}")
        made.touch()
    return python
