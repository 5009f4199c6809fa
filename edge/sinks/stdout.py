"""Events as JSON Lines on standard output."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence
from typing import TextIO

from edge.errors import SinkError


class StandardOutput:
    r"""Writes batches of lines to a stream, past its buffer where it has a descriptor.

    What a failed `send` has written is not taken back, but its last line is completed before
    anything else, so that a reader sees whole lines, some of them again.

    Example:
        >>> import io
        >>> stream = io.StringIO()
        >>> StandardOutput(stream).send(['{"seq":1}', '{"seq":2}'])
        >>> stream.getvalue()
        '{"seq":1}\n{"seq":2}\n'
    """

    def __init__(self, stream: TextIO, timeout_s: float = 10.0) -> None:
        """Take over a stream that stays open.

        Args:
            stream: Such as sys.stdout.
            timeout_s: How long `send` waits for a reader of a non-blocking pipe.
        """
        self.is_gone = False  # whether the reader has closed the pipe
        self._stream = stream
        self._timeout_s = timeout_s
        self._rest = b""  # of a line that was begun
        try:
            self._file: int | None = stream.fileno()
        except (OSError, ValueError):  # a stream of the program itself
            self._file = None

    def send(self, lines: Sequence[str]) -> None:
        """Write lines, which come without their newlines.

        Raises:
            SinkError: Nobody reads, or the disk behind it is full.
        """
        try:
            if self._file is None:
                self._stream.write("".join(f"{line}\n" for line in lines))
                self._stream.flush()
                return
            self._write(self._file, self._rest)
            for line in lines:
                self._write(self._file, f"{line}\n".encode())
        except BrokenPipeError as error:
            self.is_gone = True
            raise SinkError(
                "standard output: expected a reader, got none: it closed the pipe"
            ) from error
        except (OSError, ValueError) as error:
            got = (getattr(error, "strerror", None) or str(error)).lower()
            raise SinkError(f"standard output: expected to write events, got: {got}") from error

    def close(self) -> None:
        """Leave the stream as it is: it is not ours."""

    def _write(self, file: int, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(file, data) :]
            except BlockingIOError:
                if not select.select([], [file], [], self._timeout_s)[1]:
                    raise TimeoutError(f"no reader for {self._timeout_s:g} s") from None
            self._rest = data
