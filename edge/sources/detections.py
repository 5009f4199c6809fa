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


class DetectionsFile:
    """A file written by `--save-detections`, read line by line.

    Frames of another size than the first are scaled to it: a camera that comes back with another
    resolution shows the same place.

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
        if not isinstance(self.provenance, dict):
            raise SourceError(f"{path}:1: expected provenance as an object, got a value")
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
        for number, row in self._lines():
            try:
                yield Stamp(int(row["frame"]), float(row["time_s"])), self._instances(row)
            except (KeyError, TypeError, ValueError, ConfigError) as error:
                what = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise SourceError(f"{self.path}:{number}: expected a frame, got {what}") from error

    def _classes_found(self) -> list[str]:
        """Class names in the order of their appearance, in one pass over the file."""
        names: dict[str, None] = {}
        # What is wrong with the file is met again, and said, when its frames are read.
        with contextlib.suppress(SourceError, KeyError, TypeError):
            for _, row in self._lines():
                names.update((str(found["class"]), None) for found in row["instances"])
        return list(names)

    def _instances(self, row: dict[str, Any]) -> Instances:
        height, width = row["size"]
        found = row["instances"]
        for f in found:
            if f["class"] not in self.class_names:
                self.class_names.append(str(f["class"]))
        camera: F64 | None = None
        if "camera" in row:
            camera = np.array(row["camera"], np.float64).reshape(2, 3)
            if not np.isfinite(camera).all():
                raise ValueError("a motion of the camera that is no number")
        masks = rle.decoded([f["rle"] for f in found], height, width)
        boxes: F32 = np.array([f["box"] for f in found], np.float32).reshape(-1, 4)
        if (height, width) != (self.height, self.width):
            self.warnings.resized_frames += 1
            masks = mask_ops.resized(masks, self.height, self.width)
            boxes *= np.array([self.width / width, self.height / height] * 2, np.float32)
            camera = None  # another picture: nothing is known of how it came about
        return Instances(
            boxes,
            np.array([f["score"] for f in found], np.float32),
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
                        if not math.isfinite(row["time_s"]) or min(height, width) < 1:
                            raise ValueError("a time or size that is no number")
                        yield number, row
        except OSError as error:
            what = error.strerror or str(error)
            raise SourceError(f"{self.path}: expected recorded detections, got {what}") from error
        except (ValueError, KeyError, TypeError, EOFError, zlib.error) as error:
            what = "a broken line" if isinstance(error, json.JSONDecodeError) else str(error)
            raise SourceError(
                f"{self.path}:{number + (number == 0)}: expected a frame as JSON, got {what}"
            ) from error
