"""Recording what the segmenter saw: JSON Lines, one object a frame, optionally gzipped."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from edge import rle
from edge.errors import SinkError
from edge.types import Step


class DetectionsSink:
    """Writes a file that `edge track` replays to the same events.

    Numbers are written with enough digits to come back as the same float32. The first line also
    tells where the frames came from and which model saw them (`provenance`).
    """

    def __init__(
        self, path: Path, class_names: tuple[str, ...], provenance: dict[str, Any]
    ) -> None:
        """Open `path` for writing; a name that ends in .gz is compressed.

        Raises:
            SinkError: it cannot be opened.
        """
        self.path = path
        self._class_names = class_names
        self._first: dict[str, Any] = {"provenance": provenance}
        try:
            raw = path.open("wb")
        except OSError as error:
            raise SinkError(f"{path}: cannot write detections: {error.strerror}") from error
        # mtime 0 and no name: the same run gives the same bytes.
        packed = gzip.GzipFile("", "wb", 6, raw, mtime=0) if path.suffix == ".gz" else None
        self._raw = raw
        self._text = io.TextIOWrapper(packed or raw, encoding="ascii", newline="\n")

    def write(self, step: Step) -> None:
        """Append one frame.

        Raises:
            SinkError: the disk is full or gone.
        """
        stamp, instances = step.stamp, step.instances
        runs = rle.encoded(instances.masks)
        line = {
            "frame": stamp.frame,
            "time_s": stamp.media_s,
            "size": [instances.masks.height, instances.masks.width],
            "instances": [
                {
                    "class": self._class_names[class_id],
                    "score": _short(score),
                    "box": [_short(v) for v in box],
                    "rle": run,
                }
                for class_id, score, box, run in zip(
                    instances.class_ids.tolist(),
                    instances.scores,
                    instances.boxes,
                    runs,
                    strict=True,
                )
            ],
            **({} if instances.camera is None else {"camera": instances.camera.ravel().tolist()}),
            **self._first,
        }
        self._first = {}
        try:
            self._text.write(json.dumps(line, separators=(",", ":")) + "\n")
        except OSError as error:
            raise SinkError(f"{self.path}: cannot write detections: {error.strerror}") from error

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: what was buffered cannot be written.
        """
        try:
            self._text.close()
            self._raw.close()
        except OSError as error:
            raise SinkError(f"{self.path}: cannot write detections: {error.strerror}") from error

    def __enter__(self) -> DetectionsSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _short(value: Any) -> float:
    """The shortest decimal that reads back as the same float32."""
    return float(str(value))
