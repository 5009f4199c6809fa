"""Lets FFmpeg stop when we stop: opening and reading end at once, not with their time-outs.

FFmpeg asks a callback of PyAV about ten times a second whether to give up. That callback only
compares `time.monotonic()`, looked up in its own module, with the time-out. Here it gets a clock
that leaps for a thread that shall stop. Should another PyAV not ask this clock any more, stopping
takes as long as the time-out that is running, and nothing else changes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from av.container import core

_own = threading.local()


@contextlib.contextmanager
def interruptible(stop: threading.Event) -> Iterator[None]:
    """In its block, what this thread does in PyAV with a time-out ends soon after `stop` is set."""
    _own.stop = stop
    try:
        yield
    finally:
        _own.stop = None


class _Clock:
    """Stands for the module `time`."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    def monotonic(self) -> float:
        stop = getattr(_own, "stop", None)
        now_s = time.monotonic()
        # Not infinity: a time-out that only begins now must end as well.
        return now_s * 1e6 if stop is not None and stop.is_set() else now_s


if hasattr(core, "time"):
    core.time = _Clock()
