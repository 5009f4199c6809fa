"""What an event says of its track and its zone, as JSON objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from edge.events.envelope import PX, SHARE, S, rounded, without_none
from edge.types import CountEvent, TrackFacts, TrackFlag


def object_of(
    track: TrackFacts, class_names: Sequence[str], uid: Callable[[int], str]
) -> dict[str, Any]:
    """`object`: who did it, where and how well seen; `uid` names a track id."""
    is_inferred = bool(track.flags & TrackFlag.FOOT_INFERRED)
    return {
        "track_id": int(track.track_id),
        "track_uid": uid(track.track_id),
        "class": class_names[track.class_id],
        "class_id": int(track.class_id),
        "class_share": rounded(track.class_share, SHARE),
        "confidence": rounded(track.score, SHARE),
        "age_s": rounded(track.age_s, S),
        "hits": int(track.hits),
        "bbox": [rounded(value, PX) for value in track.box],
        "anchor": {
            "x": rounded(track.foot[0], PX),
            "y": rounded(track.foot[1], PX),
            "kind": "inferred_foot" if is_inferred else "mask_foot",
        },
        "velocity_px_s": [rounded(value, PX) for value in track.velocity_px_s],
        "mask": {
            "area_px": int(track.area_px),
            "visible_fraction": rounded(track.visible, SHARE),
            "touches_border": bool(track.flags & TrackFlag.BORDER),
        }
        | ({"occluded_by": [uid(track.in_front)]} if track.in_front else {}),
    }


def zone_of(event: CountEvent) -> dict[str, Any]:
    """`zone`: how full it is, and how long who left was inside."""
    dwelt = event.kind in ("zone_exited", "zone_dwell")
    return without_none(
        occupancy=int(event.occupancy),
        area_fraction=rounded(event.area_fraction, SHARE),
        dwell_s=rounded(event.dwell_s, S) if dwelt else None,
    )


def quality_of(
    track: TrackFacts, frames_dropped_last_s: int | None, fps: float | None
) -> dict[str, Any]:
    """`quality`: what may have misled the count."""
    return without_none(
        flags=[flag.name.lower() for flag in TrackFlag if track.flags & flag],
        group_size=track.group_size,
        frames_dropped_last_s=frames_dropped_last_s,
        fps=rounded(fps, 2) if fps is not None and math.isfinite(fps) else None,
    )
