"""Recordings as feeds, which the loop over many cameras asks for their next frame."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from edge.errors import SourceError
from edge.sources.file import VideoFile
from edge.sources.folder import ImageFolder
from edge.sources.prefetch import Prefetch
from edge.types import Frame, Notice, Stamp

log = logging.getLogger("edge.source")


class RecordedFeed:
    """Every frame of a recording, in order, read ahead on a thread of its own, which waits for us.

    Asking never waits: a disk that is slow or gone holds up this recording only.
    """

    def __init__(
        self, source: VideoFile | ImageFolder, on_ready: Callable[[], None] | None = None
    ) -> None:
        """Begin to read. The source must not read ahead itself, and is closed with the feed.

        `on_ready` is called on the thread whenever `poll` has something new.
        """
        self._source = source
        self._ahead = Prefetch(iter(source), on_ready=on_ready)

    @property
    def ended(self) -> bool:
        """Whether there are no more frames."""
        return self._ahead.ended

    def poll(self) -> Frame | None:
        """The next frame, if it is decoded. An unreadable rest ends the recording."""
        try:
            return self._ahead.poll()
        except SourceError as error:
            log.error("%s", error)
            return None

    def close(self, patience_s: float = 0.0) -> None:
        """Stop reading; a read that hangs longer is left alone."""
        if self._ahead.close(patience_s):
            self._source.close()


class PacedFeed:
    """A recording as a camera would send it, again and again: the newest frame that is due.

    Frames that were due before it are dropped and counted, as those of a live source are.

    Attributes:
        ended: always False.
        dropped: frames so far.
        fps: frames a second.
    """

    def __init__(
        self,
        reopen: Callable[[], VideoFile | ImageFolder],
        fps: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the recording; `start` or the first `poll` starts the clock.

        Args:
            reopen: opens the recording, once for each round.
            fps: frames a second; None: as recorded.
            clock: seconds, as `Frame.arrived_s` has them.

        Raises:
            SourceError: the recording cannot be read.
        """
        self.ended = False
        self.dropped = 0
        self._reopen = reopen
        self._source = reopen()
        self.fps = fps or self._source.fps
        self._stretch = self._source.fps / self.fps
        self._clock = clock
        self._began_s: float | None = None  # when media time was 0
        self._shift_s = 0.0  # media time at which this round began
        self._number = 0
        self._next: Frame | None = None
        self._last_s = 0.0
        self._is_closed = False

    @property
    def due_s(self) -> float:
        """When the next frame is due, by the clock."""
        return self.start() + self.ahead.stamp.media_s

    def start(self, at_s: float | None = None) -> float:
        """Let the first frame be due at `at_s`; None: now, unless it is started. When it was."""
        if self._began_s is None:
            self._began_s = self._clock() if at_s is None else at_s
        return self._began_s

    def poll(self) -> Frame | Notice | None:
        """The newest frame that is due, if it was not given before; None once it is closed."""
        if self._is_closed:
            return None
        began_s = self.start()
        now_s = self._clock() - began_s
        due: Frame | None = None
        while (ahead := self.ahead).stamp.media_s <= now_s:
            self.dropped += due is not None
            due, self._next = ahead, None
        return due and replace(due, arrived_s=began_s + due.stamp.media_s)

    def close(self, patience_s: float = 0.0) -> None:
        """Stop reading."""
        self._is_closed = True
        self._source.close()

    @property
    def ahead(self) -> Frame:
        """The next frame, whenever it is due; read once."""
        if self._next is None:
            frame = next(self._source, None)
            if frame is None:
                self._source.close()
                self._source = self._reopen()
                frame = next(self._source)
                self._shift_s = self._last_s + 1 / self.fps
            self._last_s = frame.stamp.media_s * self._stretch + self._shift_s
            self._next = replace(frame, stamp=Stamp(self._number, self._last_s))
            self._number += 1
        return self._next
