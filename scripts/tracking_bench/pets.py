"""The sample clip (PETS09-S2L1): a model's detections against box truth, and three lines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge import build, pipeline
from edge import masks as mask_ops
from edge.cli.options import combined
from edge.evaluate.counts import count_quality, totals
from edge.evaluate.crossings import Crossing, Line, true_crossings
from edge.evaluate.trackfiles import BoxRows, MaskRows, read_boxes
from edge.evaluate.tracks import TrackQuality, box_overlaps, track_quality
from edge.sinks.detections import DetectionsSink
from edge.sources import open_source
from edge.sources.detections import DetectionsFile
from edge.track.settings import TrackerSettings
from edge.types import Instances, Step
from tracking_bench.judge import NOBODY, Answer
from tracking_bench.ours import default_tracker
from tracking_bench.rivals import note
from tracking_bench.streams import Sequence, shown

CLIP = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
FPS = 10.0
LINES = {"left": 0.3255, "middle": 0.5, "right": 0.651}  # share of the width; from top to bottom
IGNORED = (0.0, 0.0, 165.0, 150.0)  # people and a post here are not in the truth
CLASS_NAMES = ("person",)
Counts = tuple[tuple[int, int], ...]  # in, out on each line


@dataclass(frozen=True, slots=True)
class Clip:
    """People of a recording as a tracker gets them, and their truth."""

    sequence: Sequence
    truth: BoxRows
    frame_wh: tuple[int, int]


def recording(cache: Path) -> Path | None:
    """The default model's detections of the sample clip, made once; None: there is no clip."""
    if not CLIP.exists():
        return None
    model = build.segmenter(provider="cpu")
    kept = cache / f"vtest-{model.session.file.sha256[:12]}.jsonl.gz"
    if not kept.exists():
        note(f"running the default model on {CLIP.name}, some minutes; kept as {kept}")
        cache.mkdir(parents=True, exist_ok=True)
        half_done = kept.with_name("half-done.jsonl.gz")
        with open_source(str(CLIP)) as source:
            names = model.class_names
            sink = DetectionsSink(half_done, names, build.provenance("vtest", source, model))
            tracker = build.tracker(combined(None, [str(CLIP)], None, None, None), "vtest", names)
            pipeline.run(pipeline.segmented(source, model), tracker, [], [sink])
        half_done.replace(kept)
    return kept


def clip(detections: Path, truth: Path) -> Clip:
    """The people of a recording, with the lines in pixels."""
    recorded = DetectionsFile(detections)
    frame_wh = recorded.width, recorded.height
    frames = []
    for stamp, instances in recorded:
        people = [k for k, c in enumerate(instances.class_ids) if _is_person(recorded, int(c))]
        frames.append(shown(stamp, _chosen(instances, people), np.zeros(len(people), np.int64)))
    nothing = np.zeros(0, np.int64)
    lines = tuple(
        (x * frame_wh[0], 0.0, x * frame_wh[0], float(frame_wh[1])) for x in LINES.values()
    )
    name = f"pets-{hashlib.sha256(detections.read_bytes()).hexdigest()[:8]}"
    no_masks = MaskRows(nothing, nothing, nothing, ())
    sequence = Sequence(name, FPS, tuple(frames), no_masks, lines)
    return Clip(sequence, read_boxes(truth), frame_wh)


def _is_person(recorded: DetectionsFile, class_id: int) -> bool:
    return recorded.class_names[class_id] == "person"


def _chosen(instances: Instances, rows: list[int]) -> Instances:
    index = np.array(rows, np.int64)
    return Instances(
        instances.boxes[index],
        instances.scores[index],
        np.zeros(len(rows), np.int32),
        mask_ops.chosen(instances.masks, index),
    )


def quality(given: Clip, answer: Answer) -> TrackQuality:
    """Boxes against boxes; who stands in the region that the truth leaves out is left out."""
    tracked = answer.written if isinstance(answer.written, BoxRows) else _boxes(given, answer)
    return track_quality([box_overlaps(given.truth, tracked, 0, [IGNORED], drop_flagged=True)])


def _boxes(given: Clip, answer: Answer) -> BoxRows:
    frames, ids, boxes = [], [], []
    for its, said in zip(given.sequence.frames, answer.ids, strict=True):
        kept = np.flatnonzero(said != NOBODY)
        frames.append(np.full(len(kept), its.stamp.frame + 1, np.int64))
        ids.append(said[kept])
        boxes.append(its.instances.boxes[kept])
    return BoxRows(
        np.concatenate(frames),
        np.concatenate(ids),
        np.concatenate(boxes).astype(np.float32),
        np.ones(sum(map(len, ids)), bool),
    )


def our_counts(given: Clip, settings: TrackerSettings | None = None) -> Counts:
    """Tracker and line counters of `edge`, with their defaults or with `settings`."""
    lines = [f"{name}={x},0,{x},1" for name, x in LINES.items()]
    config = combined(None, ["clip"], lines, None, None)
    counters = build.counters(config, "clip", CLASS_NAMES, *given.frame_wh)
    got = {name: [0, 0] for name in LINES}

    class Tally:
        def write(self, step: Step) -> None:
            for event in step.events:
                if event.direction:
                    got[event.rule_id][event.direction == "out"] += event.delta

        def close(self) -> None:
            pass

    tracker = default_tracker(CLASS_NAMES, settings)
    seen = ((s.stamp, None, s.instances) for s in given.sequence.frames)
    pipeline.run(seen, tracker, counters, [Tally()])
    return tuple((a, b) for a, b in got.values())


def true_counts(given: Clip) -> Counts:
    """Passages of the true tracks."""
    lines = [
        Line(name, (x1, y1), (x2, y2))
        for name, (x1, y1, x2, y2) in zip(LINES, given.sequence.lines, strict=True)
    ]
    found = totals(true_crossings(given.truth, lines, FPS, given.frame_wh), list(LINES))
    return tuple((found[name]["in"], found[name]["out"]) for name in LINES)


def count_error(truth: Counts, got: Counts) -> float:
    """Sum of |got - true| over lines and directions, as a share of the true passages."""
    true = {n: {"in": a, "out": b} for n, (a, b) in zip(LINES, truth, strict=True)}
    said = [
        Crossing(name, direction, 0.0, 0)
        for name, pair in zip(LINES, got, strict=True)
        for direction, count in zip(("in", "out"), pair, strict=True)
        for _ in range(count)
    ]
    return count_quality(true, said).directional_error


def best_orientation(truth: Counts, got: Counts) -> Counts:
    """Counts of a counter whose `in` may be our `out`: whichever is nearer to the truth."""
    swapped = tuple((b, a) for a, b in got)
    return min((got, swapped), key=lambda counts: count_error(truth, counts))
