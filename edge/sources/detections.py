"""Recorded detections as a source: what the segmenter saw, without pictures or model."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge import masks as mask_ops
from edge import rle
from edge.errors import ConfigError, SourceError
from edge.sources.faults import Faults
from edge.types import F32, F64, Instances, Stamp

MOST_SIDE_PX = 1 << 15  # of a frame; more is a mistake that memory would pay for
MOST_FRAMES = 1 << 40
MOST_TIME_S = 1e10  # three centuries, likewise
# Of a camera from picture to picture: zoom and turn, and pixels.
MOST_MOTION = np.array([[10.0, 10.0, MOST_SIDE_PX], [10.0, 10.0, MOST_SIDE_PX]])
_TEXTS = {"source_id", "kind", "source_key", "model_sha256", "provider"}
_NUMBERS = {"session": MOST_FRAMES, "width": MOST_SIDE_PX, "height": MOST_SIDE_PX}
_WRONG = (KeyError, TypeError, ValueError, OverflowError, RecursionError)


class DetectionsFile:
    """A file written by `--save-detections`, read line by line.

    Frames of another size than the first are scaled to it: a camera that comes back with another
    resolution shows the same place. Frames that are not later than the one before are skipped;
    numbers that begin again, as in recordings put together, go on from those before.

    Attributes:
        provenance: what the first line says of source and model; empty if it says nothing.
        width: of the frames, pixels.
        height: likewise.
        class_names: in the order of the model, or of first appearance in the file.
        warnings: faults found so far, since iterating began.
    """

    def __init__(self, path: Path) -> None:
        """Read the first line.

        Raises:
            SourceError: no such file, or no detections in it.
        """
        self.path = path
        first = next(self._lines(), None)
        if first is None:
            raise SourceError(f"{path}: expected detections, got an empty file")
        _, row = first
        self.provenance: dict[str, Any] = row.get("provenance", {})
        if wrong := _wrong_provenance(self.provenance):
            raise SourceError(f"{path}:1: {wrong}")
        self.warnings = Faults()
        self.height, self.width = row["size"]
        self.class_names: list[str] = list(self.provenance.get("class_names", ()))
        if not self.class_names:
            self.class_names = self._classes_found()

    def __iter__(self) -> Iterator[tuple[Stamp, Instances]]:
        """Each frame's stamp and instances.

        Raises:
            SourceError: a line that does not read; names it.
        """
        self.warnings = Faults()
        last, shift = Stamp(-1, -math.inf), 0
        for number, row in self._lines():
            try:
                if not _is_whole(row["frame"], 0, MOST_FRAMES):
                    raise ValueError(f"{row['frame']!r:.40} for the number of a frame")
                stamp = Stamp(row["frame"] + shift, float(row["time_s"]))
                if stamp.media_s <= last.media_s:
                    self.warnings.repeated_times += 1
                    continue
                if stamp.frame <= last.frame:
                    shift = last.frame + 1 - row["frame"]
                    stamp = Stamp(last.frame + 1, stamp.media_s)
                last = stamp
                yield stamp, self._instances(row)
            except (*_WRONG, ConfigError) as error:
                what = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise SourceError(f"{self.path}:{number}: expected a frame, got {what}") from error

    def _classes_found(self) -> list[str]:
        """Class names in the order of their appearance, in one pass over the file."""
        names: dict[str, None] = {}
        # What is wrong with the file is met again, and said, when its frames are read.
        with contextlib.suppress(SourceError, *_WRONG):
            for _, row in self._lines():
                names.update((str(found["class"]), None) for found in row["instances"])
        return list(names)

    def _instances(self, row: dict[str, Any]) -> Instances:
        height, width = row["size"]
        found = row["instances"]
        for f in found:
            if f["class"] not in self.class_names:
                raise ValueError(f"the class {f['class']!r:.40}, which provenance does not name")
        camera: F64 | None = None
        if "camera" in row:
            camera = np.array(row["camera"], np.float64).reshape(2, 3)
            if not (np.abs(camera) <= MOST_MOTION).all():
                raise ValueError("a motion of the camera that is no number")
        masks = rle.decoded([f["rle"] for f in found], height, width)
        with np.errstate(over="ignore"):  # what is too large is no number: the tracker drops it
            boxes: F32 = np.array([f["box"] for f in found], np.float32).reshape(-1, 4)
            scores: F32 = np.array([f["score"] for f in found], np.float32)
        if ((scores < 0) | (scores > 1)).any():
            raise ValueError("a score that is not in 0..1")
        if (height, width) != (self.height, self.width):
            self.warnings.resized_frames += 1
            masks = mask_ops.resized(masks, self.height, self.width)
            boxes *= np.array([self.width / width, self.height / height] * 2, np.float32)
            camera = None  # another picture: nothing is known of how it came about
        return Instances(
            boxes,
            scores,
            np.array([self.class_names.index(f["class"]) for f in found], np.int32),
            masks,
            camera,
        )

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        number = 0
        try:
            opener = gzip.open if self.path.suffix == ".gz" else open
            with opener(self.path, "rt", encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        row = json.loads(line)
                        height, width = row["size"]
                        is_size = all(_is_whole(s, 1, MOST_SIDE_PX) for s in (height, width))
                        if not is_size or not abs(row["time_s"]) <= MOST_TIME_S:
                            raise ValueError("a time or size that is no number")
                        yield number, row
        except OSError as error:
            what = error.strerror or str(error)
            raise SourceError(f"{self.path}: expected recorded detections, got {what}") from error
        except (*_WRONG, EOFError, zlib.error) as error:
            what = "a broken line" if isinstance(error, json.JSONDecodeError) else str(error)
            raise SourceError(
                f"{self.path}:{number + (number == 0)}: expected a frame as JSON, got {what}"
            ) from error


def _wrong_provenance(told: object) -> str | None:
    """What is wrong with a provenance; None: nothing."""
    if not isinstance(told, dict):
        return "expected provenance as an object, got a value"
    for name, value in told.items():
        is_text = isinstance(value, str) and value.isprintable() and len(value) > 0
        if name in _TEXTS and value is not None and not is_text:
            return f"expected provenance.{name} as text, got {value!r:.40}"
        if name in _NUMBERS and not _is_whole(value, 1, _NUMBERS[name]):
            return f"expected provenance.{name} as a number from 1, got {value!r:.40}"
    names = told.get("class_names", [])
    is_names = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not is_names or len(set(names)) < len(names):
        return f"expected provenance.class_names as different names, got {names!r:.40}"
    return None


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
