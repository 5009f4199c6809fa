"""One camera of a site: its tracker and rules, session after session."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Protocol

from edge.count.zone import ZoneCounter
from edge.errors import EdgeError
from edge.outputs import Counter, EventsOutput, Output
from edge.track.camera import CameraMotion
from edge.track.tracker import Tracker
from edge.types import Frame, Instances, Notice, Step

log = logging.getLogger("edge.camera")


class Feed(Protocol):
    """Where a lane's frames come from."""

    def poll(self) -> Frame | Notice | None:
        """What comes next, at once; None: nothing is there yet. When closed, only notices."""

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""

    def close(self, patience_s: float = ...) -> object:
        """Stop, and wait so long for what hangs; more calls do nothing."""


@dataclass(slots=True)
class Session:
    """What lives while pictures come without interruption and in one size."""

    tracker: Tracker
    counters: list[Counter]
    size: tuple[int, int]  # width and height, pixels
    motion: CameraMotion | None = None
    outputs: list[Output] = field(default_factory=list)  # beside the events


class Lane:
    """One camera. Frames of a session go through its tracker and counters; events go on over all.

    Attributes:
        frames: counted so far.
        number: of the session, from 1.
        served_s: monotonic time at which it was last given a turn.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        number: int,
        begin: Callable[[int, int, int], Session],
        events: EventsOutput,
    ) -> None:
        """Begin before the first frame.

        Args:
            name: of the camera.
            feed: its frames.
            number: of its first session.
            begin: makes a session from its number and the frames' width and height.
            events: where its events go.
        """
        self.name = name
        self.feed = feed
        self.number = number
        self.frames = 0
        self.served_s = 0.0
        self.events = events
        self.session: Session | None = None
        self._begin = begin
        self._restored: Notice | None = None  # told with the first frame, which has the size
        self._given = 0  # frames given out by `poll` and not taken yet
        self._held: Notice | None = None  # it comes after them

    def poll(self) -> Frame | None:
        """The next frame, if one is there; what happened to the source before it is said.

        While a frame is with the model, what comes after it is held back.
        """
        while True:
            item = self._held or self.feed.poll()
            self._held = None
            if not isinstance(item, Notice):
                self._given += item is not None
                return item
            if self._given:
                self._held = item
                return None
            self._note(item)

    def take(self, frame: Frame, instances: Instances) -> None:
        """Track and count what was seen in one frame.

        Raises:
            SinkError: a result cannot be written.
        """
        self._given -= 1
        height, width = frame.image.shape[:2]
        if self.session is None:
            self.session = self._begin(self.number, width, height)
            if self._restored is None:
                extra = {"camera": self.name}
                log.info("%s: pictures come, %d x %d", self.name, width, height, extra=extra)
            self.events.begin(self.number, width, height, self.session.counters)
            if self._restored is not None:
                self.events.notice(self._restored)
                self._restored = None
        session = self.session
        if session.motion is not None:
            moved = session.motion.update(frame.image, instances.boxes)
            instances = replace(instances, camera=moved)
        tracks = session.tracker.update(frame.stamp, instances)
        events = [e for c in session.counters for e in c.update(frame.stamp, tracks, instances)]
        step = Step(frame.stamp, frame.image, instances, tracks, tuple(events))
        self.events.write(step)
        for output in session.outputs:
            output.write(step)
        self.frames += 1

    def close(self, reason: str = "stopped", patience_s: float = 1.0) -> None:
        """End: who is inside leaves, the totals are sent. The feed is closed as well.

        A recording is counted again from its start: nobody leaves it for being stopped, and its
        totals are sent at its own end.

        Args:
            reason: why, for the events of who is still inside.
            patience_s: how long to wait for a feed that hangs.

        Raises:
            EdgeError: a result cannot be finished; the events are sent all the same.
        """
        if self.feed.ended:
            self.events.source_ended()
        self.feed.close(patience_s)
        held, self._held = self._held, None
        try:
            if held is not None:
                self._note(held)
            while isinstance(rest := self.feed.poll(), Notice):  # what nobody had polled yet
                self._note(rest)
            self._end_session(reason)
        finally:
            self.events.close()

    def leave(self, rule_ids: Collection[str], reason: str) -> None:
        """Let who is inside these zones leave them, before the zones change or go."""
        counters = [] if self.session is None else self.session.counters
        for counter in counters:
            if isinstance(counter, ZoneCounter) and counter.rule_id in rule_ids:
                self.events.left(counter.finish(), reason)

    def _note(self, notice: Notice) -> None:
        say = log.warning if notice.kind in ("source_lost", "clock_step") else log.info
        say("%s: %s", self.name, described(notice), extra={"camera": self.name})
        if notice.kind == "source_lost":
            self._end_session("source_lost")
        if notice.kind == "source_restored":
            self.number = notice.session
            self._restored = notice
        else:
            self.events.notice(notice)

    def _end_session(self, reason: str) -> None:
        if self.session is None:
            return
        if not self.events.is_recorded:
            self.leave({counter.rule_id for counter in self.session.counters}, reason)
        session, self.session = self.session, None
        failure: EdgeError | None = None
        for output in session.outputs:
            try:
                output.close()
            except EdgeError as error:
                failure = failure or error
        if failure is not None:
            raise failure


def described(notice: Notice) -> str:
    """A notice in words.

    >>> from edge.types import Stamp
    >>> described(Notice("source_restored", Stamp(9, 1.0), 2, gap_s=3.25))
    'pictures again after 3.2 s, session 2'
    """
    if notice.kind == "source_lost":
        return f"lost: {notice.reason}"
    if notice.kind == "source_restored":
        return f"pictures again after {notice.gap_s:.1f} s, session {notice.session}"
    if notice.kind == "frames_dropped":
        return f"{notice.frames} frames dropped, newer ones had come"
    return f"the clock was set by {notice.step_s:+.1f} s"


def longest_waiting(lanes: list[Lane]) -> tuple[Lane, Frame] | None:
    """The frame whose turn it is: of the cameras that have one, that served longest ago."""
    for lane in sorted(lanes, key=lambda lane: lane.served_s):
        frame = lane.poll()
        if frame is not None:
            lane.served_s = time.monotonic()
            return lane, frame
    return None
