"""Synthetic scenes with known identities and counts: for tests, and for trying rules out.

The same arguments give the same scene on every machine. Imports `edge.types` and `edge.masks`
only.
"""

from edge.testing.scenes import (
    CAR,
    CLASS_GROUPS,
    HIDDEN_SHARE,
    PERSON,
    TRUCK,
    UNSEEN,
    Actor,
    Noise,
    crowd,
    frames,
    labelled_frames,
    times,
)
from edge.testing.truth import (
    Crossing,
    Visit,
    line_counts,
    line_crossings,
    zone_counts,
    zone_visits,
)

__all__ = [
    "CAR",
    "CLASS_GROUPS",
    "HIDDEN_SHARE",
    "PERSON",
    "TRUCK",
    "UNSEEN",
    "Actor",
    "Crossing",
    "Noise",
    "Visit",
    "crowd",
    "frames",
    "labelled_frames",
    "line_counts",
    "line_crossings",
    "times",
    "zone_counts",
    "zone_visits",
]
