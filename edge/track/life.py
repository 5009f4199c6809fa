"""One track's memory beside its motion filter: what was last seen of it, and who it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from edge.masks import from_crops
from edge.track.motion import Motion
from edge.track.occlusion import Scene
from edge.track.settings import TrackerSettings
from edge.types import F32, F64, U8, Instances, Masks, TrackFlag, Tracks, TrackState

Window = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sighting:
    """Instance `j` of a frame as a view of some track."""

    j: int
    instances: Instances
    scene: Scene
    now_s: float
    is_hidden: bool = False  # its lower edge is not where it stands
    is_merged: bool = False  # it has swallowed a neighbour


@dataclass(slots=True)
class Life:
    """What a track remembers."""

    id: int
    first_s: float
    seen_s: float
    height: float = 0.0  # usual height, pixels
    box: F32 = field(default_factory=lambda: np.zeros(4, np.float32))
    centre: F64 = field(default_factory=lambda: np.zeros(2))  # of that box
    crop: U8 = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    window: Window = (0, 0, 0, 0)  # of that mask
    foot: tuple[float, float] = (0.0, 0.0)
    state: TrackState = TrackState.TENTATIVE
    hits: int = 0
    score: float = 0.0
    instance: int = -1
    flags: int = 0
    visible: float = 1.0
    class_id: int = -1
    votes: dict[int, float] = field(default_factory=dict)

    def see(self, sighting: Sighting, settings: TrackerSettings) -> None:
        """Take over what an instance shows."""
        j, instances, scene = sighting.j, sighting.instances, sighting.scene
        top, bottom = scene.extents[j, [1, 3]].tolist()
        self._measure(sighting, float(bottom - top), settings)
        x, y = scene.feet[j].tolist()
        is_inferred = sighting.is_hidden and bottom - top < 0.95 * self.height
        # Within the frame: a line that ends at the border must still be met.
        inferred_y = min(top + self.height, float(instances.masks.height))
        self.foot = (x, inferred_y) if is_inferred else (x, y)
        self.flags = (
            TrackFlag.OCCLUDED * (is_inferred and bool(scene.front[j].any()))
            | TrackFlag.MERGED * sighting.is_merged
            | TrackFlag.BORDER * bool(scene.border[j])
            | TrackFlag.FOOT_INFERRED * is_inferred
        )
        seen = (bottom - top) / max(self.height, 1.0)
        self.visible = min(1.0, seen) if sighting.is_hidden else 1.0
        self.box = instances.boxes[j]
        self.centre = (self.box[:2].astype(np.float64) + self.box[2:]) / 2
        self.crop = instances.masks.crop(j).copy()  # a view would keep the whole frame's masks
        x1, y1, x2, y2 = instances.masks.windows[j].tolist()
        self.window = (x1, y1, x2, y2)
        self.instance, self.seen_s = j, sighting.now_s
        self.score = float(instances.scores[j])
        self.hits += 1
        if self.state != TrackState.TENTATIVE or self.hits >= settings.confirm_hits:
            self.state = TrackState.CONFIRMED
        self._vote(int(instances.class_ids[j]), settings.class_margin)

    def _measure(self, sighting: Sighting, height: float, settings: TrackerSettings) -> None:
        """The usual height follows what is seen whole; what is cut off can only raise it."""
        if sighting.is_merged or (sighting.is_hidden and height <= self.height):
            return
        elapsed_s = max(sighting.now_s - self.seen_s, 1e-3)
        share = max(1 - np.exp(-elapsed_s / settings.height_memory_s), 1 / (self.hits + 1))
        self.height += float(share) * (height - self.height)

    def _vote(self, class_id: int, margin: float) -> None:
        self.votes[class_id] = self.votes.get(class_id, 0.0) + self.score
        leader = max(self.votes, key=lambda c: (self.votes[c], -c))
        if self.class_id < 0 or self.votes[leader] > margin * self.votes[self.class_id]:
            self.class_id = leader


def last_masks(lives: list[Life], height: int, width: int) -> Masks:
    """The last mask of each track, where it was seen; empty if the frame was larger then."""
    fits = [t.window[2] <= width and t.window[3] <= height for t in lives]
    none = np.zeros((0, 0), np.uint8)
    return from_crops(
        height,
        width,
        [t.window if f else (0, 0, 0, 0) for t, f in zip(lives, fits, strict=True)],
        [t.crop if f else none for t, f in zip(lives, fits, strict=True)],
    )


def snapshot(lives: list[Life], motion: Motion, now_s: float, ended: list[int]) -> Tracks:
    """All tracks as arrays."""
    boxes = motion.boxes()
    feet: F32 = np.zeros((len(lives), 2), np.float32)
    for k, t in enumerate(lives):
        if t.instance >= 0:
            boxes[k] = t.box  # what was seen beats what was filtered
            feet[k] = t.foot
        else:
            feet[k] = t.foot + (motion.mean[k, :2] - t.centre)
    return Tracks(
        ids=np.array([t.id for t in lives], np.int64),
        states=np.array([t.state for t in lives], np.uint8),
        boxes=boxes,
        feet=feet,
        class_ids=np.array([t.class_id for t in lives], np.int32),
        instance=np.array([t.instance for t in lives], np.int32),
        ended=np.array(ended, np.int64),
        scores=_floats(t.score for t in lives),
        heights=_floats(t.height for t in lives),
        velocities=motion.speed[:, :2].astype(np.float32),
        flags=np.array([t.flags for t in lives], np.uint8),
        visible=_floats(t.visible for t in lives),
        class_shares=_floats(t.votes[t.class_id] / sum(t.votes.values()) for t in lives),
        ages_s=_floats(now_s - t.first_s for t in lives),
        hits=np.array([t.hits for t in lives], np.int32),
    )


def _floats(values: Iterable[float]) -> F32:
    return np.fromiter(values, np.float32)
