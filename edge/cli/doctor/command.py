"""`edge doctor`: every check, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import edge
from edge.cli.doctor import machine, models, packages, providers, video
from edge.cli.doctor.finding import Check, Finding, State, findings_of
from edge.cli.redact import Redactor

if TYPE_CHECKING:
    from edge.config import Config
    from edge.segment.providers import ProviderSettings

EXAMPLE = "Example: edge doctor /etc/edgecount/site.yaml --json"
_STYLES: dict[State, str] = {"ok": "green", "note": "yellow", "problem": "red"}


def doctor(
    config: Annotated[
        Path | None,
        # One that cannot be read is a finding.
        typer.Argument(
            metavar="CONFIG", readable=False, help="YAML file: check what it needs as well."
        ),
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of a table.")
    ] = False,
) -> None:
    """Find out what works on this machine, and what to do about the rest.

    Looks at Python, packages, providers, GPU, decoders, disk, clock and models;
    with CONFIG also at its secrets, model, cameras, folders and receivers.
    Exit code 1 if something is missing that CONFIG needs, or else every run.
    """
    found = examined(config)
    is_fine = not any(each.decides for each in found)
    if json_output:
        report = {
            "edgecount": edge.__version__,
            "findings": [asdict(each) for each in found],
            "ok": is_fine,
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        _show(found, config, is_fine)
    if not is_fine:
        raise typer.Exit(1)


def examined(path: Path | None) -> list[Finding]:
    """All findings, without secrets.

    Args:
        path: of a config; None: what every run needs is checked.
    """
    read, config, secrets = _read(path) if path else ([], None, frozenset[str]())
    needed = _needed(config) if config else []
    wanted, used, cache = providers.Wanted(), None, None
    sources: list[str] = []
    if config is not None:
        m = config.model
        wanted = providers.Wanted(m.provider, m.strict_provider, _settings(config))
        used, cache = m.name, m.tensorrt.cache
        sources = [camera.source for camera in config.cameras.values()]
    needs_gstreamer = any(source.startswith("gst:") for source in sources)
    found = [
        *findings_of("Python", machine.python),
        *findings_of("edgecount", packages.edgecount),
        *findings_of("OpenCV", lambda: video.opencv(needs_gstreamer)),
        *findings_of("PyAV", video.pyav),
        *findings_of("onnxruntime", lambda: providers.build(wanted)),
        *findings_of("CPUs", machine.cpus),
        *findings_of("Jetson", machine.jetson),
        *findings_of("hardware video", video.hardware_decoders),
        *findings_of("disk", lambda: machine.disk("disk here", Path.cwd())),
        *findings_of("engine cache", lambda: providers.engine_cache(cache)),
        *findings_of("clock", machine.clock),
        *findings_of("models", lambda: models.hashes(used), needed=True),
        *read,
    ]
    if config is not None or path is None:
        found += findings_of("model opens", lambda: models.opens(config), needed=True)
    for what, check in needed:
        found += findings_of(what, check, needed=True)
    redactor = Redactor(secrets)
    return [replace(f, found=redactor.text(f.found), remedy=redactor.text(f.remedy)) for f in found]


def _settings(config: Config) -> ProviderSettings | None:
    """What the config sets about providers; None where the libraries for it are broken."""
    try:
        from edge.build import provider_settings
    except Exception:  # which is a finding of its own
        return None
    return provider_settings(config)


def _read(path: Path) -> tuple[list[Finding], Config | None, frozenset[str]]:
    """The config, if it can be had; pydantic may be broken as well."""
    read: list[tuple[Config | None, frozenset[str]]] = []

    def check() -> list[Finding]:
        from edge.cli.doctor import config as needs

        found, config, secrets = needs.read(path)
        read.append((config, secrets))
        return found

    found = findings_of("config", check, needed=True)
    return found, *(read[0] if read else (None, frozenset[str]()))


def _needed(config: Config) -> list[tuple[str, Check]]:
    """What a config needs; the network is asked from now on, while other things are checked."""
    from edge.cli.doctor import config as needs

    begun: list[Check] = []

    def begin() -> tuple[Finding, ...]:
        begun.append(needs.network(config))
        return ()

    refused = findings_of("network", begin)
    return [
        ("sources", lambda: needs.sources(config)),
        ("folders", lambda: needs.folders(config)),
        ("page", lambda: needs.page(config)),
        ("network", lambda: begun[0]() if begun else refused),
    ]


def _show(found: Sequence[Finding], config: Path | None, is_fine: bool) -> None:
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("what", overflow="fold", max_width=24)
    table.add_column("found", overflow="fold")
    table.add_column("", no_wrap=True)
    for each in found:
        # As text: brackets are no markup here.
        styled = Text(each.state, _STYLES[each.state])
        table.add_row(Text(each.what), Text(each.found), styled)
    console.print(f"edgecount {edge.__version__}", markup=False)
    console.print(table)
    for state, remedy, names in _remedies(found):
        console.print(Text.assemble((state, _STYLES[state]), f" {', '.join(names)}:"))
        console.print(Padding(Text(remedy), (0, 0, 0, 2)))
    console.print(Text(_verdict(found, config, is_fine)))


def _remedies(found: Sequence[Finding]) -> list[tuple[State, str, list[str]]]:
    """State, remedy, and what it is for: each once, problems first."""
    states: tuple[State, ...] = ("problem", "note")
    grouped: dict[tuple[State, str], dict[str, None]] = {}
    for state in states:
        for each in found:
            if each.state == state and each.remedy:
                grouped.setdefault((state, each.remedy), {})[each.what] = None
    return [(state, remedy, list(names)) for (state, remedy), names in grouped.items()]


def _verdict(found: Sequence[Finding], config: Path | None, is_fine: bool) -> str:
    who = f"{config} needs" if config else "every run needs"
    if is_fine:
        return f"\nok: all that {who} is here"
    return f"\nproblem: {who} {', '.join(dict.fromkeys(f.what for f in found if f.decides))}"
