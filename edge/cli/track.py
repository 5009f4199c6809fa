"""`edge track`: tracker and counters on recorded detections, without pictures or model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from edge import build, pipeline
from edge.cli.options import (
    ClassesOption,
    ConfigOption,
    LineOption,
    SnapshotOption,
    ZoneOption,
    camera_name,
    combined,
)
from edge.cli.recorded import check_not_overwritten, warnings
from edge.cli.signals import stop_on_signal
from edge.cli.terminal import ProgressOutput, console, totals_table, warn
from edge.config import Camera, Config, load
from edge.errors import ConfigError, SinkError
from edge.outputs import EventsOutput, Output, lines_to
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.tracks import FILL_S, TracksSink, format_of, tracks_format
from edge.sources.detections import DetectionsFile

EXAMPLE = "Example: edge track street.jsonl.gz --line gate=0.5,0,0.5,1 --events - --out tracks.txt"


def track(  # noqa: PLR0913
    detections: Annotated[
        list[Path], typer.Argument(metavar="DETECTIONS", help="Files of --save-detections.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="TRACKS.txt|DIR", help="Tracks; in a folder each file is named as its input."
        ),
    ] = None,
    track_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="mots|mot",
            help="MOTS masks, or MOTChallenge boxes; default: boxes for .csv, .mot, .mot.txt.",
        ),
    ] = None,
    fill_gaps_s: Annotated[
        float,
        typer.Option(
            "--fill-gaps",
            metavar="SECONDS",
            min=0,
            help="Write tracks in frames that missed them too, in gaps up to this long.",
        ),
    ] = FILL_S,
    config_file: ConfigOption = None,
    line: LineOption = None,
    zone: ZoneOption = None,
    classes: ClassesOption = None,
    events: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Events as JSON Lines; -: standard output.")
    ] = None,
    snapshot_every: SnapshotOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no table of results.")
    ] = False,
) -> None:
    """Replay detections that `edge run --save-detections` recorded: same input, same events."""
    form = format_of(out) if track_format is None else tracks_format("--format", track_format)
    targets = _targets(out, detections)
    for path in detections:
        check_not_overwritten(str(path), [*targets, Path(events or "-")])
    recordings = [DetectionsFile(path) for path in detections]

    def config_of(sources: list[str]) -> Config:
        return combined(config_file, sources, line, zone, classes, snapshot_every)

    known = config_of([]).cameras if config_file and load(config_file).cameras else {}
    stop = stop_on_signal()
    taken: set[str] = set()
    with ExitStack() as finish:
        sink = None
        if events:
            sink = finish.enter_context(
                JsonLinesSink(sys.stdout if events == "-" else Path(events))
            )
        for k, recorded in enumerate(recordings):
            camera = _unique(
                str(recorded.provenance.get("source_id") or _name(recorded.path)), taken
            )
            config = _rules(recorded, camera, config_of, known)
            names = tuple(recorded.class_names)
            tracks = partial(TracksSink, targets[k], names, form, fill_gaps_s) if targets else None
            _replay(recorded, config, camera, sink, tracks, stop, quiet)
            if stop.is_set():
                break
    if stop.is_set():
        raise typer.Exit(130)


def _targets(out: Path | None, detections: list[Path]) -> list[Path]:
    """The file of each input's tracks; none if there is no `--out`.

    Raises:
        ConfigError: one file for several inputs, or inputs whose files would have one name.
        SinkError: the folder cannot be made.
    """
    if out is None:
        return []
    is_folder = out.is_dir() or (len(detections) > 1 and not out.suffix)
    if not is_folder:
        if len(detections) > 1:
            raise ConfigError(f"--out: expected a folder for {len(detections)} inputs, got {out}")
        return [out]
    names = [_name(path) for path in detections]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise ConfigError(f"--out: expected inputs of different names, got '{twice}' twice")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{out}: expected a folder for tracks, got {error.strerror}") from error
    return [out / f"{name}.txt" for name in names]


def _name(path: Path) -> str:
    """`clips/0012.jsonl.gz` -> `0012`."""
    name = path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
    return camera_name(f"{name}.jsonl", set())


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it; remembered."""
    numbered = (f"{name}-{n}" for n in count(2))
    unique = name if name not in taken else next(n for n in numbered if n not in taken)
    taken.add(unique)
    return unique


def _rules(
    recorded: DetectionsFile,
    camera: str,
    config_of: Callable[[list[str]], Config],
    known: Mapping[str, Camera],
) -> Config:
    """The config with `camera` alone: of several known ones, the one that was recorded.

    Raises:
        ConfigError: it is none of several.
    """
    config = config_of([str(recorded.path)])
    [rules] = config.cameras.values()
    source_id = str(recorded.provenance.get("source_id"))
    if len(known) > 1 and source_id not in known:
        raise ConfigError(
            f"{recorded.path}: expected a recording of {' or '.join(known)}, the cameras of the "
            f"config, got {source_id}"
        )
    return config.model_copy(update={"cameras": {camera: known.get(source_id, rules)}})


def _replay(  # noqa: PLR0913
    recorded: DetectionsFile,
    config: Config,
    camera: str,
    sink: JsonLinesSink | None,
    tracks: Callable[[], TracksSink] | None,
    stop: threading.Event,
    quiet: bool,
) -> None:
    names = tuple(recorded.class_names)
    tracker = build.tracker(config, camera, names)
    counters = build.counters(config, camera, names, recorded.width, recorded.height)
    provenance = {
        "width": recorded.width,
        "height": recorded.height,
        "class_names": names,
        **recorded.provenance,
        "source_id": camera,
    }
    outputs: list[Output] = []
    if sink:
        encoder = build.encoder(config, camera, provenance)
        outputs.append(EventsOutput(encoder, lines_to(sink), counters, config.snapshot_every_s))
    if tracks:
        outputs.append(tracks())
    progress = ProgressOutput(camera, None, counters, quiet)
    outputs.append(progress)
    try:
        pipeline.run(pipeline.replayed(recorded), tracker, counters, outputs, stop)
    finally:
        if not quiet:
            console.print(totals_table(camera, counters, names, progress, stop.is_set()))
            warn(camera, warnings(recorded, tracker.dropped, 0))
