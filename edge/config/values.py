"""The kinds of values in the config: points, names, shares, and what makes one wrong.

Imports pydantic only.
"""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from edge.config.shapes import is_simple, polygon_area


def problem(text: str, *at: str | int) -> PydanticCustomError:
    """An error whose text is complete; `at` leads from the section checked to the culprit."""
    return PydanticCustomError("problem", "{text}", {"text": text, "at": list(at)})


def expected(text: str) -> PydanticCustomError:
    """An error to which the loader adds what it got."""
    return PydanticCustomError("expected", "{text}", {"text": text, "at": []})


def _numbers(value: object, kinds: type | tuple[type, ...]) -> list[float]:
    """The entries of a list of two numbers, otherwise nothing."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return []
    good = all(isinstance(v, kinds) and not isinstance(v, bool) for v in value)
    return list(value) if good else []


def _point(value: object) -> tuple[float, float]:
    numbers = _numbers(value, (int, float))
    if not numbers or not all(0 <= v <= 1 for v in numbers):
        raise expected("two numbers in 0..1")
    return float(numbers[0]), float(numbers[1])


def check_polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Refuse a polygon that repeats a point, encloses nothing, or whose border meets itself."""
    if points[0] == points[-1]:
        raise problem("expected a polygon that closes itself, got its first point again at the end")
    check_no_repeats(points)
    if polygon_area(points) < 1e-9:
        raise problem("expected a polygon that encloses an area, got all points on one line")
    if not is_simple(points):
        raise problem("expected a polygon whose border does not meet itself, got one that does")
    return points


def check_no_repeats(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Refuse a path that stands still: a piece without length has no sides."""
    for k, (one, other) in enumerate(itertools.pairwise(points)):
        if one == other:
            raise problem(f"expected each point once, got {list(other)} twice in a row", k + 1)
    return points


def _yes_no_or_names(value: object) -> object:
    if isinstance(value, bool):
        return value
    names = list(value) if isinstance(value, list | tuple) else []
    if names and all(isinstance(name, str) and name.strip() for name in names):
        return tuple(names)
    raise expected("true, false or a list of class names")


Share = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[tuple[Share, Share], BeforeValidator(_point)]
# Letters, digits and a few signs: names end up in MQTT topics, track ids and on command lines.
Name = Annotated[str, Field(pattern=r"^\w[\w .-]{0,63}$")]
Text = Annotated[str, Field(min_length=1)]
Classes = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
Blur = Annotated[bool | tuple[Text, ...], BeforeValidator(_yes_no_or_names)]
