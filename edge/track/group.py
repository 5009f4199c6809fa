"""Neighbours that melt into one instance: members of a group, each with its own place in it.

Nobody can be told apart inside one mask, so each member moves on by what is known: people who
went the same way before move with the mask, people on different ways go on by themselves until
they come out again. All of them stay alive for as long as the mask lasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge import boxes as box_ops
from edge.track.memory import Memory, centres
from edge.track.motion import Motion
from edge.track.occlusion import Scene
from edge.types import F32, F64, I64, Bool, TrackFlag, TrackState

GROWN = 1.5  # a mask so many times as large as usual has swallowed somebody
WHOLE = 0.7  # and holds at least so much of what both usually cover together
UNION = 0.7  # IoU of its box with that around both
COVERED = 0.5  # of the missed one's mask, moved to where it should be
TOGETHER = 0.5  # heights a second: a smaller difference of speed is the same way


@dataclass(frozen=True, slots=True)
class Members:
    """Tracks inside merged instances.

    Attributes:
        rows: int64 (K,) tracks, each once.
        columns: int64 (K,) the instance it is in; two or more share one.
    """

    rows: I64
    columns: I64


def members(
    memory: Memory,
    rows: I64,
    columns: I64,
    predicted: F32,
    scene: Scene,
    covered: F64,
) -> Members:
    """Find instances that show more than the track they continue.

    Args:
        memory: all tracks.
        rows: int64 (P,) tracks that instances continue.
        columns: int64 (P,) those instances.
        predicted: float32 (M, 4) where all tracks should be.
        scene: of the frame.
        covered: float64 (M, N) share of each track's moved mask under each instance of its
            group.
    """
    missed: Bool = memory.state != TrackState.TENTATIVE
    missed[rows] = False
    usual = memory.area[rows]
    area = scene.grid.areas[columns].astype(np.float64)
    swollen = (area > GROWN * usual) & (memory.state[rows] != TrackState.TENTATIVE)
    if not swollen.any() or not missed.any():
        return Members(rows[:0], columns[:0])
    lost = np.flatnonzero(missed)
    i, j, a = rows[swollen], columns[swollen], area[swollen]
    inside: Bool = covered[np.ix_(lost, j)] > COVERED
    inside &= a[None, :] > WHOLE * (memory.area[lost][:, None] + usual[swollen][None, :])
    who, where = np.nonzero(inside)
    fits = _holds_both(predicted[i[where]], predicted[lost[who]], scene.boxes[j[where]])
    who, where = who[fits], where[fits]
    first = np.unique(who, return_index=True)[1]  # one instance for each
    who, where = who[first], where[first]
    held = np.unique(where)
    return Members(np.concatenate([i[held], lost[who]]), np.concatenate([j[held], j[where]]))


def _holds_both(one: F32, other: F32, box: F32) -> Bool:
    """Whether a box fits around both of two boxes better than around the first, row by row."""
    union = np.concatenate(
        [np.minimum(one[:, :2], other[:, :2]), np.maximum(one[:, 2:], other[:, 2:])], 1
    )
    around = box_ops.paired_iou(union, box)
    both: Bool = (around > UNION) & (around > box_ops.paired_iou(one, box))
    return both


def carry(
    memory: Memory, motion: Motion, found: Members, boxes: F32, dt_s: float, now_s: float
) -> None:
    """Move the members on and keep them alive.

    Args:
        memory: all tracks; those of members are updated.
        motion: of all tracks, moved to this frame; likewise.
        found: who is in which instance.
        boxes: float32 (N, 4) of the instances.
        dt_s: since the frame before.
        now_s: media time.
    """
    rows = found.rows
    if not len(rows):
        return
    inside = boxes[found.columns]
    merged_before: Bool = (memory.flags[rows] & TrackFlag.MERGED) > 0
    follow = rows[merged_before & _steady(memory.blob[rows], inside) & _together(motion, found)]
    if len(follow):
        step = centres(boxes[found.columns[np.isin(rows, follow)]]) - centres(memory.blob[follow])
        motion.follow(follow, step, dt_s)
    memory.blob[rows] = inside
    memory.seen_s[rows] = now_s
    memory.instance[rows] = found.columns
    memory.flags[rows] = TrackFlag.MERGED | TrackFlag.FOOT_INFERRED
    memory.state[rows] = TrackState.CONFIRMED


def _steady(before: F32, now: F32) -> Bool:
    """Whether the instance is about as large as it was: nobody has joined or left it."""
    ratio = box_ops.area(now) / np.maximum(box_ops.area(before), 1)
    steady: Bool = (ratio > 0.8) & (ratio < 1.25)
    return steady


def _together(motion: Motion, found: Members) -> Bool:
    """Members that move like the mean of their group, bool (K,)."""
    columns, which, size = np.unique(found.columns, return_inverse=True, return_counts=True)
    speed = motion.speed[found.rows, :2]
    mean = np.stack([np.bincount(which, speed[:, k], len(columns)) for k in (0, 1)], 1)
    apart = np.hypot(*(speed - (mean / size[:, None])[which]).T)
    together: Bool = apart < TOGETHER * motion.mean[found.rows, 3]
    return together
