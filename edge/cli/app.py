"""`edge`: mounts the commands and turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import cv2
import typer

import edge
from edge.cli import (
    bench,
    check,
    doctor,
    draw,
    events,
    init,
    inspect,
    models,
    reporting,
    run,
    schema,
    track,
)
from edge.cli import eval as evaluation
from edge.cli.commands import Commands
from edge.cli.eval_output import OptionalJson
from edge.cli.heap import keep_freed_memory
from edge.errors import EdgeError

app = typer.Typer(
    cls=Commands,
    epilog="Example: edge run street.mp4 --line gate=0.5,0,0.5,1 --save-video counted.mp4",
    name="edge",
    help="Count people and vehicles in video, on the device next to the camera.\n\n"
    "To begin: `edge init` writes a config, `edge draw` draws lines and zones into it, `edge run` "
    "counts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog=run.EXAMPLE)(run.run)
app.command("init", epilog=init.EXAMPLE)(init.init)
app.command("draw", epilog=draw.EXAMPLE)(draw.draw)
app.command("track", epilog=track.EXAMPLE)(track.track)
app.command("check", epilog=check.EXAMPLE)(check.check)
app.command("inspect", cls=OptionalJson, epilog=inspect.EXAMPLE)(inspect.inspect)
app.add_typer(evaluation.app, name="eval")
app.command("bench", epilog=bench.EXAMPLE)(bench.bench)
app.add_typer(models.app, name="models")
app.command("doctor", epilog=doctor.EXAMPLE)(doctor.doctor)
app.add_typer(events.app, name="events")
app.command("report", epilog=reporting.EXAMPLE)(reporting.report)
app.command("schema", epilog="Example: edge schema config > edgecount.schema.json")(schema.schema)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgecount {edge.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show errors with their traceback, as with EDGE_DEBUG=1."),
    ] = False,
) -> None:
    if debug:
        os.environ["EDGE_DEBUG"] = "1"


def main() -> None:
    """Run the command line; with --debug or EDGE_DEBUG=1 errors keep their traceback."""
    # Our pictures are small: OpenCV's own threads cost more than they bring and disturb the model.
    cv2.setNumThreads(1)
    keep_freed_memory()
    try:
        app(prog_name="edge")
    except EdgeError as error:
        if os.environ.get("EDGE_DEBUG"):
            raise
        typer.echo(f"edge: {error}", err=True)
        _discard_unwritten()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("edge: interrupted", err=True)
        sys.exit(130)


def _discard_unwritten() -> None:
    """Drop what standard output did not take, or Python tries again at exit and changes the code.

    The way that Python's documentation of the module signal recommends for SIGPIPE.
    """
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
