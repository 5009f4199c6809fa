"""`edge eval masks|tracks|counts`: quality against ground truth, as tables or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.eval_output import (
    count_table,
    give,
    mask_tables,
    match_table,
    track_table,
    truth_table,
    write,
)
from edge.cli.eval_pictures import opened_segmenter, predicted, write_overlays
from edge.config import parse_line_option
from edge.errors import ConfigError
from edge.evaluate import coco, counts, crossings, trackfiles, tracks
from edge.evaluate.masks import mask_quality

app = typer.Typer(help="Quality against ground truth: masks, tracks, counts.", no_args_is_help=True)

JsonOption = Annotated[
    str, typer.Option("--json", metavar="FILE|-", help="Also write JSON; - only, to stdout.")
]


@app.command("masks")
def masks_command(  # noqa: PLR0913
    truth: Annotated[Path, typer.Option(help="COCO instances JSON.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of its pictures; default: where it lies.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name in the catalogue, or ONNX file.")] = "",
    predictions: Annotated[
        Path | None, typer.Option(help="COCO results to judge instead of a model.")
    ] = None,
    input_size: Annotated[int, typer.Option(min=32, help="Longest side, pixels.")] = 640,
    provider: Annotated[str, typer.Option(help="Where the model runs.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the model.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="First so many pictures; 0: all.")] = 0,
    boxes_only: Annotated[bool, typer.Option("--boxes-only", help="Without masks.")] = False,
    overlays: Annotated[
        Path | None, typer.Option(help="Folder for pictures of the worst and the best.")
    ] = None,
    save_predictions: Annotated[
        Path | None, typer.Option(help="Keep the model's COCO results.")
    ] = None,
    json_file: JsonOption = "",
) -> None:
    """Judge instance masks: AP, mask IoU, Dice, boundary IoU, precision and recall."""
    if bool(model) == bool(predictions):
        raise ConfigError("edge eval masks: expected either --model or --predictions")
    if overlays and boxes_only:
        raise ConfigError("edge eval masks: expected --overlays without --boxes-only, got both")
    dataset, folder = coco.read_json(truth), images or truth.parent
    if model:
        segmenter = opened_segmenter(model, provider, threads, input_size)
        scope = coco.truth_from(dataset, segmenter.class_names, limit)
        found = predicted(segmenter, scope, folder, not boxes_only)
    else:
        scope = coco.truth_from(dataset, None, limit)
        raw = coco.read_json(predictions or Path())
        found = coco.checked_predictions(raw, dataset, not boxes_only)
    if save_predictions:
        write(save_predictions, json.dumps(found))
    quality = mask_quality(scope, found, not boxes_only)
    if overlays:
        write_overlays(overlays, scope, found, quality, folder)
    setting = {"model": model or str(predictions), "input_size": input_size, "limit": limit}
    give(json_file, asdict(quality) | {"setting": setting}, mask_tables(quality), quality.notes)


@app.command("tracks")
def tracks_command(  # noqa: PLR0913
    truth: Annotated[Path, typer.Option(help="Ground truth, or a folder of *.txt.")],
    tracked: Annotated[
        Path, typer.Option("--tracks", help="Tracks, or a folder with the same names.")
    ],
    form: Annotated[
        str, typer.Option("--format", metavar="mot|mots", help="MOTChallenge boxes or MOTS masks.")
    ] = "mot",
    frame_offset: Annotated[int, typer.Option(help="Added to the tracks' frame numbers.")] = 0,
    ignore_region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="x1,y1,x2,y2", help="Pixels; unmatched boxes standing there are dropped (mot)."
        ),
    ] = None,
    drop_flagged: Annotated[
        bool, typer.Option(help="Drop boxes on truth with flag 0 (mot); TrackEval counts them.")
    ] = False,
    json_file: JsonOption = "",
) -> None:
    """Judge tracks: HOTA, IDF1, MOTA (sMOTSA for masks), identity switches."""
    if form not in ("mot", "mots"):
        raise ConfigError(f"--format: expected mot or mots, got '{form}'")
    if form == "mots" and (ignore_region or drop_flagged):
        raise ConfigError("--ignore-region, --drop-flagged: expected --format mot, got mots")
    pairs = _file_pairs(truth, tracked)
    regions = [_region(text) for text in ignore_region or []]
    if form == "mot":
        overlaps = [
            tracks.box_overlaps(
                trackfiles.read_boxes(a),
                trackfiles.read_boxes(b),
                frame_offset,
                regions,
                drop_flagged,
            )
            for a, b in pairs
        ]
        qualities = {"all": tracks.track_quality(overlaps)}
    else:
        rows = [(trackfiles.read_masks(a), trackfiles.read_masks(b)) for a, b in pairs]
        qualities = {
            name: tracks.track_quality(
                [tracks.mask_overlaps(a, b, class_id, frame_offset) for a, b in rows]
            )
            for class_id, name in trackfiles.CLASS_NAMES.items()
            if any((a.class_ids == class_id).any() for a, _ in rows)
        }
    if not any(q.truth_boxes for q in qualities.values()):
        raise ConfigError(f"{truth}: expected objects to compare with, got none")
    found = {name: asdict(q) for name, q in qualities.items()}
    give(json_file, found, [track_table(qualities, "sMOTSA" if form == "mots" else "sMOTA")])


@app.command("counts")
def counts_command(  # noqa: PLR0913
    events: Annotated[Path | None, typer.Option(help="Events to judge, JSON Lines.")] = None,
    truth: Annotated[
        Path | None, typer.Option(help='True totals: {"line": {"in": 18, "out": 14}}.')
    ] = None,
    truth_tracks: Annotated[
        Path | None, typer.Option(help="Or MOTChallenge truth; needs --line, --size, --fps.")
    ] = None,
    line: Annotated[
        list[str] | None, typer.Option(metavar="NAME=x1,y1,x2,y2", help="0..1 of the frame.")
    ] = None,
    size: Annotated[str, typer.Option(metavar="WxH", help="Frame of the truth, pixels.")] = "",
    fps: Annotated[float, typer.Option(min=0, help="Frames a second of the truth.")] = 0,
    tolerance_s: Annotated[float, typer.Option(min=0, help="A match is no further off.")] = 1.0,
    json_file: JsonOption = "",
) -> None:
    """Judge counts: directional error and bias; with true tracks also each single event."""
    if bool(truth) == bool(truth_tracks):
        raise ConfigError("edge eval counts: expected either --truth or --truth-tracks")
    reported = counts.read_events(events) if events else None
    if truth:
        if reported is None:
            raise ConfigError("edge eval counts: expected --events beside --truth, got none")
        totals = counts.checked_totals(str(truth), coco.read_json(truth))
        quality = counts.count_quality(totals, reported)
        give(json_file, asdict(quality), [count_table(quality)], quality.notes)
        return
    frame_wh = _size(size)
    lines = [_line(text, frame_wh) for text in line or []]
    if not lines or not fps:
        raise ConfigError("--truth-tracks: expected --line and --fps beside it, got none")
    rows = trackfiles.read_boxes(truth_tracks or Path())
    true = crossings.true_crossings(rows, lines, fps, frame_wh)
    totals = counts.totals(true, [a.name for a in lines])
    if reported is None:
        give(json_file, {"truth": totals}, [truth_table(totals)])
        return
    quality = counts.count_quality(totals, reported)
    judged = [c for c in reported if c.line in totals]
    matched = crossings.match_quality(true, judged, tolerance_s)
    found = asdict(quality) | {
        "events": [
            asdict(m) | {"precision": m.precision, "recall": m.recall, "f1": m.f1} for m in matched
        ]
    }
    tables = [count_table(quality), match_table(matched, tolerance_s)]
    give(json_file, found, tables, quality.notes)


def _file_pairs(truth: Path, tracked: Path) -> list[tuple[Path, Path]]:
    """Files of truth and of tracks that belong together; those of folders by name."""
    if not truth.is_dir():
        return [(truth, tracked)]
    names = sorted(p.name for p in truth.glob("*.txt"))
    missing = [n for n in names if not (tracked / n).is_file()]
    if missing or not names:
        raise ConfigError(
            f"{tracked}: expected a file for each of {len(names)} in {truth}, "
            f"got none for {', '.join(missing) or 'any'}"
        )
    return [(truth / n, tracked / n) for n in names]


def _region(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(v) for v in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--ignore-region: expected x1,y1,x2,y2, got '{text}'") from error
    return x1, y1, x2, y2


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ConfigError(f"--size: expected WxH in pixels, as 768x576, got '{text}'")
    return int(width), int(height)


def _line(text: str, frame_wh: tuple[int, int]) -> crossings.Line:
    name, line = parse_line_option(text)
    (ax, ay), (bx, by) = line.path
    width, height = frame_wh
    return crossings.Line(name, (ax * width, ay * height), (bx * width, by * height))
