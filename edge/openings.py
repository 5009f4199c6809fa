"""Opens recordings on threads of their own: a drive in the network may take minutes, or hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.errors import SourceError
from edge.sources import ImageFolder, VideoFile, open_source

Recording = VideoFile | ImageFolder


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of an opening."""

    name: str
    source: str
    result: Recording | SourceError

    def recording(self) -> Recording:
        """The recording.

        Raises:
            SourceError: it cannot be read.
        """
        if isinstance(self.result, SourceError):
            raise self.result
        return self.result


class Openings:
    """Recordings on their way; `done` has those that are open, and what they are is known."""

    def __init__(self, on_done: Callable[[], None]) -> None:
        """Begin without any. `on_done` is called on the thread of each that has ended."""
        self._on_done = on_done
        self._wanted: dict[str, str] = {}  # source by name
        self._lock = threading.Lock()
        self._done: list[Opened] = []

    @property
    def names(self) -> list[str]:
        """Those that are on their way."""
        return list(self._wanted)

    def begin(self, name: str, source: str) -> None:
        """Begin to open one, unless that is under way."""
        if self._wanted.get(name) == source:
            return
        self._wanted[name] = source
        threading.Thread(
            target=self._open, args=(name, source), name=f"edge-open-{name}", daemon=True
        ).start()

    def keep(self, sources: Mapping[str, str]) -> None:
        """Forget those that are not among these, source by name."""
        self._wanted = {n: s for n, s in self._wanted.items() if sources.get(n) == s}

    def done(self) -> list[Opened]:
        """Those that have ended since the last call and are still wanted, each once."""
        with self._lock:
            done, self._done = self._done, []
        wanted = []
        for opened in done:
            if self._wanted.get(opened.name) == opened.source:
                del self._wanted[opened.name]
                wanted.append(opened)
            elif not isinstance(opened.result, SourceError):
                opened.result.close()
        return wanted

    def _open(self, name: str, source: str) -> None:
        result: Recording | SourceError
        try:
            result = open_source(source, reads_ahead=False)
            _ = result.content_key  # reads the file; kept
        except SourceError as error:
            result = error
        except Exception as error:  # a mistake of a library's: the recording is left out
            result = SourceError(f"{source}: expected a recording, got {type(error).__name__}")
        with self._lock:
            self._done.append(Opened(name, source, result))
        self._on_done()
