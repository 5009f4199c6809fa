"""What becomes of each step: events as JSON lines, an annotated picture. Joins layer-3 parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from edge.count.line import LineCounter
from edge.count.zone import ZoneCounter
from edge.draw import FLASH_S, LineOverlay, Overlay, Trails, ZoneOverlay, draw
from edge.events import Encoder, Window, Windows, dumps
from edge.mosaic import without_people
from edge.sinks.jsonl import JsonLinesSink
from edge.types import U8, CountEvent, Notice, Stamp, Step

Counter = LineCounter | ZoneCounter


class Output(Protocol):
    """Anything that takes every step of one source."""

    def write(self, step: Step) -> None:
        """Take one step."""

    def close(self) -> None:
        """Finish; nothing comes after."""


class EventsOutput:
    """Encodes events and sends them on, between a `started` and a `stopped`."""

    def __init__(  # noqa: PLR0913
        self,
        encoder: Encoder,
        send: Callable[[dict[str, Any]], None],
        counters: Sequence[Counter] = (),
        snapshot_every_s: float | None = None,
        windows_state: Mapping[str, Any] | None = None,
        evidence: Callable[[Mapping[str, Any], Step], str | None] | None = None,
        together: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        """Keep what is needed.

        Args:
            encoder: of this source.
            send: takes each event; what it raises goes to the caller.
            counters: all rules.
            snapshot_every_s: seconds from one count_snapshot to the next; None: never.
            windows_state: what `state` gave when an earlier run ended.
            evidence: keeps a picture of an event and says where; None: there are none.
            together: of a journal: what is sent within is kept as a whole, with what `state` gives
                then, or not at all. A recording that is stopped goes on there: None: it does not.
        """
        self.encoder = encoder
        self.send = send
        self.counters = counters
        self._snapshot_every_s = snapshot_every_s
        self._windows = Windows(snapshot_every_s, windows_state) if snapshot_every_s else None
        self._evidence = evidence
        self._together = together
        self._is_at_end = False
        self.last: Stamp | None = None  # of the last frame or notice
        self._recent: deque[Stamp] = deque()  # of the frames of the last second

    def write(self, step: Step) -> None:
        """Send this step's events.

        Raises:
            SinkError: they cannot be written.
        """
        now_s = step.stamp.media_s
        if self.last is None:
            self.start(step.stamp)
        self.last = step.stamp
        self._recent.append(step.stamp)
        while self._recent[0].media_s < now_s - 1.0:
            self._recent.popleft()
        # Before this frame's events: the window ended before it.
        for window in self._windows.update(step.stamp) if self._windows else ():
            self._send_snapshots(window, step.stamp)
        for event in step.events:
            encoded = self.encoder.encode(event, self._fps(), self._left_out())
            picture = self._evidence(encoded, step) if self._evidence else None
            self.send(_with_picture(encoded, picture) if picture else encoded)

    def begin(self, session: int, width: int, height: int, counters: Sequence[Counter]) -> None:
        """Go on with another session of a live source, whose counters begin at zero."""
        self.encoder.begin(session, width, height)
        self.counters = counters
        self._recent.clear()

    def start(self, stamp: Stamp) -> None:
        """Send `started` before there is a frame."""
        self.last = stamp
        self.send(self.encoder.started(stamp, self._snapshot_every_s))

    @property
    def is_recorded(self) -> bool:
        """Whether the frames have media time alone, as those of recordings."""
        return self.last is not None and self.last.wall is None

    def source_ended(self) -> None:
        """The source has come to its end, rather than being stopped."""
        self._is_at_end = True

    def changed(self, stamp: Stamp) -> None:
        """Say that the rules have changed."""
        self.last = stamp
        self.send(self.encoder.config_changed(stamp))

    def notice(self, notice: Notice) -> None:
        """Say what happened to the source."""
        if self.last is None:
            self.start(notice.stamp)
        self.last = notice.stamp
        if notice.kind == "source_lost" and self._windows:
            self._windows.interrupt(notice.stamp, notice.unseen_s)
        self.send(self.encoder.notice(notice))

    def left(self, events: Sequence[CountEvent], reason: str) -> None:
        """Send exits of a session that has ended with people inside."""
        for event in events:
            encoded = self.encoder.encode(event)
            device = encoded.pop("device")
            self.send(encoded | {"end_reason": reason, "device": device})

    def state(self) -> dict[str, Any]:
        """What another run needs to go on where this one is."""
        state = {} if self._windows is None else self._windows.state()
        if self.last is not None and self.last.wall is not None:
            state["seen_utc_s"] = self.last.wall.utc_s
        return state

    def _send_snapshots(self, window: Window, stamp: Stamp) -> None:
        with nullcontext() if self._together is None else self._together():
            for rule_id in self.encoder.tallies():
                self.send(self.encoder.snapshot(rule_id, window, stamp))

    def _fps(self) -> float | None:
        span_s = self._recent[-1].media_s - self._recent[0].media_s
        return (len(self._recent) - 1) / span_s if span_s > 0 else None

    def _left_out(self) -> int:
        """Frames of the last second that are missing, by their numbers."""
        return self._recent[-1].frame - self._recent[0].frame - (len(self._recent) - 1)

    def close(self) -> None:
        """Send the closing totals, unless a journal is to have the rest of the recording later.

        What is in it then is the beginning of what a run to the end gives, with the same ids.
        """
        if self.last is None:
            return
        if self.is_recorded and self._together is not None and not self._is_at_end:
            return
        # A live source's window goes on when it is started again.
        if self._windows is not None and self.is_recorded:
            window = self._windows.close()
            if window is not None:
                self._send_snapshots(window, self.last)
        totals = {c.rule_id: c.totals for c in self.counters}
        self.send(self.encoder.stopped(self.last, totals))


def _with_picture(event: dict[str, Any], picture: str) -> dict[str, Any]:
    """The event with its evidence, before what made it."""
    device = event.pop("device")
    return event | {"evidence": {"snapshot": picture}, "device": device}


def lines_to(sink: JsonLinesSink) -> Callable[[dict[str, Any]], None]:
    """Sends each event as a line to a sink, which is closed by whoever opened it."""

    def send(event: dict[str, Any]) -> None:
        sink.send(dumps(event))

    return send


class PictureSink(Protocol):
    """Anything that takes pictures, such as a `VideoSink`."""

    def write(self, image: U8, media_s: float) -> None:
        """Take one picture (H, W, 3), BGR, of a media time."""

    def close(self) -> None:
        """Finish; nothing comes after."""


class VideoOutput:
    """Draws each step and writes it to a video."""

    def __init__(
        self,
        sink: PictureSink,
        class_names: tuple[str, ...],
        counters: list[Counter],
        hidden: Collection[int] = (),
    ) -> None:
        """Keep what is drawn with every picture; a mosaic hides the classes in `hidden`."""
        self._hidden = hidden
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
        image, now_s = step.image, step.stamp.media_s
        if self._hidden:
            image = without_people(image, step.instances, self._hidden)
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
        self._sink.write(draw(image, step.instances, step.tracks, overlay), now_s)

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
