"""`edge check CONFIG`: validate a config without starting anything, and warn of doubtful rules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from edge.config import Camera, Config, Line, Zone, load, paths_cross, polygon_area

_BORDER_SHARE = 0.02  # of the frame: feet near its border are often cut off
_TINY_SHARE = 0.002  # of the frame's area: a foot hardly ever falls inside


def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file to check.")],
) -> None:
    """Validate a config without starting: every error with file, line, key, expected and got."""
    loaded = load(config)
    for warning in warnings(loaded):
        typer.echo(f"{config}: warning: {warning}", err=True)
    typer.echo(f"{config}: OK, {_number(len(loaded.cameras), 'camera')}", err=True)
    for name, camera in loaded.cameras.items():
        typer.echo(f"  {name}: {_summary(camera)}", err=True)


def warnings(config: Config) -> list[str]:
    """What is allowed but hardly meant: one sentence each, with the key."""
    if not config.cameras:
        return ["cameras: none, so there is nothing to count"]
    return [
        f"cameras.{name}{text}"
        for name, camera in config.cameras.items()
        for text in (*_of_camera(camera), *_of_lines(camera), *_of_zones(camera))
    ]


def _of_camera(camera: Camera) -> Iterator[str]:
    if not camera.rules:
        yield ": no lines and no zones, so it will count nothing"


def _of_lines(camera: Camera) -> Iterator[str]:
    for name, line in camera.lines.items():
        if any(_hugs_border(*piece) for piece in itertools.pairwise(line.path)):
            yield (
                f".lines.{name}: runs along the border of the frame, closer than "
                f"{_BORDER_SHARE:.0%}: objects may vanish before they have crossed it"
            )
    for (name, line), (other_name, other) in itertools.combinations(camera.lines.items(), 2):
        if paths_cross(line.path, other.path):
            yield f".lines.{name}: meets line '{other_name}': one passage may count at both"


def _of_zones(camera: Camera) -> Iterator[str]:
    for name, zone in camera.zones.items():
        area = polygon_area(zone.polygon)
        if area < _TINY_SHARE:
            yield f".zones.{name}: covers {area:.2%} of the frame: feet will hardly fall inside"


def _hugs_border(start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether both ends, and so all between them, are near the same border of the frame."""
    return any(
        max(start[axis], end[axis]) < _BORDER_SHARE
        or min(start[axis], end[axis]) > 1 - _BORDER_SHARE
        for axis in (0, 1)
    )


def _summary(camera: Camera) -> str:
    parts = [_rules("line", camera.lines), _rules("zone", camera.zones)]
    return ", ".join(part for part in parts if part) or "no rules"


def _rules(kind: str, rules: dict[str, Line] | dict[str, Zone]) -> str:
    return f"{_number(len(rules), kind)} ({', '.join(rules)})" if rules else ""


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
