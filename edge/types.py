"""What flows through the pipeline: frozen structs of arrays. Imports numpy only.

Boxes are (x1, y1, x2, y2) float32 in frame pixels, half-open; pixel (row i, column j) covers
[j, j+1) x [i, i+1). Pictures are BGR uint8 (H, W, 3). Times are media seconds of the stream.
Arrays are checked on construction and must not be changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import ShapeError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]


def check(where: str, array: Any, dtype: type[np.generic], shape: tuple[int | None, ...]) -> None:
    """Raise ShapeError unless `array` has `dtype` and `shape` (None: any length).

    >>> check("Instances.boxes", np.zeros((2, 4)), np.float32, (2, 4))
    Traceback (most recent call last):
    edge.errors.ShapeError: Instances.boxes: expected float32 (2, 4), got float64 (2, 4)
    """
    if (
        not isinstance(array, np.ndarray)
        or array.dtype != dtype
        or array.ndim != len(shape)
        or any(e is not None and e != n for e, n in zip(shape, array.shape, strict=True))
    ):
        wanted = "(" + ", ".join("N" if e is None else str(e) for e in shape) + ")"
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else repr(array)
        raise ShapeError(f"{where}: expected {np.dtype(dtype).name} {wanted}, got {got}")


@dataclass(frozen=True, slots=True)
class Wall:
    """World time of a frame, where it comes from, and how far it may be off."""

    utc_s: float  # Unix seconds
    source: Literal["rtcp_sr", "arrival"]  # the camera's own clock; ours when the frame came
    uncertainty_ms: float


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a frame was: its index in the stream, from 0, and its media time in seconds."""

    frame: int
    media_s: float
    wall: Wall | None = None  # live sources only


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, BGR uint8 (H, W, 3), and when it was."""

    stamp: Stamp
    image: U8
    arrived_s: float | None = None  # live: time.monotonic() when it came, before decoding

    def __post_init__(self) -> None:
        check("Frame.image", self.image, np.uint8, (None, None, 3))


NoticeKind = Literal["source_lost", "source_restored", "frames_dropped", "clock_step"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened to a live source between two of its frames.

    A session is a run of frames without interruption and of one size. `source_restored` begins
    a new one, whose frames come after it; only the first session begins without.
    """

    kind: NoticeKind
    stamp: Stamp  # when; `frame` is the number of the next frame
    session: int  # from 1; of source_restored: the one that begins
    reason: str = ""  # source_lost: what was seen, without secrets
    unseen_s: float = 0.0  # source_lost: for how long before it pictures came that showed nothing
    gap_s: float = 0.0  # source_restored: seconds without pictures
    frames: int = 0  # frames_dropped: how many
    step_s: float = 0.0  # clock_step: seconds that world time jumped forward, or back if negative


@dataclass(frozen=True, slots=True)
class Masks:
    """N binary masks on a frame of `height` x `width` pixels, each stored inside its own window.

    Mask k covers rows y1..y2 and columns x1..x2 of `windows[k]`, half-open, within the frame;
    its pixels, row by row, one byte of 0 or 1 each, are `pixels[offsets[k]:offsets[k + 1]]`.
    Everything outside the window is 0. A window may be larger than what is set in it.
    """

    height: int
    width: int
    windows: I32
    offsets: I64
    pixels: U8

    def __post_init__(self) -> None:
        check("Masks.windows", self.windows, np.int32, (None, 4))
        check("Masks.offsets", self.offsets, np.int64, (len(self.windows) + 1,))
        check("Masks.pixels", self.pixels, np.uint8, (None,))

    def __len__(self) -> int:
        return len(self.windows)

    def crop(self, k: int) -> U8:
        """Mask k inside its window: uint8 (y2 - y1, x2 - x1), a view."""
        x1, y1, x2, y2 = self.windows[k].tolist()
        crop: U8 = self.pixels[self.offsets[k] : self.offsets[k + 1]].reshape(y2 - y1, x2 - x1)
        return crop


@dataclass(frozen=True, slots=True)
class Instances:
    """What the segmenter found in one frame, best score first."""

    boxes: F32  # (N, 4)
    scores: F32  # (N,) 0..1
    class_ids: I32  # (N,) index into the model's class names
    masks: Masks
    camera: F64 | None = None  # (2, 3) points of the frame before -> this one; None: it stands

    def __post_init__(self) -> None:
        n = len(self.masks)
        if self.camera is not None:
            check("Instances.camera", self.camera, np.float64, (2, 3))
        check("Instances.boxes", self.boxes, np.float32, (n, 4))
        check("Instances.scores", self.scores, np.float32, (n,))
        check("Instances.class_ids", self.class_ids, np.int32, (n,))

    def __len__(self) -> int:
        return len(self.masks)


class TrackState(IntEnum):
    """Life of a track: tentative -> confirmed <-> lost; its id then appears in `Tracks.ended`."""

    TENTATIVE = 0
    CONFIRMED = 1
    LOST = 2


