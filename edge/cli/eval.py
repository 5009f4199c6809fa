"""`edge eval masks|tracks|counts`: quality against ground truth, as tables or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.commands import Commands
from edge.cli.eval_output import (
    OptionalJson,
    count_table,
    give,
    mask_json,
    mask_tables,
    match_table,
    track_json,
    track_table,
    truth_table,
    write,
)
from edge.cli.eval_pictures import model_setting, opened_segmenter, predicted, write_overlays
from edge.config import parse_line_option
from edge.errors import ConfigError
from edge.evaluate import coco, counts, crossings, trackfiles, tracks
from edge.evaluate.masks import mask_quality

app = typer.Typer(
    cls=Commands,
    help="Quality against ground truth: masks, tracks, counts.",
    epilog="Example: edge eval counts --truth truth.json --events events.jsonl",
    no_args_is_help=True,
)

JsonOption = Annotated[
    str,
    typer.Option(
        "--json", metavar="[FILE|-]", help="Also write JSON to FILE; alone or -: only, to stdout."
    ),
]


@app.command(
    "masks",
    cls=OptionalJson,
    epilog="Example: edge eval masks --truth val.json --model person-vehicle-seg-nano",
)
def masks_command(  # noqa: PLR0913
    truth: Annotated[Path, typer.Option(metavar="FILE", help="COCO instances JSON.")],
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of its pictures; default: where it lies."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="Model of `edge models list`, or an ONNX file."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="COCO results to judge instead of a model."),
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=32, help="Longest side of the model's input."),
    ] = None,
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="What the model runs on, as for edge run.")
    ] = "cpu",
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="CPU threads of the model.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="First N pictures; 0: all.")] = 0,
    boxes_only: Annotated[
        bool, typer.Option("--boxes-only", help="Judge boxes, not masks.")
    ] = False,
    overlays: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for pictures of the worst and the best."),
    ] = None,
    save_predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the model's COCO results.")
    ] = None,
    json_file: JsonOption = "",
) -> None:
    """Judge instance masks: AP, mask IoU, Dice, boundary IoU, merged neighbours, confusion."""
    if model and predictions:
        raise ConfigError("edge eval masks: expected either --model or --predictions, got both")
    if overlays and boxes_only:
        raise ConfigError("edge eval masks: expected --overlays without --boxes-only, got both")
    dataset, folder = coco.read_json(truth), images or truth.parent
    setting: dict[str, object] = {"predictions": str(predictions), "limit": limit}
    if predictions is None:
        segmenter = opened_segmenter(model, provider, threads, input_size)
        setting = model_setting(segmenter) | {"limit": limit}
        scope = coco.truth_from(dataset, segmenter.class_names, limit)
        found = predicted(segmenter, scope, folder, not boxes_only)
    else:
        scope = coco.truth_from(dataset, None, limit)
        raw = coco.read_json(predictions)
        found = coco.checked_predictions(raw, dataset, not boxes_only)
    if save_predictions:
        write(save_predictions, json.dumps(found))
    quality = mask_quality(scope, found, not boxes_only)
    if overlays:
        write_overlays(overlays, scope, found, quality, folder)
    give(json_file, mask_json(quality, setting), mask_tables(quality), quality.notes)


@app.command(
    "tracks",
    cls=OptionalJson,
    epilog="Example: edge eval tracks --truth gt.txt --tracks tracks.mot.txt",
)
def tracks_command(  # noqa: PLR0913
    truth: Annotated[
        Path, typer.Option(metavar="FILE|DIR", help="True tracks, or a folder of *.txt.")
    ],
    tracked: Annotated[
        Path,
        typer.Option(
            "--tracks", metavar="FILE|DIR", help="Tracks, or a folder with the same names."
        ),
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="mots|mot",
            help="MOTS masks or MOTChallenge boxes; default: what the truth looks like.",
        ),
    ] = None,
    frame_offset: Annotated[
        int, typer.Option(metavar="N", help="Added to the tracks' frame numbers.")
    ] = 0,
    ignore_region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="x1,y1,x2,y2",
            help="Pixels; unmatched boxes that stand there, or masks mostly there, are dropped.",
        ),
    ] = None,
    drop_flagged: Annotated[
        bool,
        typer.Option(
            "--drop-flagged/--count-flagged",
            help="Boxes on truth with flag 0 are dropped, or, as in TrackEval, wrong (mot).",
        ),
    ] = True,
    json_file: JsonOption = "",
) -> None:
    """Judge tracks: HOTA, IDF1, MOTA (MOTSA, sMOTSA for masks), switches; by class and sequence."""
    if form not in ("mot", "mots", None):
        raise ConfigError(f"--format: expected mots or mot, got '{form}'")
    pairs = _file_pairs(truth, tracked)
    form = form or trackfiles.track_format(pairs[0][0])
    regions = [_region(text) for text in ignore_region or []]
    overlaps: dict[str, dict[str, list[tracks.FrameOverlap]]] = {}  # class, sequence
    for a, b in pairs:
        name = _sequence_name(a)
        if form == "mot":
            rows = trackfiles.read_boxes(a), trackfiles.read_boxes(b)
            found = tracks.box_overlaps(*rows, frame_offset, regions, drop_flagged)
            overlaps.setdefault("all", {})[name] = found
            continue
        masks = trackfiles.read_masks(a), trackfiles.read_masks(b)
        trackfiles.refuse_shared_pixels(b, masks[1])
        for class_id, class_name in trackfiles.CLASS_NAMES.items():
            found = tracks.mask_overlaps(*masks, class_id, frame_offset, regions)
            overlaps.setdefault(class_name, {})[name] = found
    judged = {name: tracks.track_qualities(its) for name, its in overlaps.items()}
    judged = {name: q for name, q in judged.items() if q[0].truth_boxes}
    if not judged:
        raise ConfigError(f"{truth}: expected objects to compare with, got none")
    give(json_file, track_json(judged, form == "mots"), [track_table(judged, form == "mots")])


@app.command(
    "counts",
    cls=OptionalJson,
    epilog="Example: edge eval counts --truth truth.json --events events.jsonl",
)
def counts_command(  # noqa: PLR0913
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Events to judge, JSON Lines.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='True totals: {"line": {"in": 18, "out": 14}}.'),
    ] = None,
    truth_tracks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Or true tracks, MOTChallenge; needs --line, --size, --fps."
        ),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=x1,y1,x2,y2", help="Counting line, 0..1 of the frame."),
    ] = None,
    size: Annotated[str, typer.Option(metavar="WxH", help="Frame of the truth, pixels.")] = "",
    fps: Annotated[
        float, typer.Option(metavar="FPS", min=0, help="Frames a second of the truth.")
    ] = 0,
    tolerance_s: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="Most that an event may be off to match."),
    ] = 1.0,
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


def _sequence_name(truth: Path) -> str:
    """`kitti/0012.txt` -> `0012`; MOTChallenge's `MOT17-02/gt/gt.txt` -> `MOT17-02`."""
    if truth.name != "gt.txt":
        return truth.stem
    folder = truth.absolute().parent
    return folder.parent.name if folder.name == "gt" else folder.name


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
    if len(line.path) != 2:
        raise ConfigError(f"--line {name}: expected two points, got {len(line.path)}")
    (ax, ay), (bx, by) = line.path
    width, height = frame_wh
    return crossings.Line(name, (ax * width, ay * height), (bx * width, by * height))
