"""What the page says of one source: charts, tables, heatmap. Imports its own folder.

Everything that comes from events is escaped.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape

from edge.report import charts
from edge.report.calendar import interval_text, seconds_text
from edge.report.drawing import Drawing, svg
from edge.report.heatmap import heatmap
from edge.report.raster import encoded
from edge.report.summary import Rule, Source
from edge.types import U8

WELL_SEEN = 0.995  # share of the time; less is said
_MOST_ROWS = 500  # of a table; the CSV has all
_MOST_FLOWS = 10  # at once; the others on demand
_FLAGS = {
    "occluded": "something in front hid part of the object",
    "merged": "it had melted into one with a neighbour",
    "border": "it touched the border of the picture",
    "foot_inferred": "its foot was hidden, and inferred",
}

Cell = str | int | float | None


def sections(
    source: Source, heading: str, background: U8 | None, numbers: Iterator[int]
) -> Iterator[str]:
    """All about one source, as HTML; `numbers` name its charts."""
    yield f"<section><h2>{escape(heading)}</h2>"
    current = [rule for rule in source.rules if rule.is_current]
    for rule in current:
        yield _figure(charts.passages(source, rule), numbers)
    if former := [rule for rule in source.rules if not rule.is_current and rule.counts]:
        yield "<details><summary>Before lines or zones were moved</summary>"
        for rule in former:
            yield f"<h3>{escape(_title(rule))}</h3>"
            yield _figure(charts.passages(source, rule), numbers)
        yield "</details>"
    if current:
        yield from _interval_table(source, current)
        yield from _totals(source)
    yield from _zones(source, numbers)
    yield from _flows(source)
    yield from _heat(source, background)
    yield from _observed(source, numbers)
    yield from _quality(source)
    yield from _origin(source)
    yield "</section>"


def _title(rule: Rule) -> str:
    return rule.title if rule.is_current else f"{rule.title} (before it was moved, {rule.part})"


def _figure(drawing: Drawing, numbers: Iterator[int]) -> str:
    heading = f"<figcaption>{escape(drawing.title)}</figcaption>"
    return f"<figure>{heading}{svg(drawing, f'chart{next(numbers)}')}</figure>"


def _interval_table(source: Source, rules: Sequence[Rule]) -> Iterator[str]:
    headings = ["from", *(f"{r.title} {way}" for r in rules for way in r.words), "seen"]
    rows: list[list[Cell]] = []
    for start in source.starts[:_MOST_ROWS]:
        counts = [rule.in_interval(start, way) for rule in rules for way in ("in", "out")]
        seen = f"{100 * source.coverage.get(start, 0.0):.0f} %"
        rows.append([source.calendar.label(start), *counts, seen])
    caption = f"Counts per {interval_text(source.calendar.interval_s).removeprefix('1 ')}"
    if len(source.starts) > _MOST_ROWS:
        caption += f": the first {_MOST_ROWS} of {len(source.starts)}, edge report --csv has all"
    yield f"<details><summary>As a table</summary>{_table(caption, headings, rows, 1)}</details>"


def _totals(source: Source) -> Iterator[str]:
    rows: list[list[Cell]] = []
    for rule in source.rules:
        head = _title(rule)
        if rule.in_name or rule.out_name:
            head += f" (in: {rule.ways[0]}, out: {rule.ways[1]})"
        names = [name or "unknown" for name in rule.classes]
        if len(names) != 1:
            rows.append([head, "all", rule.count_in, rule.count_out, signed(rule.net)])
            head = ""
        for name, shown in zip(rule.classes, names, strict=True):
            ins, outs = rule.of("in", name), rule.of("out", name)
            rows.append([head, shown, ins, outs, signed(ins - outs)])
            head = ""
    yield "<h3>Totals by class</h3>"
    kinds = dict.fromkeys(rule.words for rule in sorted(source.rules, key=lambda r: r.kind))
    heads = ["rule", "class", *(" / ".join(way) for way in zip(*kinds, strict=True)), "net"]
    yield _table("Passages of lines, entries and exits of zones", heads, rows, 2)


def _zones(source: Source, numbers: Iterator[int]) -> Iterator[str]:
    titles = {rule.id: rule.title for rule in source.rules}
    rows: list[list[Cell]] = []
    for zone in source.zones:
        shares = (0.25, 0.5, 0.75, 0.9, 1.0)
        stays: list[Cell] = (
            [seconds_text(zone.quantile_s(share)) for share in shares]
            if len(zone.dwells_s)
            else [None] * len(shares)
        )
        crowded = (
            f"{zone.overcrowded}, {seconds_text(zone.overcrowded_s)}" if zone.overcrowded else 0
        )
        rows.append(
            [titles.get(zone.id, zone.id), len(zone.dwells_s), *stays, zone.cut_stays, crowded]
        )
    if not rows:
        return
    yield "<h3>Time spent in zones</h3>"
    heads = ["zone", "stays", "25 % up to", "half up to", "75 % up to", "90 % up to", "longest"]
    yield _table("Stays that were seen to end", [*heads, "cut off", "overcrowded"], rows, 1)
    for zone in source.zones:
        title = titles.get(zone.id, zone.id)
        if len(zone.dwells_s):
            yield _figure(charts.dwell(zone, title), numbers)
        yield _figure(charts.occupancy(source, zone, title), numbers)


def _flows(source: Source) -> Iterator[str]:
    if not source.flows:
        return
    flows = sorted(source.flows.items(), key=lambda flow: (-flow[1], flow[0]))
    rows: list[list[Cell]] = [[source.title_of(a), source.title_of(b), n] for (a, b), n in flows]
    yield "<h3>From where to where</h3>"
    caption = "How often a track passed one and then the other, without an interruption"
    heads = ["from", "to", "times"]
    yield _table(caption, heads, rows[:_MOST_FLOWS], 2)
    if rest := rows[_MOST_FLOWS : _MOST_FLOWS + _MOST_ROWS]:
        table = _table("Less often", heads, rest, 2)
        yield f"<details><summary>{len(rows) - _MOST_FLOWS} more</summary>{table}</details>"


def _heat(source: Source, background: U8 | None) -> Iterator[str]:
    if source.feet is None or not source.feet.size:
        return
    image = b64encode(encoded(heatmap(source.feet, background), ".jpg")).decode()
    number = int(source.feet.sum())
    yield "<h3>Where people stood</h3><figure>"
    yield f'<img src="data:image/jpeg;base64,{image}" alt="Heatmap of the picture: {number} feet">'
    yield (
        f"<figcaption>{number:,} feet in the picture; few <span class=heat></span> many"
        "</figcaption></figure>"
    )


def _observed(source: Source, numbers: Iterator[int]) -> Iterator[str]:
    if not source.is_live and source.observed > WELL_SEEN:
        return
    yield "<h3>What was seen</h3>"
    yield _figure(charts.coverage(source), numbers)
    when = source.calendar.when
    rows: list[list[Cell]] = [
        [
            when(gap.start_unix_s),
            "not over yet" if gap.end_unix_s is None else when(gap.end_unix_s),
            None if gap.gap_s is None else seconds_text(gap.gap_s),
            gap.reason,
        ]
        for gap in source.gaps[:_MOST_ROWS]
    ]
    if rows:
        more = (
            ""
            if len(source.gaps) <= _MOST_ROWS
            else f": the first {_MOST_ROWS} of {len(source.gaps)}"
        )
        yield _table(f"Gaps{more}", ["from", "to", "for", "reason"], rows, 4)


def _quality(source: Source) -> Iterator[str]:
    rows: list[list[Cell]] = [
        [flag, _FLAGS.get(flag, ""), n, f"{100 * n / source.judged:.0f} %"]
        for flag, n in sorted(source.flags.items(), key=lambda item: -item[1])
    ]
    befell = {
        "frames left out because newer ones came first": source.frames_dropped,
        "events lost": source.lost_events,
        "times the clock was set": source.clock_steps,
    }
    rows += [["", what, n, None] for what, n in befell.items() if n]
    if rows:
        yield "<h3>How sure the counts are</h3>"
        caption = f"Of {source.judged:,} counted passages, entries and exits, in the deciding frame"
        yield _table(caption, ["flag", "meaning", "number", "share"], rows, 2)


def _origin(source: Source) -> Iterator[str]:
    rows: list[list[Cell]] = []
    for maker in source.makers:
        rows += [["device", maker.device], ["edgecount", maker.app], ["provider", maker.provider]]
        rows.append(["model (SHA-256)", maker.model_sha256])
    rows += [
        [f"config of {_title(r)}", ", ".join(r.config_revs)] for r in source.rules if r.is_current
    ]
    rows.append(["source", f"{source.id}, {source.kind}, {source.sessions} sessions"])
    if source.size:
        rows.append(["picture", f"{source.size[0]} x {source.size[1]} px"])
    yield "<h3>Where the numbers come from</h3>"
    yield _table("What made them", ["", ""], [row for row in rows if row[1]], 2)


def signed(value: int) -> str:
    """A number with its sign.

    >>> signed(1234), signed(0)
    ('+1,234', '0')
    """
    return f"{value:+,}".replace("-", "\u2212") if value else "0"


def _table(
    caption: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], words: int
) -> str:
    """A table whose first column names its rows; what comes after so many `words` is numbers."""
    head = "".join(
        f"<th scope=col{' class=n' if k >= words else ''}>{escape(text)}</th>"
        for k, text in enumerate(headings)
    )
    body = "".join(
        f"<tr>{''.join(_cell(value, k, k >= words) for k, value in enumerate(row))}</tr>"
        for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if any(headings) else ""
    return (
        f"<div class=scroll><table><caption>{escape(caption)}</caption>{top}"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: Cell, column: int, is_number: bool) -> str:
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    style = " class=n" if is_number else ""
    return (
        f"<th scope=row>{escape(text)}</th>" if column == 0 else f"<td{style}>{escape(text)}</td>"
    )
