"""What signals do to `edge run` where it does not watch cameras, and while a model is loaded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GOES_ON = b"edge: SIGHUP: only cameras take over a changed config; this goes on as it began\n"


def stop_on_signal() -> threading.Event:
    """Set on the first SIGINT or SIGTERM; a second SIGINT interrupts at once.

    SIGHUP stops as well if it is the end of the terminal. Without one it is somebody's wish to
    reload, as of `systemctl reload`: what goes on goes on, and that is said.
    """
    stop = threading.Event()
    has_terminal = any(os.isatty(file) for file in (0, 1, 2))

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    def ask_to_reload(number: int, frame: FrameType | None) -> None:
        if has_terminal:
            stop.set()
        else:
            os.write(2, GOES_ON)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGTERM, ask)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, ask_to_reload)
    return stop


@contextmanager
def ended_at_once() -> Iterator[None]:
    """In its block SIGTERM and SIGINT end the process at once, as if Python were not there.

    For what takes minutes in a library that does not let Python work, as onnxruntime when it
    builds an engine, while there is nothing to finish yet.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
