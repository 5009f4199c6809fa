#!/usr/bin/env python3
"""What one writes with supervision, trackers and onnxruntime to count people at lines.

    user_script.py MODEL.onnx VIDEO INPUT_HEIGHT INPUT_WIDTH NAME=x1,y1,x2,y2...

Runs in an environment of its own and imports nothing of edgecount. The loop is that of their
documentation (supervision: LineZone; trackers: ByteTrackTracker), all settings at their defaults
but the frame rate, which the tracker is told. The model's convention is YOLO-seg's: boxes by
letterbox and cv2's suppression, masks as arrays of the whole frame, as `sv.Detections` takes them.

On standard input: `count N` counts in the next N frames, `bare N` runs the model alone N times,
`result` tells lines and tracks. Each is answered by a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import cv2
import numpy as np
import onnxruntime as ort
import supervision as sv
from trackers import ByteTrackTracker

MIN_SCORE = 0.25
NMS_IOU = 0.7
PERSON = 0  # the class that is counted
PACKAGES = ("supervision", "trackers", "onnxruntime", "opencv-python", "numpy")


class Model:
    """A YOLO-seg model with onnxruntime's default options."""

    def __init__(self, path: str, input_hw: tuple[int, int]) -> None:
        self.session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.input_name = self.session.get_inputs()[0].name
        self.input_hw = input_hw

    def __call__(self, frame: np.ndarray) -> sv.Detections:
        tensor, scale, left, top = self.letterbox(frame)
        cells, prototypes = self.session.run(None, {self.input_name: tensor})
        return self.detections(cells[0].T, prototypes[0], frame.shape[:2], (scale, left, top))

    def letterbox(self, frame: np.ndarray) -> tuple[np.ndarray, float, int, int]:
        height, width = frame.shape[:2]
        input_h, input_w = self.input_hw
        scale = min(input_h / height, input_w / width)
        small_w, small_h = round(width * scale), round(height * scale)
        left, top = (input_w - small_w) // 2, (input_h - small_h) // 2
        picture = cv2.copyMakeBorder(
            cv2.resize(frame, (small_w, small_h)),
            top,
            input_h - small_h - top,
            left,
            input_w - small_w - left,
            cv2.BORDER_CONSTANT,
            value=(114, 114, 114),
        )
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        tensor = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32) / 255
        return tensor, scale, left, top

    def detections(
        self,
        cells: np.ndarray,
        prototypes: np.ndarray,
        frame_hw: tuple[int, int],
        placed: tuple[float, int, int],
    ) -> sv.Detections:
        scale, left, top = placed
        count = prototypes.shape[0]
        scores = cells[:, 4:-count]
        confidence, class_id = scores.max(1), scores.argmax(1)
        strong = confidence > MIN_SCORE
        cells, confidence, class_id = cells[strong], confidence[strong], class_id[strong]
        centre, size = cells[:, :2], cells[:, 2:4]
        xywh = np.hstack([centre - size / 2, size])
        kept = np.array(
            cv2.dnn.NMSBoxesBatched(
                xywh.tolist(), confidence.tolist(), class_id.tolist(), MIN_SCORE, NMS_IOU
            ),
            int,
        )
        if not len(kept):
            return sv.Detections.empty()
        xyxy = np.hstack([xywh[kept, :2], xywh[kept, :2] + xywh[kept, 2:]])
        xyxy = (xyxy - [left, top, left, top]) / scale
        xyxy = xyxy.clip(0, [frame_hw[1], frame_hw[0]] * 2)
        return sv.Detections(
            xyxy=xyxy,
            confidence=confidence[kept],
            class_id=class_id[kept],
            mask=self.masks(cells[kept, -count:], prototypes, xyxy, frame_hw, (left, top)),
        )

    def masks(
        self,
        coefficients: np.ndarray,
        prototypes: np.ndarray,
        xyxy: np.ndarray,
        frame_hw: tuple[int, int],
        padding: tuple[int, int],
    ) -> np.ndarray:
        """Boolean (N, H, W): sums of prototypes, resized to the frame and cut at the boxes."""
        count, high, wide = prototypes.shape
        sums = (coefficients @ prototypes.reshape(count, -1)).reshape(-1, high, wide)
        shares = 1 / (1 + np.exp(-sums.clip(-50, 50)))
        left, top = (round(p * wide / self.input_hw[1]) for p in padding)
        shares = shares[:, top : high - top, left : wide - left]
        masks = np.zeros((len(shares), *frame_hw), bool)
        for mask, share, (x1, y1, x2, y2) in zip(masks, shares, xyxy.astype(int), strict=True):
            whole = cv2.resize(share, frame_hw[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
            mask[y1 : y2 + 1, x1 : x2 + 1] = whole[y1 : y2 + 1, x1 : x2 + 1]
        return masks


def line_zones(texts: list[str], **options: object) -> dict[str, sv.LineZone]:
    """Lines in pixels, by name."""
    zones = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        x1, y1, x2, y2 = map(float, numbers.split(","))
        zones[name] = sv.LineZone(start=sv.Point(x1, y1), end=sv.Point(x2, y2), **options)
    return zones


def totals(zones: dict[str, sv.LineZone]) -> dict[str, list[int]]:
    return {name: [zone.in_count, zone.out_count] for name, zone in zones.items()}


class Script:
    """The loop, which can be stopped between two frames."""

    def __init__(self, model: Model, video: str, lines: list[str]) -> None:
        info = sv.VideoInfo.from_video_path(video)
        self.frames = sv.get_video_frames_generator(video)
        self.model = model
        self.tracker = ByteTrackTracker(frame_rate=info.fps)
        self.lines = lines
        self.zones = line_zones(lines)
        self.followed: list[sv.Detections] = []

    def count(self, most: int) -> int:
        """Frames counted in, at most so many."""
        done = 0
        for _, frame in zip(range(most), self.frames, strict=False):
            detections = self.model(frame)
            detections = self.tracker.update(detections[detections.class_id == PERSON])
            for zone in self.zones.values():
                zone.trigger(detections)
            self._note(detections)
            done += 1
        return done

    def bare(self, runs: int) -> int:
        """The model alone."""
        tensor = np.full((1, 3, *self.model.input_hw), 0.5, np.float32)
        for _ in range(runs):
            self.model.session.run(None, {self.model.input_name: tensor})
        return runs

    def result(self) -> dict[str, object]:
        """Counts of the lines, and of lines with other settings on the same tracks; the tracks."""
        feet = [sv.Position.BOTTOM_CENTER]
        others = [
            line_zones(self.lines, triggering_anchors=feet, minimum_crossing_threshold=frames)
            for frames in (1, 3)
        ]
        rows = []
        for number, detections in enumerate(self.followed, 1):
            for zones in others:
                for zone in zones.values():
                    zone.trigger(detections)
            for box, track_id in zip(detections.xyxy.tolist(), detections.tracker_id, strict=True):
                rows.append([number, int(track_id) + 1, *box])
        return {"lines": [totals(zones) for zones in (self.zones, *others)], "tracks": rows}

    def _note(self, detections: sv.Detections) -> None:
        known = detections.tracker_id >= 0
        self.followed.append(
            sv.Detections(
                xyxy=detections.xyxy[known], tracker_id=np.asarray(detections.tracker_id)[known]
            )
        )


def main(model_path: str, video: str, height: str, width: str, *lines: str) -> None:
    script = Script(Model(model_path, (int(height), int(width))), video, list(lines))
    print(json.dumps({"versions": {name: version(name) for name in PACKAGES}}), flush=True)
    for request in sys.stdin:
        what, *numbers = request.split()
        if what == "result":
            print(json.dumps(script.result()), flush=True)
            continue
        began = time.perf_counter()
        done = script.count(int(numbers[0])) if what == "count" else script.bare(int(numbers[0]))
        spent_s = time.perf_counter() - began
        print(json.dumps({"frames": done, "spent_s": spent_s}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
