"""From which rule to which: the paths of tracks. Imports the standard library only."""

from __future__ import annotations

from collections import Counter, OrderedDict
from itertools import pairwise

Place = tuple[str, str]  # rule id and direction; a zone counts by its entries: "in"

_MOST_TRACKS = 20_000  # whose path is open; nothing says that a track has ended
_MOST_PASSAGES = 64  # of one track that a correction may still change


class Flow:
    """Counts for each pair of rules how often a track passed one and then the other.

    A track lives in one session, so that nobody is followed over an interruption. A passage that
    is taken back was none.

    >>> flow = Flow()
    >>> for second, place in ((1.0, "door"), (5.0, "shelf"), (9.0, "till")):
    ...     flow.passed("cam:1:7", (place, "in"), second, place)
    >>> flow.took_back("cam:1:7", "shelf")
    >>> dict(flow.pairs())
    {(('door', 'in'), ('till', 'in')): 1}
    """

    def __init__(self) -> None:
        """Begin without tracks."""
        self._open: OrderedDict[str, list[tuple[float, Place, str]]] = OrderedDict()
        self._pairs: Counter[tuple[Place, Place]] = Counter()

    def passed(self, track_uid: str, place: Place, at_s: float, event_id: str) -> None:
        """Note one passage, or one entry of a zone."""
        path = self._open.setdefault(track_uid, [])
        path.append((at_s, place, event_id))
        if len(path) > 1 and path[-2][0] > at_s:  # one of another class, counted anew
            path.sort(key=lambda passage: passage[0])
        self._open.move_to_end(track_uid)
        if len(path) > _MOST_PASSAGES:
            self._pairs[path[0][1], path[1][1]] += 1
            del path[0]
        if len(self._open) > _MOST_TRACKS:
            self._count(self._open.popitem(last=False)[1], self._pairs)

    def took_back(self, track_uid: str, event_id: str) -> None:
        """Note that a passage was none."""
        if track_uid in self._open:
            path = self._open[track_uid]
            path[:] = [passage for passage in path if passage[2] != event_id]

    def pairs(self) -> Counter[tuple[Place, Place]]:
        """How often each pair occurred so far."""
        pairs = self._pairs.copy()
        for path in self._open.values():
            self._count(path, pairs)
        return pairs

    @staticmethod
    def _count(path: list[tuple[float, Place, str]], pairs: Counter[tuple[Place, Place]]) -> None:
        for (_, before, _), (_, after, _) in pairwise(path):
            pairs[before, after] += 1