class TrackFlag(IntEnum):
    """Bits of `Tracks.flags`."""

    OCCLUDED = 1  # something in front hides part of it
    MERGED = 2  # it has melted into one instance with a neighbour: group_sizes > 1
    BORDER = 4  # its mask touches the border of the frame
    FOOT_INFERRED = 8  # the foot is hidden: top plus usual height gave it


@dataclass(frozen=True, slots=True)
class Tracks:
    """All live tracks after one frame, ordered by id, and the ids that ended with it.

    Ids start at 1 for each camera and are never reused. A track not seen in this frame has
    `instance` -1 and its predicted box; its foot is predicted too and must not decide a count.
    """

    ids: I64  # (M,)
    states: U8  # (M,) TrackState
    boxes: F32  # (M, 4)
    feet: F32  # (M, 2) x, y where the object stands
    class_ids: I32  # (M,) voted over the track's life
    instance: I32  # (M,) index into Instances, or -1
    ended: I64  # (K,)
    scores: F32  # (M,) of the last instance
    heights: F32  # (M,) smoothed height, pixels
    velocities: F32  # (M, 2) of the centre, pixels a second
    flags: U8  # (M,) TrackFlag bits
    visible: F32  # (M,) share of the mask that nothing hides, 0..1
    class_shares: F32  # (M,) share of the vote that class_ids got
    ages_s: F32  # (M,) since the first instance
    hits: I32  # (M,) instances so far
    group_sizes: I32  # (M,) tracks that share the instance, itself included: 1 unless merged
    in_front: I64  # (M,) id of the track that stands in front of it and hides it most, or 0

    def __post_init__(self) -> None:
        m = len(self.ids)
        check("Tracks.ids", self.ids, np.int64, (m,))
        check("Tracks.states", self.states, np.uint8, (m,))
        check("Tracks.boxes", self.boxes, np.float32, (m, 4))
        check("Tracks.feet", self.feet, np.float32, (m, 2))
        check("Tracks.class_ids", self.class_ids, np.int32, (m,))
        check("Tracks.instance", self.instance, np.int32, (m,))
        check("Tracks.ended", self.ended, np.int64, (None,))
        check("Tracks.scores", self.scores, np.float32, (m,))
        check("Tracks.heights", self.heights, np.float32, (m,))
        check("Tracks.velocities", self.velocities, np.float32, (m, 2))
        check("Tracks.flags", self.flags, np.uint8, (m,))
        check("Tracks.visible", self.visible, np.float32, (m,))
        check("Tracks.class_shares", self.class_shares, np.float32, (m,))
        check("Tracks.ages_s", self.ages_s, np.float32, (m,))
        check("Tracks.hits", self.hits, np.int32, (m,))
        check("Tracks.group_sizes", self.group_sizes, np.int32, (m,))
        check("Tracks.in_front", self.in_front, np.int64, (m,))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """One track at the moment of an event, in frame pixels and seconds."""

    track_id: int
    class_id: int
    class_share: float
    score: float
    age_s: float
    hits: int
    box: tuple[float, float, float, float]
    foot: tuple[float, float]
    velocity_px_s: tuple[float, float]
    visible: float
    flags: int  # TrackFlag bits
    area_px: int
    group_size: int = 1  # tracks that share its instance
    in_front: int = 0  # id of the track that hides it most, or 0


EventKind = Literal[
    "line_crossed",
    "line_crossing_reverted",  # the latest line_crossed of this track at this rule was wrong
    "zone_entered",
    "zone_exited",
    "zone_dwell",
    "zone_occupancy",
    "overcrowding_started",
    "overcrowding_ended",
]


@dataclass(frozen=True, slots=True)
class Totals:
    """Running totals of one rule; for a zone `in` and `out` are entries and exits."""

    count_in: int
    count_out: int
    by_class: dict[int, tuple[int, int]] = field(default_factory=dict)  # class id -> in, out


@dataclass(frozen=True, slots=True)
class CountEvent:
    """Something a counter saw happen. Knows nothing of devices, hashes, or JSON."""

    kind: EventKind
    rule_id: str
    media_s: float  # when it happened; interpolated between frames for a crossing
    frame: int  # first frame at or after that time
    decided: Stamp  # the frame that settled it
    direction: Literal["in", "out", ""]
    delta: int  # what it adds to in or out: 1, -1 when it takes one back, 0 if it counts nothing
    totals: Totals  # after this event
    track: TrackFacts | None  # None for zone_occupancy and overcrowding
    dwell_s: float = 0.0  # zone_exited, zone_dwell
    occupancy: int = 0  # zones: confirmed tracks inside
    area_fraction: float = 0.0  # zones: share of the zone's area under masks


@dataclass(frozen=True, slots=True)
class Step:
    """One frame after all stages: what sinks get. `image` is None when only masks were recorded."""

    stamp: Stamp
    image: U8 | None
    instances: Instances
    tracks: Tracks
    events: tuple[CountEvent, ...]
