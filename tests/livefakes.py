"""Pictures and clocks for tests of live sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.sources.sessions import Sessions
from edge.sources.settings import LiveSettings
from edge.types import Notice


@dataclass
class FakePicture:
    """A plain picture; two with the same `content` are the same."""

    arrived_s: float
    pts_s: float | None = None
    utc_s: float | None = None
    size: tuple[int, int] = (64, 48)
    content: int = 0
    level: int = 128

    def image(self):
        width, height = self.size
        return np.full((height, width, 3), self.level, np.uint8)

    def fingerprint(self):
        return self.content

    def grey(self):
        return np.full((72, 96), self.level, np.uint8)


class Scene:
    """Sessions with clocks that only the test moves."""

    def __init__(self, session: int = 1, **settings) -> None:
        self.now_s = 1000.0
        self.utc_offset_s = 1.7e9
        self.taken = []
        self.content = 0
        self.sessions = Sessions(
            LiveSettings(**settings),
            session,
            "gate",
            utc=lambda: self.now_s + self.utc_offset_s,
            monotonic=lambda: self.now_s,
        )

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def show(
        self, count: int = 1, every_s: float = 0.1, is_taken: bool = True, content=None, **facts
    ) -> None:
        """Pictures, one `every_s`; no two are the same unless `content` is given."""
        for _ in range(count):
            self.wait(every_s)
            self.content += 1
            own = {"pts_s": self.now_s + 77.0, "content": self.content, **facts}
            if content is not None:
                own["content"] = content
            self.sessions.picture(FakePicture(self.now_s, **own))
            if is_taken:
                self.take()

    def take(self) -> list:
        """What waits now; all that ever came is in `taken`."""
        new = []
        while (item := self.sessions.take()) is not None:
            new.append(item if isinstance(item, Notice) else item[0])
        self.taken += new
        return new

    @property
    def notices(self) -> list[Notice]:
        self.take()
        return [item for item in self.taken if isinstance(item, Notice)]

    @property
    def stamps(self):
        self.take()
        return [item for item in self.taken if not isinstance(item, Notice)]
