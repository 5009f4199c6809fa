"""The tracker: gives each instance an identity that lasts.

ByteTrack's passes (Zhang et al., 2022, arXiv:2110.06864) on boxes and, where those leave a
choice, masks; a last pass with buffered boxes (C-BIoU: Yang et al., 2023, arXiv:2211.14317).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge import masks as mask_ops
from edge.track import associate, birth, camera, group, memory, occlusion
from edge.track.associate import Pairs
from edge.track.grid import NO_SHAPES, Shapes, overlaps
from edge.track.memory import Memory, centres
from edge.track.motion import Motion
from edge.track.occlusion import Scene
from edge.track.settings import TrackerSettings
from edge.track.snapshot import snapshot
from edge.types import F32, F64, I32, I64, Bool, Instances, Stamp, Tracks, TrackState

LARGEST_PX = 1e6  # no box of a real frame is larger; also false for NaN and infinity
GATE = 13.8  # chi-square, 2 degrees of freedom, 99.9 %
FASTEST, FASTEST_RIGID = 6.0, 15.0  # longer sides a second
FARTHEST = 2.5  # longer sides between two frames
NEW_HITS = 1  # a track seen so often has no speed of its own yet
GAP_REACH, GAP_REACH_S = 0.3, 0.8  # longer sides, and more for each second unseen
STAYED = 0.3  # longer sides: no further from where it was last seen
GONE_S = 0.3  # who has left the frame is remembered for so long
SURE = 0.4  # IoU above which no gate is needed


class Tracker:
    """Instances in, identities out; one for each camera.

    `dropped` counts input that could not be used: instances with boxes or scores that are no
    numbers or without a mask, and frames whose time does not advance.
    """

    def __init__(
        self, settings: TrackerSettings, class_groups: Sequence[int], rigid: Sequence[bool]
    ) -> None:
        """Begin without tracks.

        Args:
            settings: thresholds.
            class_groups: for each class id a group, or -1 for a class that is not tracked;
                instances continue tracks of their own group only, so that a car seen as a
                truck stays one object.
            rigid: for each class id whether it is a vehicle, which keeps its shape.
        """
        self.settings = settings
        self._rigid: Bool = np.array(rigid, np.bool_)
        self.dropped: Counter[str] = Counter()
        self._groups: I32 = np.array(class_groups, np.int32)
        self._memory: Memory = memory.nobody(len(class_groups))
        self._motion = Motion()
        self._shapes: Shapes = NO_SHAPES
        self._next_id = 1
        self._time_s: float | None = None
        self._last: Tracks | None = None
        self._size = (0, 0)

    def update(self, stamp: Stamp, instances: Instances) -> Tracks:
        """Continue, begin and end tracks by what one frame shows.

        Returns:
            All live tracks after the frame; `instance` indexes `instances` as given.
        """
        now_s = stamp.media_s
        if instances.camera is not None:
            self._follow_camera(instances.camera)
        if not np.isfinite(now_s) or (self._time_s is not None and now_s <= self._time_s):
            self.dropped["frame out of order"] += 1
            last = self._last or snapshot(self._memory, self._motion, self._front_of(None), 0.0, [])
            unseen = np.full(len(last), -1, np.int32)
            return replace(last, instance=unseen, ended=np.zeros(0, np.int64))
        dt_s = 0.0 if self._time_s is None else now_s - self._time_s
        self._time_s = now_s
        if self._size != (instances.masks.height, instances.masks.width):
            self._size = (instances.masks.height, instances.masks.width)
            self._shapes = NO_SHAPES  # cells of another grid
        scene = self._look(instances)
        self._motion.predict(dt_s, self._memory.instance < 0)
        self._memory.instance[:] = -1
        shared = self._shared(scene)
        rows, columns = self._associate(scene, shared, dt_s)
        self._continue(rows, columns, scene, shared, dt_s)
        self._begin(columns, scene, instances)
        ended = self._end()
        front_of = self._front_of(scene)
        seen = self._memory.instance >= 0
        self._memory.instance[seen] = scene.origin[self._memory.instance[seen]]
        self._last = snapshot(self._memory, self._motion, front_of, now_s, ended)
        return self._last

    def _follow_camera(self, moved: F64) -> None:
        """Everything is where it was, but the picture shows it elsewhere."""
        self._motion.warp(moved)
        m, zoom = self._memory, camera.zoom_of(moved)
        # The centre stays: it says where the last mask lies on the grid, and the foot beside it.
        m.box = camera.warped_boxes(m.box, moved)
        m.blob = camera.warped_boxes(m.blob, moved)
        m.height, m.width, m.area = m.height * zoom, m.width * zoom, m.area * zoom**2

    def _look(self, instances: Instances) -> Scene:
        """What is worth tracking, best score first."""
        boxes, scores, class_ids = instances.boxes, instances.scores, instances.class_ids
        rows = mask_ops.row_extents(instances.masks)
        sound: Bool = np.asarray((np.abs(boxes) < LARGEST_PX).all(1))
        sound &= np.isfinite(scores) & (rows[:, 0] >= 0)
        sound &= (class_ids >= 0) & (class_ids < len(self._groups))
        sound &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        unusable = len(sound) - int(np.count_nonzero(sound))
        if unusable:
            self.dropped["unusable instance"] += unusable
        strong = np.flatnonzero(sound & (scores >= self.settings.low_score))
        strong = strong[self._groups[class_ids[strong]] >= 0]
        order: I64 = strong[np.argsort(-scores[strong], kind="stable")]
        groups = self._groups[class_ids[order]]
        return occlusion.scene(instances, order, groups, rows[order], self._now())

    def _shared(self, scene: Scene) -> I64:
        """Cells of each track's last mask, moved to where it should be, under each instance."""
        moved = self._motion.mean[:, :2] - self._memory.centre
        return overlaps(self._shapes, np.rint(moved / scene.grid.step_px).astype(int), scene.grid)

    def _associate(self, scene: Scene, shared: I64, dt_s: float) -> tuple[I64, I64]:
        """Rows of tracks and the instances that continue them, of all passes."""
        s, m = self.settings, self._memory
        # A second view of one object may be its neighbour, half hidden: it can continue a track
        # that is missed, like a weak instance, but it never begins one.
        high: Bool = (scene.scores >= s.high_score) & ~scene.doubled
        recent: Bool = (self._now() - m.seen_s <= s.recent_s) & (m.state != TrackState.TENTATIVE)
        predicted = self._motion.boxes()
        pairs = self._similar(predicted, scene, shared, dt_s)
        free_rows: Bool = np.ones(len(m), bool)
        free_columns: Bool = np.ones(len(scene), bool)
        found: list[tuple[I64, I64]] = []

        def settle(candidates: Pairs) -> None:
            rows, columns = associate.assigned(candidates)
            free_rows[rows] = free_columns[columns] = False
            found.append((rows, columns))

        settle(pairs.where(high[pairs.columns]))
        weak = free_rows[pairs.rows] & recent[pairs.rows] & free_columns[pairs.columns]
        settle(pairs.where(weak & ~high[pairs.columns]))
        settle(self._rescue(predicted, scene, free_rows, free_columns & high, dt_s))
        settle(self._reunite(scene, free_rows, free_columns & high, dt_s))
        return np.concatenate([r for r, _ in found]), np.concatenate([c for _, c in found])

    def _similar(self, predicted: F32, scene: Scene, shared: I64, dt_s: float) -> Pairs:
        """Candidates by box, and how well they fit: 0 to about 2."""
        s, m = self.settings, self._memory
        pairs = associate.overlapping(predicted, scene.boxes, s.min_iou)
        same = self._groups[m.class_id[pairs.rows]] == scene.groups[pairs.columns]
        boxes = scene.boxes[pairs.columns]
        near = self._motion.distance(pairs.rows, boxes) < GATE
        near |= (pairs.similarity > SURE) | self._rigid[m.class_id[pairs.rows]]
        pairs = pairs.where(same & near)
        rows, columns, similarity = pairs.rows, pairs.columns, pairs.similarity
        unclear = associate.contested(rows, columns)
        r, c = rows[unclear], columns[unclear]
        both = self._shapes.areas(len(m))[r] + scene.grid.areas[c]
        similarity[unclear] += s.mask_weight * shared[r, c] / np.maximum(both - shared[r, c], 1)
        similarity *= associate.height_iou(predicted[rows], scene.boxes[columns])
        unseen_s = self._now() - m.seen_s[rows] - dt_s
        similarity -= s.lost_penalty * np.clip(unseen_s, 0, 1)
        return Pairs(rows, columns, similarity)

    def _rescue(
        self, predicted: F32, scene: Scene, rows: Bool, columns: Bool, dt_s: float
    ) -> Pairs:
        """Low frame rates and sudden turns: larger boxes, and the last place seen as well."""
        i, j = np.flatnonzero(rows), np.flatnonzero(columns)
        if not len(i) or not len(j):
            return associate.NO_PAIRS
        groups = self._groups[self._memory.class_id[i]]
        a, b = np.nonzero(groups[:, None] == scene.groups[j][None, :])
        i, j = i[a], j[b]
        share = associate.rescue_buffer(dt_s)
        similarity = associate.box_similarity(predicted[i], scene.boxes[j], share)
        # Who was missed while walking is not where it was last seen; a vehicle may be.
        gone = np.abs(self._motion.mean[i, :2] - centres(self._memory.box[i])).max(1)
        missed = self._memory.seen_s[i] < self._now() - dt_s - 1e-9
        stayed: Bool = ~missed | (gone < STAYED * self._motion.mean[i, 2:].max(1))
        stayed |= self._rigid[self._memory.class_id[i]]
        last = associate.box_similarity(self._memory.box[i], scene.boxes[j], share)
        similarity = np.maximum(similarity, np.where(stayed, last, 0.0))
        return Pairs(i, j, similarity).where(similarity >= associate.RESCUE_SIMILARITY)

    def _reunite(self, scene: Scene, rows: Bool, columns: Bool, dt_s: float) -> Pairs:
        """What leaps on with a speed not known yet, and what comes out from behind something."""
        m = self._memory
        if not rows.any() or not columns.any():
            return associate.NO_PAIRS
        new: Bool = (m.hits <= NEW_HITS) & (m.seen_s >= self._now() - dt_s - 1e-9)
        lost: Bool = (m.state == TrackState.LOST) & ~new
        i, j = np.flatnonzero(rows & (new | lost)), np.flatnonzero(columns)
        if not len(i) or not len(j):
            return associate.NO_PAIRS
        side = self._motion.mean[i, 2:].max(1)
        fastest = np.where(self._rigid[m.class_id[i]], FASTEST_RIGID, FASTEST)
        leap = np.minimum(fastest * dt_s, FARTHEST) * side
        gap = (GAP_REACH + GAP_REACH_S * (self._now() - m.seen_s[i])) * side
        reach_px = np.where(new[i], leap, gap)
        pairs = associate.within_reach(self._motion.mean[i], m.height[i], reach_px, scene.boxes[j])
        r, c = i[pairs.rows], j[pairs.columns]
        same = self._groups[m.class_id[r]] == scene.groups[c]
        return Pairs(r, c, pairs.similarity).where(same)

    def _continue(self, rows: I64, columns: I64, scene: Scene, shared: I64, dt_s: float) -> None:
        m = self._memory
        same = self._groups[m.class_id][:, None] == scene.groups[None, :]
        covered = shared * same / np.maximum(self._shapes.areas(len(m)), 1)[:, None]
        predicted = self._motion.boxes()
        merged = group.members(m, rows, columns, predicted, scene, covered)
        alone: Bool = ~np.isin(rows, merged.rows)
        i, j = rows[alone], columns[alone]
        seen = scene.boxes[j]
        hidden: Bool = scene.hidden_foot[j]
        hidden = hidden | occlusion.cut_short(predicted[i], seen, m.height[i])
        doubt: F64 = np.ones((len(i), 4))
        doubt[hidden, 1] = doubt[hidden, 3] = 4.0  # centre and height move with a hidden edge
        at_side: Bool = (seen[:, 0] <= 2) | (seen[:, 2] >= self._size[1] - 2)
        at_side |= seen[:, 2] - seen[:, 0] < memory.NARROW * m.width[i]
        doubt[at_side, 0] = doubt[at_side, 2] = 4.0
        came = centres(seen) - centres(m.box[i])
        self._motion.update(i, seen, doubt)
        # After a leap the filter would take several sightings to believe its speed.
        leapt: Bool = (m.hits[i] <= NEW_HITS) & (
            np.abs(came).max(1) > self._motion.mean[i, 2:].max(1)
        )
        self._motion.speed[i[leapt], :2] = came[leapt] / max(dt_s, 1e-9)
        self._see(i, j, scene, hidden)
        group.carry(m, self._motion, merged, scene.boxes, dt_s, self._now())

    def _see(self, rows: I64, columns: I64, scene: Scene, hidden: Bool) -> None:
        """Take over what instances show of tracks that are not merged."""
        m = self._memory
        memory.see(m, rows, columns, scene, hidden, self.settings)
        row_of: I64 = np.full(len(scene), -1, np.int64)
        row_of[columns] = rows
        missed: Bool = np.ones(len(m), bool)
        missed[rows] = False
        self._shapes = memory.inherited(self._shapes, scene.grid.shapes, row_of, missed)

    def _begin(self, taken: I64, scene: Scene, instances: Instances) -> None:
        """Strong instances that no track claims, unless they lie inside one that is tracked."""
        new = birth.born(scene, instances.masks, taken, self.settings)
        if not len(new):
            return
        ids = np.arange(self._next_id, self._next_id + len(new))
        self._next_id += len(new)
        rows = np.arange(len(self._memory), len(self._memory) + len(new))
        boxes = scene.boxes[new]
        rigid = self._rigid[scene.class_ids[new]]
        speed = birth.first_speed(self._memory, self._motion, boxes, rigid, self._size[1])
        self._motion.add(boxes, speed, rigid)
        self._memory.extend(memory.newborn(ids, boxes, self._now(), len(self._groups)))
        self._see(rows, new, scene, scene.hidden_foot[new])

    def _end(self) -> list[int]:
        """Age what was not seen; forget what is gone."""
        m, now_s = self._memory, self._now()
        unseen_s = now_s - m.seen_s
        tentative: Bool = m.state == TrackState.TENTATIVE
        late: Bool = (unseen_s > 0) & (now_s - m.first_s > self.settings.confirm_s)
        centre = self._motion.mean[:, :2]
        gone: Bool = np.asarray((centre < 0).any(1) | (centre > self._size[::-1]).any(1))
        most_s = np.where(gone, GONE_S, self.settings.max_lost_s)
        over: Bool = np.asarray((tentative & late) | (~tentative & (unseen_s > most_s)))
        m.state[~tentative & (m.instance < 0)] = TrackState.LOST
        if not over.any():
            return []
        ended: list[int] = m.ids[over].tolist()
        m.keep(~over)
        self._motion.keep(~over)
        kept = self._shapes.where(~over)
        self._shapes = Shapes(kept.cells, kept.xs, (np.cumsum(~over) - 1)[kept.owners])
        return ended

    def _front_of(self, scene: Scene | None) -> I64:
        """Row of the track that stands in front of each track and touches it most, or -1."""
        m = self._memory
        front: I64 = np.full(len(m), -1, np.int64)
        if scene is not None and len(scene):
            row_of: I64 = np.full(len(scene) + 1, -1, np.int64)
            seen = np.flatnonzero(m.instance >= 0)
            row_of[m.instance[seen]] = seen
            front[seen] = row_of[scene.front[m.instance[seen]]]
        return front

    def _now(self) -> float:
        return 0.0 if self._time_s is None else self._time_s
