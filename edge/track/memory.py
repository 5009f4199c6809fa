"""What is remembered of each track beside its motion: one array a field, one row a track."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from edge.track.grid import Shapes
from edge.track.occlusion import Scene
from edge.track.settings import TrackerSettings
from edge.types import F32, F64, I32, I64, U8, Bool, TrackFlag, TrackState

KNOWN_HITS = 3  # from then on the usual height is worth something,
GROWTH = 1.25  # and nobody is more than so many times as tall at once
NARROW = 0.5  # of the usual width: something cuts off a side


@dataclass(slots=True)
class Memory:
    """M live tracks, by id.

    Attributes:
        ids: int64.
        state: uint8, TrackState.
        hits: int32, instances so far.
        first_s: float64, when it began.
        seen_s: float64, when it was last seen.
        height: float64, usual height, pixels.
        width: float64, usual width, pixels.
        area: float64, usual area, cells.
        box: float32 (M, 4), as last seen.
        centre: float64 (M, 2) of that box in the frame that showed it.
        foot: float64 (M, 2), likewise.
        score: float32, of the last instance.
        instance: int32, index into the frame's instances, or -1.
        flags: uint8, TrackFlag bits.
        visible: float32, 0..1.
        class_id: int32, winner of the vote.
        votes: float64 (M, classes).
        blob: float32 (M, 4) box of the instance it has last been merged into.
    """

    ids: I64
    state: U8
    hits: I32
    first_s: F64
    seen_s: F64
    height: F64
    width: F64
    area: F64
    box: F32
    centre: F64
    foot: F64
    score: F32
    instance: I32
    flags: U8
    visible: F32
    class_id: I32
    votes: F64
    blob: F32

    def __len__(self) -> int:
        return len(self.ids)

    def keep(self, which: Bool) -> None:
        """Forget the tracks where `which` (M,) is False."""
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name)[which])

    def extend(self, others: Memory) -> None:
        """Append tracks."""
        for f in fields(self):
            both = np.concatenate([getattr(self, f.name), getattr(others, f.name)])
            setattr(self, f.name, both)


def newborn(ids: I64, boxes: F32, now_s: float, classes: int) -> Memory:
    """Tracks that are about to be seen for the first time.

    Args:
        ids: int64 (N,).
        boxes: float32 (N, 4).
        now_s: media time.
        classes: how many classes may be voted for.
    """
    n = len(ids)
    zeros: F64 = np.zeros(n)
    return Memory(
        ids=ids,
        state=np.full(n, TrackState.TENTATIVE, np.uint8),
        hits=np.zeros(n, np.int32),
        first_s=np.full(n, now_s),
        seen_s=np.full(n, now_s),
        height=zeros.copy(),
        width=zeros.copy(),
        area=zeros.copy(),
        box=boxes,
        centre=centres(boxes),
        foot=np.zeros((n, 2)),
        score=np.zeros(n, np.float32),
        instance=np.full(n, -1, np.int32),
        flags=np.zeros(n, np.uint8),
        visible=np.ones(n, np.float32),
        class_id=np.full(n, -1, np.int32),
        votes=np.zeros((n, classes)),
        blob=np.zeros((n, 4), np.float32),
    )


def centres(boxes: F32) -> F64:
    """Middle of each box, float64 (N, 2)."""
    middle: F64 = (boxes[:, :2].astype(np.float64) + boxes[:, 2:]) / 2
    return middle


def see(
    memory: Memory,
    rows: I64,
    columns: I64,
    scene: Scene,
    hidden: Bool,
    settings: TrackerSettings,
) -> None:
    """Take over what the instances at `columns` show of the tracks at `rows`.

    Args:
        memory: of all tracks; updated.
        rows: int64 (K,).
        columns: int64 (K,).
        scene: of the frame.
        hidden: bool (K,) the lower edge is not where it stands.
        settings: thresholds.
    """
    m, s, now_s = memory, settings, scene.now_s
    bottom, top = scene.feet[columns, 1], scene.tops[columns]
    elapsed_s = np.maximum(now_s - m.seen_s[rows], 1e-3)
    share = np.maximum(1 - np.exp(-elapsed_s / s.height_memory_s), 1 / (m.hits[rows] + 1))
    cells = scene.grid.areas[columns].astype(np.float64)
    behind: Bool = scene.front[columns] >= 0
    cut: Bool = hidden | behind | scene.border[columns]
    # One frame with a shadow or a neighbour below must not make somebody tall.
    most = np.where(m.hits[rows] >= KNOWN_HITS, GROWTH * m.height[rows], np.inf)
    m.height[rows] = _followed(m.height[rows], np.minimum(bottom - top, most), share, hidden)
    wide = (scene.boxes[columns, 2] - scene.boxes[columns, 0]).astype(np.float64)
    m.width[rows] = _followed(m.width[rows], wide, share, cut | (wide < NARROW * m.width[rows]))
    m.area[rows] = _followed(m.area[rows], cells, share, cut)
    inferred: Bool = hidden & (bottom - top < 0.95 * m.height[rows])
    m.foot[rows, 0] = scene.feet[columns, 0]
    # Within the frame: a line that ends at the border must still be met.
    m.foot[rows, 1] = np.where(inferred, np.minimum(top + m.height[rows], scene.size_hw[0]), bottom)
    m.flags[rows] = (
        TrackFlag.OCCLUDED * (behind & cut & (inferred | (cells < 0.8 * m.area[rows])))
        | TrackFlag.BORDER * scene.border[columns]
        | TrackFlag.FOOT_INFERRED * inferred
    )
    m.visible[rows] = np.where(cut, np.minimum(cells / np.maximum(m.area[rows], 1), 1), 1)
    m.box[rows] = scene.boxes[columns]
    m.centre[rows] = centres(scene.boxes[columns])
    m.seen_s[rows] = now_s
    m.instance[rows] = columns
    m.score[rows] = scene.scores[columns]
    m.hits[rows] += 1
    settled = (m.state[rows] != TrackState.TENTATIVE) | (m.hits[rows] >= s.confirm_hits)
    m.state[rows] = np.where(settled, TrackState.CONFIRMED, TrackState.TENTATIVE)
    _vote(m, rows, scene.class_ids[columns], scene.scores[columns], s.class_margin)


def _followed(usual: F64, seen: F64, share: F64, only_larger: Bool) -> F64:
    """The usual size follows what is seen whole; what is cut off can only raise it."""
    return np.where(only_larger & (seen <= usual), usual, usual + share * (seen - usual))


def _vote(memory: Memory, rows: I64, class_ids: I32, scores: F32, margin: float) -> None:
    """Add each instance's score to its class; a class wins when it leads by `margin` times."""
    if len(rows) == 0:  # there may be no class either, of which none could lead
        return
    memory.votes[rows, class_ids] += scores
    votes = memory.votes[rows]
    leader = votes.argmax(1)
    now = memory.class_id[rows]
    lead = np.take_along_axis(votes, leader[:, None], 1)[:, 0]
    held = np.take_along_axis(votes, np.maximum(now, 0)[:, None], 1)[:, 0]
    wins = (now < 0) | (lead > margin * held)
    memory.class_id[rows] = np.where(wins, leader, now)


def inherited(shapes: Shapes, seen: Shapes, row_of: I64, missed: Bool) -> Shapes:
    """The cells of each track: those just seen, or the old ones of a track that was missed.

    Args:
        shapes: the tracks' cells before.
        seen: the frame's cells by instance.
        row_of: int64 (N,) track of each instance, or -1.
        missed: bool (M,).
    """
    rows = row_of[seen.owners]
    new = rows >= 0
    old = shapes.where(missed)
    return Shapes(
        np.concatenate([old.cells, seen.cells[new]]),
        np.concatenate([old.xs, seen.xs[new]]),
        np.concatenate([old.owners, rows[new]]),
    )


def nobody(classes: int) -> Memory:
    """No tracks."""
    return newborn(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), 0.0, classes)
