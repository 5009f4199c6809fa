"""Reads one camera on a thread of its own: connects, reads, and connects again.

A camera that is lost is connected again after 1 s, then 2 s, 4 s and so on up to 60 s; one whose
host did not answer at all, as soon as it does. Imports edge.types and edge.sources.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from edge.errors import SourceError
from edge.sources import gstreamer, stream
from edge.sources.address import kind_of
from edge.sources.backoff import Backoff
from edge.sources.device import end_reads
from edge.sources.interrupt import interruptible
from edge.sources.knock import answers
from edge.sources.picture import Picture
from edge.sources.sessions import Sessions
from edge.sources.settings import LiveSettings

log = logging.getLogger("edge.source")

KNOCK_EVERY_S = 2.0


class Reader:
    """Brings a camera's pictures to its sessions until it is stopped, or need not reconnect.

    Once it is stopped it leaves the sessions alone, whatever a library still does on its thread:
    a reader that hangs is stopped and left, and another one takes its place.
    """

    def __init__(
        self,
        address: str,
        settings: LiveSettings,
        sessions: Sessions,
        lock: threading.Lock,
        name: str,
        on_ready: Callable[[], None],
    ) -> None:
        """Begin.

        Args:
            address: of the camera.
            settings: time-outs.
            sessions: takes the pictures.
            lock: of the sessions; `stop` is called with it, too.
            name: of the camera, for messages.
            on_ready: called on the thread whenever the sessions have something new.
        """
        self._address, self._settings = address, settings
        self._kind = kind_of(address)
        self._sessions, self._lock = sessions, lock
        self._name, self._on_ready = name, on_ready
        self._stop = threading.Event()
        self._began_s = time.monotonic()  # what it does now
        self._due_s = math.inf  # by when that must have ended
        self._is_reading = False
        # A daemon: a library that hangs must not keep the program alive.
        self._thread = threading.Thread(target=self._work, name=f"edge-source-{name}", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    @property
    def is_done(self) -> bool:
        """Whether it brings nothing any more."""
        return self._stop.is_set() or not self._thread.is_alive()

    def late_s(self) -> float:
        """For how many seconds connecting or reading is over its time-out; not above 0: it is not.

        FFmpeg heeds the time-outs of a network; of devices and pipelines nobody surely does.
        """
        return time.monotonic() - self._due_s

    def what_hangs(self) -> str:
        """What has not returned, as the reason of a loss."""
        silent_s = time.monotonic() - self._began_s
        if self._is_reading:
            return f"stalled: no picture for {silent_s:.0f} s"
        return f"cannot connect: no answer for {silent_s:.0f} s"

    def stop(self) -> None:
        """Ask it to end, under the lock. A read of a network camera ends soon, others may hang."""
        self._stop.set()

    def join(self, patience_s: float) -> None:
        """Wait for the end of its thread."""
        self._thread.join(patience_s)

    def _work(self) -> None:
        backoff = Backoff()
        with interruptible(self._stop):
            if self._kind == "device":  # one that hangs would keep it busy
                end_reads(stream.device_path(self._address))
            while not self._stop.is_set():
                # FFmpeg has that time for the connection, and again to look what comes.
                self._begin(2 * self._settings.open_timeout_s + self._settings.read_timeout_s)
                reason = self._connection(backoff)
                self._due_s = math.inf
                if not self._lose(reason) or not self._settings.reconnect:
                    return
                self._wait(backoff.next_s())

    def _begin(self, limit_s: float, is_reading: bool = False) -> None:
        """Begin with what must have ended in time."""
        self._is_reading = is_reading
        self._began_s = time.monotonic()
        self._due_s = self._began_s + limit_s

    def _wait(self, wait_s: float) -> None:
        """Wait; less if the host did not answer and now does: it is back."""
        until_s = time.monotonic() + wait_s
        did_answer = answers(self._address)
        while (left_s := until_s - time.monotonic()) > 0:
            if self._stop.wait(min(KNOCK_EVERY_S, left_s)):
                return
            is_worth_it = did_answer is False and left_s > KNOCK_EVERY_S
            if is_worth_it and answers(self._address):
                return

    def _connection(self, backoff: Backoff) -> str:
        """Connect and read for as long as it goes well; why it does not any more."""
        try:
            with self._opened() as pictures:
                with self._lock:
                    if self._stop.is_set():
                        return "stopped"
                    self._sessions.connected()
                self._begin(self._settings.open_timeout_s + self._settings.read_timeout_s)
                for picture in pictures:
                    self._begin(self._settings.read_timeout_s, is_reading=True)
                    with self._lock:
                        if self._stop.is_set():
                            return "stopped"
                        self._take(picture)
                        frozen = self._sessions.frozen()
                    if picture is not None:
                        backoff.reset()
                    self._on_ready()
                    if frozen:  # a camera that hangs may wake up when it is asked again
                        return frozen
            return "the stream ended"
        except SourceError as error:
            return str(error)
        except Exception as error:
            # Ours or a library's mistake must not cost the camera. Its text may hold the
            # address, so only its kind and place are told.
            place = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s: unexpected %s\n%s", self._name, type(error).__name__, place)
            return f"unexpected {type(error).__name__}"

    def _opened(self) -> AbstractContextManager[Iterator[Picture | None]]:
        if self._kind == "gst":
            return gstreamer.opened(self._address, self._settings)
        return stream.opened(self._address, self._settings)

    def _take(self, picture: Picture | None) -> None:
        if picture is None:
            self._sessions.broken()
        else:
            self._sessions.picture(picture)

    def _lose(self, reason: str) -> bool:
        """Say that it is lost; False: nobody wants to know any more."""
        with self._lock:
            if self._stop.is_set():
                return False
            is_other = self._sessions.lose(reason)
        if is_other:  # the first reason is in a notice
            log.info("%s: still lost: %s", self._name, reason, extra={"camera": self._name})
        self._on_ready()
        return True
