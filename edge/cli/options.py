"""Options that several commands share, and the config they add up to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from edge.config import Camera, Config, Secrets, camera_from_options, load_located, written_out
from edge.config.secrets import problems as secret_problems
from edge.errors import ConfigError

LineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--line",
        metavar="NAME=x1,y1,x2,y2[,x3,y3,...]",
        help="Counting line through these points, 0..1 of the frame from its top left; repeatable.",
    ),
]
ZoneOption = Annotated[
    list[str] | None,
    typer.Option(
        "--zone",
        metavar="NAME=x1,y1,x2,y2,x3,y3,...",
        help="Zone with these corners, 0..1 of the frame; repeatable.",
    ),
]
ClassesOption = Annotated[
    str | None, typer.Option(metavar="person,car", help="Count these classes only; default: all.")
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
    str | None,
    typer.Option(metavar="NAME|PATH", help="Model of `edge models list`, or an ONNX file."),
]
FamilyOption = Annotated[
    str | None,
    typer.Option(
        metavar="FAMILY",
        help="How the model's outputs are read, such as yolo; default: as they look.",
    ),
]
ClassNamesOption = Annotated[
    Path | None,
    typer.Option(
        "--class-names", metavar="FILE", help="Names of the model's classes, one a line, in order."
    ),
]
ProviderOption = Annotated[
    str | None,
    typer.Option(
        metavar="auto|tensorrt|cuda|openvino|cpu",
        help="What the model runs on; auto: the first of these that works here.",
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="CPU threads of the model.")
]
InputSizeOption = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", min=32, help="Longest side of the model's input."),
]


def camera_name(source: str, taken: set[str]) -> str:
    """A name for a source given on the command line: its last part, made unique, without secrets.

    >>> camera_name("clips/north door.mp4", {"north-door"})
    'north-door-2'
    >>> camera_name("rtsp://me:${DOOR}@10.0.0.7:554/stream1?sub=1", set()), camera_name("0", set())
    ('stream1', 'camera-0')
    """
    path = re.sub(r"^[a-z][a-z0-9+.-]*://[^/]*/?|\?.*$|^gst:.*$", "", source) or "camera"
    if path.isdigit():
        path = f"camera-{path}"
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(path).stem).strip("-.") or "camera"
    name, n = stem, 1
    while name in taken:
        n += 1
        name = f"{stem}-{n}"
    return name


def named_classes(classes: str | None) -> tuple[str, ...] | None:
    """Classes of the option --classes; None: it is not given.

    >>> named_classes("person, car,")
    ('person', 'car')
    """
    names = tuple(name.strip() for name in (classes or "").split(",") if name.strip())
    return names or None


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
    return given(config_file, sources, lines, zones, classes, snapshot_every_s)[0]


def given(
    config_file: Path | None,
    sources: list[str],
    lines: list[str] | None,
    zones: list[str] | None,
    classes: str | None,
    snapshot_every_s: float | None = None,
) -> tuple[Config, frozenset[str]]:
    """As `combined`, and the secrets that came with it.

    Raises:
        ConfigError: as `combined`.
    """
    secrets = Secrets()
    config = Config()
    if config_file is not None:
        located = load_located(config_file)
        config, secrets.found = located.config, set(located.secrets)
    config = _replaced(config, sources, (lines, zones, classes), snapshot_every_s, secrets)
    return config, frozenset(secrets.found)


def web_token(text: str | None, has_page: bool) -> tuple[str | None, frozenset[str]]:
    """The token of the page that a command line names, and what its variables held.

    Raises:
        ConfigError: It is written out, a variable cannot be had, or there is no page.
    """
    if text is None:
        return None, frozenset()
    if not has_page:
        raise ConfigError("--web-token: expected --web HOST:PORT or web.listen, got neither")
    for _, trouble in secret_problems({"web": {"token": text}}):
        told = trouble.partition(": ")[2].replace("the password", "the token")
        raise ConfigError(f"--web-token: {told}")
    secrets = Secrets()
    return secrets.text(text), frozenset(secrets.found)


def _replaced(
    config: Config,
    sources: list[str],
    rules_given: tuple[list[str] | None, list[str] | None, str | None],
    snapshot_every_s: float | None,
    secrets: Secrets,
) -> Config:
    lines, zones, classes = rules_given
    if snapshot_every_s is not None:
        config = config.model_copy(update={"snapshot_every_s": snapshot_every_s})
    names = named_classes(classes)
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
            raise ConfigError("SOURCE: expected a file, folder or camera, got an empty name")
        if trouble := written_out(source):
            raise ConfigError(
                f"SOURCE: {trouble}: other users see the command line; write "
                "'rtsp://USER:${CAMERA_PASSWORD}@...' in single quotes, with the variable exported"
            )
        for _, trouble in secret_problems({"cameras": {"_": {"source": source}}}):
            raise ConfigError(f"SOURCE: {trouble.partition(': ')[2]}")
        name = camera_name(source, set(cameras))
        source = secrets.text(source)
        camera = Camera(source=source) if rules is None else _moved(rules, source)
        cameras[name] = _overridden(camera, lines, zones, names)
    return config.model_copy(update={"cameras": cameras})


def _moved(camera: Camera, source: str) -> Camera:
    return camera.model_copy(update={"source": source})


def _overridden(
    camera: Camera,
    lines: list[str] | None,
    zones: list[str] | None,
    classes: tuple[str, ...] | None,
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
