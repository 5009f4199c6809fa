"""A folder of pictures that show what was counted, with retention; written by a thread."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from edge.errors import EdgeError, SinkError
from edge.sinks.evidence_picture import evidence_picture
from edge.types import U8, Instances

_QUALITY = 85
_MOST_WAITING = 16
_PRUNE_S = 60.0
_PAUSE_S = 5.0  # after a picture could not be written
_DAY = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_NAME = re.compile(r"([0-9a-f]{16,64})\.jpg")  # never a picture that somebody else put there
_PART = re.compile(r"\.[0-9a-f]{16,64}\.part")

log = logging.getLogger("edge.sink")


class EvidenceFolder:
    """Keeps pictures as `<day>/<event_id>.jpg`, whole or not at all, for a while.

    People are hidden before a picture leaves the caller's thread; a thread named edge-evidence
    encodes, writes, and deletes what is too old or too much, the oldest first. It touches only
    files with such names.

    Cost:
        `save` cuts, scales and hides: some milliseconds at most, without touching the disk.
    """

    def __init__(
        self,
        folder: Path,
        keep_s: float,
        max_bytes: int,
        blur: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make the folder and begin to look what is in it.

        Args:
            folder: Where pictures go.
            keep_s: Age, seconds, at which a picture is deleted.
            max_bytes: Size of all pictures above which the oldest go.
            blur: Whether people are made unrecognisable.
            clock: Unix seconds.

        Raises:
            SinkError: the folder cannot be made or written to.
        """
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"{folder}: expected a folder for evidence, got {error.strerror}"
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SinkError(f"{folder}: expected a folder to write evidence to, got read-only")
        self._folder = folder
        self._blur = blur
        self._clock = clock
        self._kept = _Kept(folder, keep_s, max_bytes)
        self._queue: queue.Queue[_Job | None] = queue.Queue(_MOST_WAITING)
        self._saved = self._refused = self._failed = 0
        self._paused_until_s = 0.0
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="edge-evidence", daemon=True)
        self._thread.start()

    def save(
        self,
        event_id: str,
        day: str,
        image: U8,
        box: tuple[float, float, float, float],
        instances: Instances,
        person_class_ids: Collection[int],
    ) -> str | None:
        """Have a picture of an event written soon. Never raises, never waits.

        Args:
            event_id: Hexadecimal id of the event: the name of the file.
            day: Name of the folder within, such as 2026-11-23.
            image: uint8 (H, W, 3), the frame.
            box: x1, y1, x2, y2 of what the event is about, frame pixels.
            instances: What the model saw in this frame.
            person_class_ids: Classes that are people.

        Returns:
            Where it will be, relative to the folder; None if it will not: nothing to be seen there,
            too many pictures at a time, or the folder failed just now. Of a disk that becomes full,
            only the next picture tells: those that wait were promised and are counted as dropped.
        """
        try:
            picture = self._picture(event_id, day, image, box, instances, person_class_ids)
        except Exception as error:  # a picture is never worth a count
            # Only our own errors are sure to say nothing but what is wrong.
            what = str(error) if isinstance(error, EdgeError) else type(error).__name__
            log.warning("evidence: %s: expected a picture, got %s", event_id, what)
            picture = None
        if picture is None:
            self._refused += 1
            return None
        try:
            self._queue.put_nowait(_Job(day, event_id, picture))
        except queue.Full:
            self._refused += 1
            log.warning(
                "evidence: expected to write as fast as events come, got %d waiting", _MOST_WAITING
            )
            return None
        return f"{day}/{event_id}.jpg"

    def picture(self, day: str, name: str) -> bytes | None:
        """The JPEG `<day>/<name>` of an event; None: it is gone, or none that was made here.

        Any thread may ask; what other files lie there, or elsewhere, is never read.
        """
        if not (_DAY.fullmatch(day) and _NAME.fullmatch(name) and f"{day}/{name}" in self._kept):
            return None
        try:
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(self._folder / day / name, flags), "rb") as file:
                return file.read()
        except OSError:  # deleted a moment ago
            return None

    @property
    def saved(self) -> int:
        """Pictures written."""
        return self._saved

    @property
    def dropped(self) -> int:
        """Pictures not written, for whatever reason."""
        return self._refused + self._failed

    @property
    def size_bytes(self) -> int:
        """Size of all pictures in the folder."""
        return self._kept.size_bytes

    def close(self, timeout_s: float = 3.0) -> bool:
        """Write what waits. Returns whether that was done in time; more is not written."""
        until_s = time.monotonic() + timeout_s
        if not self._is_closed:
            self._is_closed = True
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=timeout_s)
        self._thread.join(max(0.0, until_s - time.monotonic()))
        return not self._thread.is_alive()

    def _picture(
        self,
        event_id: str,
        day: str,
        image: U8,
        box: tuple[float, float, float, float],
        instances: Instances,
        person_class_ids: Collection[int],
    ) -> U8 | None:
        if self._is_closed or time.monotonic() < self._paused_until_s or self._queue.full():
            return None
        if not (_DAY.fullmatch(day) and _NAME.fullmatch(f"{event_id}.jpg")):
            raise SinkError(f"expected a day and a hexadecimal id for its name, got {day!r}")
        return evidence_picture(image, box, instances, person_class_ids, self._blur)

    def _work(self) -> None:
        self._tried(partial(self._kept.scan, self._clock()))
        while True:
            self._kept.prune(self._clock())
            try:
                job = self._queue.get(timeout=_PRUNE_S)
            except queue.Empty:
                continue
            if job is None:
                return
            if not self._tried(partial(self._write, job)):
                self._failed += 1
                self._paused_until_s = time.monotonic() + _PAUSE_S

    def _write(self, job: _Job) -> None:
        folder = self._folder / job.day
        name = f"{job.event_id}.jpg"
        part = folder / f".{job.event_id}.part"
        _, encoded = cv2.imencode(".jpg", job.picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        folder.mkdir(mode=0o750, exist_ok=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(part, flags, 0o640), "wb") as file:
                file.write(encoded.tobytes())
                file.flush()
                os.fsync(file.fileno())
            part.replace(folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        self._kept.add(f"{job.day}/{name}", self._clock(), len(encoded))
        self._saved += 1

    def _tried(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except OSError as error:
            log.error(
                "evidence: %s: expected to write pictures, got %s",
                self._folder,
                error.strerror or error,
            )
            return False
        except Exception:  # the thread must live on, or no picture is ever deleted again
            log.exception("evidence: %s: expected to write pictures, got an error", self._folder)
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Job:
    day: str
    event_id: str
    picture: U8


class _Kept:
    """What is in the folder, the oldest first, and what of it may stay."""

    def __init__(self, folder: Path, keep_s: float, max_bytes: int) -> None:
        self.size_bytes = 0
        self._folder = folder
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._files: OrderedDict[str, tuple[float, int]] = OrderedDict()  # Unix seconds, bytes

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def scan(self, now_s: float) -> None:
        """Find what earlier runs left: pictures, and halves of some."""
        found = []
        for day in self._folder.iterdir():
            if day.is_symlink() or not day.is_dir() or not _DAY.fullmatch(day.name):
                continue
            for path in day.iterdir():
                if _PART.fullmatch(path.name):
                    path.unlink(missing_ok=True)
                elif _NAME.fullmatch(path.name) and not path.is_symlink():
                    facts = path.stat()
                    # A clock that was once far ahead must not keep a picture for ever.
                    time_s = min(facts.st_mtime, now_s)
                    found.append((time_s, facts.st_size, f"{day.name}/{path.name}"))
        for time_s, size_bytes, name in sorted(found):
            self.add(name, time_s, size_bytes)

    def add(self, name: str, time_s: float, size_bytes: int) -> None:
        """Remember a picture as the newest; it may take the place of an older one of its name."""
        _, replaced_bytes = self._files.pop(name, (0.0, 0))
        self._files[name] = time_s, size_bytes
        self.size_bytes += size_bytes - replaced_bytes

    def prune(self, now_s: float) -> None:
        """Delete what is too old, and the oldest while it is too much.

        What cannot be deleted is said, and left until the next start: others must not wait for it.
        """
        while self._files:
            name, (time_s, size_bytes) = next(iter(self._files.items()))
            if time_s > now_s - self._keep_s and self.size_bytes <= self._max_bytes:
                return
            del self._files[name]
            self.size_bytes -= size_bytes
            path = self._folder / name
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.error("evidence: %s: expected to delete it, got %s", path, error.strerror)
            with contextlib.suppress(OSError):  # others are in it
                path.parent.rmdir()
