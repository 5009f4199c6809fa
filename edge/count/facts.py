"""What an event says of a track."""

from __future__ import annotations

from edge.types import TrackFacts, Tracks


def facts(tracks: Tracks, row: int, area_px: int) -> TrackFacts:
    """Row `row` of `tracks` as plain numbers; `area_px` counts its mask's pixels."""
    x1, y1, x2, y2 = tracks.boxes[row].tolist()
    foot_x, foot_y = tracks.feet[row].tolist()
    speed_x, speed_y = tracks.velocities[row].tolist()
    return TrackFacts(
        track_id=int(tracks.ids[row]),
        class_id=int(tracks.class_ids[row]),
        class_share=float(tracks.class_shares[row]),
        score=float(tracks.scores[row]),
        age_s=float(tracks.ages_s[row]),
        hits=int(tracks.hits[row]),
        box=(x1, y1, x2, y2),
        foot=(foot_x, foot_y),
        velocity_px_s=(speed_x, speed_y),
        visible=float(tracks.visible[row]),
        flags=int(tracks.flags[row]),
        area_px=area_px,
        group_size=int(tracks.group_sizes[row]),
        in_front=int(tracks.in_front[row]),
    )
