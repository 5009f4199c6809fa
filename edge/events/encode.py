"""Count events to JSON. What a line says follows from the input alone, never from the run.

No path, host name, clock or random number enters an event, floats are rounded, and keys have a
fixed order: a replay of recorded instances gives the same bytes as the live run did.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from edge.errors import ShapeError
from edge.events.info import DeviceInfo, RuleInfo, SourceInfo, Window
from edge.events.schema import SCHEMA
from edge.types import CountEvent, Stamp, Totals, TrackFacts, TrackFlag

_PX, _SHARE, _S, _MEDIA_S = 2, 4, 3, 6  # decimals

# How many (rule, track, kind) keep their ordinal. Track ids are never reused, so the oldest can
# go: it would have to act again after this many others did.
_MAX_ORDINALS = 16_384


class Encoder:
    """Turns the events of one camera into JSON objects, numbered from 1."""

    def __init__(
        self,
        device: DeviceInfo,
        source: SourceInfo,
        rules: Sequence[RuleInfo],
        class_names: Sequence[str],
        config_rev: str,
    ) -> None:
        """Begin a run of one source.

        Args:
            device: what makes the events.
            source: where the pictures come from.
            rules: all lines and zones of the camera.
            class_names: name of each class id.
            config_rev: fingerprint of what decides the counts.
        """
        self._device = device
        self._source = source
        self._rules = {rule.id: rule for rule in rules}
        self._class_names = class_names
        self._config_rev = config_rev
        self._seq = 0
        self._ordinals: OrderedDict[tuple[str, int, str], int] = OrderedDict()

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
        time = {
            "media_s": _rounded(event.media_s, _MEDIA_S),
            "frame": int(event.frame),
            "interpolated": rule.kind == "line",
            "decided_media_s": _rounded(event.decided.media_s, _MEDIA_S),
        }
        event_id = self._event_id(event, rule)
        encoded = self._head(event.kind, event_id, time)
        encoded["rule"] = self._rule(rule, event.direction)
        if event.track is not None:
            encoded["object"] = self._object(event.track)
        encoded["count"] = self._count(event.totals, event.delta)
        if rule.kind == "zone":
            encoded["zone"] = _zone(event)
        if event.track is not None:
            encoded["quality"] = _quality(event.track, frames_dropped_last_s, fps)
        if event.kind == "line_crossing_reverted":
            encoded["corrects"] = self._last_id(event, rule, "line_crossed")
        return self._with_device(encoded)

    def snapshot(
        self, rule_id: str, window: Window, stamp: Stamp, totals: Totals
    ) -> dict[str, Any]:
        """`count_snapshot`: the totals of one rule at the end of a window.

        Args:
            rule_id: a rule of this encoder.
            window: the span it covers.
            stamp: of the frame with which it ended.
            totals: of the rule before that frame.
        """
        rule = self._rules[rule_id]
        start_s, end_s = _rounded(window.start_s, _MEDIA_S), _rounded(window.end_s, _MEDIA_S)
        source = self._source
        what = [rule.id, rule.geometry_hash, source.id, source.session]
        event_id = _hash(
            [self._device.id, source.source_key, *what, "count_snapshot", start_s, end_s]
        )
        at_s = min(window.end_s, stamp.media_s)
        encoded = self._head("count_snapshot", event_id, _time(Stamp(stamp.frame, at_s)))
        encoded["rule"] = self._rule(rule, "")
        encoded["count"] = self._count(totals, 0)
        encoded["window"] = {"start": start_s, "end": end_s}
        encoded["coverage"] = _rounded(window.coverage, _SHARE)
        return self._with_device(encoded)

    def started(self, stamp: Stamp) -> dict[str, Any]:
        """`started`: what this run counts. Send it before the first frame's events."""
        encoded = self._head("started", self._run_id("started"), _time(stamp))
        encoded["rules"] = [
            _without_none(
                id=rule.id,
                name=rule.name,
                kind=rule.kind,
                in_name=rule.in_name,
                out_name=rule.out_name,
                config_rev=self._config_rev,
            )
            for rule in self._rules.values()
        ]
        return self._with_device(encoded)

    def stopped(self, stamp: Stamp, totals: Mapping[str, Totals]) -> dict[str, Any]:
        """`stopped`: the final totals by rule id. `stamp` is that of the last frame."""
        encoded = self._head("stopped", self._run_id("stopped"), _time(stamp))
        encoded["counts"] = [
            {"rule_id": rule_id, "count": self._count(totals[rule_id], 0)}
            for rule_id in self._rules
            if rule_id in totals
        ]
        return self._with_device(encoded)

    def _head(self, kind: str, event_id: str, time: dict[str, Any]) -> dict[str, Any]:
        self._seq += 1
        source = self._source
        return {
            "schema": SCHEMA,
            "event_id": event_id,
            "seq": self._seq,
            "type": kind,
            "time": time,
            "source": _without_none(
                id=source.id,
                name=source.name,
                kind=source.kind,
                session=int(source.session),
                width=int(source.width),
                height=int(source.height),
            ),
        }

    def _with_device(self, encoded: dict[str, Any]) -> dict[str, Any]:
        device = self._device
        encoded["device"] = _without_none(
            id=device.id,
            app=device.app,
            model_sha256=device.model_sha256,
            provider=device.provider,
        )
        return encoded

    def _rule(self, rule: RuleInfo, direction: str) -> dict[str, Any]:
        names = {"in": rule.in_name, "out": rule.out_name}
        return _without_none(
            id=rule.id,
            name=rule.name,
            kind=rule.kind,
            direction=direction or None,
            direction_name=names.get(direction),
            config_rev=self._config_rev,
        )

    def _object(self, track: TrackFacts) -> dict[str, Any]:
        is_inferred = bool(track.flags & TrackFlag.FOOT_INFERRED)
        return {
            "track_id": int(track.track_id),
            "track_uid": self._track_uid(track.track_id),
            "class": self._class_names[track.class_id],
            "class_id": int(track.class_id),
            "class_share": _rounded(track.class_share, _SHARE),
            "confidence": _rounded(track.score, _SHARE),
            "age_s": _rounded(track.age_s, _S),
            "hits": int(track.hits),
            "bbox": [_rounded(value, _PX) for value in track.box],
            "anchor": {
                "x": _rounded(track.foot[0], _PX),
                "y": _rounded(track.foot[1], _PX),
                "kind": "inferred_foot" if is_inferred else "mask_foot",
            },
            "velocity_px_s": [_rounded(value, _PX) for value in track.velocity_px_s],
            "mask": {
                "area_px": int(track.area_px),
                "visible_fraction": _rounded(track.visible, _SHARE),
                "touches_border": bool(track.flags & TrackFlag.BORDER),
            }
            | ({"occluded_by": [self._track_uid(track.in_front)]} if track.in_front else {}),
        }

    def _count(self, totals: Totals, delta: int) -> dict[str, Any]:
        by_class = sorted(totals.by_class.items())
        return {
            "delta": int(delta),
            "in": int(totals.count_in),
            "out": int(totals.count_out),
            "net": int(totals.count_in - totals.count_out),
            "by_class": {
                self._class_names[class_id]: {"in": int(ins), "out": int(outs)}
                for class_id, (ins, outs) in by_class
            },
            "since_media_s": 0.0,  # a recording's world time is not known, so there is no `since`
        }

    def _track_uid(self, track_id: int) -> str:
        return f"{self._source.id}:{self._source.session}:{track_id}"

    def _event_id(self, event: CountEvent, rule: RuleInfo) -> str:
        key = _what(event, event.kind)
        ordinal = self._ordinals.pop(key, 0) + 1
        self._ordinals[key] = ordinal  # now the newest
        if len(self._ordinals) > _MAX_ORDINALS:
            self._ordinals.popitem(last=False)
        return self._hash_of(rule, key, ordinal)

    def _last_id(self, event: CountEvent, rule: RuleInfo, kind: str) -> str:
        """Id of the latest event of that kind of the same track at the same rule."""
        key = _what(event, kind)
        return self._hash_of(rule, key, self._ordinals.get(key, 1))

    def _hash_of(self, rule: RuleInfo, key: tuple[str, int, str], ordinal: int) -> str:
        _, track_id, kind = key
        what = [rule.id, rule.geometry_hash, self._track_uid(track_id), kind, ordinal]
        return _hash([self._device.id, self._source.source_key, *what])

    def _run_id(self, kind: str) -> str:
        source = self._source
        rules = [[rule.id, rule.geometry_hash] for rule in self._rules.values()]
        what = [source.source_key, source.id, source.session, kind, rules]
        return _hash([self._device.id, *what, self._config_rev])


