"""Live cameras, a thread each: what is newest can be had at any time, and what is lost returns.

A camera that is lost is connected again after 1 s, then 2 s, 4 s and so on up to 60 s; one whose
host did not answer at all, as soon as it does. No camera waits for another one. Imports edge.types
and edge.sources.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType

from edge.errors import SourceError
from edge.sources import gstreamer, stream
from edge.sources.address import kind_of, masked
from edge.sources.backoff import Backoff
from edge.sources.interrupt import interruptible
from edge.sources.knock import answers
from edge.sources.picture import Picture
from edge.sources.sessions import Sessions
from edge.sources.settings import LiveSettings, LiveStats
from edge.types import Frame, Notice

log = logging.getLogger("edge.source")

KNOCK_EVERY_S = 2.0
HANG_S = 5.0  # a read that does not end so long after its time-out hangs


class LiveSource:
    """A camera, read by a thread of its own; `poll` gives what is newest, at once.

    Frames are numbered as they are decoded, from 0, over all sessions. `Stamp.media_s` is in
    seconds since the source was opened and increases over all sessions. Only frames that are
    taken are converted.

    Attributes:
        kind: rtsp, http, device or gst.
        name: as given.

    Example:
        >>> with LiveSource("rtsp://user:secret@127.0.0.1:1/", LiveSettings(), name="gate") as gate:
        ...     print(gate, gate.stats.session)
        LiveSource(gate, rtsp://***@127.0.0.1:1/) 1
    """

    def __init__(
        self,
        address: str,
        settings: LiveSettings,
        session: int = 1,
        name: str = "",
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Begin to open it, and return.

        Args:
            address: `rtsp://`, `http://`, the number of a device, or `gst:PIPELINE`.
            settings: time-outs and limits.
            session: number of its first session.
            name: of the camera, for messages.
            on_ready: called on the thread whenever `poll` has something new.

        Raises:
            SourceError: no such kind of address, or it needs an OpenCV with GStreamer.
        """
        self.kind = kind_of(address)
        if self.kind == "gst":
            gstreamer.check_gstreamer()
        self.name = name or "camera"
        self._address, self._settings = address, settings
        self._on_ready = on_ready or _nothing
        self._sessions = Sessions(settings, session, self.name)
        self._lock = threading.Lock()  # of the sessions
        self._stop = threading.Event()
        self._alive_s = time.monotonic()  # of the thread's last sign
        self._is_connected = False
        # A daemon: a library that hangs must not keep the program alive.
        self._thread = threading.Thread(
            target=self._work, name=f"edge-source-{self.name}", daemon=True
        )
        self._thread.start()

    @property
    def stats(self) -> LiveStats:
        """How it is now."""
        with self._lock:
            return self._sessions.stats

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more; never so while it reconnects."""
        if self._stop.is_set():
            return True
        with self._lock:
            return not self._thread.is_alive() and self._sessions.is_empty

    def poll(self) -> Frame | Notice | None:
        """The next notice, or the newest frame; None: there is nothing new. Never waits."""
        with self._lock:
            self._note_hang()
            item = self._sessions.take()
        if item is None or isinstance(item, Notice):
            return item
        stamp, picture = item
        try:
            return Frame(stamp, picture.image(), picture.arrived_s)
        except SourceError as error:
            log.warning("%s: %s", self.name, error)
            with self._lock:
                self._sessions.broken()
            return None

    def close(self, patience_s: float = 5.0) -> bool:
        """Stop. True once the thread has ended, which takes a moment.

        A read that hangs is waited for `patience_s`; it ends with its time-out at the latest.
        """
        self._stop.set()
        self._thread.join(patience_s)
        with self._lock:
            self._sessions.clear()
        return not self._thread.is_alive()

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LiveSource({self.name}, {masked(self._address)})"

    def _work(self) -> None:
        backoff = Backoff()
        with interruptible(self._stop):
            while not self._stop.is_set():
                reason = self._connection(backoff)
                self._is_connected = False
                if self._stop.is_set():
                    return
                self._lose(reason)
                if not self._settings.reconnect:
                    return
                self._wait(backoff.next_s())

    def _wait(self, wait_s: float) -> None:
        """Wait; less if the host did not answer and now does: it has been started again."""
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
                    self._sessions.connected()
                for picture in pictures:
                    self._alive_s, self._is_connected = time.monotonic(), True
                    if self._stop.is_set():
                        return "stopped"
                    if picture is not None:
                        backoff.reset()
                    with self._lock:
                        self._take(picture)
                        frozen = self._sessions.frozen()
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
            log.error("%s: unexpected %s\n%s", self.name, type(error).__name__, place)
            return f"unexpected {type(error).__name__}"

    def _opened(self) -> AbstractContextManager[Iterator[Picture | None]]:
        if self.kind == "gst":
            return gstreamer.opened(self._address)
        return stream.opened(self._address, self._settings)

    def _take(self, picture: Picture | None) -> None:
        if picture is None:
            self._sessions.broken()
        else:
            self._sessions.picture(picture)

    def _lose(self, reason: str) -> None:
        with self._lock:
            is_other = self._sessions.lose(reason)
        if is_other:  # the first reason is in a notice
            log.info("%s: still lost: %s", self.name, reason, extra={"camera": self.name})
        self._on_ready()

    def _note_hang(self) -> None:
        """Tell of a read that does not return, though it cannot be ended."""
        if self._is_connected:
            silent_s = time.monotonic() - self._alive_s
            if silent_s > self._settings.read_timeout_s + HANG_S:
                self._is_connected = False
                self._sessions.lose(f"stalled: no picture for {silent_s:.0f} s")


def _nothing() -> None:
    """Nobody waits."""
