"""`edge run`: count in video."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
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
    SnapshotOption,
    ThreadsOption,
    ZoneOption,
    combined,
    with_moving_cameras,
)
from edge.cli.report import ProgressOutput, console, totals_table, warn
from edge.config import Config, with_model
from edge.errors import ConfigError
from edge.outputs import EventsOutput, Output, VideoOutput, lines_to
from edge.segment import Segmenter
from edge.sinks.detections import DetectionsSink
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.tracks import TracksFormat, TracksSink, format_of, tracks_format
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
    camera_motion: Annotated[
        bool,
        typer.Option("--camera-motion", help="Follow a camera that moves or sways; costs time."),
    ] = False,
    events: Annotated[
        str, typer.Option(metavar="FILE|-", help="Events as JSON Lines; - is standard output.")
    ] = "-",
    snapshot_every: SnapshotOption = None,
    save_video: Annotated[
        Path | None, typer.Option(metavar="FILE.mp4", help="Annotated video.")
    ] = None,
    save_detections: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl[.gz]", help="Instances, for `edge track` to replay."),
    ] = None,
    save_tracks: Annotated[
        Path | None, typer.Option(metavar="FILE.txt", help="Tracks, from their first sighting on.")
    ] = None,
    track_format: Annotated[
        str | None,
        typer.Option(
            metavar="mots|mot",
            help="MOTS masks, or MOTChallenge boxes; default: boxes for .csv, .mot, .mot.txt.",
        ),
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many frames of each source.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
) -> None:
    """Count people and vehicles that cross lines or stay in zones."""
    config = combined(config_file, sources or [], line, zone, classes, snapshot_every)
    form = format_of(save_tracks)
    if track_format is not None:
        form = tracks_format("--track-format", track_format)
    changes = {
        "name": model,
        "provider": provider,
        "threads": threads,
        "input_size": input_size,
        "strict_provider": strict_provider or None,
    }
    config = with_model(config, {k: v for k, v in changes.items() if v is not None})
    if camera_motion:
        config = with_moving_cameras(config)
    results = Results(save_video, save_detections, save_tracks, form, max_frames, quiet)
    stop = stop_on_signal()
    with ExitStack() as finish:

        @cache  # not before there is something to count: it empties the file of an earlier run
        def opened_sink() -> JsonLinesSink:
            target = sys.stdout if events == "-" else Path(events)
            return finish.enter_context(JsonLinesSink(target))

        segmenter = build.configured_segmenter(config)
        if not quiet:
            described = f"{segmenter.session.file.path.name} on {segmenter.session.provider}"
            console.print(f"model {described}", style="dim")
        for camera in config.cameras:
            its = results.of(camera) if len(config.cameras) > 1 else results
            written = [p for p in (its.video, its.detections, its.tracks, Path(events)) if p]
            check_not_overwritten(config.cameras[camera].source, written)
            _count(config, camera, segmenter, opened_sink, its, stop)
            if stop.is_set():
                break
    if stop.is_set():
        raise typer.Exit(130)


@dataclass(frozen=True, slots=True)
class Results:
    """Where results of one camera go besides the events, and how much is said."""

    video: Path | None
    detections: Path | None
    tracks: Path | None
    track_format: TracksFormat
    max_frames: int | None
    quiet: bool

    def of(self, camera: str) -> Results:
        """The same with the camera's name in each file name, for one of several sources."""
        return replace(
            self,
            video=self.video and named(self.video, camera),
            detections=self.detections and named(self.detections, camera),
            tracks=self.tracks and named(self.tracks, camera),
        )


def _count(
    config: Config,
    camera: str,
    segmenter: Segmenter,
    opened_sink: Callable[[], JsonLinesSink],
    results: Results,
    stop: threading.Event,
) -> None:
    with open_source(config.cameras[camera].source) as source:
        names = segmenter.class_names
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, source.width, source.height)
        provenance = build.provenance(camera, source, segmenter)
        encoder = build.encoder(config, camera, provenance)
        events = EventsOutput(encoder, lines_to(opened_sink()), counters, config.snapshot_every_s)
        outputs: list[Output] = [events]
        if results.detections:
            outputs.append(DetectionsSink(results.detections, names, provenance))
        if results.tracks:
            outputs.append(TracksSink(results.tracks, names, results.track_format))
        if results.video:
            video = VideoSink(results.video, source.width, source.height, source.fps)
            outputs.append(VideoOutput(video, names, counters))
        frames = source.frame_count
        most = results.max_frames
        total = min(most or frames, frames) if frames else most
        progress = ProgressOutput(camera, total, counters, results.quiet)
        outputs.append(progress)
        try:
            seen = pipeline.segmented(source, segmenter)
            if moving := build.camera_motion(config, camera):
                seen = pipeline.followed(seen, moving)
            pipeline.run(seen, tracker, counters, outputs, stop, most)
        finally:
            if not results.quiet:
                console.print(totals_table(camera, counters, names, progress, stop.is_set()))
                warn(camera, warnings(source, tracker.dropped, segmenter.dropped))


def check_not_overwritten(source: str, written: Sequence[Path]) -> None:
    """Refuse to write results over the recording that they come from.

    Raises:
        ConfigError: one of the files is the source.
    """
    for path in written:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ConfigError(f"{path}: expected another file for results, got the source itself")


def warnings(source: Any, dropped: dict[str, int], broken: int) -> list[str]:
    """What was amiss with a source, a sentence each."""
    texts: list[str] = source.warnings.sentences()
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
