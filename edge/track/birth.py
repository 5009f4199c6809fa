"""Which instances begin tracks, and how fast they may be going."""

from __future__ import annotations

import numpy as np

from edge import masks as mask_ops
from edge.track.memory import KNOWN_HITS, Memory, centres
from edge.track.motion import Motion
from edge.track.occlusion import Scene
from edge.track.settings import TrackerSettings
from edge.types import F32, F64, I64, Bool, Masks

LEAST_KNOWN = 3  # such tracks tell how things move
NEIGHBOURS = 4


def born(scene: Scene, masks: Masks, taken: I64, settings: TrackerSettings) -> I64:
    """Strong instances that no track claims, unless they lie inside one that is tracked.

    Args:
        scene: of the frame.
        masks: of the frame.
        taken: int64 (K,) instances that continue tracks.
        settings: thresholds.

    Returns:
        int64 (B,): instances, ascending.
    """
    free: Bool = (scene.scores >= settings.birth_score) & ~scene.doubled
    free[taken] = False
    fresh: I64 = np.flatnonzero(free)
    allowed = [not _inside(j, scene, masks, taken, settings) for j in fresh.tolist()]
    begun: I64 = fresh[np.array(allowed, bool)]
    return begun


def _inside(j: int, scene: Scene, masks: Masks, taken: I64, settings: TrackerSettings) -> bool:
    """Whether most of instance j is covered by one of its group that is tracked."""
    window = masks.windows[scene.origin[j]]
    rivals = taken[scene.groups[taken] == scene.groups[j]]
    others = masks.windows[scene.origin[rivals]]
    apart = (others[:, :2] >= window[2:]) | (others[:, 2:] <= window[:2])
    step = scene.grid.step_px
    most = settings.veto_covered * float(scene.grid.areas[j]) * step**2
    return any(
        mask_ops.intersection(masks, int(scene.origin[j]), masks, k, step_px=step) > most
        for k in scene.origin[rivals[~apart.any(1)]].tolist()
    )


def first_speed(memory: Memory, motion: Motion, boxes: F32) -> F64:
    """How fast something new may be going: as the tracks nearest to it do.

    Under a camera that turns or drives everything moves alike; before a fixed one it is a guess
    that the second sighting corrects.

    Args:
        memory: all tracks.
        motion: of the same.
        boxes: float32 (N, 4) of what is new.

    Returns:
        float64 (N, 2) pixels a second; 0 where too few tracks are known.
    """
    known = np.flatnonzero((memory.hits >= KNOWN_HITS) & (memory.instance >= 0))
    if len(known) < LEAST_KNOWN:
        return np.zeros((len(boxes), 2))
    apart = np.abs(centres(boxes)[:, None] - motion.mean[known, :2][None]).sum(2)
    nearest = np.argsort(apart, 1, kind="stable")[:, :NEIGHBOURS]
    speed: F64 = np.median(motion.speed[known, :2][nearest], axis=1)
    return speed
