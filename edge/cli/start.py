"""The entry point: the command line, or what can be said where a library that it needs is broken.

Imports nothing at first that may be missing or made for another numpy.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys


class _Written(io.StringIO):
    """Keeps what is written. Consoles that are made meanwhile ask whether it is a terminal."""

    def isatty(self) -> bool:
        return sys.__stderr__ is not None and sys.__stderr__.isatty()


def main() -> None:
    """Run `edge`. If that cannot be imported: `edge doctor` alone, and for the rest a sentence."""
    written = _Written()
    try:
        with contextlib.redirect_stderr(written):  # numpy writes pages about other builds
            from edge.cli.app import main as run
    except Exception as error:  # libraries made for another numpy fail with several types
        if os.environ.get("EDGE_DEBUG"):
            raise
        _without(error)
    else:
        if text := written.getvalue():
            sys.stderr.write(text)
        run()


def _without(error: Exception) -> None:
    import typer

    if sys.argv[1:2] == ["doctor"]:
        from edge.cli.doctor import EXAMPLE, doctor

        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(epilog=EXAMPLE)(doctor)
        alone(args=sys.argv[2:], prog_name="edge doctor")
    said = next(iter(str(error).splitlines()), type(error).__name__)
    typer.echo(f"edge: cannot start: {said}; `edge doctor` says what to do", err=True)
    sys.exit(1)
