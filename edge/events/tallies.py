"""Totals as events state them: what was counted before this session, and in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge.events.envelope import utc_text
from edge.events.info import Tally
from edge.types import Totals

NOTHING = Tally()


class Tallies:
    """What one source's rules have counted over all its sessions.

    Counters begin each session at zero; `before` is what they had counted until then.
    """

    def __init__(self, class_names: Sequence[str], before: Mapping[str, Tally]) -> None:
        """Begin with what a journal knows; `before` may lack rules."""
        self._class_names = class_names
        self._before = dict(before)
        self._current: dict[str, Totals] = {}

    def note(self, rule_id: str, totals: Totals) -> None:
        """Take over a counter's totals of this session."""
        self._current[rule_id] = totals

    def of(self, rule_id: str, totals: Totals | None = None) -> Tally:
        """All that a rule has counted; `totals` of this session, None: the last noted."""
        now = totals or self._current.get(rule_id)
        before = self._before.get(rule_id, NOTHING)
        if now is None:
            return before
        return before.plus({self._class_names[c]: pair for c, pair in now.by_class.items()})

    def turn_over(self) -> None:
        """End a session: its counts become part of what was before."""
        self._before |= {rule_id: self.of(rule_id) for rule_id in self._current}
        self._current = {}

    def begin(self, rule_id: str, tally: Tally) -> None:
        """Let a rule go on from another tally, with a new counter."""
        self._current.pop(rule_id, None)
        self._before[rule_id] = tally

    def keep(self, rule_ids: Iterable[str]) -> None:
        """Forget all rules but these."""
        kept = set(rule_ids)
        self._before = {r: t for r, t in self._before.items() if r in kept}
        self._current = {r: t for r, t in self._current.items() if r in kept}

    def add_exit(self, rule_id: str, class_name: str) -> Tally:
        """Let a stay of an earlier session end."""
        before = self._before.get(rule_id, NOTHING)
        self._before[rule_id] = before.plus({class_name: (0, 1)})
        return self.of(rule_id)


def count_of(tally: Tally, delta: int) -> dict[str, Any]:
    """`count` of an event."""
    since = tally.since_utc_s
    count: dict[str, Any] = {
        "delta": int(delta),
        "in": int(tally.count_in),
        "out": int(tally.count_out),
        "net": int(tally.count_in - tally.count_out),
        "by_class": {
            name: {"in": int(ins), "out": int(outs)} for name, (ins, outs) in tally.by_class.items()
        },
    }
    if since is None:  # a recording's world time is not known
        return count | {"since_media_s": 0.0}
    return count | {"since": utc_text(since)}
