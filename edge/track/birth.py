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
NEAR = 0.16  # of the frame's width: who is so near tells twice as much as who is far away


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


def first_speed(memory: Memory, motion: Motion, boxes: F32, rigid: Bool, width_px: int) -> F64:
    """How fast something new may be going, before a camera that drives, turns or stands.

    A vehicle is taken to follow a field of motion that is fitted to all tracks: from a car that
    drives, what stands beside the road moves outwards. People go as the people next to them do.
    It is a guess that the second sighting corrects.

    Args:
        memory: all tracks.
        motion: of the same.
        boxes: float32 (N, 4) of what is new.
        rigid: bool (N,) which are vehicles.
        width_px: of the frame.

    Returns:
        float64 (N, 2) pixels a second; 0 where too few tracks are known.
    """
    known = np.flatnonzero((memory.hits >= KNOWN_HITS) & (memory.instance >= 0))
    people = known[~motion.rigid[known]]
    speed: F64 = np.zeros((len(boxes), 2))
    if len(people) >= LEAST_KNOWN and not rigid.all():
        way = motion.mean[people, :2][None] - centres(boxes[~rigid])[:, None]
        nearest = np.argsort(np.abs(way).sum(2), 1, kind="stable")[:, :NEIGHBOURS]
        speed[~rigid] = np.median(motion.speed[people, :2][nearest], axis=1)
    if len(known) >= LEAST_KNOWN and rigid.any():
        way = motion.mean[known, :2][None] - centres(boxes[rigid])[:, None]
        speed[rigid] = _fitted(way, motion.speed[known, :2], NEAR * width_px)
    return speed


def _fitted(way: F64, speed: F64, near_px: float) -> F64:
    """Speeds (K, 2) of tracks that are `way` (N, K, 2) off, as fitted at N places: (N, 2).

    Weighted least squares for speed = here + slope * x, the slope held small (ridge).
    """
    weight = 1 / (1 + np.abs(way).sum(2) / near_px) ** 2
    x = way[..., 0]
    # In closed form: matrix products differ in the last bit from machine to machine.
    s0, s1, s2 = weight.sum(1), (weight * x).sum(1), (weight * x**2).sum(1) + near_px**2
    t0 = (weight[..., None] * speed[None]).sum(1)
    t1 = ((weight * x)[..., None] * speed[None]).sum(1)
    here: F64 = (s2[:, None] * t0 - s1[:, None] * t1) / (s0 * s2 - s1**2)[:, None]
    return here
