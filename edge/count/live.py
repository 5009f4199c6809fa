"""What a counter remembers of live tracks: one record each, as columns of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.types import I64


class LiveRecords:
    """Records found by track id; there are never more than live tracks.

    Attributes:
        ids: int64 (N,) ascending.
        records: structured (N,), in the same order; replaced when tracks come or go.
    """

    def __init__(self, blank: NDArray[Any]) -> None:
        """Begin without tracks; `blank` is the record (shape ()) of a new one."""
        self.ids: I64 = np.zeros(0, np.int64)
        self.records: NDArray[Any] = np.zeros(0, blank.dtype)
        self._blank = blank

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: I64) -> I64:
        """Index of each track's record, int64 (M,); tracks not known yet get a blank one.

        Args:
            ids: int64 (M,), each once.
        """
        at = np.searchsorted(self.ids, ids)
        known = at < len(self.ids)
        known[known] = self.ids[at[known]] == ids[known]
        if not known.all():
            fresh = np.sort(ids[~known])
            places = np.searchsorted(self.ids, fresh)
            self.ids = np.insert(self.ids, places, fresh)
            blanks = np.full(len(fresh), self._blank, self._blank.dtype)
            self.records = np.insert(self.records, places, blanks)
            at = np.searchsorted(self.ids, ids)
        return at

    def forget(self, ids: I64) -> None:
        """Drop the records of tracks that ended."""
        if len(ids) and len(self.ids):
            keep = ~np.isin(self.ids, ids)
            self.ids, self.records = self.ids[keep], self.records[keep]
