"""Rules given on the command line, and the check of class names against a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from edge.config.delivery import Web
from edge.config.messages import problems_of, shown, suggestion
from edge.config.model import Model
from edge.config.people import people
from edge.config.rules import Camera, Line, Zone
from edge.config.sections import Config
from edge.config.values import Point
from edge.errors import ConfigError


def parse_line_option(text: str) -> tuple[str, Line]:
    """Name and line of `--line NAME=x1,y1,x2,y2[,x3,y3,...]`, 0..1 of the frame.

    Raises:
        ConfigError: One sentence on what is wrong.

    Example:
        >>> parse_line_option("door=0.1,0.5,0.9,0.5")[1].path
        ((0.1, 0.5), (0.9, 0.5))
        >>> parse_line_option("bend=0.1,0.5,0.5,0.6,0.9,0.5")[1].points
        ((0.1, 0.5), (0.5, 0.6), (0.9, 0.5))
    """
    form = "NAME=x1,y1,x2,y2[,x3,y3,...] with numbers in 0..1 of the frame"
    name, points = _points("--line", text, form)
    if len(points) < 2:
        raise ConfigError(f"--line: expected {form}, got '{text}'")
    rule: dict[str, object] = {"points": points}
    if len(points) == 2:
        rule = {"a": points[0], "b": points[1]}
    return name, _camera("--line", {"lines": {name: rule}}).lines[name]


def parse_zone_option(text: str) -> tuple[str, Zone]:
    """Name and zone of `--zone NAME=x1,y1,x2,y2,x3,y3,...`, 0..1 of the frame.

    Raises:
        ConfigError: One sentence on what is wrong.

    Example:
        >>> parse_zone_option("hall=0,0,1,0,0.5,1")[1].polygon
        ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0))
    """
    form = "NAME=x1,y1,x2,y2,x3,y3,... with numbers in 0..1 of the frame"
    name, points = _points("--zone", text, form)
    if len(points) < 3:
        raise ConfigError(f"--zone: expected {form}, got '{text}'")
    return name, _camera("--zone", {"zones": {name: {"polygon": points}}}).zones[name]


def camera_from_options(
    source: str, lines: Sequence[str], zones: Sequence[str], classes: Sequence[str] | None
) -> Camera:
    """The camera that the command line describes.

    Args:
        source: As in the config.
        lines: Texts of `--line`.
        zones: Texts of `--zone`.
        classes: Names of `--classes`; None or empty: all that the model knows.

    Raises:
        ConfigError: A text is wrong, or two rules have one name.
    """
    parsed = [parse_line_option(text) for text in lines]
    areas = [parse_zone_option(text) for text in zones]
    names = [name for name, _ in (*parsed, *areas)]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"--line, --zone: expected a name for each, got '{name}' twice")
    rules = {"lines": dict(parsed), "zones": dict(areas), "classes": list(classes or ()) or None}
    return _camera("command line", {"source": source, **rules})


def with_model(config: Config, changes: Mapping[str, object]) -> Config:
    """The config with keys of its section `model` replaced, and checked.

    Raises:
        ConfigError: A value that the section does not take.
    """
    try:
        model = Model.model_validate(config.model.model_dump() | dict(changes))
    except ValidationError as error:
        _, text = problems_of(error, Model)[0]
        raise ConfigError(f"command line: {text}") from error
    return config.model_copy(update={"model": model})


def with_listen(config: Config, listen: str, token: str | None = None) -> Config:
    """The config with the address of the page replaced, and checked.

    Args:
        config: The config.
        listen: As `web.listen`.
        token: As `web.token`; None: that of the config.

    Raises:
        ConfigError: It is no address, or others can reach it and the config has no token.

    Example:
        >>> with_listen(Config(), "127.0.0.1:8080").web.port
        8080
    """
    try:
        given = {"listen": listen, "token": config.web.token if token is None else token}
        web = Web.model_validate(config.web.model_dump() | given)
    except ValidationError as error:
        _, text = problems_of(error, Web)[0]
        raise ConfigError(f"--web: {text.removeprefix('listen: ')}") from error
    return config.model_copy(update={"web": web})


def check_classes(config: Config, names: Sequence[str]) -> None:
    """Refuse class names that the model does not know, and to hide people it does not tell.

    Args:
        config: The config.
        names: The model's class names.

    Raises:
        ConfigError: One line for each unknown name, with the nearest known one; or the model has
            no class of people, and they shall be hidden.
    """
    problems = [
        f"{where}: expected a class of the model, got '{given}', {suggestion(given, names)}"
        for camera_name, camera in config.cameras.items()
        for where, classes in _class_lists(f"cameras.{camera_name}", camera)
        for given in classes
        if given not in names
    ]
    problems += _blur_problems(config.blur_people, names)
    if problems:
        raise ConfigError("\n".join(problems))


def _blur_problems(blur: bool | Sequence[str], names: Sequence[str]) -> list[str]:
    """Why the model's people could not be hidden: nobody would notice that they are not."""
    if not isinstance(blur, bool):
        return [
            f"blur_people: expected a class of the model, got '{given}', {suggestion(given, names)}"
            for given in blur
            if given not in names
        ]
    if not blur or people(names):
        return []
    some = ", ".join(names[:8]) + (", ..." if names[8:] else "")
    return [
        f"blur_people: expected a class of people in the model, got {some}; list the classes to "
        f"hide, as in blur_people: [{names[0]}], or leave it out"
    ]


def _class_lists(where: str, camera: Camera) -> Iterator[tuple[str, Sequence[str]]]:
    yield f"{where}.classes", camera.classes or ()
    for name, line in camera.lines.items():
        yield f"{where}.lines.{name}.classes", line.classes or ()
    for name, zone in camera.zones.items():
        yield f"{where}.zones.{name}.classes", zone.classes or ()


def _points(option: str, text: str, form: str) -> tuple[str, list[Point]]:
    name, equals, rest = text.partition("=")
    try:
        numbers = [float(part) for part in rest.split(",")]
    except ValueError:
        numbers = []
    if not equals or not numbers or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{option}: expected {form}, got {shown(text)}")
    return name.strip(), list(zip(numbers[::2], numbers[1::2], strict=True))


def _camera(option: str, keys: dict[str, object]) -> Camera:
    """A camera with one rule, so that options meet the same checks as the file."""
    try:
        return Camera.model_validate({"source": "-", **keys})
    except ValidationError as error:
        _, text = problems_of(error, Camera)[0]
        raise ConfigError(f"{option}: {text}") from error
