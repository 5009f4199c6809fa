"""Events as JSON Lines in a file that is put aside when it is large or the day is over."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import stat
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from edge.errors import SinkError

log = logging.getLogger("edge.sink")

TAIL_BYTES = 4 << 20  # of the newest lines, read when the file is opened
MOST_IDS = 20_000  # of the newest events, remembered so that repeats are left out
_ID = re.compile(r'"event_id":"([^"\\]+)"')  # neither can be inside a JSON string
_DAY = re.compile(r'"utc":"(\d{4}-\d\d-\d\d)T')


class _Waiting:
    """Lines on their way into the file; `size` and `day` are what it will have with them."""

    def __init__(self, size: int, day: str) -> None:
        self.size, self.day = size, day
        self.lines: list[str] = []
        self.data = bytearray()

    def add(self, line: str, data: bytes, day: str) -> None:
        self.lines.append(line)
        self.data += data
        self.size += len(data)
        self.day = max(self.day, day)


class RotatingFile:
    """Appends lines, and is sure that they are on the disk when `send` returns.

    A full file `events.jsonl` becomes `events.2026-11-22.jsonl`, then `events.2026-11-22.1.jsonl`
    and so on: the UTC day of its last event, or of its last change if events have no world time.
    Events of an older day stay where they come. Files of these names beyond the `keep` newest are
    deleted. An id that is among the newest is not written again, also after a restart. If another
    program renames the file (logrotate), a new one is begun.
    """

    def __init__(
        self, path: Path, max_bytes: int | None = None, daily: bool = False, keep: int = 10
    ) -> None:
        """Open the file, complete or take back its last line if that was cut short.

        Args:
            path: The file; its folder must exist.
            max_bytes: Size above which a new file is begun; None: no limit.
            daily: Begin a new file each UTC day.
            keep: How many older files stay.

        Raises:
            SinkError: It cannot be opened.
        """
        self.path = path
        self._max_bytes, self._daily, self._keep = max_bytes, daily, keep
        self._file: int | None = None
        self._day = ""  # of the last event in the file; "" for an empty file
        self._ids: dict[str, None] = {}  # newest last
        try:
            self._open()
        except OSError as error:
            raise self._error(error) from error

    def send(self, lines: Sequence[str]) -> None:
        """Append the lines whose event is not there yet, and wait for the disk.

        Raises:
            SinkError: Disk full or gone. What was written before stays and is not repeated.
        """
        try:
            self._follow()
            waiting = _Waiting(self._size(), self._day)
            for line in self._new(lines):
                day, data = _day_of(line), line.encode() + b"\n"
                if self._is_over(waiting, day, len(data)):
                    self._write(waiting)
                    self._rotate()
                    waiting = _Waiting(0, "")
                waiting.add(line, data, day)
            self._write(waiting)
        except OSError as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file. More calls do nothing."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # `send` has made sure of everything
                os.close(file)

    def _new(self, lines: Iterable[str]) -> list[str]:
        found: dict[str, str] = {}
        for line in lines:
            match = _ID.search(line)
            event_id = match[1] if match else line
            if event_id not in self._ids:
                found.setdefault(event_id, line)
        return list(found.values())

    def _is_over(self, waiting: _Waiting, day: str, length: int) -> bool:
        """Whether the file must be put aside before a line of that day and so many bytes."""
        is_full = self._max_bytes is not None and waiting.size + length > self._max_bytes
        return waiting.size > 0 and (is_full or (self._daily and day > waiting.day))

    def _write(self, waiting: _Waiting) -> None:
        if not waiting.lines:
            return
        if self._file is None:
            raise SinkError(f"{self.path}: expected an open file, got a closed one")
        data, written, start = bytes(waiting.data), 0, self._size()
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # what is not surely there is written once more
                os.ftruncate(self._file, start)
            raise
        self._day = waiting.day
        self._remember(waiting.lines)

    def _remember(self, lines: Iterable[str]) -> None:
        self._ids |= {match[1]: None for line in lines if (match := _ID.search(line))}
        for event_id in list(islice(self._ids, max(0, len(self._ids) - MOST_IDS))):
            del self._ids[event_id]

    def _size(self) -> int:
        return os.fstat(self._file).st_size if self._file is not None else 0

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.open(self.path, flags | os.O_NONBLOCK, 0o666)  # a pipe must not block us
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SinkError(f"{self.path}: expected a file, got a pipe or device")
            lines = _repaired(file, self.path)
            if not self._ids:  # the first time
                self._remember(self._older_lines())
            self._remember(lines)
            self._day = _last_day(file, lines)
            _sync_folder(self.path.parent)
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _older_lines(self) -> list[str]:
        """The newest lines that were put aside: a batch may have gone into several files."""
        lines: list[str] = []
        size = 0
        for path in reversed(self._put_aside()):
            lines = [*_tail(path), *lines]
            size += path.stat().st_size
            if size >= TAIL_BYTES or len(lines) >= MOST_IDS:
                break
        return lines

    def _follow(self) -> None:
        """Begin a new file if somebody else has renamed or deleted ours."""
        if self._file is not None:
            ours = os.fstat(self._file)
            with contextlib.suppress(FileNotFoundError):
                there = os.stat(self.path)
                if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                    return
            self.close()
        self._open()

    def _rotate(self) -> None:
        stem, suffix, day = self.path.stem, self.path.suffix, self._day
        numbers = [number for d, number, _ in self._numbered() if d == day]
        ending = f".{max(numbers) + 1}" if numbers else ""
        self.close()
        os.rename(self.path, self.path.with_name(f"{stem}.{day}{ending}{suffix}"))
        older = self._put_aside()
        for path in older[: len(older) - self._keep]:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        self._open()

    def _put_aside(self) -> list[Path]:
        """Older files, oldest first."""
        return [path for _, _, path in self._numbered()]

    def _numbered(self) -> list[tuple[str, int, Path]]:
        stem, suffix = re.escape(self.path.stem), re.escape(self.path.suffix)
        name = re.compile(rf"{stem}\.(\d{{4}}-\d\d-\d\d)(?:\.(\d+))?{suffix}")
        paths = [(name.fullmatch(path.name), path) for path in self.path.parent.iterdir()]
        return sorted((m[1], int(m[2] or 0), path) for m, path in paths if m)

    def _error(self, error: OSError) -> SinkError:
        fix = ""
        if isinstance(error, FileNotFoundError):
            fix = f"; mkdir -p {self.path.parent}"
        got = (error.strerror or str(error)).lower()
        return SinkError(f"{self.path}: expected to write events, got: {got}{fix}")


def _day_of(line: str) -> str:
    match = _DAY.search(line)
    return match[1] if match else time.strftime("%Y-%m-%d", time.gmtime())


def _last_day(file: int, lines: list[str]) -> str:
    days = [match[1] for line in lines if (match := _DAY.search(line))]
    if days:
        return max(days)
    about = os.fstat(file)
    return time.strftime("%Y-%m-%d", time.gmtime(about.st_mtime)) if about.st_size else ""


def _repaired(file: int, path: Path) -> list[str]:
    """The newest lines of an open file, after its last one was completed or taken back."""
    size = os.fstat(file).st_size
    tail = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES))
    whole, newline, rest = tail.rpartition(b"\n")
    if rest and (newline or size <= TAIL_BYTES) and not _is_json(rest):
        # A power cut leaves a part of a line, or zeros: never reported as sent, so it comes again.
        log.warning("%s: took back %d bytes of a line that was cut short", path, len(rest))
        os.ftruncate(file, size - len(rest))
    elif rest:
        os.write(file, b"\n")
        whole = tail
    return _lines(whole)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return _lines(file.read())


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").rstrip("\n").split("\n")


def _sync_folder(folder: Path) -> None:
    """Make new and changed names in a folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
