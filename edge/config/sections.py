"""The config as a whole: tracker, counting, and what model.py, rules.py and delivery.py hold.

Every section derives from `Section`, so that an unknown key is an error everywhere. Validators
are pure: no I/O, no defaults taken from elsewhere. A key that may be left out is None then.
"""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from edge.config.delivery import Evidence, Journal, Log, Sink, Web
from edge.config.model import Model
from edge.config.rules import Camera
from edge.config.section import Section
from edge.config.values import Blur, Name, Share, Text, problem


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
    blur_people: Blur = Field(
        default=False,
        description="Make people unrecognisable, by their masks, in annotated videos and on the "
        "page: true, or a list of the model's classes that are people.",
    )
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
    journal: Journal = Field(
        default=Journal(), description="Where events are kept before all else."
    )
    sinks: dict[Name, Sink] = Field(
        default_factory=dict, description="Where events go from the journal, by name."
    )
    evidence: Evidence = Field(default=Evidence(), description="Pictures of what was counted.")
    web: Web = Field(default=Web(), description="Live page, health and metrics over HTTP.")
    log: Log = Field(default=Log(), description="What is said on standard error.")
