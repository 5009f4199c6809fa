"""Where feet stood, counted on a coarse grid."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from edge.mosaic import without_people
from edge.types import F64, U8, Step, TrackState

_COLUMNS = 160


class Feet:
    """Points in pixels of frames, counted in cells of a 160th of the frame's width.

    >>> feet = Feet()
    >>> feet.add(320.0, 480.0, 640, 480)
    >>> grid = feet.grid()
    >>> grid.shape, float(grid.sum()), np.argwhere(grid).tolist()
    ((120, 160), 1.0, [[119, 80]])
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._grid: F64 | None = None
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, x: float, y: float, width: int, height: int) -> None:
        """Count one, in a frame of that size; frames may change their size, not their view."""
        if width < 1 or height < 1 or not (math.isfinite(x) and math.isfinite(y)):
            return
        if self._grid is None:
            rows = min(4 * _COLUMNS, max(1, round(_COLUMNS * height / width)))
            self._grid = np.zeros((rows, _COLUMNS), np.float64)
        rows, columns = self._grid.shape
        row = min(rows - 1, max(0, int(y / height * rows)))
        self._grid[row, min(columns - 1, max(0, int(x / width * columns)))] += 1
        self.count += 1

    def grid(self) -> F64:
        """float64 (rows, columns), how many in each cell; empty before the first."""
        return np.zeros((0, 0)) if self._grid is None else self._grid.copy()


class Footprints:
    """An output of a run: the feet of all confirmed tracks in each frame, and the first picture.

    Attributes:
        feet: so far.
        picture: of the first frame, people hidden, BGR uint8 (H, W, 3); None: there is none yet.
    """

    def __init__(self, person_class_ids: Collection[int] = ()) -> None:
        """Begin before the first frame.

        Args:
            person_class_ids: classes that are people, whom the picture does not show.
        """
        self._people = person_class_ids
        self.feet = Feet()
        self.picture: U8 | None = None

    def write(self, step: Step) -> None:
        """Take one frame."""
        if self.picture is None and step.image is not None:
            self.picture = without_people(step.image, step.instances, self._people)
        tracks, masks = step.tracks, step.instances.masks
        is_seen = (tracks.states == TrackState.CONFIRMED) & (tracks.instance >= 0)
        for x, y in tracks.feet[is_seen].tolist():
            self.feet.add(x, y, masks.width, masks.height)

    def close(self) -> None:
        """Nothing is left to do."""
