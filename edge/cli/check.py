"""`edge check CONFIG`: validate a config without starting anything, and warn of doubtful rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.against import tried
from edge.cli.rule_lints import findings
from edge.config import Camera, Line, Zone, load_located, message

EXAMPLE = "Example: edge check site.yaml --against monday.jsonl.gz --strict"


def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file to check.")],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DETECTIONS.jsonl[.gz]",
            help="Recorded detections of one of its cameras (edge run --save-detections): tells "
            "what comes near each rule and what it counts, and measures how large objects are.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 2 if there are warnings.")
    ] = False,
) -> None:
    """Validate a config without starting: every error with file, line, key, expected and got.

    Then warn of rules that can hardly count: a line without room beyond it, one that crosses
    another, a zone smaller than an object. With --against also of rules that no track comes near.
    """
    located = load_located(config)
    loaded, document = located.config, located.document
    tryout = tried(loaded, against) if against else None
    found = findings(loaded, tryout.scale_of) if tryout else findings(loaded)
    found += tryout.findings() if tryout else ()
    for finding in sorted(found, key=lambda f: document.line_of(f.key)):
        where = f"{config}:{document.line_of(finding.key)}"
        typer.echo(f"{where}: warning: {message(finding.key, finding.text)}", err=True)
    warned = f", {_number(len(found), 'warning')}" if found else ""
    typer.echo(f"{config}: OK, {_number(len(loaded.cameras), 'camera')}{warned}", err=True)
    for name, camera in loaded.cameras.items():
        typer.echo(f"  {name}: {_summary(camera)}", err=True)
    for line in tryout.report() if tryout else ():
        typer.echo(line, err=True)
    if strict and found:
        raise typer.Exit(2)


def _summary(camera: Camera) -> str:
    parts = [_rules("line", camera.lines), _rules("zone", camera.zones)]
    return ", ".join(part for part in parts if part) or "no rules"


def _rules(kind: str, rules: dict[str, Line] | dict[str, Zone]) -> str:
    return f"{_number(len(rules), kind)} ({', '.join(rules)})" if rules else ""


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
