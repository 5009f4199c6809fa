"""A folder of pictures as a video. Imports opencv, numpy, edge.types and edge.sources."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from edge.errors import SourceError
from edge.sources.faults import Faults
from edge.sources.file import content_key
from edge.sources.prefetch import Prefetch
from edge.types import U8, Frame, Stamp

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class ImageFolder:
    """The pictures of a folder in natural order of their names, `fps` of them a second.

    Frame k, counted over all picture files, is at k / fps seconds of media time. A file that
    is no picture after all is skipped and counted in `warnings.broken_frames`. Iterates once,
    reading ahead on a thread if `reads_ahead`, like `VideoFile`, and has the same attributes.

    Raises:
        SourceError: No such folder, no pictures in it, or (while reading) pictures of
            different sizes.
    """

    def __init__(
        self, path: str | os.PathLike[str], fps: float = 10.0, reads_ahead: bool = True
    ) -> None:
        self.path = Path(path)
        if not fps > 0:
            raise SourceError(f"{self.path}: expected a rate above 0 pictures a second, got {fps}")
        self.files = _picture_files(self.path)
        self.warnings = Faults()
        self.fps = fps
        self.frame_count = len(self.files)
        self.duration_s = len(self.files) / fps
        self._closed = False
        self._frames = self._read()
        self._reads_ahead = reads_ahead
        self._prefetch: Prefetch | None = None
        for file in self.files:
            image = picture(file)
            if image is not None:
                self.height, self.width = image.shape[:2]
                return
        raise SourceError(
            f"{self.path}: expected pictures, got {len(self.files)} files of which none is one"
        )

    @cached_property
    def content_key(self) -> str:
        """Hexadecimal SHA-256 of the names, sizes and ends of all picture files."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name}\n{content_key(file)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def __iter__(self) -> ImageFolder:
        return self

    def __next__(self) -> Frame:
        if self._closed:
            raise StopIteration
        if not self._reads_ahead:
            return next(self._frames)
        if self._prefetch is None:
            self._prefetch = Prefetch(self._frames)
        return next(self._prefetch)

    def close(self) -> None:
        """Stop reading, at any time and as often as you like."""
        self._closed = True
        if self._prefetch is not None:
            self._prefetch.close()

    def __enter__(self) -> ImageFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> Iterator[Frame]:
        for k, file in enumerate(self.files):
            if self._closed:
                return
            image = picture(file)
            if image is None:
                self.warnings.broken_frames += 1
                continue
            height, width = image.shape[:2]
            if (width, height) != (self.width, self.height):
                raise SourceError(
                    f"{file}: expected {self.width} x {self.height} pixels like the first "
                    f"picture, got {width} x {height}; put other sizes in a folder of their own"
                )
            yield Frame(Stamp(k, k / self.fps), image)


def picture(path: Path) -> U8 | None:
    """The picture in a file, BGR uint8 (H, W, 3), upright; None if there is none."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except (OSError, cv2.error):
        return None
    return None if image is None else image.astype(np.uint8, copy=False)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which frame10 follows frame9.

    >>> sorted(["b", "a10", "a9", "A9b"], key=natural_key)
    ['a9', 'A9b', 'a10', 'b']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), p) if p[0] in "0123456789" else (1, 0, p.lower()) for p in parts]


def _picture_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        raise SourceError(f"{folder}: expected a folder of pictures, got {got}")
    try:
        files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file()]
    except OSError as error:
        raise SourceError(
            f"{folder}: expected a folder of pictures, got {error.strerror}"
        ) from error
    if not files:
        raise SourceError(
            f"{folder}: expected pictures ({' '.join(sorted(SUFFIXES))}), got a folder without any"
        )
    return sorted(files, key=lambda f: (natural_key(f.name), f.name))
