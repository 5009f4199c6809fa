"""The last events, numbered, for browsers that come back and ask what they missed.

Standard library only.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from edge.web.bell import Bell

KEPT = 200


class Posted(NamedTuple):
    """One event; `text` is its JSON in one line."""

    number: int
    text: str


class Bulletin:
    """Holds the last events, from 1 on; readers keep their own place, so slow ones cost nothing.

    Attributes:
        bell: rung at each event.
        run: names this process, because another one numbers from 1 again.

    Example:
        >>> bulletin = Bulletin("a")
        >>> bulletin.post({"type": "line_crossed"})
        >>> [(p.number, p.text) for p in bulletin.after(0)]
        [(1, '{"type":"line_crossed"}')]
        >>> bulletin.number_of("a-1"), bulletin.number_of("b-1"), bulletin.number_of("a-x")
        (1, 0, 0)
    """

    def __init__(self, run: str | None = None, kept: int = KEPT) -> None:
        self.bell = Bell()
        self.run = run or secrets.token_hex(4)
        self._posted: deque[Posted] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._last = 0

    @property
    def last(self) -> int:
        """Number of the newest event, 0 before the first."""
        return self._last

    def post(self, event: Mapping[str, Any]) -> None:
        """Add an event; never waits for a reader."""
        text = json.dumps(event, separators=(",", ":"))
        with self._lock:
            self._last += 1
            self._posted.append(Posted(self._last, text))
        self.bell.ring()

    def after(self, number: int) -> list[Posted]:
        """Events that came after one, as far as they are kept, in order."""
        if number >= self._last:
            return []
        with self._lock:
            return [posted for posted in self._posted if posted.number > number]

    def id_of(self, number: int) -> str:
        """The id that a browser gives back."""
        return f"{self.run}-{number}"

    def number_of(self, given: str) -> int:
        """The number in an id; 0, from which all is new, if it is not one of this process."""
        run, _, digits = given.partition("-")
        is_known = run == self.run and digits.isascii() and digits.isdigit() and len(digits) < 19
        return min(int(digits), self._last) if is_known else 0
