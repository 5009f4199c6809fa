"""Options that several commands share, and the config they add up to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from edge.config import Camera, Config, camera_from_options, load
from edge.errors import ConfigError

LineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--line", metavar="NAME=x1,y1,x2,y2[,x3,y3,...]", help="Counting line, 0..1 of the frame."
    ),
]
ZoneOption = Annotated[
    list[str] | None,
    typer.Option("--zone", metavar="NAME=x1,y1,x2,y2,x3,y3,...", help="Zone, 0..1 of the frame."),
]
ClassesOption = Annotated[
    str | None, typer.Option(metavar="person,car", help="Count only these classes.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML config; options override it.")
]
SnapshotOption = Annotated[
    float | None,
    typer.Option(
        "--snapshot-every",
        metavar="SECONDS",
        min=1,
        help="Send a count_snapshot of every rule each so many seconds of media time.",
    ),
]
ModelOption = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="Model of the catalogue, or ONNX file.")
]
ProviderOption = Annotated[
    str | None, typer.Option(metavar="auto|tensorrt|cuda|openvino|cpu", help="Where it runs.")
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="CPU threads of the model.")]
InputSizeOption = Annotated[
    int | None, typer.Option(min=32, help="Longest side of the model's input, pixels.")
]


def camera_name(source: str, taken: set[str]) -> str:
    """A name for a source given on the command line: its file name, made unique.

    >>> camera_name("clips/north door.mp4", {"north-door"})
    'north-door-2'
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(source).stem).strip("-.") or "camera"
    name, n = stem, 1
    while name in taken:
        n += 1
        name = f"{stem}-{n}"
    return name


def combined(
    config_file: Path | None,
    sources: list[str],
    lines: list[str] | None,
    zones: list[str] | None,
    classes: str | None,
    snapshot_every_s: float | None = None,
) -> Config:
    """The config file, its cameras and rules replaced by what the command line names.

    Raises:
        ConfigError: either of them is wrong, or there is nothing to do.
    """
    config = load(config_file) if config_file else Config()
    if snapshot_every_s is not None:
        config = config.model_copy(update={"snapshot_every_s": snapshot_every_s})
    names = [c.strip() for c in classes.split(",") if c.strip()] if classes else None
    if not sources:
        if not config.cameras:
            raise ConfigError("expected a source or --config FILE with cameras, got neither")
        if not (lines or zones or names):
            return config
        cameras = {
            name: _overridden(camera, lines, zones, names)
            for name, camera in config.cameras.items()
        }
        return config.model_copy(update={"cameras": cameras})
    cameras = {}
    rules = next(iter(config.cameras.values()), None)
    for source in sources:
        if not source:
            raise ConfigError("SOURCE: expected a file or folder, got an empty name")
        given = Camera(source=source) if rules is None else _moved(rules, source)
        cameras[camera_name(source, set(cameras))] = _overridden(given, lines, zones, names)
    return config.model_copy(update={"cameras": cameras})


def _moved(camera: Camera, source: str) -> Camera:
    return camera.model_copy(update={"source": source})


def _overridden(
    camera: Camera, lines: list[str] | None, zones: list[str] | None, classes: list[str] | None
) -> Camera:
    given = camera_from_options(camera.source, lines or [], zones or [], classes)
    changes: dict[str, object] = {}
    if lines or zones:
        changes |= {"lines": given.lines, "zones": given.zones}
    if classes:
        changes["classes"] = given.classes
    return camera.model_copy(update=changes)


def with_moving_cameras(config: Config) -> Config:
    """The config with every camera taken to move."""
    cameras = {n: c.model_copy(update={"moves": True}) for n, c in config.cameras.items()}
    return config.model_copy(update={"cameras": cameras})
