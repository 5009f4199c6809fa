"""Count events to JSON. Of a recording, an event says what follows from the input alone.

No path, host name, clock or random number enters it, floats are rounded, and keys have a fixed
order: a replay of recorded instances gives the same bytes as the run did. Events of live sources
have world time as well, and totals that go on from one session to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.events.books import Loss
from edge.events.envelope import (
    MEDIA_S,
    SHARE,
    Envelope,
    S,
    rounded,
    time_of,
    utc_s_of,
    utc_text,
    without_none,
)
from edge.events.facts import object_of, quality_of, zone_of
from edge.events.identity import EventIds
from edge.events.info import DeviceInfo, Past, RuleInfo, SourceInfo, Tally, Window
from edge.events.tallies import Tallies, count_of
from edge.types import CountEvent, Notice, Stamp, Totals


class Encoder:
    """Turns the events of one camera into JSON objects, numbered from 1."""

    def __init__(
        self,
        device: DeviceInfo,
        source: SourceInfo,
        rules: Sequence[RuleInfo],
        class_names: Sequence[str],
        config_rev: str,
        past: Past | None = None,
    ) -> None:
        """Begin a run of one source.

        Args:
            device: what makes the events.
            source: where the pictures come from.
            rules: all lines and zones of the camera.
            class_names: name of each class id.
            config_rev: fingerprint of what decides the counts.
            past: what a journal has of this source; None: nothing.
        """
        past = past or Past()
        self._envelope = Envelope(device, source, past.seq)
        self._ids = EventIds(self._envelope)
        self._rules = {rule.id: rule for rule in rules}
        self._class_names = class_names
        self._config_rev = config_rev
        self._last: Stamp | None = None  # of the last event of a counter
        self._tallies = Tallies(class_names, past.tallies)

    def encode(
        self,
        event: CountEvent,
        fps: float | None = None,
        frames_dropped_last_s: int | None = None,
    ) -> dict[str, Any]:
        """One event as a JSON object, in the order of the schema.

        Args:
            event: What a counter saw. Its rule and class must be known to this encoder.
            fps: Frames per second of media time; left out where it is unknown.
            frames_dropped_last_s: Frames left out in the last second; left out for unknown.
        """
        rule = self._rules[event.rule_id]
        self._last = event.decided
        time = time_of(event.decided, event.media_s, event.frame) | {
            "interpolated": rule.kind == "line",
            "decided_media_s": rounded(event.decided.media_s, MEDIA_S),
        }
        event_id = self._ids.next_of(event, rule)
        encoded = self._envelope.opened(event.kind, event_id, time)
        encoded["rule"] = self._rule(rule, event.direction)
        if event.track is not None:
            encoded["object"] = object_of(event.track, self._class_names, self._envelope.track_uid)
        self._tallies.note(rule.id, event.totals)
        encoded["count"] = count_of(self._tallies.of(rule.id), event.delta)
        if rule.kind == "zone":
            encoded["zone"] = zone_of(event)
        if event.track is not None:
            encoded["quality"] = quality_of(event.track, frames_dropped_last_s, fps)
        if event.kind == "line_crossing_reverted":
            encoded["corrects"] = self._ids.last_of(event, rule, "line_crossed")
        return self._envelope.closed(encoded)

    def snapshot(self, rule_id: str, window: Window, stamp: Stamp) -> dict[str, Any]:
        """`count_snapshot`: the totals of one rule at the end of a window, as events have them.

        Args:
            rule_id: a rule of this encoder.
            window: the span it covers.
            stamp: of the frame with which it ended.
        """
        rule = self._rules[rule_id]
        start_s, end_s = rounded(window.start_s, MEDIA_S), rounded(window.end_s, MEDIA_S)
        if window.is_utc:
            # A clock that is set back lets a window come again.
            event_id = self._ids.of_now("count_snapshot")
            time = time_of(stamp)
            span: dict[str, Any] = {"start": utc_text(start_s), "end": utc_text(end_s)}
        else:
            event_id = self._ids.of_window(rule, start_s, end_s)
            time = time_of(stamp, min(window.end_s, stamp.media_s))
            span = {"start": start_s, "end": end_s}
        encoded = self._envelope.opened("count_snapshot", event_id, time)
        encoded["rule"] = self._rule(rule, "")
        encoded["count"] = count_of(self._tallies.of(rule_id), 0)
        encoded["window"] = span
        encoded["coverage"] = rounded(window.coverage, SHARE)
        return self._envelope.closed(encoded)

    def started(self, stamp: Stamp, snapshot_every_s: float | None = None) -> dict[str, Any]:
        """`started`: what this run counts. Send it before the first frame's events."""
        often = () if snapshot_every_s is None else (snapshot_every_s,)
        event_id = self._ids.of_run("started", self._rules.values(), self._config_rev, often)
        return self._rules_event("started", event_id, stamp)

    def stopped(self, stamp: Stamp, totals: Mapping[str, Totals]) -> dict[str, Any]:
        """`stopped`: the final totals.

        Args:
            stamp: of the last frame.
            totals: of this session's counters by rule id; of others, what the events so far say.
        """
        # An interrupted run stops elsewhere than one that comes to the end.
        at = [rounded(stamp.media_s, MEDIA_S)]
        encoded = self._envelope.opened(
            "stopped",
            self._ids.of_run("stopped", self._rules.values(), self._config_rev, at),
            time_of(stamp),
        )
        encoded["counts"] = [
            {"rule_id": rule, "count": count_of(self._tallies.of(rule, totals.get(rule)), 0)}
            for rule in self._rules
        ]
        return self._envelope.closed(encoded)

    def begin(self, session: int, width: int, height: int) -> None:
        """Another session of a live source: totals go on, tracks are others."""
        self._tallies.turn_over()
        self._ids.begin()
        self._envelope.begin(session, width, height)

    def reconfigured(
        self, rules: Sequence[RuleInfo], config_rev: str, begun: Mapping[str, Tally]
    ) -> None:
        """Go on with other rules; those in `begun` have new counters and these totals so far."""
        self._rules = {rule.id: rule for rule in rules}
        self._config_rev = config_rev
        self._tallies.keep(self._rules)
        for rule_id, tally in begun.items():
            self._tallies.begin(rule_id, tally)

    def tallies(self) -> dict[str, Tally]:
        """What each rule has counted, as the events so far have it."""
        return {rule_id: self._tallies.of(rule_id) for rule_id in self._rules}

    def notice(self, notice: Notice) -> dict[str, Any]:
        """What happened to a live source."""
        encoded = self._live_event(notice.kind, notice.stamp)
        if notice.kind == "source_lost":
            encoded["reason"] = notice.reason
        elif notice.kind == "source_restored":
            encoded["gap_s"] = rounded(max(0.0, notice.gap_s), S)
        elif notice.kind == "frames_dropped":
            encoded["frames"] = int(notice.frames)
        else:
            encoded["step_s"] = rounded(notice.step_s, S)
        return self._envelope.closed(encoded)

    def counter_reset(self, rule_id: str, before: Tally, stamp: Stamp) -> dict[str, Any]:
        """`counter_reset`: a rule was moved and counts from 0; `before` are its old totals."""
        encoded = self._live_event("counter_reset", stamp)
        encoded["rule"] = self._rule(self._rules[rule_id], "")
        encoded["count"] = count_of(self._tallies.of(rule_id), 0)
        encoded["before"] = count_of(before, 0)
        return self._envelope.closed(encoded)

    def config_changed(self, stamp: Stamp) -> dict[str, Any]:
        """`config_changed`: what is counted from now on."""
        return self._rules_event("config_changed", self._ids.of_now("config_changed"), stamp)

    def interrupted(
        self, begun: Mapping[str, Any], stamp: Stamp, occupancy: int, seen_utc_s: float | None
    ) -> dict[str, Any]:
        """The end of a stay, or of overcrowding, that an earlier run saw begin and nobody saw end.

        Args:
            begun: its zone_entered or overcrowding_started; its rule must be known to this encoder.
            stamp: the time at which it is closed.
            occupancy: who is still inside by the books.
            seen_utc_s: until when that run surely looked, Unix seconds; None: unknown.
        """
        rule, is_stay = self._rules[begun["rule"]["id"]], begun["type"] == "zone_entered"
        kind = "zone_exited" if is_stay else "overcrowding_ended"
        event_id = self._ids.of_end(begun["event_id"])
        encoded = self._envelope.opened(kind, event_id, time_of(stamp))
        encoded["rule"] = self._rule(rule, "out" if is_stay else "")
        if is_stay:
            encoded["object"] = begun["object"]
            tally = self._tallies.add_exit(rule.id, begun["object"]["class"])
        else:
            tally = self._tallies.of(rule.id)
        encoded["count"] = count_of(tally, int(is_stay))
        since = begun["time"].get("utc")
        dwell_s = None
        if is_stay and since is not None and seen_utc_s is not None:
            dwell_s = rounded(max(0.0, seen_utc_s - utc_s_of(since)), S)
        encoded["zone"] = without_none(occupancy=occupancy, dwell_s=dwell_s)
        if is_stay:
            encoded["quality"] = begun["quality"]
        encoded["end_reason"] = "interrupted"
        return self._envelope.closed(encoded)

    def lost(self, loss: Loss) -> dict[str, Any]:
        """`events_lost`: events that could not be kept. It takes the number of the last of them."""
        event_id = self._ids.of_loss(loss.first_seq, loss.last_seq)
        time = time_of(self._last or Stamp(0, 0.0))
        encoded = self._envelope.head("events_lost", event_id, time, loss.last_seq)
        encoded["lost"] = {
            "events": loss.events,
            "first_seq": loss.first_seq,
            "last_seq": loss.last_seq,
            "rules": [
                {"rule_id": rule_id, "in": ins, "out": outs, "count": {**count, "delta": 0}}
                for rule_id, (_, count) in loss.counts.items()
                for ins, outs in [loss.deltas.get(rule_id, (0, 0))]
            ],
        }
        return self._envelope.closed(encoded)

    def _rules_event(self, kind: str, event_id: str, stamp: Stamp) -> dict[str, Any]:
        encoded = self._envelope.opened(kind, event_id, time_of(stamp))
        encoded["rules"] = [
            without_none(
                id=rule.id,
                name=rule.name,
                kind=rule.kind,
                in_name=rule.in_name,
                out_name=rule.out_name,
                config_rev=self._config_rev,
            )
            for rule in self._rules.values()
        ]
        return self._envelope.closed(encoded)

    def _live_event(self, kind: str, stamp: Stamp) -> dict[str, Any]:
        return self._envelope.opened(kind, self._ids.of_now(kind), time_of(stamp))

    def _rule(self, rule: RuleInfo, direction: str) -> dict[str, Any]:
        names = {"in": rule.in_name, "out": rule.out_name}
        return without_none(
            id=rule.id,
            name=rule.name,
            kind=rule.kind,
            direction=direction or None,
            direction_name=names.get(direction),
            config_rev=self._config_rev,
        )
