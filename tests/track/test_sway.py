"""What following a swaying camera gains: identities in a scene, and in the clip, with and without.

`docs/tracking.md` names the figures.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import CLIP

from edge import masks as mask_ops
from edge.sources import VideoFile
from edge.sources.detections import DetectionsFile
from edge.testing import CLASS_GROUPS, crowd, frames, times
from edge.track.camera import CameraMotion
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import F64, I64, U8, Instances, Stamp, TrackState

RECORDING = Path(__file__).parents[1] / "golden" / "people.jsonl.gz"
CLIP_FRAMES = 100

Labelled = tuple[Stamp, Instances, I64]  # who each instance is, int64 (N,)


def sway(media_s: float, rate_hz: float, reach_px: float) -> tuple[int, int]:
    """How far the picture has gone aside and down, whole pixels."""
    turn = 2 * np.pi * rate_hz * media_s
    return round(reach_px * np.sin(turn)), round(reach_px / 2 * np.sin(1.3 * turn + 1))


def shift(x: int, y: int) -> F64:
    return np.array([[1.0, 0, x], [0, 1, y]])


def shifted(instances: Instances, labels: I64, x: int, y: int) -> tuple[Instances, I64]:
    """What is still in the picture when it has moved, and who that is."""
    height, width = instances.masks.height, instances.masks.width
    places = instances.masks.windows + np.array([x, y, x, y], np.int32)
    kept, windows, crops = [], [], []
    for k, (x1, y1, x2, y2) in enumerate(places.tolist()):
        left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
        if left >= right or top >= bottom:
            continue
        crop = instances.masks.crop(k)[top - y1 : bottom - y1, left - x1 : right - x1]
        if crop.any():
            kept.append(k)
            windows.append((left, top, right, bottom))
            crops.append(crop)
    moved = Instances(
        instances.boxes[kept] + np.array([x, y, x, y], np.float32),
        instances.scores[kept],
        instances.class_ids[kept],
        mask_ops.from_crops(height, width, windows, crops),
    )
    return moved, labels[kept]


def swayed(
    film: Iterable[Labelled], rate_hz: float, reach_px: float, told: bool
) -> Iterator[Labelled]:
    """The film from a camera that sways; `told` brings how, without looking at pictures."""
    before = (0, 0)
    for stamp, instances, labels in film:
        now = sway(stamp.media_s, rate_hz, reach_px)
        moved, kept = shifted(instances, labels, *now)
        step = shift(now[0] - before[0], now[1] - before[1])
        yield stamp, replace(moved, camera=step) if told else moved, kept
        before = now


def followed(
    film: Iterable[Labelled], pictures: Iterable[U8], rate_hz: float, reach_px: float
) -> Iterator[Labelled]:
    """The film with what `CameraMotion` sees in the pictures, which have swayed like it."""
    camera = CameraMotion()
    for (stamp, instances, labels), picture in zip(film, pictures, strict=True):
        place = shift(*sway(stamp.media_s, rate_hz, reach_px))
        size = picture.shape[1], picture.shape[0]
        shown = cv2.warpAffine(picture, place, size, borderMode=cv2.BORDER_REPLICATE)
        yield stamp, replace(instances, camera=camera.update(shown, instances.boxes)), labels


def identities(film: Iterable[Labelled], class_groups: tuple[int, ...]) -> dict[int, Counter[int]]:
    """Of each labelled object the ids that its confirmed tracks had, and how often."""
    tracker = Tracker(TrackerSettings(), class_groups, (False, *[True] * (len(class_groups) - 1)))
    ids: dict[int, Counter[int]] = defaultdict(Counter)
    for stamp, instances, labels in film:
        tracks = tracker.update(stamp, instances)
        seen = (tracks.instance >= 0) & (tracks.states == TrackState.CONFIRMED)
        for label, track_id in zip(labels[tracks.instance[seen]], tracks.ids[seen], strict=True):
            if label:
                ids[int(label)][int(track_id)] += 1
    return ids


def kept_share(ids: dict[int, Counter[int]]) -> float:
    """Share of sightings in which an object has the id that it has most often."""
    usual = sum(counts.most_common(1)[0][1] for counts in ids.values())
    return usual / sum(counts.total() for counts in ids.values())


def count_of(ids: dict[int, Counter[int]]) -> int:
    return len({track_id for counts in ids.values() for track_id in counts})


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_keeps_its_identities_when_the_tracker_is_told_how_the_camera_sways(seed):
    actors = crowd(12, 12.0, (480, 640), seed)

    def film() -> Iterator[Labelled]:
        return frames(actors, times(12.0, 10), (480, 640))

    still = identities(film(), CLASS_GROUPS)
    lost = identities(swayed(film(), 1.5, 30, told=False), CLASS_GROUPS)
    told = identities(swayed(film(), 1.5, 30, told=True), CLASS_GROUPS)
    assert kept_share(told) > 0.98 * kept_share(still)
    assert kept_share(told) > kept_share(lost) + 0.1
    assert count_of(told) <= count_of(still) + 1 < count_of(lost)


def labelled_clip() -> list[Labelled]:
    """Who is who in the clip: as tracked before the camera that stands."""
    tracker = Tracker(TrackerSettings(), tuple(range(6)), (False,) * 6)
    film = []
    for stamp, instances in islice(DetectionsFile(RECORDING), CLIP_FRAMES):
        tracks = tracker.update(stamp, instances)
        seen = tracks.instance >= 0
        labels = np.zeros(len(instances), np.int64)
        labels[tracks.instance[seen]] = tracks.ids[seen]
        film.append((stamp, instances, labels))
    return film


@pytest.mark.parametrize(("rate_hz", "reach_px"), [(2.0, 12), (1.0, 24)])
def test_people_of_the_clip_keep_their_identities_in_pictures_that_sway(rate_hz, reach_px):
    film = list(swayed(labelled_clip(), rate_hz, reach_px, told=False))
    with VideoFile(str(CLIP)) as source:
        pictures = [frame.image for frame in islice(source, CLIP_FRAMES)]
    unaided = identities(film, tuple(range(6)))
    aided = identities(followed(film, pictures, rate_hz, reach_px), tuple(range(6)))
    assert kept_share(aided) > 0.98
    assert kept_share(aided) > kept_share(unaided) + 0.1
    assert count_of(aided) < count_of(unaided)
