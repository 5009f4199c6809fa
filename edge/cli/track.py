"""`edge track`: tracker and counters on recorded detections, without pictures or model."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from edge import build, pipeline
from edge.cli.options import (
    ClassesOption,
    ConfigOption,
    LineOption,
    ZoneOption,
    camera_name,
    combined,
)
from edge.cli.report import ProgressOutput, console, totals_table
from edge.cli.run import named, stop_on_signal, warnings
from edge.config import Config
from edge.outputs import EventsOutput, Output
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.tracks import TracksFormat, TracksSink, tracks_format
from edge.sources.detections import DetectionsFile

EXAMPLE = "Example: edge track street.jsonl.gz --line gate=0.5,0,0.5,1 --events - --out tracks.txt"


def track(  # noqa: PLR0913
    detections: Annotated[
        list[Path], typer.Argument(metavar="DETECTIONS.jsonl[.gz]...", help="Recorded instances.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="TRACKS.txt", help="Tracks; several inputs: one each.")
    ] = None,
    track_format: Annotated[
        str, typer.Option("--format", metavar="mots|mot", help="Masks, or MOTChallenge boxes.")
    ] = "mots",
    config_file: ConfigOption = None,
    line: LineOption = None,
    zone: ZoneOption = None,
    classes: ClassesOption = None,
    events: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Events as JSON Lines.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
) -> None:
    """Replay detections that `edge run --save-detections` recorded: same input, same events."""
    form = tracks_format("--format", track_format)
    stop = stop_on_signal()
    taken: set[str] = set()
    with ExitStack() as finish:
        sink = None
        if events:
            sink = finish.enter_context(
                JsonLinesSink(sys.stdout if events == "-" else Path(events))
            )
        for path in detections:
            recorded = DetectionsFile(path)
            camera = str(recorded.provenance.get("source_id") or camera_name(str(path), taken))
            taken.add(camera)
            config = combined(config_file, [str(path)], line, zone, classes)
            [rules] = config.cameras.values()
            config = config.model_copy(update={"cameras": {camera: rules}})
            target = named(out, camera) if out and len(detections) > 1 else out
            _replay(recorded, config, camera, sink, target, form, stop, quiet)
    if stop.is_set():
        raise typer.Exit(130)


def _replay(  # noqa: PLR0913
    recorded: DetectionsFile,
    config: Config,
    camera: str,
    sink: JsonLinesSink | None,
    out: Path | None,
    form: TracksFormat,
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
    }
    outputs: list[Output] = []
    if sink:
        outputs.append(EventsOutput(build.encoder(config, camera, provenance), sink, counters))
    if out:
        outputs.append(TracksSink(out, names, form))
    progress = ProgressOutput(camera, None, counters, quiet)
    outputs.append(progress)
    try:
        pipeline.run(pipeline.replayed(recorded), tracker, counters, outputs, stop)
    finally:
        if not quiet:
            console.print(totals_table(camera, counters, names, progress, stop.is_set()))
            for text in warnings(None, tracker.dropped, 0):
                console.print(
                    f"warning: {camera}: {text}",
                    style="yellow",
                    highlight=False,
                    soft_wrap=True,
                )
