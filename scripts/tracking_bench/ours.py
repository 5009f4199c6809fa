"""Trackers that run here: ours, the oracle, and a plain matcher of masks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import lap
import numpy as np

from edge import build
from edge import masks as mask_ops
from edge.cli.options import combined
from edge.evaluate.trackfiles import read_boxes, read_masks
from edge.sinks.tracks import FILL_S, TracksFormat, TracksSink
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import I64, U8, Instances, Step
from tracking_bench.judge import Answer
from tracking_bench.streams import CLASS_NAMES, Sequence

MIN_IOU = 0.3  # of the plain matcher
MAX_LOST_S = 1.0


def ours(
    sequence: Sequence,
    class_names: tuple[str, ...] = CLASS_NAMES,
    settings: TrackerSettings | None = None,
    fill_s: float = FILL_S,
) -> Answer:
    """`edge.track` with its defaults, or with `settings`: the file that `edge track` writes.

    A stream with lines is judged by boxes, the others by masks.
    """
    tracker = default_tracker(class_names, settings)
    form: TracksFormat = "mot" if sequence.lines else "mots"
    spent_s = 0.0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tracks.txt"
        with TracksSink(path, class_names, form, fill_s) as sink:
            for shown in sequence.frames:
                began = time.process_time()
                tracks = tracker.update(shown.stamp, shown.instances)
                spent_s += time.process_time() - began
                sink.write(Step(shown.stamp, None, shown.instances, tracks, ()))
        written = read_boxes(path) if form == "mot" else read_masks(path)
    return Answer((), spent_s * 1e3, written)


def ours_seen(sequence: Sequence, class_names: tuple[str, ...] = CLASS_NAMES) -> Answer:
    """The same, but only where a track was seen: as the others answer."""
    return ours(sequence, class_names, fill_s=0.0)


def default_tracker(
    class_names: tuple[str, ...], settings: TrackerSettings | None = None
) -> Tracker:
    """As `edge track` builds it without a config."""
    if settings is not None:
        groups = build.class_groups(class_names, None)
        return Tracker(settings, groups, build.rigid(class_names))
    config = combined(None, ["stream"], None, None, None)
    return build.tracker(config, "stream", class_names)


def oracle(sequence: Sequence) -> Answer:
    """The same detections under their true ids: no tracker can do better."""
    return Answer(tuple(shown.truth_ids for shown in sequence.frames), 0.0)


def mask_iou(sequence: Sequence) -> Answer:
    """Best assignment by the IoU of masks where they were last seen, within each class."""
    ids, spent_s = [], 0.0
    matcher = _Matcher()
    for shown in sequence.frames:
        began = time.process_time()
        ids.append(matcher.update(shown.stamp.media_s, shown.instances))
        spent_s += time.process_time() - began
    return Answer(tuple(ids), spent_s * 1e3)


@dataclass(slots=True)
class _Last:
    """Where an object was last seen."""

    id: int
    seen_s: float
    class_id: int
    window: tuple[int, int, int, int]
    crop: U8


class _Matcher:
    """Every detection continues a track or begins one."""

    def __init__(self) -> None:
        self._tracks: list[_Last] = []
        self._next_id = 1

    def update(self, now_s: float, instances: Instances) -> I64:
        """The id of each instance."""
        self._tracks = [t for t in self._tracks if now_s - t.seen_s <= MAX_LOST_S + 1e-9]
        taken = self._assigned(instances)
        ids: I64 = np.zeros(len(instances), np.int64)
        for k in range(len(instances)):
            x1, y1, x2, y2 = instances.masks.windows[k].tolist()
            at = (x1, y1, x2, y2)
            seen = _Last(0, now_s, int(instances.class_ids[k]), at, instances.masks.crop(k))
            if taken[k] >= 0:
                seen.id = self._tracks[taken[k]].id
                self._tracks[taken[k]] = seen
            else:
                seen.id = self._next_id
                self._next_id += 1
                self._tracks.append(seen)
            ids[k] = seen.id
        return ids

    def _assigned(self, instances: Instances) -> list[int]:
        """The track that each instance continues, or -1."""
        if not self._tracks or not len(instances):
            return [-1] * len(instances)
        masks = instances.masks
        windows, crops = [t.window for t in self._tracks], [t.crop for t in self._tracks]
        last = mask_ops.from_crops(masks.height, masks.width, windows, crops)
        iou = mask_ops.iou_matrix(masks, last).astype(np.float64)
        classes = np.array([t.class_id for t in self._tracks])
        iou[instances.class_ids[:, None] != classes[None, :]] = 0
        _, column_of, _ = lap.lapjv(1 - iou, extend_cost=True, cost_limit=1 - MIN_IOU)
        return [int(c) for c in column_of]
