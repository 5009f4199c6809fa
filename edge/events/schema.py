"""The schema `count-event/1.0`: every field with its unit and limits. Imports pydantic only.

Unknown is absent: a field left out says nothing, a 0 is a measured 0. The models refuse unknown
fields and types, which finds our own mistakes; the JSON Schema for receivers, in
`publish`, admits them, since they may be added within 1.x.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.types import EventKind

SCHEMA = "count-event/1.0"

EventType = Literal[
    EventKind,
    "track_started",
    "track_ended",
    "tracks_merged",
    "tracks_split",
    "count_snapshot",
    "counter_reset",
    "source_lost",
    "source_restored",
    "frames_dropped",
    "clock_step",
    "events_lost",
    "config_changed",
    "started",
    "stopped",
]

# The sections that make an event of a type complete.
REQUIRED: dict[str, tuple[str, ...]] = {
    "line_crossed": ("rule", "object", "count", "quality"),
    "line_crossing_reverted": ("rule", "object", "count", "quality", "corrects"),
    "zone_entered": ("rule", "object", "count", "zone", "quality"),
    "zone_exited": ("rule", "object", "count", "zone", "quality"),
    "zone_dwell": ("rule", "object", "count", "zone", "quality"),
    "zone_occupancy": ("rule", "count", "zone"),
    "overcrowding_started": ("rule", "count", "zone"),
    "overcrowding_ended": ("rule", "count", "zone"),
    "count_snapshot": ("rule", "count", "window", "coverage"),
    "counter_reset": ("rule", "count", "before"),
    "source_lost": ("reason",),
    "source_restored": ("gap_s",),
    "frames_dropped": ("frames",),
    "clock_step": ("step_s",),
    "events_lost": ("lost",),
    "config_changed": ("rules",),
    "started": ("rules",),
    "stopped": ("counts",),
}

Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[int, Field(ge=0)]
Id = Annotated[str, Field(min_length=1)]
Utc = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")]


class Part(BaseModel):
    """One JSON object of an event."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        protected_namespaces=(),  # pydantic < 2.10 warns of any field called model_...
    )


class Time(Part):
    """When it happened, in the time of the stream, and in world time where that is known."""

    media_s: float = Field(description="Media time in seconds; between frames if interpolated.")
    frame: Natural = Field(description="First frame at or after media_s, from 0.")
    utc: Utc | None = Field(default=None, description="World time of media_s; absent if unknown.")
    utc_source: str | None = Field(default=None, description="Where utc comes from.")
    utc_uncertainty_ms: Seconds | None = Field(
        default=None, description="How far utc may be off, milliseconds."
    )
    interpolated: bool | None = Field(
        default=None, description="Whether media_s was found between two frames."
    )
    decided_media_s: float | None = Field(
        default=None, description="Media time in seconds of the frame that settled it."
    )


class Source(Part):
    """The stream of pictures."""

    id: Id = Field(description="Name of the camera in the config.")
    name: str | None = Field(default=None, description="Display name.")
    kind: Id = Field(description="file, folder, rtsp, device or gst.")
    session: int = Field(
        ge=1, description="From 1, one more after each interruption of a live source."
    )
    width: int | None = Field(
        default=None, ge=1, description="Width of the frame, pixels; absent before the first one."
    )
    height: int | None = Field(
        default=None, ge=1, description="Height of the frame, pixels; absent before the first one."
    )


class Rule(Part):
    """The line or zone."""

    id: Id = Field(description="Name of the line or zone in the config.")
    name: str | None = Field(default=None, description="Display name.")
    kind: Literal["line", "zone"] = Field(description="line or zone.")
    direction: Literal["in", "out"] | None = Field(
        default=None,
        description="Which way: for a line, in is left to right seen from its start.",
    )
    direction_name: str | None = Field(
        default=None, description="Display name of the direction, from the config."
    )
    config_rev: Id = Field(description="Fingerprint of all settings that decide this count.")


class RuleNames(Part):
    """A rule as `started` lists it."""

    id: Id = Field(description="Name of the line or zone in the config.")
    name: str | None = Field(default=None, description="Display name.")
    kind: Literal["line", "zone"] = Field(description="line or zone.")
    in_name: str | None = Field(default=None, description="Display name of the direction in.")
    out_name: str | None = Field(default=None, description="Display name of the direction out.")
    config_rev: Id = Field(description="Fingerprint of all settings that decide this count.")


class Anchor(Part):
    """The point that decides."""

    x: float = Field(description="Pixels from the left edge of the frame.")
    y: float = Field(description="Pixels from the upper edge of the frame.")
    kind: Literal["mask_foot", "inferred_foot"] = Field(
        description="Foot of the mask; inferred from top and usual height where it is hidden."
    )


class MaskFacts(Part):
    """What the mask says about the object."""

    area_px: Natural = Field(description="Area of the mask, pixels of the frame.")
    visible_fraction: Share = Field(description="Share of the object that nothing hides, 0..1.")
    touches_border: bool = Field(description="Whether the mask touches the frame's border.")
    occluded_by: list[str] | None = Field(
        default=None, description="track_uid of the tracks in front of it."
    )
    rle: dict[str, Any] | None = Field(default=None, description="The mask as COCO RLE.")


class Object(Part):
    """The track, as it was in the frame that settled the event."""

    track_id: int = Field(ge=1, description="From 1 for each source and session, never reused.")
    track_uid: Id = Field(description="source id:session:track id, unique on the device.")
    class_: str = Field(alias="class", description="Name of the class, voted over the track.")
    class_id: Natural = Field(description="Index of the class in the model.")
    class_share: Share = Field(description="Share of the vote that the class got, 0..1.")
    confidence: Share = Field(description="Score of the last instance, 0..1.")
    age_s: Seconds = Field(description="Media seconds since the track's first instance.")
    hits: Natural = Field(description="Instances that the track has had.")
    bbox: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 in frame pixels.")
    anchor: Anchor
    velocity_px_s: tuple[float, float] | None = Field(
        default=None, description="Velocity of the centre, x and y, pixels per second."
    )
    mask: MaskFacts | None = None


