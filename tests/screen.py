"""A terminal that a process may write to, and what it wrote there."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import struct
import termios
import threading
import time
from collections.abc import Callable
from fcntl import ioctl


class Screen:
    """A terminal of 100 columns that a process has as its standard error."""

    def __init__(self) -> None:
        """Open it."""
        self.ours, self.theirs = pty.openpty()
        ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self._got = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.theirs)  # ends the reader, if nobody else has it open any more
        self._reader.join(10)
        os.close(self.ours)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the process has ended
            while data := os.read(self.ours, 65536):
                self._got += data

    @property
    def text(self) -> str:
        """All that was written, without the codes that move and colour."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._got.decode(errors="replace"))

    @property
    def has_codes(self) -> bool:
        """Whether anything was moved or coloured."""
        return b"\x1b" in self._got

    def settle(self, is_so: Callable[[str], object], timeout_s: float = 10.0) -> str:
        """The text, once it is as wanted: what a process wrote is read a little later."""
        deadline_s = time.monotonic() + timeout_s
        while not is_so(self.text):
            assert time.monotonic() < deadline_s, self.text[-2000:]
            time.sleep(0.05)
        return self.text
