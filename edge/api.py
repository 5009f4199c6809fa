"""What `from edge import ...` offers: counting in recordings, reading events, own segmenters.

Whoever needs more builds the parts with `edge.build` and runs them with `edge.pipeline`, as this
module does; for cameras that are watched for months there is `edge run`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from edge import build, pipeline
from edge.build import segmenter as open_segmenter
from edge.config import Config, camera_from_options
from edge.errors import ConfigError, EdgeError, ShapeError, SourceError
from edge.events.journal import Journal
from edge.masks import extents, packed
from edge.outputs import Output
from edge.segment import Segmenter
from edge.sources import open_source
from edge.types import (
    F32,
    I32,
    U8,
    Bool,
    CountEvent,
    Frame,
    Instances,
    Masks,
    Stamp,
    Step,
    Totals,
    Tracks,
)

__all__ = [
    "CountEvent",
    "EdgeError",
    "Frame",
    "InstanceSegmenter",
    "Instances",
    "Masks",
    "Stamp",
    "Step",
    "Totals",
    "Tracks",
    "count_video",
    "instances_of",
    "open_segmenter",
    "open_source",
    "read_events",
]

_JOURNAL = b"SQLite format 3\0"


class InstanceSegmenter(Protocol):
    """Anything that finds instances in a picture, such as a model of your own.

    What `open_segmenter` opens is one. Its pictures are read ahead and its model runs on threads of
    its own; any other is called with one picture after the other, by the thread that counts.

    Example:
        >>> class Bright:
        ...     class_names = ("lamp",)
        ...     def segment(self, image):
        ...         return instances_of(image.max(axis=2)[None] > 200, scores=[0.9], class_ids=[0])
        >>> finder: InstanceSegmenter = Bright()
        >>> picture = np.zeros((48, 64, 3), np.uint8)
        >>> picture[10:20, 30:40] = 255
        >>> finder.segment(picture).boxes.tolist()
        [[30.0, 10.0, 40.0, 20.0]]
    """

    @property
    def class_names(self) -> Sequence[str]:
        """Name of each class; `Instances.class_ids` are indices into it."""

    def segment(self, image: U8) -> Instances:
        """Instances in one BGR uint8 picture (H, W, 3); `instances_of` makes them from masks."""


def count_video(  # noqa: PLR0913
    source: str | Path,
    *,
    lines: Mapping[str, Sequence[float]] | None = None,
    zones: Mapping[str, Sequence[float]] | None = None,
    classes: Sequence[str] | None = None,
    segmenter: InstanceSegmenter | None = None,
    on_step: Callable[[Step], object] | None = None,
    max_frames: int | None = None,
) -> dict[str, Totals]:
    """Count in a recorded video or a folder of pictures.

    Args:
        source: the file or folder.
        lines: by name: x1, y1, x2, y2, ... of two points or more, shares of the frame in 0..1.
            `in` is from the left to the right of someone who looks along the line.
        zones: by name: x1, y1, x2, y2, x3, y3, ... of three corners or more, likewise.
        classes: names of what is tracked and counted; None: all that the segmenter knows.
        segmenter: what finds instances; None: the default model.
        on_step: called with each frame after all stages: its time, picture, instances, tracks and
            count events. What it raises ends the count.
        max_frames: after how many frames to stop; None: at the end.

    Returns:
        The totals by name of line or zone; `by_class` has indices into the segmenter's class names.

    Raises:
        ConfigError: a line or zone that is none, or a class that the segmenter does not know.
        SourceError: the recording cannot be opened or read.
        ModelError: the model cannot be opened or run.

    Example:
        >>> small = open_segmenter(input_size=320)
        >>> lines = {"right": (0.651, 0, 0.651, 1)}
        >>> clip = "tests/data/people.mp4"
        >>> totals = count_video(clip, lines=lines, segmenter=small, max_frames=16)
        >>> totals["right"].count_in, totals["right"].count_out
        (1, 0)
    """
    camera = camera_from_options(
        str(source), _options(lines or {}), _options(zones or {}), classes or None
    )
    config = Config(cameras={"video": camera})
    finder = open_segmenter() if segmenter is None else segmenter
    names = list(finder.class_names)
    tracker = build.tracker(config, "video", names)
    with open_source(str(source)) as frames:
        counters = build.counters(config, "video", names, frames.width, frames.height)
        if isinstance(finder, Segmenter):
            seen = pipeline.segmented(frames, finder)
        else:
            seen = _seen(frames, finder)
        outputs: list[Output] = [] if on_step is None else [_Calls(on_step)]
        pipeline.run(seen, tracker, counters, outputs, max_frames=max_frames)
    return {counter.rule_id: counter.totals for counter in counters}


def _options(rules: Mapping[str, Sequence[float]]) -> list[str]:
    return [f"{name}={','.join(str(float(v)) for v in rules[name])}" for name in rules]


def _seen(frames: Iterable[Frame], finder: InstanceSegmenter) -> Iterator[pipeline.Seen]:
    for frame in frames:
        yield frame.stamp, frame.image, finder.segment(frame.image)


@dataclass(frozen=True, slots=True)
class _Calls:
    """An output that hands each step to a function."""

    on_step: Callable[[Step], object]

    def write(self, step: Step) -> None:
        self.on_step(step)

    def close(self) -> None:
        pass


def instances_of(masks: U8 | Bool, scores: Any, class_ids: Any) -> Instances:
    """Instances from full masks, as most models and libraries give them.

    Args:
        masks: (N, H, W), bool or uint8 of 0 and 1, in the frame's own size.
        scores: N numbers in 0..1.
        class_ids: N indices into the segmenter's class names.

    Returns:
        Those whose mask is not empty, best score first, with boxes tight round the masks.

    Raises:
        ShapeError: the masks are no such array, or there is not one score and class for each.

    >>> found = instances_of(np.array([[[0, 1, 1], [0, 1, 0]]], bool), [0.9], [0])
    >>> found.boxes.tolist()
    [[1.0, 0.0, 3.0, 2.0]]
    """
    dense = np.asarray(masks)
    if dense.ndim != 3 or dense.dtype not in (np.bool_, np.uint8):
        got = f"{dense.dtype} {dense.shape}"
        raise ShapeError(f"instances_of: masks: expected bool or uint8 (N, H, W), got {got}")
    score: F32 = np.asarray(scores, np.float32)
    class_id: I32 = np.asarray(class_ids, np.int32)
    for name, array in (("scores", score), ("class_ids", class_id)):
        if array.shape != (len(dense),):
            raise ShapeError(f"instances_of: {name}: expected ({len(dense)},), got {array.shape}")
    order = np.argsort(-score, kind="stable")
    order = order[dense[order].any((1, 2))]
    kept = packed(dense[order] != 0)
    return Instances(extents(kept).astype(np.float32), score[order], class_id[order], kept)


def read_events(path: str | Path) -> Iterator[dict[str, Any]]:
    """Events of a JSON Lines file (also .gz) or of a journal, oldest first; see docs/events.md.

    Both may be read while `edge run` writes them; a last line that is not complete yet is left out.

    Raises:
        SourceError: no such file.
        ConfigError: a line that is no JSON object.
        JournalError: a journal that cannot be read.

    Example:
        >>> events = list(read_events("tests/golden/people.events.jsonl"))
        >>> sum(event["type"] == "line_crossed" for event in events)
        18
        >>> events[-1]["type"]
        'stopped'
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            is_journal = file.read(len(_JOURNAL)) == _JOURNAL
    except OSError as error:
        got = (error.strerror or str(error)).lower()
        raise SourceError(f"{path}: expected events or a journal, got: {got}") from error
    return _of_journal(path) if is_journal else _of_lines(path)


def _of_journal(path: Path) -> Iterator[dict[str, Any]]:
    with Journal.reading(path) as journal:
        for row in journal.all_after(0):
            yield json.loads(row.line)


def _of_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as raw:
        lines = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        number = 0
        while True:
            number += 1
            try:
                line = lines.readline()
            except EOFError:  # a compressed file that is still written has no proper end
                return
            except (OSError, zlib.error) as error:
                raise ConfigError(f"{path}:{number}: expected a line, got: {error}") from error
            if not line.endswith(b"\n"):
                return
            if line.strip():
                yield _parsed(line, f"{path}:{number}")


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        shown = line[:40].decode("utf-8", "replace").strip()
        raise ConfigError(f"{where}: expected an event as JSON, got {shown!r}")
    return event
