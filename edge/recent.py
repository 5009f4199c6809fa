"""The tracks of the last minutes of one camera, on which rules are tried before they are saved."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np

from edge.outputs import Counter
from edge.types import Instances, Masks, Stamp, Step, Tracks, TrackState

KEPT_S = 300.0  # about 1 kB for each frame and some hundred bytes for each track in it
MOST_FRAMES = 20_000
_LOOKED_AT = 400  # frames


class Recent:
    """An output that keeps tracks, not pictures and not masks: counters need no more to count."""

    def __init__(self, kept_s: float = KEPT_S) -> None:
        """Keep tracks for so many seconds of media time."""
        self._kept_s = kept_s
        self._steps: deque[tuple[Stamp, Tracks]] = deque(maxlen=MOST_FRAMES)
        self._size: tuple[int, int] | None = None  # width, height
        self._lock = threading.Lock()

    def write(self, step: Step) -> None:
        """Keep the tracks of one frame. Those of frames of another size are of no use any more."""
        size = step.instances.masks.width, step.instances.masks.height
        with self._lock:
            if size != self._size:
                self._size = size
                self._steps.clear()
            self._steps.append((step.stamp, step.tracks))
            oldest_s = step.stamp.media_s - self._kept_s
            while self._steps[0][0].media_s < oldest_s:
                self._steps.popleft()

    def close(self) -> None:
        """Nothing to finish: an `Output` has this."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the frames, pixels; None before the first."""
        return self._size

    @property
    def span_s(self) -> float:
        """Media time from the first to the last frame that is kept."""
        with self._lock:
            return self._steps[-1][0].media_s - self._steps[0][0].media_s if self._steps else 0.0

    def heights_px(self) -> list[float]:
        """The last known height of each confirmed track, from some hundred of the frames."""
        with self._lock:
            steps = list(self._steps)
        heights: dict[int, float] = {}
        for _, tracks in steps[:: len(steps) // _LOOKED_AT + 1]:
            for row in np.flatnonzero(tracks.states == TrackState.CONFIRMED).tolist():
                heights[int(tracks.ids[row])] = float(tracks.heights[row])
        return list(heights.values())

    def replay(self, counters: Sequence[Counter]) -> int:
        """Let counters count in what is kept, from any thread; their totals say what they found.

        Areas in their events are 0, because masks are not kept.

        Returns:
            The number of frames.
        """
        with self._lock:
            steps, size = list(self._steps), self._size
        if size is None:
            return 0
        for stamp, tracks in steps:
            shadows = without_masks(int(tracks.instance.max(initial=-1)) + 1, *size)
            for counter in counters:
                counter.update(stamp, tracks, shadows)
        return len(steps)


def without_masks(count: int, width: int, height: int) -> Instances:
    """So many instances that cover nothing, in a frame of this size."""
    masks = Masks(
        height,
        width,
        np.zeros((count, 4), np.int32),
        np.zeros(count + 1, np.int64),
        np.zeros(0, np.uint8),
    )
    return Instances(
        np.zeros((count, 4), np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.int32),
        masks,
    )
