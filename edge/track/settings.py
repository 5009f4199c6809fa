"""Thresholds of the tracker; all times in seconds of media time, never frames."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What raising a value does is said beside it."""

    high_score: float = 0.35  # fewer instances take part in the first pass
    low_score: float = 0.25  # fewer weak instances may continue a track
    birth_score: float = 0.55  # fewer tracks begin
    confirm_hits: int = 2  # tracks count later, ghosts less
    confirm_s: float = 0.5  # more time to gather those hits
    max_lost_s: float = 1.2  # identities survive longer gaps, and may jump to others
    min_iou: float = 0.1  # boxes must agree more
    mask_weight: float = 1.0  # masks decide more where boxes leave a choice
    recent_s: float = 1.2  # weak instances continue tracks seen so long ago
    lost_penalty: float = 0.3  # a second unseen costs so much similarity
    veto_covered: float = 0.5  # births inside existing masks are allowed more
    height_memory_s: float = 1.0  # usual heights change slower
    class_margin: float = 1.5  # votes must favour another class more before it wins
