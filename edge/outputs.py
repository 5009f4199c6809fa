"""What becomes of each step: events as JSON lines, an annotated picture. Joins layer-3 parts."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from edge.count.line import LineCounter
from edge.count.zone import ZoneCounter
from edge.draw import LineOverlay, Overlay, Trails, ZoneOverlay, draw
from edge.events import Encoder, Window, Windows, dumps
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.video import VideoSink
from edge.types import Stamp, Step, Totals

FLASH_S = 0.4  # how long a line lights up after a crossing
Counter = LineCounter | ZoneCounter


class Output(Protocol):
    """Anything that takes every step of one source."""

    def write(self, step: Step) -> None:
        """Take one step."""

    def close(self) -> None:
        """Finish; nothing comes after."""


class EventsOutput:
    """Encodes events and sends them on, between a `started` and a `stopped`."""

    def __init__(
        self,
        encoder: Encoder,
        sink: JsonLinesSink,
        counters: list[Counter],
        snapshot_every_s: float | None = None,
    ) -> None:
        """Keep what is needed; `sink` is closed by whoever opened it.

        Args:
            encoder: of this source.
            sink: where events go.
            counters: all rules.
            snapshot_every_s: media seconds from one count_snapshot to the next; None: never.
        """
        self._encoder = encoder
        self._sink = sink
        self._counters = counters
        self._windows = Windows(snapshot_every_s) if snapshot_every_s else None
        # As the events sent so far have them: the counters are a frame ahead.
        self._totals = {c.rule_id: Totals(0, 0) for c in counters}
        self._last: Stamp | None = None
        self._times: deque[float] = deque()  # of the frames of the last second

    def write(self, step: Step) -> None:
        """Send this step's events.

        Raises:
            SinkError: they cannot be written.
        """
        now_s = step.stamp.media_s
        if self._last is None:
            self._sink.send(dumps(self._encoder.started(step.stamp)))
        self._last = step.stamp
        self._times.append(now_s)
        while self._times[0] < now_s - 1.0:
            self._times.popleft()
        for window in self._windows.update(step.stamp) if self._windows else ():
            self._send_snapshots(window, step.stamp)
        for event in step.events:
            self._totals[event.rule_id] = event.totals
            self._sink.send(dumps(self._encoder.encode(event, self._fps(), 0)))

    def _send_snapshots(self, window: Window, stamp: Stamp) -> None:
        for rule_id, totals in self._totals.items():
            self._sink.send(dumps(self._encoder.snapshot(rule_id, window, stamp, totals)))

    def _fps(self) -> float | None:
        span_s = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / span_s if span_s > 0 else None

    def close(self) -> None:
        """Send the closing totals."""
        if self._last is None:
            return
        window = self._windows.close() if self._windows else None
        if window is not None:
            self._send_snapshots(window, self._last)
        totals = {c.rule_id: c.totals for c in self._counters}
        self._sink.send(dumps(self._encoder.stopped(self._last, totals)))


class VideoOutput:
    """Draws each step and writes it to a video."""

    def __init__(
        self, sink: VideoSink, class_names: tuple[str, ...], counters: list[Counter]
    ) -> None:
        """Keep what is drawn with every picture."""
        self._sink = sink
        self._class_names = class_names
        self._counters = counters
        self._trails = Trails()
        self._crossed_s: dict[str, float] = {}

    def write(self, step: Step) -> None:
        """Draw and encode one picture.

        Raises:
            SinkError: it cannot be written.
        """
        if step.image is None:
            return
        now_s = step.stamp.media_s
        for event in step.events:
            self._crossed_s[event.rule_id] = now_s
        overlay = Overlay(
            class_names=self._class_names,
            lines=[self._line(c, now_s) for c in self._counters if isinstance(c, LineCounter)],
            zones=[
                ZoneOverlay(c.rule_id, c.polygon.tolist(), c.occupancy)
                for c in self._counters
                if isinstance(c, ZoneCounter)
            ],
            tails=self._trails.update(step.stamp, step.tracks),
            text=f"{now_s:.1f} s",
        )
        self._sink.write(draw(step.image, step.instances, step.tracks, overlay), now_s)

    def _line(self, counter: LineCounter, now_s: float) -> LineOverlay:
        totals = counter.totals
        flashing = now_s - self._crossed_s.get(counter.rule_id, -FLASH_S) < FLASH_S
        return LineOverlay(
            counter.rule_id,
            counter.line.tolist(),
            totals.count_in,
            totals.count_out,
            flashing,
        )

    def close(self) -> None:
        """Finish the file.

        Raises:
            SinkError: it cannot be finished.
        """
        self._sink.close()
