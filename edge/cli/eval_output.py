"""How `edge eval` shows its numbers: tables and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

from edge.errors import SinkError
from edge.evaluate.confusion import Confusion
from edge.evaluate.counts import CountQuality, LineTotals
from edge.evaluate.crossings import MatchQuality
from edge.evaluate.masks import MIN_SCORE, MaskQuality, Quality
from edge.evaluate.tracks import TrackQuality


class OptionalJson(TyperCommand):
    """A command whose `--json` may stand alone: `--json` is `--json -`.

    As neither click's optional values nor a flag are open to typer, the arguments are completed.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments after putting `-` behind a bare `--json`."""
        has_arguments = any(p.param_type_name == "argument" for p in self.params)
        full = []
        for k, argument in enumerate(args):
            full.append(argument)
            following = args[k + 1] if k + 1 < len(args) else "--"
            # Beside arguments only what looks like one is the value, and not the argument itself.
            is_value = following == "-" or (
                following.endswith(".json") if has_arguments else not following.startswith("-")
            )
            if argument == "--json" and not is_value:
                full.append("-")
        parsed: list[str] = super().parse_args(ctx, full)
        return parsed


def give(json_file: str, data: Any, tables: Sequence[Table], notes: Sequence[str] = ()) -> None:
    """Print the tables, and write the data where it is wanted; `-`: data to stdout, no tables."""
    text = json.dumps(plain(data), indent=2) + "\n"
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


def mask_json(quality: MaskQuality, setting: Mapping[str, Any]) -> dict[str, Any]:
    """The same numbers as one object: `per_class.<name>`, `mean`, `total`, `by_size`, ..."""
    c = quality.confusion
    return {
        "setting": dict(setting),
        "per_class": {q.name: _numbers(q) for q in quality.classes},
        "mean": _numbers(quality.mean),
        "total": _numbers(quality.total),
        "by_size": {q.name: _numbers(q) for q in quality.sizes},
        "confusion": {
            "classes": list(c.names),
            "matrix": c.matrix.tolist(),
            "missed": c.missed.tolist(),
            "false": c.false.tolist(),
        },
        "pictures": quality.pictures,
        "notes": list(quality.notes),
    }


def _numbers(quality: Quality) -> dict[str, Any]:
    numbers = asdict(quality)
    del numbers["name"]
    return numbers


def mask_tables(quality: MaskQuality) -> list[Table]:
    """By class, by size, and who was taken for whom."""
    return [_class_table(quality), _size_table(quality), _confusion_table(quality.confusion)]


def _class_table(quality: MaskQuality) -> Table:
    title = f"{len(quality.pictures)} pictures; columns from P on at score {MIN_SCORE}, box IoU .5"
    names = ["AP", "AP50", "AP75", "box-AP", "box-AP50", "P", "R", "IoU", "Dice", "boundary-IoU"]
    table = _table(title, ["class", "truth", *names, "matched", "merged", "split"])
    for q in (quality.total, quality.mean, *quality.classes):
        aps = (q.mask_ap, q.mask_ap50, q.mask_ap75, q.box_ap, q.box_ap50)
        rest = (q.precision, q.recall, q.mean_mask_iou, q.mean_dice, q.boundary_iou)
        counts = map(str, (q.matched, q.merged, q.split))
        table.add_row(q.name, str(q.truth), *map(_share, (*aps, *rest)), *counts)
    return table


def _size_table(quality: MaskQuality) -> Table:
    names = ["AP", "box-AP", "R", "IoU", "Dice", "boundary-IoU", "matched"]
    known = [q for q in quality.classes if q.truth]
    table = _table("By size", ["size", "truth", *names, *(f"AP {q.name}" for q in known)])
    for q in quality.sizes:
        shares = (q.mask_ap, q.box_ap, q.recall, q.mean_mask_iou, q.mean_dice, q.boundary_iou)
        of_classes = (getattr(c, f"mask_ap_{q.name}") for c in known)
        row = [q.name, str(q.truth), *map(_share, shares), str(q.matched)]
        table.add_row(*row, *map(_share, of_classes))
    return table


def _confusion_table(confusion: Confusion) -> Table:
    """Classes that occur; the rest would be zeros."""
    occurs = confusion.matrix.sum(0) + confusion.matrix.sum(1) + confusion.missed + confusion.false
    shown = [k for k, n in enumerate(occurs.tolist()) if n]
    names = [confusion.names[k] for k in shown]
    title = "Confusion at mask IoU .5: true in rows, predicted in columns"
    table = _table(title, ["", *names, "missed"])
    for k in shown:
        row = [*confusion.matrix[k, shown].tolist(), int(confusion.missed[k])]
        table.add_row(confusion.names[k], *map(str, row))
    table.add_row("false", *(str(int(confusion.false[k])) for k in shown), "")
    return table


TracksJudged = Mapping[str, tuple[TrackQuality, Mapping[str, TrackQuality]]]  # all, by sequence


def track_json(judged: TracksJudged, of_masks: bool) -> dict[str, Any]:
    """`<class>`: the numbers over all sequences; `sequences.<name>.<class>`: those of each."""
    sequences: dict[str, dict[str, Any]] = {}
    for class_name, (_, each) in judged.items():
        for name, quality in each.items():
            sequences.setdefault(name, {})[class_name] = _track_numbers(quality, of_masks)
    whole = {name: _track_numbers(q, of_masks) for name, (q, _) in judged.items()}
    return whole | {"sequences": sequences}


def _track_numbers(quality: TrackQuality, of_masks: bool) -> dict[str, Any]:
    """With the names that these numbers have for masks, beside those of the fields."""
    numbers = asdict(quality)
    if of_masks:
        numbers |= {"motsa": quality.mota, "smotsa": quality.smota}
    return numbers


def track_table(judged: TracksJudged, of_masks: bool) -> Table:
    """A row for each class, and under it one for each sequence if there are several."""
    mota = ["MOTSA", "sMOTSA"] if of_masks else ["MOTA", "sMOTA"]
    shares = ["HOTA", "DetA", "AssA", "LocA", "IDF1", "IDP", "IDR", *mota, "P", "R"]
    table = _table("Tracks", ["class", *shares, "IDSW", "Frag", "MT", "ML", "ids"])
    for class_name, (whole, each) in judged.items():
        rows = {class_name: whole}
        if len(each) > 1:
            rows |= {f"  {name}": q for name, q in each.items() if q.truth_boxes + q.tracked_boxes}
        for name, q in rows.items():
            over = (q.hota, q.det_a, q.ass_a, q.loc_a, q.idf1, q.id_precision, q.id_recall)
            clear = (q.mota, q.smota, q.precision, q.recall)
            counted = (q.id_switches, q.fragmentations, q.mostly_tracked, q.mostly_lost)
            table.add_row(name, *map(_share, (*over, *clear)), *map(str, (*counted, q.truth_ids)))
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


def plain(value: Any) -> Any:
    """JSON has no NaN: what is not defined becomes null."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
