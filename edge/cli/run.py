"""`edge run`: count in video."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from edge import build, pipeline
from edge.cli.options import (
    ClassesOption,
    ConfigOption,
    InputSizeOption,
    LineOption,
    ModelOption,
    ProviderOption,
    ThreadsOption,
    ZoneOption,
    combined,
)
from edge.cli.report import ProgressOutput, console, totals_table
from edge.config import Config, with_model
from edge.errors import ConfigError
from edge.outputs import EventsOutput, Output, VideoOutput
from edge.segment import Segmenter
from edge.sinks.detections import DetectionsSink
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.tracks import TracksSink
from edge.sinks.video import VideoSink
from edge.sources import open_source

EXAMPLE = "Example: edge run street.mp4 --line gate=0.5,0,0.5,1 --save-video counted.mp4"


def run(  # noqa: PLR0913
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE...", help="Video files, image folders.")
    ] = None,
    config_file: ConfigOption = None,
    line: LineOption = None,
    zone: ZoneOption = None,
    classes: ClassesOption = None,
    model: ModelOption = None,
    provider: ProviderOption = None,
    strict_provider: Annotated[
        bool, typer.Option("--strict-provider", help="Refuse to fall back to another provider.")
    ] = False,
    threads: ThreadsOption = None,
    input_size: InputSizeOption = None,
    events: Annotated[
        str, typer.Option(metavar="FILE|-", help="Events as JSON Lines; - is standard output.")
    ] = "-",
    save_video: Annotated[
        Path | None, typer.Option(metavar="FILE.mp4", help="Annotated video.")
    ] = None,
    save_detections: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl[.gz]", help="Instances, for `edge track` to replay."),
    ] = None,
    save_tracks: Annotated[
        Path | None, typer.Option(metavar="FILE.txt", help="Tracks as MOTS text.")
    ] = None,
    track_format: Annotated[
        str, typer.Option(metavar="mots|mot", help="Masks, or MOTChallenge boxes.")
    ] = "mots",
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many frames of each source.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
) -> None:
    """Count people and vehicles that cross lines or stay in zones."""
    config = combined(config_file, sources or [], line, zone, classes)
    if track_format not in ("mots", "mot"):
        raise ConfigError(f"--track-format: expected mots or mot, got {track_format!r}")
    changes = {
        "name": model,
        "provider": provider,
        "threads": threads,
        "input_size": input_size,
        "strict_provider": strict_provider or None,
    }
    config = with_model(config, {k: v for k, v in changes.items() if v is not None})
    saved = {"video": save_video, "detections": save_detections, "tracks": save_tracks}
    stop = stop_on_signal()
    with ExitStack() as finish:
        target = sys.stdout if events == "-" else Path(events)
        sink = finish.enter_context(JsonLinesSink(target))
        segmenter = build.configured_segmenter(config)
        if not quiet:
            described = f"{segmenter.session.file.path.name} on {segmenter.session.provider}"
            console.print(f"model {described}", style="dim")
        for camera in config.cameras:
            several = len(config.cameras) > 1
            paths = {
                k: p if not several or p is None else named(p, camera) for k, p in saved.items()
            }
            _count(config, camera, segmenter, sink, paths, track_format, max_frames, stop, quiet)
            if stop.is_set():
                break
    if stop.is_set():
        raise typer.Exit(130)


def _count(  # noqa: PLR0913
    config: Config,
    camera: str,
    segmenter: Segmenter,
    sink: JsonLinesSink,
    paths: dict[str, Path | None],
    track_format: Any,
    max_frames: int | None,
    stop: threading.Event,
    quiet: bool,
) -> None:
    with open_source(config.cameras[camera].source) as source:
        names = segmenter.class_names
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, source.width, source.height)
        provenance = build.provenance(camera, source, segmenter)
        encoder = build.encoder(config, camera, provenance)
        outputs: list[Output] = [EventsOutput(encoder, sink, counters)]
        if paths["detections"]:
            outputs.append(DetectionsSink(paths["detections"], names, provenance))
        if paths["tracks"]:
            outputs.append(TracksSink(paths["tracks"], names, track_format))
        if paths["video"]:
            video = VideoSink(paths["video"], source.width, source.height, source.fps)
            outputs.append(VideoOutput(video, names, counters))
        frames = source.frame_count
        total = min(max_frames or frames, frames) if frames else max_frames
        progress = ProgressOutput(camera, total, counters, quiet)
        outputs.append(progress)
        try:
            seen = pipeline.segmented(source, segmenter)
            pipeline.run(seen, tracker, counters, outputs, stop, max_frames)
        finally:
            if not quiet:
                console.print(totals_table(camera, counters, names, progress, stop.is_set()))
                for text in warnings(source, tracker.dropped, segmenter.dropped):
                    console.print(
                        f"warning: {camera}: {text}",
                        style="yellow",
                        highlight=False,
                        soft_wrap=True,
                    )


def warnings(source: Any, dropped: dict[str, int], broken: int) -> list[str]:
    """What was amiss with a source, a sentence each."""
    texts = list(source.warnings.sentences()) if source is not None else []
    texts += [f"{n} x {what} dropped" for what, n in dropped.items()]
    if broken:
        texts.append(f"{broken} model outputs that are no numbers dropped")
    return texts


def named(path: Path, camera: str) -> Path:
    """`out.mp4` -> `out.CAMERA.mp4`, for several sources.

    >>> named(Path("x/out.jsonl.gz"), "gate").name
    'out.gate.jsonl.gz'
    """
    stem, dot, rest = path.name.partition(".")
    return path.with_name(f"{stem}.{camera}{dot}{rest}")


def stop_on_signal() -> threading.Event:
    """Set on the first SIGINT or SIGTERM; a second SIGINT interrupts at once."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGTERM, ask)
    return stop
