"""`edge draw`: draw lines and zones on a recording or camera in the browser, without counting."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.logs import start_logging
from edge.cli.options import (
    InputSizeOption,
    ModelOption,
    ProviderOption,
    ThreadsOption,
    camera_name,
    combined,
)
from edge.cli.redact import hidden
from edge.cli.terminal import console
from edge.config import Config, load_located, with_listen, with_model
from edge.config.replace import replace_checked
from edge.errors import ConfigError
from edge.sources import is_live, masked, open_source

EXAMPLE = "Example: edge draw street.mp4 --config street.yaml"
LISTEN = "127.0.0.1:8080"


def draw(  # noqa: PLR0913
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Video file, image folder, rtsp:// address or camera number; or the name of a "
            "camera of FILE. Left out: the only camera of FILE.",
        ),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="YAML config that the rules are saved in; made with the source, if there is none. "
            "Left out: named for the source, street.yaml for street.mp4.",
        ),
    ] = None,
    web: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help=f"Where the page is; default {LISTEN}."),
    ] = None,
    model: ModelOption = None,
    provider: ProviderOption = None,
    threads: ThreadsOption = None,
    input_size: InputSizeOption = None,
    blur_people: Annotated[
        bool, typer.Option("--blur-people", help="Hide people by their masks in the picture.")
    ] = False,
) -> None:
    """Draw lines and zones in the browser; nothing is counted and no event is sent.

    A recording is played over and over, as fast as it was recorded or as the model can; rules can
    be tried on the tracks that were seen. Ctrl-C ends.
    """
    check_no_config(source)
    if config_file is None:
        config_file = config_for(source)
    is_new = not config_file.exists()
    if is_new:
        begin_config(config_file, source)
    located = load_located(config_file)
    camera = camera_of(located.config, config_file, source)
    given = {"name": model, "provider": provider, "threads": threads, "input_size": input_size}
    config = with_model(located.config, {k: v for k, v in given.items() if v is not None})
    config = config.model_copy(update={"blur_people": config.blur_people or blur_people})
    if web is not None or config.web.listen is None:
        config = with_listen(config, web or LISTEN)
    with hidden(located.secrets):
        start_logging(config.log.format, "error", located.secrets)
        if is_new:
            console.print(
                f"{config_file} made, with the camera '{camera}'", highlight=False, soft_wrap=True
            )
        from edge.cli.drawing import show  # web servers take long to import

        show(config, camera, config_file, model is not None)


def check_no_config(source: str | None) -> None:
    """Refuse a config file that is given as the source.

    Raises:
        ConfigError: it is one.

    >>> check_no_config("street.yaml")
    Traceback (most recent call last):
    edge.errors.ConfigError: SOURCE: expected a recording or camera, got the config file \
street.yaml: did you mean --config street.yaml?
    """
    if source is not None and source.lower().endswith((".yaml", ".yml")):
        raise ConfigError(
            f"SOURCE: expected a recording or camera, got the config file {source}: "
            f"did you mean --config {source}?"
        )


def config_for(source: str | None) -> Path:
    """Where rules for a source are saved if nobody says where.

    Raises:
        ConfigError: there is no source.

    >>> config_for("clips/street.mp4").name, config_for("rtsp://192.0.2.7/gate").name
    ('street.yaml', 'gate.yaml')
    """
    if source is None:
        raise ConfigError("expected a SOURCE to draw on, or --config FILE, got neither")
    return Path(f"{camera_name(source, set())}.yaml")


def begin_config(file: Path, source: str | None) -> None:
    """Make a config with one camera and no rules.

    Raises:
        ConfigError: there is no source, or it or the file cannot be used.
        SourceError: the source cannot be read.
    """
    if source is None:
        raise ConfigError(f"{file}: expected a config file or a SOURCE to begin one, got neither")
    combined(None, [source], None, None, None)  # refuses passwords that are written out
    if not file.parent.is_dir():
        raise ConfigError(
            f"{file}: expected a folder that is there, got {file.parent}; "
            f"make it: mkdir -p {shlex.quote(str(file.parent))}"
        )
    if not is_live(source):
        open_source(source).close()
    text = (
        f"# Begun by edge draw. Count with: edge run --config {shlex.quote(str(file))}\n"
        f"cameras:\n  {camera_name(source, set())}:\n"
        f"    source: {json.dumps(source, ensure_ascii=False)}\n"
    )
    try:
        replace_checked(file, text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{file}: expected a file that can be made, got: {reason}") from error


def camera_of(config: Config, file: Path, source: str | None) -> str:
    """The camera of a config that a source or name means.

    Raises:
        ConfigError: none, or it is not clear which.
    """
    if source in config.cameras:
        return str(source)
    if source is not None:  # as the config has it once its variables are replaced
        source = next(iter(combined(None, [source], None, None, None).cameras.values())).source
    found = [n for n, camera in config.cameras.items() if source in (None, camera.source)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(config.cameras) or "none"
    asked = "no name" if source is None else masked(source)
    raise ConfigError(f"{file}: expected one of its cameras ({known}), got {asked}")
