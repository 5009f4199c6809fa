"""Cameras, and the lines and zones that count in their pictures. Imports pydantic only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from edge.config.section import Section
from edge.config.values import (
    Classes,
    Name,
    Point,
    Text,
    check_no_repeats,
    check_polygon,
    problem,
)


class Line(Section):
    """A counting line from `a` to `b`, or along `points`.

    `in` is a passage from the left to the right of someone who stands at the start and looks
    along the line, in the picture.
    """

    a: Point | None = Field(
        default=None, description="Start of the line, [x, y] in 0..1 of the frame."
    )
    b: Point | None = Field(
        default=None, description="End of the line, [x, y] in 0..1 of the frame."
    )
    points: (
        Annotated[
            tuple[Point, ...],
            Field(strict=False, min_length=2),
            AfterValidator(check_no_repeats),
        ]
        | None
    ) = Field(default=None, description="Instead of a and b: two points or more of a bent line.")
    in_name: Text | None = Field(
        default=None,
        alias="in",
        description="Display name of the direction in: left to right, seen from a.",
    )
    out_name: Text | None = Field(
        default=None, alias="out", description="Display name of the direction out: right to left."
    )
    classes: Classes | None = Field(
        default=None, description="Classes that this line counts; left out: all of the camera's."
    )

    @property
    def path(self) -> tuple[Point, ...]:
        """The line as two points or more, in its own direction."""
        if self.a is not None and self.b is not None:
            return self.a, self.b
        return self.points or ()

    @model_validator(mode="after")
    def _check_ends(self) -> Line:
        given = [key for key in ("a", "b", "points") if getattr(self, key) is not None]
        if given not in (["a", "b"], ["points"]):
            got = " and ".join(f"'{key}'" for key in given) or "none of them"
            raise problem(f"expected either 'a' and 'b' or 'points', got {got}")
        if self.a is not None and self.a == self.b:
            raise problem("expected a point other than 'a', got the same", "b")
        return self


class Zone(Section):
    """An area on the ground in which tracks enter, stay and leave."""

    polygon: Annotated[
        tuple[Point, ...], Field(strict=False, min_length=3), AfterValidator(check_polygon)
    ] = Field(description="Three corners or more, [x, y] in 0..1 of the frame, in order.")
    classes: Classes | None = Field(
        default=None, description="Classes that this zone counts; left out: all of the camera's."
    )
    dwell_s: float | None = Field(
        default=None,
        gt=0,
        description="Seconds inside after which zone_dwell is sent; left out: never.",
    )
    occupancy_every_s: float | None = Field(
        default=None,
        gt=0,
        description="Seconds from one zone_occupancy to the next; left out: none is sent.",
    )
    overcrowded: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Tracks inside from which it is overcrowded; left out: never.",
    )
    overcrowded_area: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of it under masks, 0..1, from which it is overcrowded; left out: never.",
    )


class Camera(Section):
    """One source of pictures and the rules that count in it."""

    source: Text = Field(
        repr=False,  # may hold a password
        description="File, folder of images, rtsp:// address, device number in quotes, or gst: "
        "pipeline; ${NAME} is taken from the environment.",
    )
    lines: dict[Name, Line] = Field(
        default_factory=dict, description="Counting lines by name, the rule id in events."
    )
    zones: dict[Name, Zone] = Field(
        default_factory=dict, description="Zones by name, the rule id in events."
    )
    classes: Classes | None = Field(
        default=None, description="Classes to track; left out: all that the model knows."
    )
    moves: bool = Field(
        default=False,
        description="The camera moves or sways: follow it from picture to picture. Lines and zones "
        "stay where they are in the frame.",
    )
    transport: Literal["tcp", "udp"] = Field(
        default="tcp", description="How rtsp:// pictures come: tcp or udp."
    )
    open_timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Seconds to wait for a live source to open."
    )
    read_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=600,
        description="Seconds without a picture after which a live source is lost.",
    )
    frozen_s: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="Seconds of one and the same picture after which it is lost; 0: never.",
    )
    black_s: float = Field(
        default=10.0,
        ge=0,
        le=86_400,
        description="Seconds of black pictures after which it is lost; 0: never.",
    )
    max_fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Most frames a second taken from a live source; left out: all.",
    )

    @property
    def rules(self) -> dict[str, Line | Zone]:
        """Lines, then zones, by name, in the order of the file."""
        return {**self.lines, **self.zones}

    @model_validator(mode="after")
    def _check_rules(self) -> Camera:
        check_rule_names(self.lines, self.zones)
        check_rule_classes(self)
        return self


def check_rule_names(lines: Iterable[str], zones: Iterable[str]) -> None:
    """Refuse a zone named like a line of the same camera: the name is the rule id in events."""
    lines = set(lines)
    for name in zones:
        if name in lines:
            raise problem(
                f"expected a name that no line of this camera has, got '{name}'", "zones", name
            )


def check_rule_classes(camera: Camera) -> None:
    """Refuse a rule that waits for a class which its camera does not track."""
    if camera.classes is None:
        return
    for kind, rules in (("lines", camera.lines), ("zones", camera.zones)):
        for name, rule in rules.items():
            unknown = [given for given in rule.classes or () if given not in camera.classes]
            if unknown:
                raise problem(
                    f"expected classes of this camera ({', '.join(camera.classes)}), "
                    f"got '{unknown[0]}'",
                    *(kind, name, "classes"),
                )
