"""`edge run`: count in video and cameras."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge import build
from edge.cli.editing import editable
from edge.cli.live import Asked, Wishes, run_live
from edge.cli.logs import start_logging
from edge.cli.options import (
    ClassesOption,
    ClassNamesOption,
    ConfigOption,
    FamilyOption,
    InputSizeOption,
    LineOption,
    ModelOption,
    ProviderOption,
    SnapshotOption,
    ThreadsOption,
    ZoneOption,
    given,
    web_token,
    with_moving_cameras,
)
from edge.cli.reading import Reading
from edge.cli.recorded import Results, direct_sink, run_recorded, session_outputs
from edge.cli.redact import hidden
from edge.cli.signals import ended_at_once
from edge.cli.status_line import has_screen
from edge.cli.terminal import log_stream, warn
from edge.config import Config, with_listen, with_model
from edge.config.revision import file_rev
from edge.errors import ConfigError, EdgeError
from edge.sinks.tracks import format_of, tracks_format
from edge.sources import is_live
from edge.web.status import Taken

if TYPE_CHECKING:
    from edge.cli.reporting import RunReport

EXAMPLE = "Example: edge run street.mp4 --line gate=0.5,0,0.5,1 --save-video counted.mp4"


def run(  # noqa: PLR0913
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Video files, image folders, rtsp:// addresses, camera numbers, gst: pipelines.",
        ),
    ] = None,
    config_file: ConfigOption = None,
    line: LineOption = None,
    zone: ZoneOption = None,
    classes: ClassesOption = None,
    model: ModelOption = None,
    family: FamilyOption = None,
    class_names: ClassNamesOption = None,
    provider: ProviderOption = None,
    strict_provider: Annotated[
        bool, typer.Option("--strict-provider", help="Stop rather than run on another provider.")
    ] = False,
    threads: ThreadsOption = None,
    input_size: InputSizeOption = None,
    camera_motion: Annotated[
        bool,
        typer.Option("--camera-motion", help="Follow a camera that moves or sways; costs time."),
    ] = False,
    events: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Events as JSON Lines; -, the default without sinks, is standard output.",
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep every event in this file first, so that totals go on after a restart.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Take over changes of --config while cameras run.")
    ] = False,
    snapshot_every: SnapshotOption = None,
    web: Annotated[
        str | None,
        typer.Option(
            "--web",
            metavar="HOST:PORT",
            help="Live page, health and metrics, such as 127.0.0.1:8080; overrides web.listen.",
        ),
    ] = None,
    web_token_name: Annotated[
        str | None,
        typer.Option(
            "--web-token",
            metavar="'${NAME}'",
            help="What the page asks for, from the environment variable NAME; "
            "needed where others can reach --web. Overrides web.token.",
        ),
    ] = None,
    save_video: Annotated[
        Path | None, typer.Option(metavar="FILE.mp4", help="Annotated video.")
    ] = None,
    save_detections: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl[.gz]", help="All that the model saw, for `edge track`."),
    ] = None,
    save_tracks: Annotated[
        Path | None, typer.Option(metavar="FILE.txt", help="Where each track was in each frame.")
    ] = None,
    track_format: Annotated[
        str | None,
        typer.Option(
            metavar="mots|mot",
            help="MOTS masks, or MOTChallenge boxes; default: boxes for .csv, .mot, .mot.txt.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Report of the run, written at its end."),
    ] = None,
    blur_people: Annotated[
        bool,
        typer.Option(
            "--blur-people", help="Hide people by their masks in the video and on the page."
        ),
    ] = False,
    max_frames: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Stop after so many frames of each source."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no table of results.")
    ] = False,
) -> None:
    """Count people and vehicles that cross lines or stay in zones.

    Cameras are watched at the same time until Ctrl-C; recordings are counted one after the other.
    """
    form = format_of(save_tracks)
    if track_format is not None:
        form = tracks_format("--track-format", track_format)
    changes = {
        "name": model,
        "provider": provider,
        "threads": threads,
        "input_size": input_size,
        "strict_provider": strict_provider or None,
        "family": family,
        "class_names": str(class_names) if class_names else None,
    }

    def load() -> tuple[Config, frozenset[str]]:
        config, secrets = given(config_file, sources or [], line, zone, classes, snapshot_every)
        config = with_model(config, {k: v for k, v in changes.items() if v is not None})
        listen = config.web.listen if web is None else web
        token, held = web_token(web_token_name, listen is not None)
        if listen is not None:
            config = with_listen(config, listen, token)
        config = config.model_copy(update={"blur_people": config.blur_people or blur_people})
        return with_moving_cameras(config) if camera_motion else config, secrets | held

    taken = Taken(file_rev(config_file))  # before it is read: it may change at once
    config, secrets = load()
    known = set(secrets)
    if watch and config_file is None:
        raise ConfigError("--watch: expected --config FILE to watch, got none")
    edits = editable(config_file, sources, line or zone, classes)
    run_report = _report(report)
    results = Results(
        save_video,
        save_detections,
        save_tracks,
        form,
        max_frames,
        quiet,
        config.blur_people,
        run_report,
    )

    def count_live() -> bool:
        asked = Asked()
        asked.on_signals()
        form, level = config.log.format, "warning" if quiet else config.log.level
        start_logging(form, level, known, log_stream())

        def load_again() -> Config:
            config, secrets = load()
            known.update(secrets)
            start_logging(form, level, known, log_stream())
            return config

        wishes = Wishes(
            reading=Reading(load_again, config_file, known, taken),
            files=(config_file,) if watch and config_file else (),
            journal=journal,
            direct=direct_sink(config, events),
            outputs=lambda *session: session_outputs(results, segmenter, *session),
            max_frames=max_frames,
            edits=edits,
            tap=run_report.tapped if run_report else None,
            status_lines=not quiet and has_screen(config),
        )
        with ended_at_once():
            segmenter = build.configured_segmenter(config)
        run_live(config, segmenter, wishes, asked)
        return asked.by_signal

    is_watching = any(is_live(camera.source) for camera in config.cameras.values())
    with hidden(known), _reported(run_report, quiet):
        if is_watching:
            stopped = count_live()
        else:
            if watch:
                warn(
                    "edge",
                    [
                        "--watch: expected cameras, got recordings, which are counted as"
                        " the config was at the start"
                    ],
                )
            stopped = run_recorded(config, results, events, journal, known, edits)
    if stopped:
        raise typer.Exit(130)


@contextmanager
def _reported(report: RunReport | None, quiet: bool) -> Iterator[None]:
    """Write the report when the run has ended, also if it failed."""
    try:
        yield
    except EdgeError:
        if report is not None:
            report.rescue(quiet)
        raise
    if report is not None:
        report.write(quiet)


def _report(path: Path | None) -> RunReport | None:
    if path is None:
        return None
    from edge.cli.reporting import RunReport  # charts take long to import

    return RunReport(path)
