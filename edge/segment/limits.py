"""What is kept of a model's output."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of a model's output."""

    min_score: float = 0.2
    nms_iou: float = 0.65  # for families whose outputs still need suppression
    most: int = 300
    every_class: bool = False  # one candidate may give an instance of each class, as AP is measured
