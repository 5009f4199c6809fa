"""Tracks as text that the usual evaluators read: MOTS masks or MOTChallenge boxes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np

from edge import masks as mask_ops
from edge import rle
from edge.errors import ConfigError, SinkError
from edge.types import I64, Masks, Step, Tracks, TrackState

TracksFormat = Literal["mots", "mot"]
MOTS_CLASSES = {"car": 1, "person": 2}  # as KITTI MOTS numbers them; others follow


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is needed of a frame until all its tracks are confirmed or given up."""

    frame: int
    tracks: Tracks
    masks: Masks


class TracksSink:
    """Writes confirmed tracks, frame by frame, from their first sighting on.

    `mots`: `frame id class height width rle`, frames from 0, masks that do not overlap (who
    stands in front keeps the shared pixels); what each class number means goes into a file
    beside it, `NAME.classes.txt`. `mot`: `frame,id,x,y,w,h,score,-1,-1,-1`, frames from 1.

    A frame is held back while one of its tracks may still turn out to be none: for as long as
    the tracker takes to confirm, less than a second.
    """

    def __init__(self, path: Path, class_names: tuple[str, ...], form: TracksFormat) -> None:
        """Open `path` for writing.

        Raises:
            SinkError: it cannot be opened.
        """
        self.path = path
        self._form = form
        self._numbers = mots_numbers(class_names)
        self._waiting: deque[_Shown] = deque()
        self._tentative: set[int] = set()  # ids that may still be confirmed
        self._refused: set[int] = set()  # ids in waiting frames that never were
        try:
            self._file = path.open("w", encoding="ascii")
            if form == "mots":
                lines = [f"{self._numbers[c]} {name}\n" for c, name in enumerate(class_names)]
                path.with_suffix(".classes.txt").write_text("".join(sorted(lines)))
        except OSError as error:
            raise SinkError(f"{path}: cannot write tracks: {error.strerror}") from error

    def write(self, step: Step) -> None:
        """Take one frame; write those about which everything is known.

        Raises:
            SinkError: the disk is full or gone.
        """
        tracks = step.tracks
        tentative = tracks.states == TrackState.TENTATIVE
        self._tentative.difference_update(tracks.ids[~tentative].tolist())
        self._tentative.update(tracks.ids[tentative].tolist())
        self._refuse(self._tentative.intersection(tracks.ended.tolist()))
        self._waiting.append(_Shown(step.stamp.frame, tracks, step.instances.masks))
        self._write_known()

    def _refuse(self, ids: set[int]) -> None:
        self._tentative -= ids
        self._refused |= ids

    def _write_known(self) -> None:
        while self._waiting and self._tentative.isdisjoint(self._waiting[0].tracks.ids.tolist()):
            shown = self._waiting.popleft()
            rows = [
                row
                for row in np.flatnonzero(shown.tracks.instance >= 0).tolist()
                if int(shown.tracks.ids[row]) not in self._refused
            ]
            form = self._masks if self._form == "mots" else self._boxes
            try:
                self._file.write("".join(form(shown, np.array(rows, np.int64))))
            except OSError as error:
                raise SinkError(f"{self.path}: cannot write tracks: {error.strerror}") from error
        if not self._waiting:
            self._refused.clear()

    def _masks(self, shown: _Shown, rows: I64) -> list[str]:
        tracks, masks = shown.tracks, shown.masks
        nearest_first = rows[np.argsort(-tracks.feet[rows, 1], kind="stable")]
        # Of tracks that have melted into one instance the nearest has its pixels.
        _, first = np.unique(tracks.instance[nearest_first], return_index=True)
        nearest_first = nearest_first[np.sort(first)]
        flat = mask_ops.without_overlap(
            mask_ops.chosen(masks, tracks.instance[nearest_first].astype(np.int64))
        )
        lines = {}
        for row, run in zip(nearest_first.tolist(), rle.encoded(flat), strict=True):
            number = self._numbers[int(tracks.class_ids[row])]
            lines[row] = (
                f"{shown.frame} {tracks.ids[row]} {number} "
                f"{masks.height} {masks.width} {run['counts']}\n"
            )
        return [lines[row] for row in sorted(lines)]

    def _boxes(self, shown: _Shown, rows: I64) -> list[str]:
        tracks = shown.tracks
        lines = []
        for row in rows.tolist():
            x1, y1, x2, y2 = tracks.boxes[row].tolist()
            lines.append(
                f"{shown.frame + 1},{tracks.ids[row]},{x1:.2f},{y1:.2f},"
                f"{x2 - x1:.2f},{y2 - y1:.2f},{tracks.scores[row]:.4f},-1,-1,-1\n"
            )
        return lines

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: what was buffered cannot be written.
        """
        try:
            self._refuse(set(self._tentative))
            self._write_known()
            self._file.close()
        except OSError as error:
            raise SinkError(f"{self.path}: cannot write tracks: {error.strerror}") from error

    def __enter__(self) -> TracksSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def tracks_format(option: str, text: str) -> TracksFormat:
    """The format that `option` names.

    Raises:
        ConfigError: it names none.

    >>> tracks_format("--format", "mot")
    'mot'
    """
    formats: dict[str, TracksFormat] = {"mots": "mots", "mot": "mot"}
    if text not in formats:
        raise ConfigError(f"{option}: expected mots or mot, got {text!r}")
    return formats[text]


def mots_numbers(class_names: tuple[str, ...]) -> list[int]:
    """The MOTS class number of each class: car 1, person 2, others 3 and up in their order.

    >>> mots_numbers(("person", "bicycle", "car", "bus"))
    [2, 3, 1, 4]
    """
    others = [name for name in class_names if name not in MOTS_CLASSES]
    return [
        MOTS_CLASSES.get(name, 3 + others.index(name) if name in others else 0)
        for name in class_names
    ]
