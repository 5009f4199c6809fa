"""Tracks as text that the usual evaluators read: MOTS masks or MOTChallenge boxes."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np

from edge import masks as mask_ops
from edge import rle
from edge.errors import ConfigError, SinkError
from edge.sinks.gaps import Filled, Sighting, between, in_plain_view, sighting
from edge.types import I64, Masks, Stamp, Step, Tracks, TrackState

TracksFormat = Literal["mots", "mot"]
BOX_SUFFIXES = (".csv", ".mot", ".mot.txt")
MOTS_CLASSES = {"car": 1, "person": 2}  # as KITTI MOTS numbers them; others follow


FILL_S = 0.7


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is needed of a frame until everything about it is known."""

    stamp: Stamp
    tracks: Tracks
    masks: Masks
    missed: list[Filled]  # tracks seen before and after, but not in this frame


class TracksSink:
    """Writes confirmed tracks, frame by frame, from their first sighting on.

    `mots`: `frame id class height width rle`, frames from 0, masks that do not overlap (who
    stands in front keeps the shared pixels); what each class number means goes into a file
    beside it, `NAME.classes.txt`. `mot`: `frame,id,x,y,w,h,score,-1,-1,-1`, frames from 1.

    A frame is held back, for less than a second, while one of its tracks may still turn out to
    be none, and while a track that it missed may be seen again. That one is then written where
    it must have been, unless what the frame did show hides that place.
    """

    def __init__(
        self,
        path: Path,
        class_names: tuple[str, ...],
        form: TracksFormat,
        fill_s: float = FILL_S,
    ) -> None:
        """Open `path` for writing.

        Args:
            path: of the file.
            class_names: of the model.
            form: of the lines.
            fill_s: longest time between two sightings that is filled; 0: only what was seen.

        Raises:
            SinkError: it cannot be opened.
        """
        self.path = path
        self._form = form
        self._fill_s = fill_s
        self._numbers = mots_numbers(class_names)
        self._waiting: deque[_Shown] = deque()
        self._sighted: dict[int, Sighting] = {}  # the last of each live track
        self._tentative: set[int] = set()  # ids that may still be confirmed
        self._refused: set[int] = set()  # ids in waiting frames that never were
        self._open_s: dict[int, float] = {}  # ids, and the first frame that may change for them
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
        for row in range(len(tracks)):
            self._seen(step, row) if tracks.instance[row] >= 0 else self._missed(step, row)
        self._end(tracks.ended.tolist())
        self._waiting.append(_Shown(step.stamp, tracks, step.instances.masks, []))
        self._write_known()

    def _seen(self, step: Step, row: int) -> None:
        track_id, now = int(step.tracks.ids[row]), sighting(step, row)
        before = self._sighted.get(track_id)
        if before and now.media_s - before.media_s <= self._fill_s + 1e-9:
            class_id = int(step.tracks.class_ids[row])
            for shown in self._waiting:
                if before.media_s < shown.stamp.media_s < now.media_s:
                    filled = between(before, now, shown.stamp.media_s, track_id, class_id)
                    shown.missed.append(filled)
        self._sighted[track_id] = now
        if track_id in self._tentative:
            self._open_s.setdefault(track_id, now.media_s)
        else:
            self._open_s.pop(track_id, None)

    def _missed(self, step: Step, row: int) -> None:
        track_id, now_s = int(step.tracks.ids[row]), step.stamp.media_s
        before = self._sighted.get(track_id)
        if before and now_s - before.media_s < self._fill_s:
            self._open_s.setdefault(track_id, now_s)
        elif track_id not in self._tentative:
            self._open_s.pop(track_id, None)

    def _end(self, ids: list[int]) -> None:
        self._refused.update(self._tentative.intersection(ids))
        self._tentative.difference_update(ids)
        for track_id in ids:
            self._sighted.pop(track_id, None)
            self._open_s.pop(track_id, None)

    def _write_known(self) -> None:
        until_s = min(self._open_s.values(), default=math.inf)
        while self._waiting and self._waiting[0].stamp.media_s < until_s:
            shown = self._waiting.popleft()
            form = self._masks if self._form == "mots" else self._boxes
            try:
                self._file.write("".join(form(shown, self._rows(shown), self._filled(shown))))
            except OSError as error:
                raise SinkError(f"{self.path}: cannot write tracks: {error.strerror}") from error
        if not self._waiting:
            self._refused.clear()

    def _rows(self, shown: _Shown) -> I64:
        """Tracks that the frame shows."""
        refused = np.isin(shown.tracks.ids, list(self._refused))
        rows: I64 = np.flatnonzero((shown.tracks.instance >= 0) & ~refused)
        return rows

    def _filled(self, shown: _Shown) -> list[Filled]:
        """Tracks that it missed in plain view."""
        kept = [f for f in shown.missed if f.track_id not in self._refused]
        return [f for f in kept if in_plain_view(f, shown.masks)]

    def _masks(self, shown: _Shown, rows: I64, filled: list[Filled]) -> list[str]:
        tracks, masks = shown.tracks, shown.masks
        nearest_first = rows[np.argsort(-tracks.feet[rows, 1], kind="stable")]
        # Of tracks that have melted into one instance the nearest has its pixels.
        _, first = np.unique(tracks.instance[nearest_first], return_index=True)
        nearest_first = nearest_first[np.sort(first)]
        owners = list(zip(tracks.ids[nearest_first], tracks.class_ids[nearest_first], strict=True))
        owners += [(f.track_id, f.class_id) for f in filled]
        flat = mask_ops.without_overlap(
            mask_ops.joined(
                mask_ops.chosen(masks, tracks.instance[nearest_first].astype(np.int64)),
                *(f.masks for f in filled),
            )
        )
        size = f"{masks.height} {masks.width}"
        lines = {
            track_id: f"{shown.stamp.frame} {track_id} {self._numbers[c]} {size} {run['counts']}\n"
            for (track_id, c), run in zip(owners, rle.encoded(flat), strict=True)
        }
        return [lines[track_id] for track_id in sorted(lines)]

    def _boxes(self, shown: _Shown, rows: I64, filled: list[Filled]) -> list[str]:
        tracks = shown.tracks
        found = [(int(tracks.ids[r]), tracks.boxes[r], float(tracks.scores[r])) for r in rows]
        found += [(f.track_id, f.box, f.score) for f in filled]
        lines = []
        for track_id, box, score in sorted(found, key=lambda f: f[0]):
            x1, y1, x2, y2 = box.tolist()
            lines.append(
                f"{shown.stamp.frame + 1},{track_id},{x1:.2f},{y1:.2f},"
                f"{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f},-1,-1,-1\n"
            )
        return lines

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: what was buffered cannot be written.
        """
        try:
            self._end([*self._tentative, *self._open_s])
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


def format_of(path: Path | None) -> TracksFormat:
    """The format that a file name asks for: boxes for `.csv`, `.mot` and `.mot.txt`, else masks.

    >>> format_of(Path("gate.csv")), format_of(Path("gate.mot.txt")), format_of(Path("gate.txt"))
    ('mot', 'mot', 'mots')
    """
    return "mot" if path is not None and path.name.lower().endswith(BOX_SUFFIXES) else "mots"


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
