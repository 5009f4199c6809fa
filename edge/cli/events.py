"""`edge events`: what the journal has kept."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from edge.cli.commands import Commands
from edge.cli.events_output import (
    CSV_HEADING,
    audit_dict,
    audit_text,
    csv_line,
    readable,
    total_dict,
    totals_table,
)
from edge.errors import ConfigError, SinkError
from edge.events.journal import Choice, Journal, Row
from edge.events.salvage import salvaged

app = typer.Typer(
    cls=Commands,
    epilog="Example: edge events audit journal.db",
    help="The journal: what was counted, what was delivered, and whether it adds up.",
    no_args_is_help=True,
)

_POLL_S = 0.5

JournalArgument = Annotated[
    Path, typer.Argument(metavar="JOURNAL", help="File of the journal, such as journal.db.")
]
SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Events of this camera only.")
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Events of this type only; repeatable."),
]
RuleOption = Annotated[
    str | None, typer.Option("--rule", metavar="NAME", help="Events of this line or zone only.")
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="From this UTC time on, 2026-09-24[T08:15[:02]]."),
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before this UTC time.")]
AfterOption = Annotated[
    int,
    typer.Option(
        "--after", metavar="POSITION", min=0, help="Events after this position in the journal."
    ),
]


@app.command(
    "tail",
    epilog="Example: edge events tail journal.db -n 5 --follow --type line_crossed",
)
def tail(  # noqa: PLR0913
    journal: JournalArgument,
    count: Annotated[
        int, typer.Option("-n", "--lines", metavar="N", min=0, help="How many events.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events themselves, as JSON Lines.")
    ] = False,
    source: SourceOption = None,
    types: TypeOption = None,
    rule: RuleOption = None,
) -> None:
    """Show the newest events, oldest first; also while `edge run` writes."""
    choice = Choice(source, tuple(types or ()), rule)
    with Journal.reading(journal) as opened:
        position = opened.newest  # before reading: what comes meanwhile is not skipped
        rows = [row for row in opened.last(count, choice) if row.position <= position]
        _show(rows, as_json)
        while follow:
            time.sleep(_POLL_S)
            newest = opened.newest
            for row in opened.all_after(position, choice):
                _show([row], as_json)
                newest = max(newest, row.position)
            position = newest


@app.command(
    "export",
    epilog="Example: edge events export journal.db --csv --from 2026-09-24 -o day.csv",
)
def export(  # noqa: PLR0913
    journal: JournalArgument,
    as_csv: Annotated[
        bool, typer.Option("--csv/--jsonl", help="A table as CSV, or the events as JSON Lines.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to; default: standard output."),
    ] = None,
    source: SourceOption = None,
    types: TypeOption = None,
    rule: RuleOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    after: AfterOption = 0,
) -> None:
    """Write events as JSON Lines or CSV.

    Of a damaged journal it writes what can be read, says how many positions cannot, and ends
    with exit code 5.
    """
    choice = _choice(source, types, rule, from_, to)
    unreadable = 0
    with Journal.reading(journal) as opened, _written(out) as file:
        if as_csv:
            file.write(CSV_HEADING + "\n")
        for found in salvaged(opened, after, choice):
            if isinstance(found, int):
                unreadable += found
            else:
                file.write((csv_line(found) if as_csv else found.line) + "\n")
    if unreadable:
        raise SinkError(
            f"{journal}: expected every event, got {unreadable} positions that cannot be read"
        )


@app.command(
    "replay",
    epilog="Example: edge events replay journal.db --sink office --from 2026-09-24",
)
def replay(  # noqa: PLR0913
    journal: JournalArgument,
    sink: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Have this sink of `edge run` deliver them again."),
    ] = None,
    source: SourceOption = None,
    types: TypeOption = None,
    rule: RuleOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    after: AfterOption = 0,
) -> None:
    """Send events again: to standard output, or by a sink when `edge run` starts next.

    A sink goes back to before the first event that fits and delivers all from there on.
    Receivers drop repeats by event_id. `edge run` must be stopped.
    """
    choice = _choice(source, types, rule, from_, to)
    if sink is not None and to is not None:
        raise ConfigError("--to: expected nothing with --sink, which delivers all to the newest")
    if sink is None:
        with Journal.reading(journal) as opened:
            _show(opened.all_after(after, choice), as_json=True)
        return
    if not journal.exists():
        Journal.reading(journal)  # which says so; opened for writing it would be made
    with Journal(journal) as opened:
        known = [name for name, _, _ in opened.sinks()]
        if sink not in known:
            raise ConfigError(
                f"--sink: expected one that has delivered before, got {sink} "
                f"(known: {', '.join(known) or 'none'})"
            )
        first = opened.after(after, 1, choice)
        position = first[0].position - 1 if first else opened.newest
        again = max(0, opened.position(sink) - position)
        if again:
            opened.rewind(sink, position)
        typer.echo(f"{sink}: delivers again from position {position + 1}: {again} events", err=True)


@app.command("totals", epilog="Example: edge events totals journal.db --json")
def totals(
    journal: JournalArgument,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Show the present totals by source, rule and class, and since when they count."""
    with Journal.reading(journal) as opened:
        found = opened.totals()
    if as_json:
        typer.echo(json.dumps([total_dict(each) for each in found], indent=2))
    else:
        Console().print(totals_table(found))


@app.command("audit", epilog="Example: edge events audit journal.db && echo all is well")
def audit(
    journal: JournalArgument,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Check that all totals are the sums of their events; list gaps, losses and dead letters.

    Exit code 0: balanced. 1: not. Reads the whole journal.
    """
    with Journal.reading(journal) as opened:
        found = opened.audit()
    if as_json:
        typer.echo(json.dumps(audit_dict(found), indent=2))
    else:
        Console(soft_wrap=True, highlight=False).print(audit_text(found), markup=False)
    if not found.is_balanced:
        raise typer.Exit(1)


def _choice(
    source: str | None,
    types: list[str] | None,
    rule: str | None,
    from_: str | None,
    to: str | None,
) -> Choice:
    times = (_unix_s("--from", from_), _unix_s("--to", to))
    return Choice(source, tuple(types or ()), rule, *times)


def _unix_s(option: str, text: str | None) -> float | None:
    """Unix seconds of an ISO 8601 time, UTC unless it says otherwise.

    >>> _unix_s("--from", "2026-09-24T08:15:02.5Z") - _unix_s("--from", "2026-09-24")
    29702.5
    """
    if text is None:
        return None
    whole, dot, rest = text.replace("Z", "+00:00").partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    # Python 3.10 wants three or six decimals.
    tidy = whole + (f".{rest[:digits][:6]:0<6}{rest[digits:]}" if dot else "")
    try:
        at = datetime.fromisoformat(tidy)
    except ValueError as error:
        raise ConfigError(
            f"{option}: expected a time such as 2026-09-24 or 2026-09-24T08:15:02Z, got {text}"
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()


def _show(rows: Iterable[Row], as_json: bool) -> None:
    for row in rows:
        typer.echo(row.line if as_json else readable(row))


@contextmanager
def _written(out: Path | None) -> Iterator[TextIO]:
    """A file to write, or standard output."""
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SinkError(f"{out}: expected to write events, got: {reason}") from error
