"""The charts of a report: passages, occupancy, dwell, coverage. Imports numpy, its own folder."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edge.report.calendar import interval_text, seconds_text
from edge.report.drawing import Drawing, Path, Rect, Text
from edge.report.summary import Rule, Source, Zone

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 860, 44, 10, 20, 24
_MOST_BARS = 400  # more are joined: a screen has no more pixels
_DWELL_EDGES_S = (0, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)


def passages(source: Source, rule: Rule) -> Drawing:
    """Passages of a rule by interval: in upwards, out downwards; grey where nothing was seen."""
    groups = _groups(source.starts)
    ins, outs = (
        [sum(rule.in_interval(s, way) for s in g) for g in groups] for way in ("in", "out")
    )
    most_in, most_out = _nice(max(ins, default=0)), _nice(max(outs, default=0))
    names = rule.ways
    drawing = _drawing(
        f"{rule.title}: {'entries and exits' if rule.kind == 'zone' else 'passages'} per "
        f"{interval_text(source.calendar.interval_s).removeprefix('1 ')}",
        f"{rule.count_in} {names[0]}, {rule.count_out} {names[1]} in {len(source.starts)} "
        f"intervals of {interval_text(source.calendar.interval_s)}.",
        height=220 if most_in and most_out else 160,
    )
    plot = drawing.height - TOP - BOTTOM
    unit = plot / max(1, most_in + most_out)
    zero = TOP + most_in * unit
    _value_axis(drawing, zero, -unit, most_in)
    _value_axis(drawing, zero, unit, most_out)
    if source.is_live:
        _unseen(drawing, source, groups)
    step = _step(groups)
    for k, group in enumerate(groups):
        when = source.calendar.label(group[0])
        for n, style, name in ((ins[k], "in", names[0]), (outs[k], "out", names[1])):
            if n > 0:
                height = n * unit
                y = zero - height if style == "in" else zero
                drawing.shapes.append(
                    Rect(LEFT + k * step, y, _bar(step), height, style, f"{when}: {n} {name}")
                )
    drawing.shapes.append(Path([(LEFT, zero), (WIDTH - RIGHT, zero)], "axis"))
    drawing.shapes.append(Text(LEFT, 12, f"\u2191 {names[0]}", "in-label"))
    drawing.shapes.append(Text(WIDTH - RIGHT, 12, f"\u2193 {names[1]}", "out-label", "end"))
    _time_axis(drawing, source, groups)
    return drawing


def occupancy(source: Source, zone: Zone, title: str) -> Drawing:
    """How many were in a zone: the mean of each interval as bars, the most at once as a line."""
    groups = _groups(source.starts)
    mean = [float(np.mean([zone.mean.get(s, 0.0) for s in group])) for group in groups]
    peak = [max(zone.peak.get(s, 0) for s in group) for group in groups]
    most = _nice(max(peak, default=0))
    at_most = "never more than 0" if zone.most is None else f"at most {zone.most[0]}"
    drawing = _drawing(f"{title}: how many were inside", f"{at_most} at once.", 160)
    unit = (drawing.height - TOP - BOTTOM) / max(1, most)
    zero, step = drawing.height - BOTTOM, _step(groups)
    _value_axis(drawing, zero, -unit, most)
    line = []
    for k, group in enumerate(groups):
        x, height = LEFT + k * step, mean[k] * unit
        tip = f"{source.calendar.label(group[0])}: mean {mean[k]:.1f}, most {peak[k]}"
        drawing.shapes.append(Rect(x, zero - height, _bar(step), height, "in", tip))
        line += [(x, zero - peak[k] * unit), (x + step, zero - peak[k] * unit)]
    drawing.shapes.append(Path(line, "peak"))
    drawing.shapes.append(Path([(LEFT, zero), (WIDTH - RIGHT, zero)], "axis"))
    drawing.shapes.append(Text(LEFT, 12, "mean", "in-label"))
    drawing.shapes.append(Text(LEFT + 50, 12, "most at once", "peak-label"))
    _time_axis(drawing, source, groups)
    return drawing


def dwell(zone: Zone, title: str) -> Drawing:
    """How long stays in a zone were: how many lasted from one round time to the next."""
    longest_s = float(zone.dwells_s[-1])
    edges = [e for e in _DWELL_EDGES_S if e <= longest_s] or [0]
    counts = np.histogram(zone.dwells_s, [*edges, math.inf])[0].tolist()
    drawing = _drawing(
        f"{title}: how long stays were",
        f"{len(zone.dwells_s)} stays, half of them up to {seconds_text(zone.quantile_s(0.5))}, "
        f"the longest {seconds_text(longest_s)}.",
        160,
    )
    most = _nice(max(counts))
    unit = (drawing.height - TOP - BOTTOM) / most
    zero, step = drawing.height - BOTTOM, (WIDTH - LEFT - RIGHT) / max(6, len(counts))
    _value_axis(drawing, zero, -unit, most)
    for k, n in enumerate(counts):
        x, low = LEFT + k * step, seconds_text(edges[k])
        span = f"{low} to {seconds_text(edges[k + 1])}" if k + 1 < len(edges) else f"{low} and more"
        drawing.shapes.append(Rect(x, zero - n * unit, step - 3, n * unit, "in", f"{span}: {n}"))
        drawing.shapes.append(Text(x, drawing.height - 8, low))
        if n:
            drawing.shapes.append(Text(x + step / 2, zero - n * unit - 4, str(n), anchor="middle"))
    drawing.shapes.append(Path([(LEFT, zero), (WIDTH - RIGHT, zero)], "axis"))
    return drawing


def coverage(source: Source) -> Drawing:
    """What share of each interval was seen."""
    groups = _groups(source.starts)
    drawing = _drawing(
        f"{source.label}: what was seen",
        f"{100 * source.observed:.1f} % of the time from the first event to the last.",
        90,
    )
    zero, plot, step = drawing.height - BOTTOM, drawing.height - TOP - BOTTOM, _step(groups)
    for k, group in enumerate(groups):
        share = float(np.mean([source.coverage.get(s, 0.0) for s in group]))
        x, tip = LEFT + k * step, f"{source.calendar.label(group[0])}: {100 * share:.0f} % seen"
        drawing.shapes.append(Rect(x, TOP, step, plot, "unseen", tip))
        drawing.shapes.append(Rect(x, zero - share * plot, step, share * plot, "seen", tip))
    for share in (0, 1):
        y = zero - share * plot + 4
        drawing.shapes.append(Text(LEFT - 6, y, f"{100 * share} %", anchor="end"))
    _time_axis(drawing, source, groups)
    return drawing


def _drawing(title: str, description: str, height: int) -> Drawing:
    return Drawing(title, description, WIDTH, height)


def _groups(starts: Sequence[int]) -> list[Sequence[int]]:
    size = -(-len(starts) // _MOST_BARS)
    return [starts[k : k + size] for k in range(0, len(starts), size)]


def _step(groups: Sequence[Sequence[int]]) -> float:
    return (WIDTH - LEFT - RIGHT) / max(1, len(groups))


def _bar(step: float) -> float:
    return step - min(3.0, step / 4)


def _nice(most: float) -> int:
    """The least 1, 2, 3, 4, 5, 6 or 8 times a power of ten that is not less; 0 for 0."""
    if most <= 0:
        return 0
    power = int(10 ** max(0, math.floor(math.log10(most))))
    return next(n * power for n in (1, 2, 3, 4, 5, 6, 8, 10) if n * power >= most)


def _value_axis(drawing: Drawing, zero: float, unit: float, most: int) -> None:
    for value in {most, most // 2} - {0} if most % 2 == 0 else {most} - {0}:
        y = zero + value * unit
        drawing.shapes.append(Path([(LEFT, y), (WIDTH - RIGHT, y)], "grid"))
        drawing.shapes.append(Text(LEFT - 6, y + 4, str(value), anchor="end"))
    drawing.shapes.append(Text(LEFT - 6, zero + 4, "0", anchor="end"))


def _time_axis(drawing: Drawing, source: Source, groups: Sequence[Sequence[int]]) -> None:
    step = _step(groups)
    size = len(groups[0]) if groups else 1
    for k in source.calendar.ticks(list(source.starts)):
        x = LEFT + k / size * step
        drawing.shapes.append(
            Path([(x, drawing.height - BOTTOM), (x, drawing.height - BOTTOM + 5)], "axis")
        )
        is_last = x > WIDTH - 60
        text = source.calendar.short(source.starts[k])
        drawing.shapes.append(
            Text(
                x + 3 - 6 * is_last, drawing.height - 8, text, anchor="end" if is_last else "start"
            )
        )


def _unseen(drawing: Drawing, source: Source, groups: Sequence[Sequence[int]]) -> None:
    step, plot = _step(groups), drawing.height - TOP - BOTTOM
    for k, group in enumerate(groups):
        unseen = 1 - float(np.mean([source.coverage.get(s, 0.0) for s in group]))
        if unseen > 0.01:
            tip = f"{source.calendar.label(group[0])}: {100 * unseen:.0f} % not seen"
            drawing.shapes.append(
                Rect(LEFT + k * step, TOP, max(1.0, step * unseen), plot, "unseen", tip)
            )
