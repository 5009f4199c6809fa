"""Pictures for people: masks, labels, trails, lines and zones.

Everything is sized by the height of the frame, so that it reads alike at 360 and 1080 rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.draw.colours import DARK, WHITE, class_colour, colour
from edge.draw.overlay import Overlay
from edge.draw.pen import Pen
from edge.types import F32, U8, Instances, Stamp, Tracks, TrackState

TAIL_S = 1.5


class Trails:
    """Where each confirmed track stood during the last `tail_s` seconds of media time."""

    def __init__(self, tail_s: float = TAIL_S) -> None:
        self._tail_s = tail_s
        self._feet: dict[int, list[tuple[float, float, float]]] = {}  # id -> (media_s, x, y)

    def update(self, stamp: Stamp, tracks: Tracks) -> dict[int, F32]:
        """Take in one frame; returns the feet of each track, float32 (N, 2), oldest first."""
        for track_id in tracks.ended.tolist():
            self._feet.pop(track_id, None)
        for m in _drawn(tracks):
            x, y = tracks.feet[m].tolist()
            if np.isfinite((x, y)).all():
                self._feet.setdefault(int(tracks.ids[m]), []).append((stamp.media_s, x, y))
        oldest_s = stamp.media_s - self._tail_s
        for feet in self._feet.values():
            while feet and feet[0][0] < oldest_s:
                feet.pop(0)
        # A track whose end fell into a frame that is not drawn leaves by its age.
        self._feet = {k: feet for k, feet in self._feet.items() if feet}
        return {k: np.array(v, np.float32)[:, 1:] for k, v in self._feet.items()}


def draw(image: U8, instances: Instances, tracks: Tracks, overlay: Overlay) -> U8:
    """A copy of the picture with all confirmed tracks that are seen in it, lines and zones.

    Args:
        image: BGR uint8 (H, W, 3); left as it is.
        instances: Of this frame; their masks are filled in the colours of their tracks, so that
            neighbours differ, with outlines and labels in those of their classes.
        tracks: After this frame. Tentative and lost ones are not drawn.
        overlay: Lines, zones, trails and text.

    Cost:
        One copy of the frame; each mask is blended inside its own window only.
    """
    canvas = image.copy()
    pen = Pen(canvas)
    for zone in overlay.zones:
        pen.zone(zone)
    # Those who stand nearer to the camera come last, on top.
    shown = sorted(_drawn(tracks), key=lambda m: float(np.nan_to_num(tracks.feet[m, 1])))
    for m in shown:
        tint, rim = colour(int(tracks.ids[m])), class_colour(int(tracks.class_ids[m]))
        pen.mask(instances.masks, int(tracks.instance[m]), tint, rim)
    for m in shown:
        track_id = int(tracks.ids[m])
        pen.tail(overlay.tails.get(track_id), tracks.feet[m], colour(track_id))
    for line in overlay.lines:
        pen.line(line)
    # Labels that stay put take their places first; those of tracks step aside.
    if overlay.text:
        pen.label(overlay.text, (0, 0), DARK)
    for zone in overlay.zones:
        top = min(zone.polygon_px, key=lambda point: (point[1], point[0]))
        pen.label(f"{zone.name}: {zone.occupancy}", (top[0], top[1] + pen.text_px), WHITE)
    for line in overlay.lines:
        pen.line_label(line)
    for m in shown:
        track_id, class_id = int(tracks.ids[m]), int(tracks.class_ids[m])
        text = f"#{track_id} {_named(overlay.class_names, class_id)}"
        x1, y1, x2, _ = tracks.boxes[m].tolist()
        if np.isfinite((x1, y1, x2)).all():
            pen.label(text, ((x1 + x2) / 2, y1 - pen.text_px), class_colour(class_id))
    return canvas


def draw_instances(image: U8, instances: Instances, captions: Sequence[str]) -> U8:
    """A copy of the picture with every instance, in the colour of its number, counted from 1.

    Args:
        image: BGR uint8 (H, W, 3); left as it is.
        instances: Of this picture.
        captions: What to write at each.
    """
    canvas = image.copy()
    pen = Pen(canvas)
    boxes = np.nan_to_num(instances.boxes)
    nearest_last = np.argsort(boxes[:, 3], kind="stable").tolist()
    for k in nearest_last:
        pen.mask(instances.masks, k, colour(k + 1), colour(k + 1))
    for k in nearest_last:
        x1, y1, x2, _ = boxes[k].tolist()
        pen.label(captions[k], ((x1 + x2) / 2, y1 - pen.text_px), colour(k + 1))
    return canvas


def _drawn(tracks: Tracks) -> list[int]:
    seen = (tracks.states == TrackState.CONFIRMED) & (tracks.instance >= 0)
    return [int(m) for m in np.flatnonzero(seen)]


def _named(class_names: Sequence[str], class_id: int) -> str:
    return class_names[class_id] if 0 <= class_id < len(class_names) else f"class {class_id}"
