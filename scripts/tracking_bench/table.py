"""Tables for people, and how far ours is on the way from the best rival to the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.evaluate.tracks import TrackQuality

OURS, SEEN, ORACLE = "ours", "ours-seen", "oracle"


@dataclass(frozen=True, slots=True)
class Row:
    """One tracker on one stream and class."""

    stream: str
    class_name: str
    tracker: str
    quality: TrackQuality
    ms: float  # a frame
    fps: float | None = None  # what the tracker was told, where that is a choice
    count_error: float | None = None  # share of the true passages, where lines were counted


@dataclass(frozen=True, slots=True)
class Target:
    """Ours against the best other tracker and the oracle, HOTA in points."""

    stream: str
    class_name: str
    best_rival: str
    rival: float
    oracle: float
    ours: float

    @property
    def half_way(self) -> float:
        """What ours should reach."""
        return (self.rival + self.oracle) / 2

    @property
    def is_reached(self) -> bool:
        """Whether it does, to a tenth of a point, as printed."""
        return round(self.ours, 1) >= round(self.half_way, 1)


def tables(rows: Sequence[Row]) -> list[str]:
    """One text for each stream and class, the best tracker first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.stream, row.class_name), []).append(row)
    return [_table(stream, name, its) for (stream, name), its in groups.items()]


def _table(stream: str, class_name: str, rows: Sequence[Row]) -> str:
    quality = rows[0].quality
    counted = any(r.count_error is not None for r in rows)
    title = f"{stream}, {class_name}: {quality.truth_ids} objects, {quality.truth_boxes} times seen"
    head = (
        f"  {'tracker':<10} {'fps':>5} {'HOTA':>6} {'DetA':>6} {'AssA':>6} {'IDF1':>6} {'MOTA':>6}"
    )
    head += f" {'IDSW':>5} {'Frag':>5} {'ms/frame':>8}" + ("  count error" if counted else "")
    lines = [title, head]
    for r in sorted(rows, key=lambda r: -r.quality.hota):
        q = r.quality
        shares = " ".join(f"{100 * v:6.1f}" for v in (q.hota, q.det_a, q.ass_a, q.idf1, q.mota))
        fps = f"{r.fps:5.3g}" if r.fps else "     "
        ms = "       -" if r.tracker == ORACLE else f"{r.ms:8.2f}"
        line = f"  {r.tracker:<10} {fps} {shares} {q.id_switches:5d} {q.fragmentations:5d} {ms}"
        if counted:
            line += "            -" if r.count_error is None else f"{100 * r.count_error:11.1f} %"
        lines.append(line)
    return "\n".join(lines)


def targets(rows: Sequence[Row]) -> list[Target]:
    """For each stream and class with ours, the oracle and another tracker."""
    found = []
    for stream, class_name in dict.fromkeys((r.stream, r.class_name) for r in rows):
        its = [r for r in rows if (r.stream, r.class_name) == (stream, class_name)]
        named = {r.tracker: 100 * r.quality.hota for r in its}
        others = {n: h for n, h in named.items() if n not in (OURS, SEEN, ORACLE)}
        if OURS in named and ORACLE in named and others:
            best = max(others, key=lambda n: others[n])
            target = Target(stream, class_name, best, others[best], named[ORACLE], named[OURS])
            found.append(target)
    return found


def target_lines(found: Sequence[Target]) -> list[str]:
    """HOTA to reach, and whether it is."""
    head = f"{'HOTA':<12} {'class':<7} {'best rival':<16} {'oracle':>7} {'half-way':>9} {'ours':>6}"
    lines = [head] if found else []
    for t in found:
        rival = f"{t.best_rival} {t.rival:.1f}"
        verdict = "reached" if t.is_reached else f"not reached: {t.ours - t.half_way:+.1f}"
        lines.append(
            f"{t.stream:<12} {t.class_name:<7} {rival:<16} {t.oracle:7.1f} {t.half_way:9.1f} "
            f"{t.ours:6.1f}  {verdict}"
        )
    return lines
