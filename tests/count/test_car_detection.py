"""Four cars from straight above, their outlines drawn by hand: tracker and counter, exact.

The outlines follow the cars of Intel's `car-detection.mp4` (intel-iot-devkit/sample-videos, 768 x
432, 12.5 fps, fixed camera), where two drive up and two down. No model takes part.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge import build, pipeline
from edge.config import Config
from edge.masks import from_crops
from edge.types import F64, CountEvent, Instances, Stamp, Step

SIZE = HEIGHT, WIDTH = 432, 768
FPS, FRAMES = 12.5, 377
LEAST_SHARE = 0.1  # of a car: what shows less of itself at the border is not found
DROPS, JITTER_PX, SWELL = 0.1, 3.0, 0.03

# Outlines of each car by frame, as x,y in frame pixels, also beyond the border; clockwise from
# the left of its upper end: upper end, right shoulder, right hip, lower end, left hip, shoulder.
WHITE_UP = {
    54: "355,424 420,424 455,460 555,800 530,834 390,834 365,810 298,464",
    60: "340,334 405,334 440,370 540,700 515,734 375,734 350,710 288,374",
    68: "305,218 375,218 412,250 505,530 485,560 340,560 318,535 278,258",
    76: "300,122 375,122 402,150 450,348 444,398 312,398 302,348 276,145",
    84: "292,40 376,40 388,60 422,218 416,266 298,266 286,220 278,60",
    92: "290,-38 375,-38 385,-20 405,105 398,155 295,155 284,108 282,-20",
    107: "290,-160 370,-160 380,-145 392,-35 385,3 293,3 285,-33 282,-145",
}
SILVER_DOWN = {
    180: "170,-150 255,-150 265,-130 262,-15 250,8 175,8 162,-15 160,-130",
    186: "165,-115 255,-115 265,-95 260,40 245,62 170,62 155,40 158,-95",
    202: "158,14 240,14 252,40 243,260 225,284 130,284 110,255 145,45",
    210: "130,118 228,118 240,145 230,410 215,450 100,450 80,415 110,170",
    218: "112,243 220,243 232,275 222,590 205,625 80,625 55,590 92,290",
    226: "90,382 205,382 220,415 212,760 195,800 55,800 35,760 72,420",
    231: "80,462 198,462 214,500 208,860 190,900 40,900 20,860 60,505",
}
RED_UP = {
    187: "355,420 470,420 500,450 530,780 510,810 350,810 330,780 332,450",
    194: "350,312 460,312 482,340 508,640 490,670 345,670 325,640 328,340",
    202: "345,198 455,198 465,225 490,470 475,500 345,500 328,470 328,225",
    210: "335,96 430,96 442,120 470,330 455,362 345,362 328,330 320,125",
    218: "330,16 420,16 430,40 450,200 440,242 345,242 330,210 320,45",
    226: "320,-58 415,-58 422,-35 434,95 425,134 335,134 322,100 315,-35",
    239: "315,-170 395,-170 402,-150 402,-30 395,2 320,2 308,-30 310,-150",
}
WHITE_DOWN = {
    315: "235,-210 325,-210 335,-190 325,-20 310,8 225,8 205,-20 215,-190",
    322: "215,-100 315,-100 325,-80 312,95 290,123 195,123 176,85 195,-80",
    330: "205,18 295,18 312,60 292,275 270,306 165,306 140,270 170,110",
    338: "172,172 285,172 299,215 292,470 265,520 130,520 95,480 140,240",
    344: "150,328 262,328 290,380 295,690 265,740 105,740 70,690 122,385",
    349: "135,455 250,455 285,505 300,880 265,930 85,930 45,880 105,510",
}
CARS = (WHITE_UP, SILVER_DOWN, RED_UP, WHITE_DOWN)


def outline(car: dict[int, str], frame: int) -> F64 | None:
    """Between two drawn outlines every corner moves evenly; None: it is not there."""
    if not min(car) <= frame <= max(car):
        return None
    drawn = np.array([np.fromstring(text.replace(" ", ","), sep=",") for text in car.values()])
    now = [np.interp(frame, list(car), corner) for corner in drawn.T]
    return np.reshape(now, (-1, 2))


def film(every: int, seed: int | None) -> Iterator[tuple[Stamp, Instances]]:
    """What a segmenter would find in each `every`th frame; a seed brings misses and jitter."""
    rng = np.random.default_rng(seed)
    for frame in range(0, FRAMES, every):
        crops, windows = [], []
        for points in (outline(car, frame) for car in CARS):
            missed, shift, swell = (
                rng.random(),
                rng.normal(0, JITTER_PX, 2),
                rng.normal(0, SWELL, 2),
            )
            if points is None or (seed is not None and missed < DROPS):
                continue
            if seed is not None:
                middle = points.mean(0)
                points = middle + (points - middle) * (1 + swell) + shift
            mask = cv2.fillPoly(np.zeros(SIZE, np.uint8), [np.rint(points).astype(np.int32)], 1)
            x, y, wide, tall = cv2.boundingRect(mask)
            if np.count_nonzero(mask) >= LEAST_SHARE * cv2.contourArea(np.float32(points)):
                crops.append(mask[y : y + tall, x : x + wide])
                windows.append((x, y, x + wide, y + tall))
        n = len(windows)
        boxes = np.array(windows, np.float32).reshape(-1, 4)
        found = from_crops(HEIGHT, WIDTH, windows, crops)
        scores, class_ids = np.full(n, 0.9, np.float32), np.zeros(n, np.int32)
        yield Stamp(frame, frame / FPS), Instances(boxes, scores, class_ids, found)


class Outcome:
    """What came of a film; an output of the pipeline."""

    def __init__(self) -> None:
        self.events: list[CountEvent] = []
        self.confirmed: set[int] = set()

    def write(self, step: Step) -> None:
        self.events += step.events
        self.confirmed.update(step.tracks.ids[step.tracks.states > 0].tolist())

    def close(self) -> None:
        pass


def counted(every: int, seed: int | None) -> Outcome:
    """Tracker and counter as `edge run` makes them, a line from left to right at half height."""
    line = {"a": [0.0, 0.5], "b": [1.0, 0.5]}
    config = Config.model_validate({"cameras": {"yard": {"source": "-", "lines": {"half": line}}}})
    tracker = build.tracker(config, "yard", ["car"])
    counters = build.counters(config, "yard", ["car"], WIDTH, HEIGHT)
    outcome = Outcome()
    pipeline.run(pipeline.replayed(film(every, seed)), tracker, counters, [outcome])
    return outcome


@pytest.mark.parametrize("every", [1, 3, 5])
# At 2.5 fps, 3 of the first 30 seeds (5, 13, 18) lose a car that is missed again and again there.
@pytest.mark.parametrize("seed", [None, *range(5)])
def test_two_cars_up_and_two_down_are_counted_exactly(every, seed):
    outcome = counted(every, seed)
    # Who walks the line sees the upper half on the left: down is in, up is out.
    passages = [(e.kind, e.direction, e.track.track_id) for e in outcome.events]
    assert passages == [
        ("line_crossed", "out", 1),
        ("line_crossed", "in", 2),
        ("line_crossed", "out", 3),
        ("line_crossed", "in", 4),
    ]
    assert outcome.confirmed == {1, 2, 3, 4}
    assert (outcome.events[-1].totals.count_in, outcome.events[-1].totals.count_out) == (2, 2)


@pytest.mark.parametrize("every", [1, 3, 5])
def test_each_crosses_when_its_lower_edge_does(every):
    times_s = [event.media_s for event in counted(every, None).events]
    # Read off the video: frames where the lower edge is at half height.
    assert times_s == pytest.approx([f / FPS for f in (87.3, 198.1, 219.8, 326.0)], abs=0.2)
