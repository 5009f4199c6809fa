"""`edge report`: what was counted, as a page, pictures or a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.cli.reporting_input import gathered
from edge.cli.terminal import warn
from edge.errors import ConfigError, EdgeError, SinkError
from edge.events.outages import Outages
from edge.report import (
    Footprints,
    Gathering,
    Summary,
    background_of,
    feet_of_detections,
    feet_of_tracks,
    interval_of,
    require_pyarrow,
    write_csv,
    write_parquet,
    write_pictures,
    write_report,
    zone_of,
)
from edge.types import U8

Send = Callable[[dict[str, Any]], None]
EXAMPLE = "Example: edge report events.jsonl --out report.html --timezone Europe/Berlin"


def report(  # noqa: PLR0913
    events: Annotated[
        list[Path],
        typer.Argument(
            metavar="EVENTS|JOURNAL", help="Events as JSON Lines, also .gz, or a journal."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.html", help="The page.")
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for each chart and heatmap as a picture."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Counts by interval, rule, direction and class as CSV."),
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same as Parquet; needs pyarrow.")
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            metavar="10s|1min|15min|hour|day", help="Length of intervals; default: what fits."
        ),
    ] = None,
    timezone_: Annotated[
        str,
        typer.Option(
            "--timezone", metavar="NAME", help="Local time of the report, such as Europe/Berlin."
        ),
    ] = "UTC",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="From this local time on, 2026-09-24[T08:15[:02]]."
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Before this local time.")
    ] = None,
    tracks: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SOURCE=]FILE", help="Tracks (--save-tracks), for a finer heatmap; repeatable."
        ),
    ] = None,
    detections: Annotated[
        list[str] | None,
        typer.Option(metavar="[SOURCE=]FILE", help="Detections (--save-detections), for the same."),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(metavar="[SOURCE=]IMAGE", help="A picture of the view, under the heatmap."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:
    """Show what was counted: a page for people, a table for programs.

    Give at least one of --out, --png, --csv and --parquet. The page is one file that needs no
    network. A damaged last line is left out, and said.
    """
    if out is None and png is None and csv is None and parquet is None:
        raise ConfigError(
            "expected --out FILE.html, --png DIR, --csv FILE or --parquet FILE, got none"
        )
    _check_targets(events, [path for path in (out, csv, parquet) if path])
    if parquet is not None:
        require_pyarrow(parquet)
    zone = zone_of("--timezone", timezone_)
    gathering = Gathering(
        Outages,
        None if interval is None else interval_of("--interval", interval),
        zone,
        (_unix_s("--from", from_, zone), _unix_s("--to", to, zone)),
    )
    console = Console(stderr=True)
    notes = _read(events, gathering, console, quiet)
    backgrounds = _pictures(gathering, tracks or [], detections or [], background or [])
    summary = gathering.summary(notes)
    written: list[str] = []
    if out is not None:
        write_report(summary, out, backgrounds)
        written.append(str(out))
    if png is not None:
        written.append(f"{png} ({len(write_pictures(summary, png, backgrounds))} pictures)")
    if csv is not None:
        written.append(f"{csv} ({write_csv(summary, csv)} rows)")
    if parquet is not None:
        written.append(f"{parquet} ({write_parquet(summary, parquet)} rows)")
    for note in summary.notes:
        console.print(
            f"warning: {note}", style="yellow", highlight=False, soft_wrap=True, markup=False
        )
    if not quiet:
        _say(summary, written, console)


class RunReport:
    """What `edge run --report` gathers while it counts: its events, feet, and first pictures."""

    def __init__(self, path: Path) -> None:
        """Begin before the first event.

        Raises:
            SinkError: there is no such folder.
        """
        _check_targets([], [path])
        self._path = path
        self._gathering = Gathering(Outages)
        self._footprints: dict[str, Footprints] = {}

    def tapped(self, send: Send) -> Send:
        """Sends each event on, and gathers it."""

        def tap(event: dict[str, Any]) -> None:
            send(event)
            self._gathering.add(event)

        return tap

    def footprints(self, camera: str, person_class_ids: Collection[int]) -> Footprints:
        """An output for a camera, session after session; its picture does not show people."""
        return self._footprints.setdefault(camera, Footprints(person_class_ids))

    def write(self, quiet: bool = True) -> None:
        """Write the report of what was gathered, and say so unless `quiet`.

        Raises:
            SinkError: it cannot be written.
        """
        known = set(self._gathering.source_ids)
        taken = {name: each for name, each in self._footprints.items() if name in known}
        for name, each in taken.items():
            if each.feet:
                self._gathering.add_feet(name, each.feet)
        pictures = {name: e.picture for name, e in taken.items() if e.picture is not None}
        write_report(self._gathering.summary(), self._path, pictures)
        if not quiet:
            Console(stderr=True).print(f"wrote {self._path}", style="dim", soft_wrap=True)

    def rescue(self, quiet: bool = True) -> None:
        """Write what was gathered until a run failed, if anything was; never raises EdgeError."""
        if not self._gathering.source_ids:
            return
        try:
            self.write(quiet)
        except EdgeError as error:
            warn("report", [f"not written: {error}"])


def _read(paths: Sequence[Path], gathering: Gathering, console: Console, quiet: bool) -> list[str]:
    """Read everything, with a bar on a terminal; what was amiss."""
    notes: list[str] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[events]:,} events"),
    )
    hidden = quiet or not console.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden
    ) as bar:
        task = bar.add_task("reading", total=float(len(paths)), events=0)
        for done, path in enumerate(paths):
            for read in gathered(path, gathering, notes):
                bar.update(task, completed=done + read.share, events=read.events)
    return notes


def _pictures(
    gathering: Gathering, tracks: list[str], detections: list[str], backgrounds: list[str]
) -> dict[str, U8]:
    """Take feet from files of tracks and detections; the pictures of the views by source."""
    for source_id, path in _by_source("--tracks", tracks, gathering).items():
        gathering.add_feet(source_id, feet_of_tracks(path, gathering.size_of(source_id)))
    for source_id, path in _by_source("--detections", detections, gathering).items():
        gathering.add_feet(source_id, feet_of_detections(path))
    named = _by_source("--background", backgrounds, gathering)
    return {source_id: background_of(path) for source_id, path in named.items()}


def _by_source(option: str, given: list[str], gathering: Gathering) -> dict[str, Path]:
    """Files by source, of options `[SOURCE=]FILE`; the name may be left out if there is but one."""
    known = gathering.source_ids
    found: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if equals and name in known:
            found[name] = Path(path)
        elif len(known) == 1:
            found[known[0]] = Path(text)
        else:
            names = ", ".join(known) or "none"
            raise ConfigError(f"{option}: expected SOURCE=FILE with one of {names}, got {text}")
    return found


def _unix_s(option: str, text: str | None, zone: tzinfo) -> float | None:
    """Unix seconds of a local time, unless it says its own offset.

    >>> _unix_s("--from", "2026-09-24T10:15", zone_of("", "Europe/Berlin"))
    1790237700.0
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{option}: expected a time such as 2026-09-24 or 2026-09-24T08:15:02, got {text}"
        ) from error


def _check_targets(events: Sequence[Path], written: Sequence[Path]) -> None:
    """Find out before a long journal is read that results cannot be written."""
    for path in written:
        if any(each.exists() and path.exists() and path.samefile(each) for each in events):
            raise ConfigError(
                f"{path}: expected another file for results, got the events themselves"
            )
        if not path.parent.is_dir():
            raise SinkError(f"{path}: expected a folder that exists, got {path.parent}")


def _say(summary: Summary, written: Sequence[str], console: Console) -> None:
    for source in summary.sources:
        for rule in source.rules:
            if rule.is_current:
                ins, outs = rule.words
                counts = f"{ins} {rule.count_in} {outs} {rule.count_out} net {rule.net}"
                text = f"{source.label} {rule.title}: {counts}"
                console.print(text, highlight=False, markup=False, soft_wrap=True)
    if not summary.events:
        console.print("no events", highlight=False)
    for text in written:
        console.print(f"wrote {text}", style="dim", highlight=False, markup=False, soft_wrap=True)
