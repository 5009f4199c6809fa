"""The report as one HTML page that needs nothing else: no script, no request, no other file.

Names of rules, sources and devices come from others: everything is escaped. Imports its own folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from itertools import count

from edge.report.calendar import interval_text, seconds_text
from edge.report.sections import WELL_SEEN, sections, signed
from edge.report.style import CSS
from edge.report.summary import Rule, Source, Summary, Zone
from edge.types import U8

_MOST_DIGITS = 10  # of the numbers of a card, side by side and large
# Nothing may load from anywhere, whatever a name contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(summary: Summary, version: str, backgrounds: Mapping[str, U8] | None = None) -> str:
    """The report.

    Args:
        summary: what it says.
        version: of the program, for the last line.
        backgrounds: pictures of the view, BGR uint8 (H, W, 3), by source id.
    """
    names = ", ".join(source.label for source in summary.sources) or "no events"
    numbers = count(1)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Count report: {escape(names)}</title><style>{CSS}</style></head><body><main>",
        f"<header><h1>Count report: {escape(names)}</h1>",
        *_head(summary),
        "</header>",
        *_cards(summary),
    ]
    for source in summary.sources:
        background = (backgrounds or {}).get(source.id)
        heading = source.label if len(summary.sources) > 1 else "Over time"
        parts += sections(source, heading, background, numbers)
    parts += [
        f"<footer><p>{summary.events:,} events, counts per "
        f"{interval_text(summary.interval_s).removeprefix('1 ')}. "
        "Of a line, in is a passage from the left to the right of someone who stands at its start "
        "and looks along it. Every number is the sum of count.delta of the events; a passage that "
        f"was taken back is not in it.</p><p>Made by edgecount {escape(version)}.</p></footer>",
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(summary: Summary) -> Iterator[str]:
    for source in summary.sources:
        when, zone = source.calendar.when, f" ({summary.zone})" if source.is_live else ""
        span = f"{when(source.first_s)} to {when(source.last_s)}{zone}"
        name = f"{source.label}: " if len(summary.sources) > 1 else ""
        what = "" if source.is_live else "recording, "
        yield f"<p class=soft>{escape(name)}{what}{escape(span)}, {_seen(source)}</p>"
    warnings = [*summary.notes, *(text for s in summary.sources for text in _warnings(s))]
    if not summary.sources:
        warnings.append("There are no events: nothing was counted, or this is the wrong file.")
    if warnings:
        items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
        yield f"<div class=warn role=note><strong>Mind this</strong><ul>{items}</ul></div>"


def _seen(source: Source) -> str:
    if source.observed >= 0.9995:
        return "seen all the time"
    return f"seen {100 * source.observed:.1f} % of the time"


def _warnings(source: Source) -> Iterator[str]:
    name = source.label
    lost = [gap for gap in source.gaps if gap.end_unix_s is None]
    if lost:
        since = source.calendar.when(lost[-1].start_unix_s)
        yield f"{name} is lost since {since}: {lost[-1].reason}."
    if source.observed < WELL_SEEN and source.last_s > source.first_s:
        span_s = (1 - source.observed) * (source.last_s - source.first_s)
        many = f" in {len(source.gaps)} gaps" if len(source.gaps) > 1 else ""
        how_long = f"{seconds_text(span_s)}{many}"
        yield f"{name} was not seen for {how_long}: who passed then is not counted."
    if source.lost_events:
        yield (
            f"{name}: {source.lost_events} events were lost when the disk was full; "
            "their counts are in the totals, with an unknown class."
        )
    for rule in source.rules:
        if not rule.is_current and not source.is_live:
            continue  # a recording was counted again, in part with events that are known
        if rule.missing != (0, 0):
            yield (
                f"{name}, {rule.title}: events are missing here. The counter counted "
                f"{rule.missing[0]:+} {rule.words[0]} and {rule.missing[1]:+} {rule.words[1]} "
                "besides what they say."
            )
        if rule.is_current and rule.stated and rule.carried != (0, 0):
            yield (
                f"{name}, {rule.title}: the counter began before these events, and shows "
                f"{rule.stated[0]:,} {rule.words[0]}, {rule.stated[1]:,} {rule.words[1]}"
                f"{_since(rule)}."
            )
        if rule.restarts:
            yield (
                f"{name}, {rule.title}: the counter began again at 0 {rule.restarts} times; "
                "the numbers here go on over that."
            )


def _since(rule: Rule) -> str:
    return f" since {rule.since}" if rule.since else ""


def _cards(summary: Summary) -> Iterator[str]:
    yield "<section aria-labelledby=totals><h2 id=totals class=aloud>Totals</h2>"
    for source in summary.sources:
        if len(summary.sources) > 1:
            yield f"<h3>{escape(source.label)}</h3>"
        rules = [rule for rule in source.rules if rule.is_current]
        if rules:
            yield "<ul class=cards>"
            yield from (_card(source, rule) for rule in sorted(rules, key=lambda r: r.kind))
            yield "</ul>"
        else:
            yield "<p>No line and no zone: nothing was counted.</p>"
    yield "</section>"


def _card(source: Source, rule: Rule) -> str:
    zone = next((z for z in source.zones if z.id == rule.id), None)
    numbers = [
        ("in", rule.ways[0], f"{rule.count_in:,}"),
        ("out", rule.ways[1], f"{rule.count_out:,}"),
    ]
    if rule.kind == "line":
        numbers.append(("net", "net", signed(rule.net)))
    elif zone is not None and zone.inside is not None:
        numbers.append(("net", "inside", f"{zone.inside:,}"))
    divs = "".join(
        f"<div class={style}><dt>{escape(name)}</dt><dd>{value}</dd></div>"
        for style, name, value in numbers
    )
    is_long = sum(len(value) for _, _, value in numbers) > _MOST_DIGITS
    asides = [*_busiest(source, rule), *(_stays(zone) if zone is not None else ())]
    return (
        f"<li class=card><h3>{escape(rule.title)} <span class=kind>{escape(rule.kind)}</span></h3>"
        f'<dl class="numbers{" long" if is_long else ""}">{divs}</dl>'
        + "".join(f"<p class=soft>{escape(text)}</p>" for text in asides)
        + "</li>"
    )


def _busiest(source: Source, rule: Rule) -> Iterator[str]:
    found = rule.busiest()
    if found and source.calendar.interval_s >= 60 and rule.kind == "line":
        start, passages = found
        length = interval_text(source.calendar.interval_s).removeprefix("1 ")
        yield f"busiest {length}: {source.calendar.label(start)}, {passages:,} passages"


def _stays(zone: Zone) -> Iterator[str]:
    if len(zone.dwells_s):
        half, longest = seconds_text(zone.quantile_s(0.5)), seconds_text(float(zone.dwells_s[-1]))
        yield f"half of all stays up to {half}, longest {longest}"
    if zone.most:
        yield f"most at once: {zone.most[0]}"