def dumps(event: Mapping[str, Any]) -> str:
    r"""An encoded event as one line of JSON without its newline: compact, ASCII, keys as given.

    Raises:
        ShapeError: It holds a NaN or an infinity, which JSON does not know.

    Example:
        >>> dumps({"schema": "count-event/1.0", "name": "Tür", "share": 0.5})
        '{"schema":"count-event/1.0","name":"T\\u00fcr","share":0.5}'
    """
    try:
        # ASCII: no reader can take a character inside a name for the end of the line.
        return json.dumps(event, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ShapeError(f"event: expected finite numbers, got {dict(event)}") from error


def _what(event: CountEvent, kind: str) -> tuple[str, int, str]:
    return event.rule_id, event.track.track_id if event.track is not None else 0, kind


def _time(stamp: Stamp) -> dict[str, Any]:
    return {"media_s": _rounded(stamp.media_s, _MEDIA_S), "frame": int(stamp.frame)}


def _zone(event: CountEvent) -> dict[str, Any]:
    dwelt = event.kind in ("zone_exited", "zone_dwell")
    return _without_none(
        occupancy=int(event.occupancy),
        area_fraction=_rounded(event.area_fraction, _SHARE),
        dwell_s=_rounded(event.dwell_s, _S) if dwelt else None,
    )


def _quality(
    track: TrackFacts, frames_dropped_last_s: int | None, fps: float | None
) -> dict[str, Any]:
    return _without_none(
        flags=[flag.name.lower() for flag in TrackFlag if track.flags & flag],
        group_size=track.group_size,
        frames_dropped_last_s=frames_dropped_last_s,
        fps=_rounded(fps, 2) if fps is not None and math.isfinite(fps) else None,
    )


def _rounded(value: float, digits: int) -> float:
    return round(float(value), digits) + 0.0  # + 0.0 makes -0.0 plain


def _without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _hash(what: list[Any]) -> str:
    text = json.dumps(what, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
