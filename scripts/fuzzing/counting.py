"""Counts in a damaged stream as `edge run` does, with somebody who walks through every picture."""

from __future__ import annotations

import numpy as np

from edge import build, masks
from edge.events import dumps
from edge.lane import Lane, Session
from edge.outputs import EventsOutput
from edge.types import Frame, Instances, Notice
from fuzzing.recordings import CAMERA, check, config

NAMES = ("person", "car")
STEPS = 12  # pictures in which somebody walks from the left to the right


class Feed:
    """What a stream told so far."""

    ended = False

    def __init__(self) -> None:
        self.items: list[Frame | Notice] = []

    def poll(self) -> Frame | Notice | None:
        return self.items.pop(0) if self.items else None

    def close(self, patience_s: float = 0.0) -> None:
        pass


class Counting:
    """A lane that gets frames and notices one by one."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._feed = Feed()
        self._config = config()
        about = {"kind": "rtsp", "source_key": "j", "width": 0, "height": 0, "class_names": NAMES}
        encoder = build.encoder(self._config, CAMERA, about)
        events = EventsOutput(
            encoder,
            lambda event: self._lines.append(dumps(event)),
            (),
            self._config.snapshot_every_s,
        )
        self._lane = Lane(CAMERA, self._feed, 1, self._begin, events)

    def take(self, item: Frame | Notice) -> None:
        """Count in a frame, or hear what happened."""
        self._feed.items.append(item)
        if (frame := self._lane.poll()) is not None:
            self._lane.take(frame, walker(frame))

    def finish(self) -> int:
        """End; how many passages and entries were counted.

        Raises:
            Exception: events or totals are wrong.
        """
        self._lane.close()
        check(self._lines)
        return sum(line.count('"delta":1,') for line in self._lines)

    def _begin(self, number: int, width: int, height: int) -> Session:
        counters = build.counters(self._config, CAMERA, NAMES, width, height)
        return Session(build.tracker(self._config, CAMERA, NAMES), counters, (width, height))


def walker(frame: Frame) -> Instances:
    """One person, a quarter of the picture high, further to the right in each picture."""
    height, width = frame.image.shape[:2]
    tall, wide = max(1, height // 4), max(1, width // 8)
    left = min(width - wide, frame.stamp.frame % STEPS * width // STEPS)
    window = (left, height // 2, left + wide, min(height, height // 2 + tall))
    crop = np.ones((window[3] - window[1], wide), np.uint8)
    return Instances(
        np.array([window], np.float32),
        np.array([0.9], np.float32),
        np.array([0], np.int32),
        masks.from_crops(height, width, [window], [crop]),
    )
