"""A chart as plain shapes, and as SVG. Imports the standard library only.

Shapes carry names of styles, not colours: the page gives a light, a dark and a printed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; `tip` says what it stands for when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    style: str
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A line through points, or what it encloses."""

    points: Sequence[tuple[float, float]]
    style: str
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A word; x and y are its anchor on the baseline."""

    x: float
    y: float
    text: str
    style: str = "label"
    anchor: Anchor = "start"


@dataclass(slots=True)
class Drawing:
    """Shapes in drawing order, in units of about a pixel, and what they say in words."""

    title: str
    description: str
    width: int
    height: int
    shapes: list[Rect | Path | Text] = field(default_factory=list)


def svg(drawing: Drawing, name: str) -> str:
    """The drawing as an SVG element for a page; `name` is unique on it.

    >>> print(svg(Drawing("A < B", "No data.", 10, 5, [Rect(0, 0, 2, 2.5, "in")]), "c1"))
    <svg viewBox="0 0 10 5" role="img" aria-labelledby="c1-t c1-d">
    <title id="c1-t">A &lt; B</title><desc id="c1-d">No data.</desc>
    <rect x="0" y="0" width="2" height="2.5" class="in"/>
    </svg>
    """
    lines = [
        f'<svg viewBox="0 0 {drawing.width} {drawing.height}" role="img" '
        f'aria-labelledby="{name}-t {name}-d">',
        f'<title id="{name}-t">{escape(drawing.title)}</title>'
        f'<desc id="{name}-d">{escape(drawing.description)}</desc>',
        *map(_element, drawing.shapes),
        "</svg>",
    ]
    return "\n".join(lines)


def _element(shape: Rect | Path | Text) -> str:
    style = escape(shape.style)
    if isinstance(shape, Text):
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        where = f'x="{_number(shape.x)}" y="{_number(shape.y)}"'
        return f'<text {where}{anchor} class="{style}">{escape(shape.text)}</text>'
    if isinstance(shape, Path):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.points)
        kind = "polygon" if shape.is_filled else "polyline"
        return f'<{kind} points="{points}" class="{style}"/>'
    sides = {"x": shape.x, "y": shape.y, "width": shape.width, "height": shape.height}
    where = " ".join(f'{key}="{_number(value)}"' for key, value in sides.items())
    if not shape.tip:
        return f'<rect {where} class="{style}"/>'
    return f'<rect {where} class="{style}"><title>{escape(shape.tip)}</title></rect>'


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
