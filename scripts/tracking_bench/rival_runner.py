#!/usr/bin/env python3
"""Run one tracker of roboflow `trackers`: rival_runner.py NAME FPS {INPUT.npz OUTPUT.npz}...

Runs inside an environment of its own and imports nothing of edgecount. Called as its makers
say: one tracker for each class, `frame_rate` FPS and capture times given, all else at its
defaults. The index of each detection travels in `Detections.data`, so that ids find back to
masks. Where the input has `lines`, supervision's LineZone counts on them, at the feet, after
three frames on the other side.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import supervision as sv
import trackers

CLASSES = {
    "sort": trackers.SORTTracker,
    "bytetrack": trackers.ByteTrackTracker,
    "ocsort": trackers.OCSORTTracker,
    "botsort": trackers.BoTSORTTracker,
    "cbiou": trackers.CBIoUTracker,
    "mcbyte": trackers.McByteTracker,
}


def tracked_sequence(name: str, fps: float, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The id of each detection, from 1, 0 for none; milliseconds of each frame; line counts."""
    class_ids = given["class_ids"]
    classes = sorted(set(class_ids.tolist()))
    each = {c: CLASSES[name](frame_rate=fps) for c in classes}
    zones = [line_zone(line) for line in given["lines"].tolist()]
    ids = np.zeros(len(class_ids), np.int64)
    spent_ms = np.zeros(len(given["times_s"]))
    ends = np.cumsum(given["counts"])
    for frame, (end, time_s) in enumerate(zip(ends, given["times_s"], strict=True)):
        rows = np.arange(end - given["counts"][frame], end)
        for number, (c, tracker) in enumerate(each.items()):
            its = rows[class_ids[rows] == c]
            detections = sv.Detections(
                xyxy=given["boxes"][its].astype(float).reshape(-1, 4),
                confidence=given["scores"][its].astype(float),
                class_id=class_ids[its].astype(int),
                data={"row": its},
            )
            began = time.process_time()
            tracked = tracker.update(detections, timestamp=float(time_s))
            spent_ms[frame] += (time.process_time() - began) * 1e3
            if len(tracked):
                own = np.asarray(tracked.tracker_id)
                shared = np.where(own >= 0, own * len(classes) + number + 1, 0)
                ids[np.asarray(tracked.data["row"], int)] = shared
            for zone in zones:
                zone.trigger(tracked)
    counts = np.array([[z.in_count, z.out_count] for z in zones], np.int64).reshape(-1, 2)
    return {"ids": ids, "spent_ms": spent_ms, "line_counts": counts}


def line_zone(line: list[float]) -> sv.LineZone:
    """Their counter on a line x1, y1, x2, y2 in pixels."""
    x1, y1, x2, y2 = line
    return sv.LineZone(
        start=sv.Point(x1, y1),
        end=sv.Point(x2, y2),
        triggering_anchors=[sv.Position.BOTTOM_CENTER],
        minimum_crossing_threshold=3,
    )


def main(name: str, fps: str, *paths: str) -> None:
    warnings.filterwarnings("ignore")
    for source, target in zip(paths[::2], paths[1::2], strict=True):
        np.savez_compressed(target, **tracked_sequence(name, float(fps), dict(np.load(source))))


if __name__ == "__main__":
    main(*sys.argv[1:])
