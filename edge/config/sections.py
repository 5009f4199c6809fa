"""The sections of the config, their keys, defaults, units and limits. Imports pydantic only.

Every section derives from `Section`, so that an unknown key is an error everywhere. Validators
are pure: no I/O, no defaults taken from elsewhere. A key that may be left out is None then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from edge.config.values import (
    Classes,
    Name,
    Point,
    Share,
    Text,
    check_no_repeats,
    check_polygon,
    problem,
)


class Section(BaseModel):
    """One mapping of the config file: unknown keys refused, immutable, types taken literally."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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


class Model(Section):
    """The segmentation model and how it runs."""

    name: Text = Field(
        default="person-vehicle-seg-nano",
        description="Name in the catalogue, or path of an ONNX file.",
    )
    provider: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = Field(
        default="auto",
        description="Where it runs: auto, tensorrt, cuda, openvino or cpu; auto takes the fastest "
        "that works here.",
    )
    strict_provider: bool = Field(
        default=False,
        description="Stop if the provider asked for does not work, instead of using the CPU.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads of the model; left out: as many as this process may use.",
    )
    input_size: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        multiple_of=32,
        description="Longest side of the model's input, pixels, a multiple of 32; left out: the "
        "model's own.",
    )
    min_score: Share = Field(default=0.2, description="Lowest score handed to the tracker, 0..1.")
    nms_iou: Share = Field(
        default=0.65,
        description="Overlap of two boxes of one class, 0..1, above which the worse is dropped.",
    )


class Tracker(Section):
    """How instances become tracks. Times are media seconds, so the frame rate does not matter."""

    high_score: Share = Field(
        default=0.35, description="Score, 0..1, from which an instance is matched to tracks first."
    )
    low_score: Share = Field(
        default=0.25,
        validate_default=True,
        description="Score, 0..1, from which an instance may still continue a track.",
    )
    birth_score: Share = Field(
        default=0.55, description="Score, 0..1, from which an unmatched instance starts a track."
    )
    confirm_hits: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Instances that a new track needs before it can be counted.",
    )
    confirm_s: float = Field(
        default=0.5,
        gt=0,
        le=60,
        description="Seconds in which a new track must get them, or it ends.",
    )
    max_lost_s: float = Field(
        default=1.2,
        gt=0,
        le=60,
        description="Seconds without an instance after which a track ends.",
    )
    min_iou: Share = Field(
        default=0.1,
        description="Lowest overlap of a track and an instance, 0..1, that can be a match.",
    )
    mask_weight: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="Weight of mask overlap beside box overlap; 0: boxes alone.",
    )

    @field_validator("low_score")
    @classmethod
    def _check_scores(cls, low_score: float, info: ValidationInfo) -> float:
        high_score = info.data.get("high_score", 1.0)
        if low_score > high_score:
            raise problem(f"expected at most tracker.high_score, {high_score}, got {low_score}")
        return low_score


class Counting(Section):
    """How clearly a track must be across a line or inside a zone before it counts."""

    band_height_share: Share = Field(
        default=0.07,
        description="Half width of the undecided band along a line, share of the object's height.",
    )
    min_band_px: float = Field(
        default=3.0, ge=0, le=1000, description="Least half width of that band, frame pixels."
    )
    zone_enter_s: float = Field(
        default=0.3, ge=0, le=60, description="Seconds inside a zone before zone_entered is sent."
    )
    zone_exit_s: float = Field(
        default=0.5, ge=0, le=60, description="Seconds outside a zone before zone_exited is sent."
    )


class Config(Section):
    """The whole config file."""

    device_id: Text = Field(default="edge", description="Name of this device in events.")
    snapshot_every_s: float | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="Seconds from one count_snapshot of every rule to the next; left out: none.",
    )
    cameras: dict[Name, Camera] = Field(
        default_factory=dict, description="Cameras by name, the source id in events."
    )
    model: Model = Field(default=Model(), description="The segmentation model and how it runs.")
    tracker: Tracker = Field(default=Tracker(), description="How instances become tracks.")
    counting: Counting = Field(
        default=Counting(), description="How clear a passage must be before it counts."
    )
