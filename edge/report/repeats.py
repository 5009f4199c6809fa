"""Which events came before. Imports numpy only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

_RECENT = 50_000


class Repeats:
    """Tells events that come again by their id, in 8 bytes for each event.

    Only 64 bits of an id are kept: of a million events, two are taken for one with a
    probability of 3e-8.

    >>> repeats = Repeats()
    >>> [repeats.has_seen(text) for text in ("00ff", "00aa", "00ff")]
    [False, False, True]
    """

    def __init__(self) -> None:
        """Begin before the first event."""
        self._recent: set[int] = set()
        self._old: Sequence[int] = np.zeros(0, np.uint64).data  # sorted

    def has_seen(self, event_id: str) -> bool:
        """Whether it came before; from now on it has."""
        try:
            key = int(event_id[:16], 16) & 0xFFFF_FFFF_FFFF_FFFF
        except ValueError:  # of another maker
            key = hash(event_id) & 0xFFFF_FFFF_FFFF_FFFF
        if key in self._recent:
            return True
        place = bisect_left(self._old, key)
        if place < len(self._old) and self._old[place] == key:
            return True
        self._recent.add(key)
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent, np.uint64, len(self._recent))
            self._old = np.sort(np.concatenate([np.asarray(self._old, np.uint64), recent])).data
            self._recent.clear()
        return False
