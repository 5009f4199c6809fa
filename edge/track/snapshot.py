"""What others see of the tracks: one frozen struct of arrays a frame."""

from __future__ import annotations

import numpy as np

from edge.track.memory import Memory
from edge.track.motion import Motion
from edge.types import F32, I32, I64, U8, Bool, TrackFlag, Tracks


def snapshot(
    memory: Memory, motion: Motion, front_of: I64, now_s: float, ended: list[int]
) -> Tracks:
    """All live tracks as arrays.

    Args:
        memory: of the tracks.
        motion: of the tracks.
        front_of: int64 (M,) row of the track that stands in front of each, or -1.
        now_s: media time.
        ended: ids that are gone.
    """
    merged: Bool = (memory.instance >= 0) & ((memory.flags & TrackFlag.MERGED) > 0)
    seen: Bool = (memory.instance >= 0) & ~merged
    # What was seen beats what was filtered; who is missed, or one of many in a mask, goes on.
    boxes: F32 = np.where(seen[:, None], memory.box, motion.boxes())
    moved = np.where(seen[:, None], 0.0, motion.mean[:, :2] - memory.centre)
    in_front = np.append(memory.ids, 0)[front_of]
    group_sizes = _group_sizes(memory.instance)
    # Who is lost out of a merged instance is in none now; the memory keeps what it was.
    alone: U8 = np.where(group_sizes > 1, 0, TrackFlag.MERGED).astype(np.uint8)
    total = np.maximum(memory.votes.sum(1), 1e-9)
    won = np.take_along_axis(memory.votes, memory.class_id[:, None].astype(np.int64), 1)[:, 0]
    return Tracks(
        ids=memory.ids.copy(),
        states=memory.state.copy(),
        boxes=boxes,
        feet=(memory.foot + moved).astype(np.float32),
        class_ids=memory.class_id.copy(),
        instance=memory.instance.copy(),
        ended=np.array(ended, np.int64),
        scores=memory.score.copy(),
        heights=memory.height.astype(np.float32),
        velocities=motion.speed[:, :2].astype(np.float32),
        flags=memory.flags & ~alone,
        visible=memory.visible.copy(),
        class_shares=(won / total).astype(np.float32),
        ages_s=(now_s - memory.first_s).astype(np.float32),
        hits=memory.hits.copy(),
        group_sizes=group_sizes,
        in_front=in_front,
    )


def _group_sizes(instance: I32) -> I32:
    """How many tracks share each track's instance, itself included, int32 (M,)."""
    sizes: I32 = np.ones(len(instance), np.int32)
    seen = instance >= 0
    if seen.any():
        sizes[seen] = np.bincount(instance[seen])[instance[seen]]
    return sizes
