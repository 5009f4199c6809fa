"""The tracker: gives each instance an identity that lasts.

ByteTrack's passes (Zhang et al., 2022, arXiv:2110.06864) on boxes and, where those leave a
choice, masks; a last pass with buffered boxes (C-BIoU: Yang et al., 2023, arXiv:2211.14317).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge import boxes as box_ops
from edge import masks as mask_ops
from edge.track import associate, occlusion
from edge.track.motion import Motion, centred
from edge.track.settings import TrackerSettings
from edge.types import F32, F64, I32, I64, U8, Bool, Instances, Masks, Stamp, Tracks, TrackState

LARGEST_PX = 1e6  # no box of a real frame is larger; also false for NaN and infinity


@dataclass(slots=True)
class _Track:
    """What the motion filters do not hold; one for each of their rows."""

    id: int
    first_s: float
    seen_s: float
    box: F32
    mask: tuple[U8, tuple[int, int, int, int]]
    centre: F64  # of the box when the mask was seen
    height: float
    foot: tuple[float, float]
    state: TrackState = TrackState.TENTATIVE
    hits: int = 0
    score: float = 0.0
    instance: int = -1
    flags: int = 0
    visible: float = 1.0
    class_id: int = -1
    votes: dict[int, float] = field(default_factory=dict)


class Tracker:
    """Instances in, identities out; one for each camera.

    `dropped` counts input that could not be used: instances with boxes or scores that are no
    numbers or without a mask, and frames whose time does not advance.
    """

    def __init__(self, settings: TrackerSettings, class_groups: Sequence[int]) -> None:
        """Begin without tracks.

        Args:
            settings: thresholds.
            class_groups: for each class id a group, or -1 for a class that is not tracked;
                instances continue tracks of their own group only, so that a car seen as a
                truck stays one object.
        """
        self.settings = settings
        self.dropped: Counter[str] = Counter()
        self._groups: I32 = np.array(class_groups, np.int32)
        self._tracks: list[_Track] = []
        self._motion = Motion()
        self._next_id = 1
        self._time_s: float | None = None
        self._size: tuple[int, int] = (0, 0)

    def update(self, stamp: Stamp, instances: Instances) -> Tracks:
        """Continue, begin and end tracks by what one frame shows.

        Returns:
            All live tracks after the frame; `instance` indexes `instances` as given.
        """
        if not np.isfinite(stamp.media_s) or (
            self._time_s is not None and stamp.media_s <= self._time_s
        ):
            self.dropped["frame out of order"] += 1
            unchanged = self._snapshot(self._now(), [])
            return replace(unchanged, instance=np.full(len(unchanged), -1, np.int32))
        dt_s = 0.0 if self._time_s is None else stamp.media_s - self._time_s
        self._time_s = stamp.media_s
        self._size = (instances.masks.height, instances.masks.width)
        usable, origin, doubled = self._usable(instances)
        self._motion.predict(dt_s, self._where(lambda t: t.instance < 0))
        for t in self._tracks:
            t.instance = -1
        scene = occlusion.scene(usable)
        pairs = self._associate(usable, doubled, dt_s)
        self._continue(pairs, usable, scene, stamp.media_s)
        self._begin({j for _, j in pairs}, usable, doubled, scene, stamp.media_s)
        ended = self._end(stamp.media_s)
        for t in self._tracks:
            if t.instance >= 0:
                t.instance = int(origin[t.instance])
        return self._snapshot(stamp.media_s, ended)

    def _usable(self, instances: Instances) -> tuple[Instances, I64, Bool]:
        """Instances worth tracking, the index of each in the input, and which show one again."""
        sound: Bool = np.asarray((np.abs(instances.boxes) < LARGEST_PX).all(1))
        sound &= np.isfinite(instances.scores)
        sound &= (instances.class_ids >= 0) & (instances.class_ids < len(self._groups))
        sound &= mask_ops.area(instances.masks) > 0
        sound &= (instances.boxes[:, 2:] > instances.boxes[:, :2]).all(1)
        unusable = int(np.count_nonzero(~sound))
        if unusable:
            self.dropped["unusable instance"] += unusable
        wanted = sound & (instances.scores >= self.settings.low_score)
        wanted[wanted] = self._groups[instances.class_ids[wanted]] >= 0
        strong = np.flatnonzero(wanted)
        order: I64 = strong[np.argsort(-instances.scores[strong], kind="stable")]
        ordered = _chosen(instances, order)
        return ordered, order, occlusion.duplicates(ordered, self._groups[ordered.class_ids])

    def _associate(self, instances: Instances, doubled: Bool, dt_s: float) -> list[tuple[int, int]]:
        """Pairs (track row, instance) of all passes."""
        if not self._tracks or not len(instances):
            return []
        s = self.settings
        # A second view of one object may be its neighbour, half hidden: it can continue a track
        # that is missed, like a weak instance, but it never begins one.
        high: Bool = (instances.scores >= s.high_score) & ~doubled
        tentative = self._where(lambda t: t.state == TrackState.TENTATIVE)
        unseen_s = np.array([self._now() - t.seen_s for t in self._tracks])
        predicted = self._motion.boxes()
        same = self._same_group(instances)
        near: Bool = same & (self._motion.distance(instances.boxes) < associate.GATE)
        iou = box_ops.iou_matrix(predicted, instances.boxes)
        eligible: Bool = near & (iou >= s.min_iou)
        similarity = self._similarity(predicted, instances, eligible)
        similarity -= s.lost_penalty * np.clip(unseen_s - dt_s, 0, 1)[:, None]
        pairs = associate.assigned(similarity, eligible & high[None, :])
        rows, columns = _free(pairs, eligible.shape)
        recent = (unseen_s <= s.recent_s) & ~tentative
        pairs += associate.assigned(
            similarity, eligible & ~high[None, :] & (rows & recent)[:, None] & columns[None, :]
        )
        rows, columns = _free(pairs, eligible.shape)
        left = same & rows[:, None] & (columns & high)[None, :]
        return pairs + self._rescue(predicted, instances, left, dt_s)

    def _similarity(self, predicted: F32, instances: Instances, eligible: Bool) -> F64:
        similarity: F64 = box_ops.iou_matrix(predicted, instances.boxes).astype(np.float64)
        unclear = associate.ambiguous(eligible)
        if unclear.any():
            shifts = np.rint(
                self._motion.mean[:, :2] - np.array([t.centre for t in self._tracks])
            ).astype(np.int64)
            iou = associate.moved_mask_iou(self._masks(), shifts, instances.masks, unclear)
            similarity += self.settings.mask_weight * iou
        return similarity * box_ops.height_iou_matrix(predicted, instances.boxes)

    def _rescue(
        self, predicted: F32, instances: Instances, left: Bool, dt_s: float
    ) -> list[tuple[int, int]]:
        """Low frame rates and sudden turns: larger boxes, and the last place seen as well."""
        if not left.any():
            return []
        share = associate.rescue_buffer(dt_s)
        grown = box_ops.grown(instances.boxes, share)
        last = np.stack([t.box for t in self._tracks])
        similarity = np.maximum(
            associate.box_similarity(box_ops.grown(predicted, share), grown),
            associate.box_similarity(box_ops.grown(last, share), grown),
        )
        eligible: Bool = left & (similarity >= associate.RESCUE_SIMILARITY)
        return associate.assigned(similarity, eligible)

    def _continue(
        self,
        pairs: list[tuple[int, int]],
        instances: Instances,
        scene: occlusion.Scene,
        now_s: float,
    ) -> None:
        if not pairs:
            return
        rows = np.array([i for i, _ in pairs], np.int64)
        columns = np.array([j for _, j in pairs], np.int64)
        usual_px: F64 = np.array([self._tracks[i].height for i, _ in pairs])
        hidden: Bool = scene.hidden_foot[columns] | occlusion.cut_short(
            self._motion.boxes()[rows], instances.boxes[columns], usual_px
        )
        doubt: F64 = np.ones((len(pairs), 4))
        doubt[hidden, 1] = doubt[hidden, 3] = 4.0  # centre and height move with a hidden edge
        merged = self._merged(pairs, scene, instances)
        doubt[merged] = 6.0
        self._motion.update(rows, instances.boxes[columns], doubt)
        for k, (i, j) in enumerate(pairs):
            t = self._tracks[i]
            self._see(t, j, instances, scene, now_s, (bool(hidden[k]), bool(merged[k])))
            t.hits += 1
            if t.state != TrackState.TENTATIVE or t.hits >= self.settings.confirm_hits:
                t.state = TrackState.CONFIRMED

    def _merged(
        self, pairs: list[tuple[int, int]], scene: occlusion.Scene, instances: Instances
    ) -> Bool:
        """Instances that have swallowed a neighbour: much larger, over another lost track."""
        merged: Bool = np.zeros(len(pairs), bool)
        matched = {i for i, _ in pairs}
        alone = [
            k
            for k, t in enumerate(self._tracks)
            if k not in matched and t.state == TrackState.CONFIRMED
        ]
        if not alone:
            return merged
        predicted = self._motion.boxes()
        shared = box_ops.intersection_matrix(instances.boxes, predicted[alone])
        covered = shared / np.maximum(box_ops.area(predicted[alone]), 1)[None, :]
        for n, (i, j) in enumerate(pairs):
            before = self._tracks[i].mask[0]
            grew = scene.areas[j] > 1.6 * max(1, int(np.count_nonzero(before)))
            merged[n] = bool(grew and (covered[j] > 0.5).any())
        return merged

    def _see(
        self,
        t: _Track,
        j: int,
        instances: Instances,
        scene: occlusion.Scene,
        now_s: float,
        how: tuple[bool, bool],
    ) -> None:
        """Take over what instance `j` shows of track `t`; `how`: its foot is hidden, it merged."""
        hidden, merged = how
        x1, y1, x2, y2 = instances.boxes[j].tolist()
        box_height = float(scene.extents[j, 3] - scene.extents[j, 1])
        if not merged and (not hidden or box_height > t.height):
            share = 1 - np.exp(-max(now_s - t.seen_s, 1e-3) / self.settings.height_memory_s)
            share = max(float(share), 1 / (t.hits + 1))
            t.height += share * (box_height - t.height)
        foot_x, foot_y = scene.feet[j].tolist()
        inferred = hidden and box_height < 0.95 * t.height
        if inferred:
            foot_y = float(scene.extents[j, 1]) + t.height
        occluded = bool(scene.front[j].any()) and inferred
        t.flags = (
            (1 if occluded else 0)
            | (2 if merged else 0)
            | (4 if scene.border[j] else 0)
            | (8 if inferred else 0)
        )
        t.visible = min(1.0, box_height / max(t.height, 1.0)) if hidden else 1.0
        t.foot = (foot_x, foot_y)
        t.box = instances.boxes[j]
        t.centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
        window = instances.masks.windows[j].tolist()
        t.mask = (instances.masks.crop(j), (window[0], window[1], window[2], window[3]))
        t.score = float(instances.scores[j])
        t.instance, t.seen_s = j, now_s
        self._vote(t, int(instances.class_ids[j]))

    def _vote(self, t: _Track, class_id: int) -> None:
        t.votes[class_id] = t.votes.get(class_id, 0.0) + t.score
        leader = max(t.votes, key=lambda c: (t.votes[c], -c))
        if t.class_id < 0 or t.votes[leader] > self.settings.class_margin * t.votes[t.class_id]:
            t.class_id = leader

    def _begin(
        self,
        taken: set[int],
        instances: Instances,
        doubled: Bool,
        scene: occlusion.Scene,
        now_s: float,
    ) -> None:
        """Strong instances that no track claims, unless they lie inside one that is tracked."""
        born = [
            j
            for j in range(len(instances))
            if j not in taken
            and not doubled[j]
            and instances.scores[j] >= self.settings.birth_score
            and not self._vetoed(j, taken, instances, scene)
        ]
        if not born:
            return
        self._motion.add(instances.boxes[born])
        for j in born:
            height = float(scene.extents[j, 3] - scene.extents[j, 1])
            centre = centred(instances.boxes[j : j + 1])[0, :2]
            none = (np.zeros((0, 0), np.uint8), (0, 0, 0, 0))
            box = instances.boxes[j]
            t = _Track(self._next_id, now_s, now_s, box, none, centre, height, (0.0, 0.0))
            self._next_id += 1
            self._see(t, j, instances, scene, now_s, (bool(scene.hidden_foot[j]), False))
            t.hits = 1
            if self.settings.confirm_hits <= 1:
                t.state = TrackState.CONFIRMED
            self._tracks.append(t)

    def _vetoed(
        self, j: int, taken: set[int], instances: Instances, scene: occlusion.Scene
    ) -> bool:
        same = self._groups[instances.class_ids] == self._groups[instances.class_ids[j]]
        return any(
            same[k]
            and mask_ops.intersection(instances.masks, j, instances.masks, k)
            > self.settings.veto_covered * scene.areas[j]
            for k in taken
        )

    def _end(self, now_s: float) -> list[int]:
        """Age what was not seen; forget what is gone."""
        ended: list[int] = []
        keep: Bool = np.ones(len(self._tracks), bool)
        for k, t in enumerate(self._tracks):
            unseen_s = now_s - t.seen_s
            if t.state == TrackState.TENTATIVE:
                over = unseen_s > 0 and now_s - t.first_s > self.settings.confirm_s
            else:
                over = unseen_s > self.settings.max_lost_s
                if t.instance < 0:
                    t.state = TrackState.LOST
            if over:
                keep[k] = False
                ended.append(t.id)
        if ended:
            self._tracks = [t for t, kept in zip(self._tracks, keep.tolist(), strict=True) if kept]
            self._motion.keep(keep)
        return ended

    def _snapshot(self, now_s: float, ended: list[int]) -> Tracks:
        tracks = self._tracks
        boxes, centres = self._motion.boxes(), self._motion.mean[:, :2]
        feet: F32 = np.zeros((len(tracks), 2), np.float32)
        for k, t in enumerate(tracks):
            moved = centres[k] - t.centre if t.instance < 0 else np.zeros(2)
            feet[k] = (t.foot[0] + moved[0], t.foot[1] + moved[1])
            if t.instance >= 0:
                boxes[k] = t.box  # what was seen beats what was filtered
        return Tracks(
            ids=np.array([t.id for t in tracks], np.int64),
            states=np.array([t.state for t in tracks], np.uint8),
            boxes=boxes,
            feet=feet,
            class_ids=np.array([t.class_id for t in tracks], np.int32),
            instance=np.array([t.instance for t in tracks], np.int32),
            ended=np.array(ended, np.int64),
            scores=_floats(t.score for t in tracks),
            heights=_floats(t.height for t in tracks),
            velocities=self._motion.speed[:, :2].astype(np.float32),
            flags=np.array([t.flags for t in tracks], np.uint8),
            visible=_floats(t.visible for t in tracks),
            class_shares=_floats(t.votes[t.class_id] / sum(t.votes.values()) for t in tracks),
            ages_s=_floats(now_s - t.first_s for t in tracks),
            hits=np.array([t.hits for t in tracks], np.int32),
        )

    def _masks(self) -> Masks:
        """The last mask of each track, where it was seen."""
        height, width = self._size
        fits = [t.mask[1][2] <= width and t.mask[1][3] <= height for t in self._tracks]
        none = np.zeros((0, 0), np.uint8)
        return mask_ops.from_crops(
            height,
            width,
            [t.mask[1] if f else (0, 0, 0, 0) for t, f in zip(self._tracks, fits, strict=True)],
            [t.mask[0] if f else none for t, f in zip(self._tracks, fits, strict=True)],
        )

    def _same_group(self, instances: Instances) -> Bool:
        ours = self._groups[[t.class_id for t in self._tracks]]
        same: Bool = ours[:, None] == self._groups[instances.class_ids][None, :]
        return same

    def _where(self, holds: Callable[[_Track], bool]) -> Bool:
        return np.array([holds(t) for t in self._tracks], bool)

    def _now(self) -> float:
        return 0.0 if self._time_s is None else self._time_s


def _chosen(instances: Instances, index: I64) -> Instances:
    return Instances(
        instances.boxes[index],
        instances.scores[index],
        instances.class_ids[index],
        mask_ops.chosen(instances.masks, index),
    )


def _free(pairs: list[tuple[int, int]], shape: tuple[int, ...]) -> tuple[Bool, Bool]:
    """Rows and columns that no pair has taken."""
    rows: Bool = np.ones(shape[0], bool)
    columns: Bool = np.ones(shape[1], bool)
    for i, j in pairs:
        rows[i], columns[j] = False, False
    return rows, columns


def _floats(values: Iterable[float]) -> F32:
    return np.fromiter(values, np.float32)
