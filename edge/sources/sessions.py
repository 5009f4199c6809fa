"""What a live source tells: the frames of its sessions, and the notices between them.

No threads and no waiting here; times are handed in. Imports edge.types and edge.sources.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from edge.sources.livetime import ClockSteps, LiveClock, WorldTime
from edge.sources.mailbox import Mailbox
from edge.sources.picture import Picture
from edge.sources.settings import LiveSettings, LiveStats
from edge.sources.watchdog import Fault, Watchdog
from edge.types import Notice, Stamp

EARLY_S = 1e-3  # a frame is due so much before its time, for what rounding does
Clock = Callable[[], float]
Waiting = tuple[Stamp, Picture]


class Sessions:
    """Turns connections and pictures into sessions.

    A source is lost from its last good picture on: when the connection breaks, or the picture
    stands still, is black, or changes its size. One that stands still was good for the last time
    when it still changed, one that is black when it was not yet; that is known only later. With
    the next good one a session begins. Its number is one higher than that of the session before;
    the first has the number given, also when the source was lost before it had a picture at all.
    """

    def __init__(
        self,
        settings: LiveSettings,
        session: int,
        name: str = "",
        utc: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        """Begin before the first connection. `utc` and `monotonic` give seconds."""
        self._settings = settings
        self._utc, self._monotonic = utc, monotonic
        self._opened_s = monotonic()
        self._clock = LiveClock(self._opened_s)
        self._world = WorldTime(name, utc)
        self._steps = ClockSteps(utc(), self._opened_s)
        self._watchdog = Watchdog(settings.frozen_s, settings.black_s)
        self._mailbox: Mailbox[Waiting] = Mailbox(self._opened_s)
        self._stats = LiveStats(session=session)
        self._number = 0  # of the next frame
        self._size: tuple[int, int] | None = None  # of the session's pictures
        self._is_first = True  # no session has begun yet
        self._lost_since_s: float | None = None  # None: it is not lost, or was never there
        self._due_s = 0.0  # media time before which max_fps leaves frames out

    @property
    def stats(self) -> LiveStats:
        """How it is now."""
        return replace(self._stats, dropped=self._mailbox.dropped)

    def connected(self) -> None:
        """A connection begins; its first picture will show whether it is good."""
        self._clock.begin()
        self._watchdog.begin(self._monotonic())

    def broken(self) -> None:
        """A picture did not decode."""
        self._stats = replace(self._stats, broken=self._stats.broken + 1)

    def picture(self, picture: Picture) -> None:
        """Take a picture."""
        media_s = self._clock.media_s(picture)
        if media_s is None:
            self.broken()
            return
        stamp = Stamp(self._number, media_s, self._world.wall(picture, self._monotonic()))
        self._number += 1
        self._stats = replace(self._stats, received=self._stats.received + 1)
        if fault := self._watchdog.look(picture):
            self._lose(self._worded(fault), stamp, self._watchdog.fault_since_s)
            return
        if self._size not in (None, picture.size):
            self._lose(f"the picture changed from {_by(self._size)} to {_by(picture.size)}", stamp)
        if not self._stats.connected:
            self._begin_session(stamp, picture)
        self._stats = replace(self._stats, last_frame_s=picture.arrived_s)
        self._offer(stamp, picture)

    def lose(self, reason: str) -> bool:
        """The connection is gone, or nothing comes. True: it was, but for another reason."""
        now_s = self._clock.now_s(self._monotonic())
        return self._lose(reason, Stamp(self._number, now_s, self._world.now()))

    def frozen(self) -> str | None:
        """Why to connect again though pictures come; None: no need."""
        is_overdue = self._watchdog.is_overdue(self._monotonic())
        return self._worded("frozen") if is_overdue else None

    def take(self) -> Waiting | Notice | None:
        """What waits longest; None: nothing new."""
        return self._mailbox.take()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._mailbox.is_empty

    def close(self) -> None:
        """The end: no frame will be taken any more, and what is not told of dropped ones is."""
        self._mailbox.forget_frames()
        stamp = Stamp(self._number, self._clock.now_s(self._monotonic()), self._world.now())
        session = self._stats.session
        self._mailbox.tell_drops(stamp, session, self._monotonic(), is_due=True)

    def _begin_session(self, stamp: Stamp, picture: Picture) -> None:
        session, reconnects = self._stats.session, self._stats.reconnects
        if self._lost_since_s is not None:
            session += not self._is_first
            reconnects += 1
            gap_s = max(0.0, picture.arrived_s - self._lost_since_s)
            self._mailbox.tell(Notice("source_restored", stamp, session, gap_s=gap_s))
        self._is_first, self._lost_since_s = False, None
        self._size, self._due_s = picture.size, stamp.media_s
        self._stats = replace(
            self._stats, session=session, reconnects=reconnects, connected=True, reason=""
        )

    def _lose(self, reason: str, stamp: Stamp, blind_since_s: float | None = None) -> bool:
        """Say that the source is lost, unless it is already; the gap began earlier.

        Pictures have shown nothing new since `blind_since_s`, if that is given.
        """
        is_new = self._lost_since_s is None
        if is_new:
            now_s, last_s, unseen_s = self._monotonic(), self._stats.last_frame_s, 0.0
            if blind_since_s is not None and last_s is not None:
                last_s, unseen_s = min(last_s, blind_since_s), max(0.0, now_s - blind_since_s)
                self._stats = replace(self._stats, last_frame_s=last_s)
            self._lost_since_s = self._opened_s if last_s is None else last_s
            session = self._stats.session
            self._mailbox.tell_drops(stamp, session, now_s, is_due=True)
            lost = Notice("source_lost", stamp, session, reason=reason, unseen_s=unseen_s)
            self._mailbox.tell(lost)
        self._size = None
        is_other = reason != self._stats.reason
        self._stats = replace(self._stats, connected=False, reason=reason)
        return is_other and not is_new

    def _offer(self, stamp: Stamp, picture: Picture) -> None:
        session, now_s = self._stats.session, self._monotonic()
        step_s = self._steps.step_s(self._utc(), now_s)
        if step_s is not None:
            self._mailbox.tell(Notice("clock_step", stamp, session, step_s=step_s))
        if stamp.media_s < self._due_s - EARLY_S:
            self._stats = replace(self._stats, left_out=self._stats.left_out + 1)
            return
        if self._settings.max_fps is not None:
            interval_s = 1 / self._settings.max_fps
            # On average the rate asked for, though pictures come on a grid of their own.
            self._due_s = max(self._due_s + interval_s, stamp.media_s)
        self._mailbox.put((stamp, picture))
        self._mailbox.tell_drops(stamp, session, now_s)

    def _worded(self, fault: Fault) -> str:
        if fault == "black":
            return f"black: nothing to see for {self._settings.black_s:g} s"
        return f"frozen: the same picture for {self._settings.frozen_s:g} s"


def _by(size: tuple[int, int] | None) -> str:
    return "nothing" if size is None else f"{size[0]}x{size[1]}"
