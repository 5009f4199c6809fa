"""Event ids: hashes of what happened, the same in every replay of it and different otherwise."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from edge.events.envelope import Envelope, hash_of
from edge.events.info import RuleInfo
from edge.types import CountEvent

# How many (rule, track, kind) keep their ordinal. Track ids are never reused, so the oldest can
# go; those that come after it begin above it, in case it acts again.
MAX_ORDINALS = 16_384


class EventIds:
    """Makes the ids of one source's events, and knows how often each track did what."""

    def __init__(self, envelope: Envelope) -> None:
        """Begin; device, source and session are the envelope's at each call."""
        self._envelope = envelope
        self._ordinals: OrderedDict[tuple[str, int, str], int] = OrderedDict()
        self._least_ordinal = 0  # what was forgotten had none above

    def begin(self) -> None:
        """Another session, with other tracks."""
        self._ordinals.clear()
        self._least_ordinal = 0

    def next_of(self, event: CountEvent, rule: RuleInfo) -> str:
        """Of an event that a track, or its absence, caused at a rule."""
        key = _what(event, event.kind)
        ordinal = self._ordinals.pop(key, self._least_ordinal) + 1
        self._ordinals[key] = ordinal  # now the newest
        if len(self._ordinals) > MAX_ORDINALS:
            _, forgotten = self._ordinals.popitem(last=False)
            self._least_ordinal = max(self._least_ordinal, forgotten)
        return self._of_track(rule, key, ordinal)

    def last_of(self, event: CountEvent, rule: RuleInfo, kind: str) -> str:
        """Of the latest event of that kind of the same track at the same rule."""
        key = _what(event, kind)
        return self._of_track(rule, key, self._ordinals.get(key, 1))

    def of_window(self, rule: RuleInfo, start_s: float, end_s: float) -> str:
        """Of a snapshot of media time; a clock's window may come again, so that is `of_now`."""
        source = self._envelope.source
        what = [rule.id, rule.geometry_hash, source.id, source.session]
        return hash_of([*self._origin(), *what, "count_snapshot", start_s, end_s])

    def of_run(
        self, kind: str, rules: Iterable[RuleInfo], config_rev: str, at: Sequence[float] = ()
    ) -> str:
        """Of a run's beginning or end with these rules."""
        source = self._envelope.source
        known = [[rule.id, rule.geometry_hash] for rule in rules]
        what = [source.source_key, source.id, source.session, kind, known]
        return hash_of([self._envelope.device.id, *what, config_rev, *at])

    def of_now(self, kind: str) -> str:
        """Of what is never replayed: its number in the session makes it one of a kind."""
        source = self._envelope.source
        what = [source.id, source.session, kind, self._envelope.seq + 1]
        return hash_of([*self._origin(), *what])

    def of_end(self, begun_id: str) -> str:
        """Of the end of what an event of that id began, and nobody saw end."""
        return hash_of([*self._origin(), begun_id, "interrupted"])

    def of_loss(self, first_seq: int, last_seq: int) -> str:
        """Of the loss of events of these numbers."""
        source = self._envelope.source
        what = [source.id, source.session, "events_lost", first_seq, last_seq]
        return hash_of([*self._origin(), *what])

    def _of_track(self, rule: RuleInfo, key: tuple[str, int, str], ordinal: int) -> str:
        _, track_id, kind = key
        uid = self._envelope.track_uid(track_id)
        return hash_of([*self._origin(), rule.id, rule.geometry_hash, uid, kind, ordinal])

    def _origin(self) -> list[Any]:
        return [self._envelope.device.id, self._envelope.source.source_key]


def _what(event: CountEvent, kind: str) -> tuple[str, int, str]:
    return event.rule_id, event.track.track_id if event.track is not None else 0, kind
