"""Feeds that give what they are told to, and a walker as a live source would stamp its frames."""

from __future__ import annotations

import numpy as np

from edge.testing import PERSON, Actor, frames, times
from edge.types import Frame, Notice, Stamp, Wall

UTC_S = 1_790_237_700.0
NAMES = ("person", "car")
WALKER = Actor(PERSON, 20, 60, ((0.0, 20.0, 200.0), (4.0, 300.0, 200.0)))


class Script:
    """A feed that gives what it was told to give."""

    def __init__(self, *items):
        self.items = list(items)
        self.closed = False

    @property
    def ended(self):
        return not self.items

    def poll(self):
        if self.closed:
            self.items = [item for item in self.items if isinstance(item, Notice)]
        return self.items.pop(0) if self.items else None

    def close(self, patience_s=0.0):
        self.closed = True


def wall(media_s: float) -> Wall:
    return Wall(UTC_S + media_s, "arrival", 500.0)


def seen(start_s: float, until_s: float, actor=WALKER, size_hw=(240, 320), first=0):
    """Frames and instances of a part of the scene, as a live source would stamp them."""
    found = []
    for stamp, instances, _ in frames([actor], times(until_s, 10), size_hw):
        if stamp.media_s >= start_s:
            image = np.zeros((*size_hw, 3), np.uint8)
            at = Stamp(stamp.frame + first, stamp.media_s + first / 10, wall(stamp.media_s))
            found.append((Frame(at, image), instances))
    return found


def play(lane, found) -> None:
    """Let a lane whose feed is a Script count frames and what the model saw in them."""
    for frame, instances in found:
        lane.feed.items.insert(0, frame)
        assert lane.poll() is frame
        lane.take(frame, instances)
