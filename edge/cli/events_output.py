"""How `edge events` shows events, totals and audits."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from rich.table import Table

from edge.events.audit import Audit, RuleAudit
from edge.events.journal import Row, RuleTotals

_COLUMNS = {  # heading -> where it is in the event
    "event_id": "event_id",
    "seq": "seq",
    "type": "type",
    "utc": "time.utc",
    "media_s": "time.media_s",
    "source": "source.id",
    "session": "source.session",
    "rule": "rule.id",
    "direction": "rule.direction",
    "delta": "count.delta",
    "in": "count.in",
    "out": "count.out",
    "class": "object.class",
    "track_uid": "object.track_uid",
    "confidence": "object.confidence",
    "occupancy": "zone.occupancy",
    "dwell_s": "zone.dwell_s",
    "gap_s": "gap_s",
    "reason": "reason",
}
CSV_HEADING = ",".join(["position", *_COLUMNS])


def csv_line(row: Row) -> str:
    """One event as a line of CSV, empty where it says nothing; the newline is left out."""
    event = json.loads(row.line)
    out = io.StringIO()
    cells = [_at(event, where) for where in _COLUMNS.values()]
    csv.writer(out, lineterminator="").writerow([row.position, *cells])
    return out.getvalue()


def readable(row: Row) -> str:
    """One event in words: position, time, source, type, and what it is about."""
    event = json.loads(row.line)
    media_s = event["time"]["media_s"]
    when = event["time"].get("utc") or f"{media_s:.3f} s of {event['source']['id']}"
    about = [_at(event, where) for where in ("rule.id", "rule.direction", "object.class")]
    if "count" in event and "rule" in event:
        about.append(f"in {event['count']['in']} out {event['count']['out']}")
    about += [event[name] for name in ("reason", "end_reason") if name in event]
    about += [f"{name} {event[name]}" for name in ("gap_s", "frames", "step_s") if name in event]
    if "lost" in event:
        about.append(f"{event['lost']['events']} events")
    words = [event["source"]["id"], event["type"], *map(str, about)]
    return f"{row.position:>8}  {when}  {' '.join(word for word in words if word)}"


def totals_table(found: list[RuleTotals]) -> Table:
    """Totals with a line for each class."""
    table = Table()
    for heading in ("source", "rule", "class", "in", "out", "net", "since"):
        right = heading in ("in", "out", "net")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for each in found:
        tally, head = each.tally, (each.source_id, each.rule_id)
        classes = {"all": (tally.count_in, tally.count_out), **tally.by_class}
        for name, (ins, outs) in classes.items():
            numbers = (str(ins), str(outs), str(ins - outs))
            table.add_row(*head, name, *numbers, _when(tally.since_utc_s, "the beginning"))
            head = ("", "")
    return table


def total_dict(each: RuleTotals) -> dict[str, Any]:
    """Totals of one rule for JSON."""
    tally = each.tally
    return {
        "source": each.source_id,
        "source_key": each.source_key,
        "rule": each.rule_id,
        "in": tally.count_in,
        "out": tally.count_out,
        "net": tally.count_in - tally.count_out,
        "by_class": {n: {"in": ins, "out": outs} for n, (ins, outs) in tally.by_class.items()},
        "since": None if tally.since_utc_s is None else _when(tally.since_utc_s),
    }


def audit_dict(found: Audit) -> dict[str, Any]:
    """An audit for JSON."""
    rules = [asdict(rule) | {"is_balanced": rule.is_balanced} for rule in found.rules]
    return {"is_balanced": found.is_balanced} | asdict(found) | {"rules": rules}


def audit_text(found: Audit) -> str:
    """An audit in sentences, what is wrong first."""
    lines = [f"damage: {text}" for text in found.damage]
    lines += [text for rule in found.rules for text in _rule_text(rule)]
    lines += [
        f"missing: {each.source_id}: seq {each.first_seq} to {each.last_seq}, "
        + ("as an events_lost event states" if each.is_explained else "and nothing says why")
        for each in found.missing
    ]
    lines += [f"lost: {name}: {count} events, stated" for name, count in found.lost.items()]
    for gap in found.gaps:
        until = "until now" if gap.end_unix_s is None else f"to {_when(gap.end_unix_s)}"
        how_long = "" if gap.gap_s is None else f" ({gap.gap_s:.1f} s)"
        start = _when(gap.start_unix_s)
        lines.append(f"gap: {gap.source_id}: {start} {until}{how_long}: {gap.reason}")
    lines += [f"dead letters: {sink}: {count}" for sink, count in found.dead_letters.items()]
    lines += [
        f"dropped: {sink}: {count} events were deleted before it had them"
        for sink, count in found.dropped.items()
    ]
    verdict = "balanced" if found.is_balanced else "NOT BALANCED"
    return "\n".join([*lines, f"{found.events} events, {len(found.rules)} totals: {verdict}"])


def _rule_text(rule: RuleAudit) -> Iterator[str]:
    name = f"{rule.source_id} {rule.rule_id}"
    if not rule.is_current:
        name += " (before it was changed)"
    summed = (rule.base[0] + rule.deltas[0], rule.base[1] + rule.deltas[1])
    if rule.is_balanced:
        yield f"total: {name}: in {rule.total[0]} out {rule.total[1]} = sum of the events"
        return
    if rule.total != summed:
        yield (
            f"wrong: {name}: in {rule.total[0]} out {rule.total[1]}, but the events add up to "
            f"in {summed[0]} out {summed[1]}"
        )
    if rule.total != rule.classed:
        yield (
            f"wrong: {name}: in {rule.total[0]} out {rule.total[1]}, but its classes add up to "
            f"in {rule.classed[0]} out {rule.classed[1]}"
        )
    if rule.shown not in (None, rule.total):
        yield (
            f"wrong: {name}: in {rule.total[0]} out {rule.total[1]}, but the newest event says "
            f"in {rule.shown[0]} out {rule.shown[1]}"
        )


def _at(event: dict[str, Any], where: str) -> Any:
    value: Any = event
    for key in where.split("."):
        value = value.get(key, {})
    return "" if value in ({}, None) else value


def _when(unix_s: float | None, otherwise: str = "unknown") -> str:
    if unix_s is None:
        return otherwise
    at = datetime.fromtimestamp(round(unix_s, 3), timezone.utc)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
