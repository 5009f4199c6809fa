"""Reads ahead on a thread of its own. Imports the standard library and edge.types."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

from edge.types import Frame

AHEAD = 2  # frames held ready, and one in hand: enough to hide a slow decode; 6 MB each at 1080p


class Prefetch:
    """Gives `frames` that are made on another thread, at most `ahead` at a time.

    It is an iterator, which waits for the next one; or ask `poll`, which does not.

    When nobody takes them the thread waits: nothing is dropped. What the thread raises, the
    consumer gets in its place. Close it, or use it in a `with` block, when stopping early.

    Attributes:
        ended: whether nothing will come any more.

    >>> with Prefetch(iter([])) as frames:
    ...     list(frames)
    []
    """

    def __init__(
        self,
        frames: Iterator[Frame],
        ahead: int = AHEAD,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Begin. `on_ready` is called on the thread whenever `poll` has something new."""
        self._frames = frames
        self._on_ready = on_ready
        self._queue: queue.Queue[Frame | BaseException | None] = queue.Queue(ahead)
        self._stop = threading.Event()
        self.ended = False
        # A daemon, so that a consumer who forgot to close does not keep the program alive.
        self._thread = threading.Thread(target=self._work, name="edge-source", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        last: BaseException | None = None
        try:
            for frame in self._frames:
                self._put(frame)
                if self._stop.is_set():
                    return
        except BaseException as error:  # whatever it is, the consumer must see it
            last = error
        if not self._stop.is_set():
            self._put(last)

    def _put(self, item: Frame | BaseException | None) -> None:
        self._queue.put(item)
        if self._on_ready is not None:
            self._on_ready()

    def __iter__(self) -> Prefetch:
        return self

    def __next__(self) -> Frame:
        frame = None if self.ended else self._given(self._queue.get())
        if frame is None:
            raise StopIteration
        return frame

    def poll(self) -> Frame | None:
        """The next frame if it is there; None: not yet, or it has `ended`. Never waits."""
        if self.ended:
            return None
        try:
            item = self._queue.get_nowait()
        except queue.Empty:
            return None
        return self._given(item)

    def _given(self, item: Frame | BaseException | None) -> Frame | None:
        if isinstance(item, Frame):
            return item
        self.ended = True
        if item is None:
            return None
        raise item

    def close(self, patience_s: float = 5.0) -> bool:
        """Stop the thread; frames read ahead are lost. True once it has ended.

        A read that hangs (a dead network drive) is waited for `patience_s` and then left.
        """
        self._stop.set()
        self._drain()  # the thread may be waiting for room; it puts one frame more at the most
        self._thread.join(patience_s)
        self._drain()
        self._queue.put_nowait(None)  # wakes a consumer that waits on another thread
        return not self._thread.is_alive()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
