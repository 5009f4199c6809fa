"""Cameras on a terminal while they are watched: a line each below the log, every second anew."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple

from rich.console import Group
from rich.live import Live
from rich.text import Text

from edge.cli.terminal import console, hide, redraw, show
from edge.config import Config, StdoutSink
from edge.web.status import CameraStatus, SinkStatus

EVERY_S = 1.0
LONGEST_NAME = 20  # characters; the line is for the counts


class Sight(NamedTuple):
    """What is seen of a camera at one moment."""

    status: CameraStatus
    totals: str  # of its rules


Sights = Callable[[], tuple[Sequence[Sight], Sequence[SinkStatus]]]


class StatusLines:
    """Shows how the cameras are while it is open; log lines come out above it."""

    def __init__(self, look: Sights) -> None:
        """Prepare.

        Args:
            look: gives the cameras and the receivers as they are now; called on a thread.
        """
        self._look = look
        self._frames: dict[str, int] = {}  # counted at the last look
        self._looked_s = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="edge-status", daemon=True)
        # Rich's own thread would look while it holds the lock that log lines need.
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> StatusLines:
        show(self._live)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join(EVERY_S)
        hide(self._live)

    def _work(self) -> None:
        while not self._end.wait(EVERY_S):
            try:
                sights, sinks = self._look()
            except (LookupError, RuntimeError):  # a config is being changed at this very moment
                continue
            redraw(self._live, lines(sights, sinks, self._rates(sights)))

    def _rates(self, sights: Sequence[Sight]) -> dict[str, float]:
        """Frames a second since the last look, of the cameras that were there."""
        before, now_s = self._frames, time.monotonic()
        elapsed_s, self._looked_s = now_s - self._looked_s, now_s
        self._frames = {sight.status.name: sight.status.processed for sight in sights}
        return {
            name: max(0, count - before[name]) / elapsed_s
            for name, count in self._frames.items()
            if name in before
        }


def has_screen(config: Config) -> bool:
    """Whether there is a terminal for the lines, and no events or JSON are written across them."""
    prints = any(isinstance(sink, StdoutSink) for sink in config.sinks.values())
    return (
        console.is_terminal
        and config.log.format == "human"
        and not (prints and sys.stdout.isatty())
    )


def lines(
    sights: Sequence[Sight], sinks: Sequence[SinkStatus], rates_hz: dict[str, float]
) -> Group:
    """A line for each camera, and one for each receiver that does not have everything.

    Args:
        sights: the cameras.
        sinks: the receivers.
        rates_hz: frames a second by name of the camera; absent: not known yet.
    """
    width = min(LONGEST_NAME, max((len(sight.status.name) for sight in sights), default=0))
    found = [_camera(sight, rates_hz.get(sight.status.name), width) for sight in sights]
    found += [
        Text(f"sink {sink.name}: {sink.lag_events} events wait", "yellow")
        for sink in sinks
        if sink.last_error and sink.lag_events
    ]
    for line in found:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*found)


def _camera(sight: Sight, rate_hz: float | None, width: int) -> Text:
    its = sight.status
    name = its.name if len(its.name) <= width else its.name[: width - 1] + "…"
    line = Text(f"{name:{width}}  ", "bold")
    if its.state == "lost":
        age_s = its.last_frame_age_s
        since = "" if age_s is None else f" for {age_s:.0f} s"
        line.append(f"lost{since}: {its.reason}", "not bold red")
    elif its.state == "opening":
        line.append("opening", "not bold yellow")
    else:
        rate = "   -" if rate_hz is None else f"{rate_hz:4.1f}"
        line.append(f"{rate} fps  {sight.totals}", "not bold")
    faults = [
        f"{count} {what}"
        for count, what in ((its.dropped, "dropped"), (its.reconnects, "reconnects"))
        if count
    ]
    if faults:
        line.append("  " + ", ".join(faults), "not bold dim")
    return line
