"""The tracker: gives each instance an identity that lasts.

ByteTrack's passes (Zhang et al., 2022, arXiv:2110.06864) on boxes and, where those leave a
choice, masks; a last pass with buffered boxes (C-BIoU: Yang et al., 2023, arXiv:2211.14317).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edge import boxes as box_ops
from edge import masks as mask_ops
from edge.track import associate, occlusion
from edge.track.life import Life, Sighting, last_masks, snapshot
from edge.track.motion import Motion
from edge.track.settings import TrackerSettings
from edge.types import F32, F64, I32, I64, Bool, Instances, Stamp, Tracks, TrackState

LARGEST_PX = 1e6  # no box of a real frame is larger; also false for NaN and infinity


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
        self._tracks: list[Life] = []
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
            unchanged = snapshot(self._tracks, self._motion, self._now(), [])
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
        return snapshot(self._tracks, self._motion, stamp.media_s, ended)

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
        similarity = self._similarity(predicted, instances, iou, eligible)
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

    def _similarity(self, predicted: F32, instances: Instances, iou: F32, eligible: Bool) -> F64:
        similarity: F64 = iou.astype(np.float64)
        unclear = associate.ambiguous(eligible)
        if unclear.any():
            last = last_masks(self._tracks, *self._size)
            shifts = np.rint(
                self._motion.mean[:, :2] - np.array([t.centre for t in self._tracks])
            ).astype(np.int64)
            moved = associate.moved_mask_iou(last, shifts, instances.masks, unclear)
            similarity += self.settings.mask_weight * moved
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
        for (i, j), is_hidden, is_merged in zip(
            pairs, hidden.tolist(), merged.tolist(), strict=True
        ):
            sighting = Sighting(j, instances, scene, now_s, is_hidden, is_merged)
            self._tracks[i].see(sighting, self.settings)

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
            before_px = int(np.count_nonzero(self._tracks[i].crop))
            grew = scene.areas[j] > 1.6 * max(1, before_px)
            merged[n] = bool(grew and (covered[j] > 0.5).any())
        return merged

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
            track = Life(self._next_id, now_s, now_s)
            track.see(
                Sighting(j, instances, scene, now_s, bool(scene.hidden_foot[j])), self.settings
            )
            self._tracks.append(track)
            self._next_id += 1

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

    def _same_group(self, instances: Instances) -> Bool:
        ours = self._groups[[t.class_id for t in self._tracks]]
        same: Bool = ours[:, None] == self._groups[instances.class_ids][None, :]
        return same

    def _where(self, holds: Callable[[Life], bool]) -> Bool:
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
