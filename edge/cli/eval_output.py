"""How `edge eval` shows its numbers: tables and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from edge.errors import SinkError
from edge.evaluate.counts import CountQuality, LineTotals
from edge.evaluate.crossings import MatchQuality
from edge.evaluate.masks import MIN_SCORE, MaskQuality, Quality
from edge.evaluate.tracks import TrackQuality


def give(json_file: str, data: Any, tables: Sequence[Table], notes: Sequence[str] = ()) -> None:
    """Print the tables, and write the data where it is wanted; `-`: data to stdout, no tables."""
    text = json.dumps(_plain(data), indent=2) + "\n"
    if json_file == "-":
        typer.echo(text, nl=False)
        return
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    for table in tables:
        console.print(table)
    for note in notes:
        console.print(f"Note: {note}.", markup=False)
    if json_file:
        write(Path(json_file), text)


def write(path: Path, content: str | bytes) -> None:
    """Write a file, and the folders that it needs.

    Raises:
        SinkError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise SinkError(f"{path}: expected a place to write, got {error.strerror}") from error


def mask_tables(quality: MaskQuality) -> list[Table]:
    """By class and by size."""
    title = f"{len(quality.pictures)} pictures; columns from P on at score {MIN_SCORE}, box IoU .5"
    rows = [quality.total, *quality.classes]
    return [_mask_table(title, "class", rows), _mask_table("By size", "size", quality.sizes)]


def _mask_table(title: str, first: str, rows: Sequence[Quality]) -> Table:
    names = ["AP", "AP50", "AP75", "box-AP", "box-AP50", "P", "R", "IoU", "Dice", "boundary-IoU"]
    table = _table(title, [first, "truth", *names, "matched"])
    for q in rows:
        aps = (q.ap, q.ap50, q.ap75, q.box_ap, q.box_ap50)
        rest = (q.precision, q.recall, q.mask_iou, q.dice, q.boundary_iou)
        table.add_row(q.name, str(q.truth), *map(_share, (*aps, *rest)), str(q.matched))
    return table


def track_table(qualities: Mapping[str, TrackQuality], smota: str) -> Table:
    """One row a class."""
    shares = ["HOTA", "DetA", "AssA", "LocA", "IDF1", "IDP", "IDR", "MOTA", smota, "P", "R"]
    table = _table("Tracks", ["class", *shares, "IDSW", "frag", "MT", "ML", "ids"])
    for name, q in qualities.items():
        over = (q.hota, q.det_a, q.ass_a, q.loc_a, q.idf1, q.id_precision, q.id_recall)
        clear = (q.mota, q.smota, q.precision, q.recall)
        whole = (q.id_switches, q.fragmentations, q.mostly_tracked, q.mostly_lost, q.truth_ids)
        table.add_row(name, *map(_share, (*over, *clear)), *map(str, whole))
    return table


def count_table(quality: CountQuality) -> Table:
    """Got and true counts of each line."""
    title = (
        f"Counts: directional error {_percent(quality.directional_error)}, "
        f"bias {_percent(quality.bias, signed=True)}"
    )
    table = _table(title, ["line", "in", "true in", "out", "true out", "wrong"])
    for c in quality.lines:
        row = (c.got_in, c.truth_in, c.got_out, c.truth_out, c.wrong)
        table.add_row(c.line, *map(str, row))
    return table


def match_table(matched: Sequence[MatchQuality], tolerance_s: float) -> Table:
    """Single events of each line."""
    table = _table(
        f"Events within {tolerance_s:g} s",
        ["line", "matched", "missed", "spurious", "P", "R", "F1", "time error"],
    )
    for m in matched:
        error = "-" if math.isnan(m.time_error_s) else f"{m.time_error_s:.2f} s"
        shares = map(_share, (m.precision, m.recall, m.f1))
        table.add_row(m.line, str(m.matched), str(m.missed), str(m.spurious), *shares, error)
    return table


def truth_table(totals: LineTotals) -> Table:
    """True counts alone."""
    table = _table("True crossings", ["line", "in", "out"])
    for name, total in totals.items():
        table.add_row(name, str(total["in"]), str(total["out"]))
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for k, name in enumerate(columns):
        table.add_column(name, justify="right" if k else "left", no_wrap=True)
    return table


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _percent(value: float, signed: bool = False) -> str:
    return "-" if math.isnan(value) else f"{100 * value:{'+' if signed else ''}.1f} %"


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not defined becomes null."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
