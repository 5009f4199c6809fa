"""Live cameras, a thread each: what is newest can be had at any time, and what is lost returns.

No camera waits for another one. Imports edge.types and edge.sources.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from edge.errors import SourceError
from edge.sources import gstreamer
from edge.sources.address import kind_of, masked
from edge.sources.reader import Reader
from edge.sources.sessions import Sessions
from edge.sources.settings import LiveSettings, LiveStats
from edge.types import Frame, Notice

log = logging.getLogger("edge.source")

HANG_S = 5.0  # what has not ended so long after its time-out hangs
MOST_HUNG = 3  # threads of one camera that are left hanging before no more are begun


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
        self._is_closed = False
        self._hung: list[Reader] = []  # stopped, but their threads do not end
        self._reader = self._new_reader()

    @property
    def stats(self) -> LiveStats:
        """How it is now."""
        with self._lock:
            return self._sessions.stats

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more; never so while it reconnects."""
        if self._is_closed:
            return True
        with self._lock:
            return self._reader.is_done and self._sessions.is_empty

    def poll(self) -> Frame | Notice | None:
        """The next notice, or the newest frame; None: there is nothing new. Never waits.

        After `close` only notices are left.
        """
        with self._lock:
            self._mind_hang()
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
        with self._lock:
            self._is_closed = True
            self._reader.stop()
            self._sessions.close()
        self._reader.join(patience_s)
        return not any(reader.is_alive for reader in (self._reader, *self._hung))

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

    def _new_reader(self) -> Reader:
        return Reader(
            self._address, self._settings, self._sessions, self._lock, self.name, self._on_ready
        )

    def _mind_hang(self) -> None:
        """Tell of a connection or read that does not return, leave it, and connect anew."""
        if self._is_closed or self._reader.is_done or self._reader.late_s() < HANG_S:
            return
        self._sessions.lose(self._reader.what_hangs())
        self._hung = [reader for reader in self._hung if reader.is_alive]
        if len(self._hung) >= MOST_HUNG:
            return  # it may return by itself, or one of the others makes room
        self._reader.stop()
        if not self._settings.reconnect:
            return
        self._hung.append(self._reader)
        extra = {"camera": self.name}
        log.warning(
            "%s: a library does not return; opened anew on another thread (%d of at most %d hang)",
            *(self.name, len(self._hung), MOST_HUNG),
            extra=extra,
        )
        self._reader = self._new_reader()


def _nothing() -> None:
    """Nobody waits."""
