"""Events as JSON Lines in a file or on a text stream, each written through at once."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import TextIO

from edge.errors import SinkError


class JsonLinesSink:
    r"""Writes one line at a time; what was sent is with the operating system when `send` returns.

    A file is replaced when the sink opens it. If a line cannot be written whole, its beginning
    is taken back, so the file always ends with a complete line.

    Example:
        >>> import io
        >>> stream = io.StringIO()
        >>> with JsonLinesSink(stream) as sink:
        ...     sink.send('{"seq":1}')
        >>> stream.getvalue()
        '{"seq":1}\n'
    """

    def __init__(self, target: Path | TextIO) -> None:
        """Open `target`: a path, or a stream that stays open after `close`.

        Raises:
            SinkError: The file cannot be created.
        """
        self._file: int | None = None
        self._stream: TextIO | None = None
        if not isinstance(target, Path):
            self._stream, self._where = target, "standard output"
            return
        self._where = str(target)
        try:
            self._file = os.open(
                target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666
            )
        except OSError as error:
            raise self._error(error) from error

    def send(self, line: str) -> None:
        """Write one line; `line` comes without its newline.

        Raises:
            SinkError: Disk full, reader gone, or the sink is closed. The lines before this one
                are safe; a file may be tried again, a stream may not.
        """
        if self._stream is not None:
            self._send_to_stream(self._stream, line)
        elif self._file is not None:
            self._send_to_file(self._file, f"{line}\n".encode())
        else:
            raise SinkError(f"{self._where}: expected an open file, got one closed before")

    def close(self) -> None:
        """Close the file; a stream is flushed and left open. More calls do nothing.

        Raises:
            SinkError: The system reports only now that something could not be written.
        """
        file, self._file = self._file, None
        stream, self._stream = self._stream, None
        try:
            if file is not None:
                os.close(file)
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            raise self._error(error) from error

    def __enter__(self) -> JsonLinesSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send_to_stream(self, stream: TextIO, line: str) -> None:
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            self._stream = None  # its buffer holds the line still: a flush would fail again
            raise self._error(error) from error

    def _send_to_file(self, file: int, data: bytes) -> None:
        start = _offset(file)
        written = 0
        try:
            while written < len(data):  # a filling disk takes part of a line before it refuses
                written += os.write(file, data[written:])
        except OSError as error:
            with contextlib.suppress(OSError):  # a pipe or device has nothing to take back
                os.ftruncate(file, start)
                os.lseek(file, start, os.SEEK_SET)
            raise self._error(error) from error

    def _error(self, error: Exception) -> SinkError:
        if isinstance(error, BrokenPipeError):
            return SinkError(f"{self._where}: expected a reader, got none: it closed the pipe")
        reason = error.strerror if isinstance(error, OSError) else None
        text = (reason or str(error)).lower()
        return SinkError(f"{self._where}: expected to write events, got: {text}")


def _offset(file: int) -> int:
    """Where the next line will start; 0 for a pipe, which has no positions."""
    try:
        return os.lseek(file, 0, os.SEEK_CUR)
    except OSError:
        return 0