class InOut(Part):
    """Passages in both directions."""

    in_: Natural = Field(alias="in", description="Passages in, or entries.")
    out: Natural = Field(description="Passages out, or exits.")


class Count(Part):
    """Totals of the rule after this event; each is the sum of all deltas of its direction."""

    delta: int = Field(description="What this event adds to in or to out, whichever is direction.")
    in_: Natural = Field(alias="in", description="Passages in, or entries of a zone, so far.")
    out: Natural = Field(description="Passages out, or exits of a zone, so far.")
    net: int = Field(description="in - out.")
    by_class: dict[str, InOut] = Field(description="The same for each class counted so far.")
    since: Utc | None = Field(
        default=None, description="World time at which the totals were 0; absent if unknown."
    )
    since_media_s: float | None = Field(
        default=None, description="Media time in seconds at which the totals were 0."
    )

    @model_validator(mode="after")
    def _check_since(self) -> Count:
        if self.since is None and self.since_media_s is None:
            raise ValueError("expected since or since_media_s, got neither")
        return self


class RuleCount(Part):
    """Final totals of one rule, as `stopped` lists them."""

    rule_id: Id = Field(description="Name of the line or zone in the config.")
    count: Count


class ZoneFacts(Part):
    """The zone after this event."""

    occupancy: Natural = Field(description="Confirmed tracks inside.")
    area_fraction: Share | None = Field(
        default=None, description="Share of the zone's area under masks, 0..1."
    )
    dwell_s: Seconds | None = Field(
        default=None, description="Media seconds that the track has been inside."
    )


Flag = Literal["occluded", "merged", "border", "foot_inferred"]


class Quality(Part):
    """What may have disturbed the decision."""

    flags: list[Flag] = Field(description="State of the track in the frame that settled it.")
    group_size: int = Field(
        ge=1, description="Objects that share one instance; a lower bound when flags has merged."
    )
    frames_dropped_last_s: Natural | None = Field(
        default=None, description="Frames left out in the last second of media time."
    )
    fps: Seconds | None = Field(default=None, description="Frames per second of media time.")


class Evidence(Part):
    """Pictures of the event."""

    snapshot: str | None = Field(default=None, description="Where a picture of it is.")
    clip: str | None = Field(default=None, description="Where a video of it is.")


class RuleLoss(Part):
    """What lost events would have added to one rule."""

    rule_id: Id = Field(description="Name of the line or zone in the config.")
    in_: int = Field(alias="in", description="Sum of the lost deltas, direction in.")
    out: int = Field(description="Sum of the lost deltas, direction out.")
    count: Count | None = Field(default=None, description="The totals after the last of them.")


class Loss(Part):
    """Events that could not be kept, because the disk was full for too long."""

    events: int = Field(ge=1, description="How many.")
    first_seq: int = Field(ge=1, description="seq of the first.")
    last_seq: int = Field(ge=1, description="seq of the last.")
    rules: list[RuleLoss] = Field(description="What the totals hold that no event shows.")


class Device(Part):
    """What made the event."""

    id: Id = Field(description="device_id of the config.")
    app: Id = Field(description="Version of edgecount.")
    model_sha256: str | None = Field(default=None, description="SHA-256 of the ONNX file.")
    provider: str | None = Field(default=None, description="Where the model ran.")


class Span(Part):
    """A span of world or media time, end excluded."""

    start: Utc | float
    end: Utc | float


class Event(Part):
    """One line of the events file."""

    schema_: Literal["count-event/1.0"] = Field(alias="schema", description="Name and version.")
    event_id: str = Field(
        pattern="^[0-9a-f]{32}$",
        description="Hash of what happened where: the same input gives the same id.",
    )
    seq: int = Field(
        ge=1,
        description="Number of the event of this source, from 1; with a journal it goes on after "
        "a restart.",
    )
    type: EventType = Field(description="What happened.")
    time: Time
    source: Source
    rule: Rule | None = None
    object: Object | None = None
    count: Count | None = None
    zone: ZoneFacts | None = None
    quality: Quality | None = None
    evidence: Evidence | None = None
    rules: list[RuleNames] | None = Field(
        default=None, description="started, config_changed: what is counted."
    )
    counts: list[RuleCount] | None = Field(default=None, description="stopped: final totals.")
    corrects: str | None = Field(default=None, description="event_id of the event taken back.")
    window: Span | None = Field(default=None, description="count_snapshot: the span it covers.")
    coverage: Share | None = Field(
        default=None, description="count_snapshot: share of the window in which pictures came."
    )
    gap_s: Seconds | None = Field(
        default=None, description="source_restored: seconds without pictures."
    )
    reason: str | None = Field(default=None, description="source_lost: what was seen.")
    frames: Natural | None = Field(
        default=None, description="frames_dropped: frames left out since the last such event."
    )
    step_s: float | None = Field(
        default=None, description="clock_step: seconds that world time jumped forward."
    )
    before: Count | None = Field(
        default=None, description="counter_reset: the totals that ended, over their own since."
    )
    lost: Loss | None = Field(default=None, description="events_lost: what is missing.")
    end_reason: str | None = Field(
        default=None,
        description="Why a stay ended that nobody saw end: source_lost, stopped or interrupted.",
    )
    device: Device

    @model_validator(mode="after")
    def _check_complete(self) -> Event:
        missing = [name for name in REQUIRED.get(self.type, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.type}: expected {', '.join(missing)}, got nothing")
        return self
