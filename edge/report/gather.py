"""From events, one by one, to a summary; memory does not grow with their number.

What grows: 8 bytes for each event (to tell repeats), 8 for each stay, a little for each interval.
Imports numpy and its own folder only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timezone, tzinfo

from edge.errors import ConfigError
from edge.report.calendar import MOST_INTERVALS, Calendar, fitting_interval_s
from edge.report.feet import Feet
from edge.report.reading import RECORDED, Event, Pair, checked
from edge.report.repeats import Repeats
from edge.report.source import Between, Outages, SourceTally
from edge.report.summary import Summary


class Gathering:
    """Takes events of any number of sources, each source's in order.

    Repeats are left out. A recording that is counted again without a journal (`started` comes
    again) is a source of its own.
    """

    def __init__(
        self,
        outages: Callable[[str], Outages],
        interval_s: int | None = None,
        zone: tzinfo = timezone.utc,
        between: Between = (None, None),
    ) -> None:
        """Begin without events.

        Args:
            outages: makes what follows a live source of that name.
            interval_s: in which counts are shown; None: what fits the longest source.
            zone: whose clocks cut world time.
            between: Unix seconds from and to which world time counts; None: any. Recordings have
                no world time and are left out if either is given.
        """
        self._outages = outages
        self._interval_s = interval_s
        self._zone = zone
        self._between = between
        self._repeats = Repeats()
        self._sources: dict[tuple[str, str], SourceTally] = {}
        self._runs: dict[str, int] = {}
        self._totals: dict[tuple[str, str, str], Pair] = {}
        self._span_s = 0.0
        self.events = 0
        self.repeated = 0
        self.left_out = 0  # recordings' events, when world time is asked for

    def add(self, event: Event, source_key: str | None = None) -> None:
        """Take the next event.

        Args:
            event: as it was written.
            source_key: of its recording, where a journal knows it.

        Raises:
            ConfigError: it is no count event, or does not fit the chosen intervals.
        """
        event = checked(event)
        if self._repeats.has_seen(event["event_id"]):
            self.repeated += 1
            return
        self.events += 1
        gathered = self._gathered(event, source_key)
        if gathered.is_recorded and self._between != (None, None):
            self.left_out += 1
            return
        gathered.add(event)

    def state(self, source_id: str, source_key: str, rule_id: str, total: Pair) -> None:
        """Say what the present total of a rule is, as a journal knows it."""
        self._totals[source_id, source_key, rule_id] = total

    def add_feet(self, source_id: str, feet: Feet) -> None:
        """Show these feet for a source, instead of where its events were.

        Raises:
            ConfigError: there is no such source.
        """
        known = [g for (name, _), g in self._sources.items() if name == source_id]
        if not known:
            names = ", ".join(sorted({name for name, _ in self._sources})) or "none"
            raise ConfigError(f"expected a source of these events, got {source_id!r} ({names})")
        known[-1].feet = feet

    def size_of(self, source_id: str) -> tuple[int, int] | None:
        """Width and height of a source's newest frames, pixels; None: unknown."""
        sizes = [each.size for (name, _), each in self._sources.items() if name == source_id]
        return sizes[-1] if sizes else None

    @property
    def source_ids(self) -> list[str]:
        """Names of the sources so far."""
        return list(dict.fromkeys(name for name, _ in self._sources))

    def summary(self, notes: Sequence[str] = ()) -> Summary:
        """All that the events said so far.

        Args:
            notes: what else was amiss with the input, a sentence each.
        """
        sources = []
        for (source_id, key), gathered in self._sources.items():
            others = [k for name, k in self._sources if name == source_id]
            place = others.index(key)
            label = source_id if len(others) == 1 else f"{source_id} ({place + 1})"
            totals = {
                rule: pair
                for (s, k, rule), pair in self._totals.items()
                if (s, k) == (source_id, key)
            }
            if source := gathered.source(label, totals):
                sources.append(source)
        said = list(notes)
        if self.repeated:
            said.append(f"{self.repeated} events came more than once and were taken once.")
        if self.left_out:
            said.append(
                f"{self.left_out} events of recordings, whose world time is unknown, were left out."
            )
        return Summary(sources, self.events, self.repeated, self._fitting_s(), self._zone, said)

    def _gathered(self, event: Event, source_key: str | None) -> SourceTally:
        source_id, kind = event["source"]["id"], event["source"]["kind"]
        if source_key is None:
            if kind in RECORDED and event["type"] == "started":
                self._runs[source_id] = self._runs.get(source_id, 0) + 1
            source_key = str(self._runs.get(source_id, 1)) if kind in RECORDED else "live"
        found = self._sources.get((source_id, source_key))
        if found is None:
            is_live = kind not in RECORDED
            calendar = Calendar(self._fitting_s(), self._zone, is_live)
            outages = self._outages(source_id)
            found = SourceTally(source_id, kind, calendar, outages, self._between, self._widen)
            self._sources[source_id, source_key] = found
        return found

    def _fitting_s(self) -> int:
        return self._interval_s or fitting_interval_s(self._span_s)

    def _widen(self, span_s: float) -> None:
        if span_s <= self._span_s:
            return
        before, self._span_s = self._fitting_s(), span_s
        interval_s = self._fitting_s()
        if span_s / interval_s > MOST_INTERVALS:
            raise ConfigError(
                f"--interval: expected at most {MOST_INTERVALS} intervals, got {interval_s} s each "
                f"for {span_s / 86_400:.0f} days; choose longer ones, or fewer events"
            )
        if interval_s != before:
            for gathered in self._sources.values():
                gathered.regroup(interval_s)
