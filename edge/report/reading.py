"""What the report takes from an event, checked. Imports the standard library and `edge.errors`.

Receivers must live with fields and types that they do not know, so only what is used is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from edge.errors import ConfigError

Event = Mapping[str, Any]
Pair = tuple[int, int]  # in, out

VERSION = "count-event/1."
COUNTING = ("line_crossed", "line_crossing_reverted", "zone_entered", "zone_exited")
RECORDED = ("file", "folder")  # kinds of sources that begin anew with each run

_MOST_S = 1e11  # of media time: three thousand years
_YEARS = (1900, 9000)
_NUMBER, _WHOLE, _TEXT = (int, float), (int,), (str,)
_Types = tuple[type, ...]
_Fields = tuple[tuple[tuple[str, ...], _Types, bool], ...]


def _fields(needed: Mapping[str, _Types], optional: Mapping[str, _Types]) -> _Fields:
    both = ((needed, True), (optional, False))
    return tuple((tuple(k.split(".")), t, must) for part, must in both for k, t in part.items())


_ALWAYS = _fields(
    {
        "event_id": _TEXT,
        "type": _TEXT,
        "time": (dict,),
        "time.media_s": _NUMBER,
        "source": (dict,),
        "source.id": _TEXT,
        "source.kind": _TEXT,
        "source.session": _WHOLE,
    },
    {
        "time.utc": _TEXT,
        "time.decided_media_s": _NUMBER,
        "source.width": _WHOLE,
        "source.height": _WHOLE,
        "device": (dict,),
        "rule": (dict,),
        "count": (dict,),
        "zone": (dict,),
        "object": (dict,),
        "end_reason": _TEXT,
    },
)
_RULE = {"rule.id": _TEXT, "rule.kind": _TEXT, "count.in": _WHOLE, "count.out": _WHOLE}
_SAYS: dict[str, _Types] = {"rule.name": _TEXT, "rule.config_rev": _TEXT, "count.since": _TEXT}
_SAYS |= {"zone.occupancy": _WHOLE, "zone.dwell_s": _NUMBER}
_COUNTED = _fields(
    {**_RULE, "rule.direction": _TEXT, "count.delta": _WHOLE, "object.class": _TEXT}
    | {"object.track_uid": _TEXT},
    {**_SAYS, "rule.direction_name": _TEXT, "object.anchor": (dict,)}
    | {"object.anchor.x": _NUMBER, "object.anchor.y": _NUMBER}
    | {"quality": (dict,), "quality.flags": (list,), "corrects": _TEXT},
)
_ABOUT_ZONE = _fields(_RULE, _SAYS)
_OF_TYPE: dict[str, _Fields] = {
    **dict.fromkeys(COUNTING, _COUNTED),
    **dict.fromkeys(("zone_dwell", "zone_occupancy"), _ABOUT_ZONE),
    **dict.fromkeys(("overcrowding_started", "overcrowding_ended"), _ABOUT_ZONE),
    "count_snapshot": _fields(
        {**_RULE, "window": (dict,), "window.start": (str, int, float)}
        | {"window.end": (str, int, float), "coverage": _NUMBER},
        _SAYS,
    ),
    "counter_reset": _fields(
        {**_RULE, "before": (dict,), "before.in": _WHOLE, "before.out": _WHOLE}, _SAYS
    ),
    "source_lost": _fields({"reason": _TEXT}, {}),
    "source_restored": _fields({"gap_s": _NUMBER}, {}),
    "frames_dropped": _fields({"frames": _WHOLE}, {}),
    "events_lost": _fields({"lost": (dict,), "lost.events": _WHOLE, "lost.rules": (list,)}, {}),
    "started": _fields({"rules": (list,)}, {}),
    "config_changed": _fields({"rules": (list,)}, {}),
    "stopped": _fields({"counts": (list,)}, {}),
}
# Types whose rule and totals are checked. Others, of later versions, may have some of their own.
RULED = frozenset((*COUNTING, "count_snapshot", "counter_reset", "zone_dwell", "zone_occupancy"))
RULED |= {"overcrowding_started", "overcrowding_ended"}

_RULE_ENTRY = _fields(
    {"id": _TEXT, "kind": _TEXT},
    {"name": _TEXT, "in_name": _TEXT, "out_name": _TEXT, "config_rev": _TEXT},
)
_ENTRIES = {  # of a type: where its list is, and what each entry has
    "started": ("rules", _RULE_ENTRY),
    "config_changed": ("rules", _RULE_ENTRY),
    "stopped": (
        "counts",
        _fields({"rule_id": _TEXT, "count.in": _WHOLE, "count.out": _WHOLE}, {}),
    ),
    "events_lost": ("rules", _fields({"rule_id": _TEXT, "in": _WHOLE, "out": _WHOLE}, {})),
}
_WORDS = {_TEXT: "a text", _WHOLE: "a whole number", _NUMBER: "a number", (dict,): "an object"}


def checked(event: Any) -> Event:
    """The event, if it has what the report needs.

    Raises:
        ConfigError: it is no count event, or a field that is used is missing or of another kind.
            The message begins with `expected`.

    >>> checked({"frame": 0})
    Traceback (most recent call last):
    edge.errors.ConfigError: expected a count event with schema count-event/1.x, got {'frame': 0}
    """
    schema = event.get("schema") if isinstance(event, dict) else None
    if not isinstance(schema, str) or not schema.startswith(VERSION):
        got = repr(event if schema is None else schema)
        raise ConfigError(f"expected a count event with schema {VERSION}x, got {got:.60}")
    _check(event, _ALWAYS)
    _check(event, _OF_TYPE.get(event["type"], ()))
    if event["type"] in _ENTRIES:
        where, fields = _ENTRIES[event["type"]]
        for entry in (event["lost"] if event["type"] == "events_lost" else event)[where]:
            _check(entry, fields)
    if event["type"] in COUNTING and event["rule"]["direction"] not in ("in", "out"):
        raise ConfigError(
            f"expected in or out for rule.direction, got {event['rule']['direction']!r:.40}"
        )
    found: Event = event
    return found


def without_null(value: Any) -> Any:
    """The same with all nulls left out, which mean the same.

    >>> without_null({"zone": {"occupancy": 1, "dwell_s": None}, "rule": None})
    {'zone': {'occupancy': 1}}
    """
    if isinstance(value, dict):
        return {key: without_null(each) for key, each in value.items() if each is not None}
    return [without_null(each) for each in value] if isinstance(value, list) else value


def unix_s(text: str) -> float:
    """Unix seconds of a UTC time as events write it.

    Raises:
        ConfigError: it is none.

    >>> unix_s("2026-09-24T08:15:02.5Z") - unix_s("2026-09-24T08:15:00Z")
    2.5
    """
    try:
        whole, rest = datetime.fromisoformat(text[:19]), text[19:]
        if rest[-1:] != "Z" or not _YEARS[0] <= whole.year <= _YEARS[1] or whole.tzinfo:
            raise ValueError("no such time")
        fraction = float("0" + rest[:-1]) if len(rest) > 1 else 0.0
    except ValueError as error:
        raise ConfigError(
            f"expected a UTC time such as 2026-09-24T08:15:02Z, got {text!r:.40}"
        ) from error
    return whole.replace(tzinfo=timezone.utc).timestamp() + fraction


def _check(event: Any, fields: _Fields) -> None:
    for path, types, is_needed in fields:
        value: Any = event
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None and not is_needed:
            continue
        # Its very type: JSON has no other, and true is no number.
        if type(value) not in types or (types is _NUMBER and not abs(value) <= _MOST_S):
            wanted = _WORDS.get(types, "an entry")
            got = "nothing" if value is None else f"{value!r:.40}"
            raise ConfigError(f"expected {wanted} for {'.'.join(path)}, got {got}")


def deltas_of(event: Event) -> dict[str, Pair]:
    """What an event adds to the totals of which rules."""
    if event["type"] == "events_lost":
        return {rule["rule_id"]: (rule["in"], rule["out"]) for rule in event["lost"]["rules"]}
    if event["type"] not in COUNTING:
        return {}
    delta = event["count"]["delta"]
    is_in = event["rule"]["direction"] == "in"
    return {event["rule"]["id"]: (delta, 0) if is_in else (0, delta)}
