"""Live pictures of what is counted: a step of the main loop to a JPEG, when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

import cv2

from edge.draw import FLASH_S, LineOverlay, Overlay, Trails, ZoneOverlay, draw
from edge.mosaic import without_people
from edge.types import Stamp, Step
from edge.web.board import Board, Rule
from edge.web.pictures import PLAIN, Pictures

LONGEST_PX = 1280
QUALITY = 80
Rules = Callable[[], Mapping[str, Sequence[Rule]]]


class Scene(NamedTuple):
    """One frame to be drawn, and the run of frames that it belongs to."""

    step: Step
    run: object


class View:
    """An output that leaves each step where viewers find it; it draws nothing and never waits."""

    def __init__(self, camera: str, pictures: Pictures) -> None:
        """Begin a run of frames, in which track ids mean the same."""
        self._camera = camera
        self._pictures = pictures
        self._run = object()

    def write(self, step: Step) -> None:
        """Take one step."""
        if step.image is not None:
            scene = Scene(step, self._run)
            self._pictures.offer(self._camera, scene)
            self._pictures.offer(self._camera + PLAIN, scene)

    def close(self) -> None:
        """Nothing to finish: the last picture stays."""


class Painter:
    """Draws scenes, with the totals that the page shows. `jpeg` is for one thread."""

    def __init__(
        self,
        rules: Rules,
        board: Board,
        class_names: Sequence[str],
        hidden: Collection[int] = (),
    ) -> None:
        """Keep what is drawn with every picture.

        Args:
            rules: of each camera, as they are now.
            board: knows the totals.
            class_names: of the model.
            hidden: classes that a mosaic hides.
        """
        self._hidden = hidden
        self._rules = rules
        self._board = board
        self._class_names = class_names
        self._trails: dict[str, tuple[object, Trails]] = {}

    def jpeg(self, view: str, scene: Scene) -> bytes:
        """A JPEG of a camera's frame, at most 1280 pixels long.

        Args:
            view: name of the camera, with `PLAIN` after it for a picture without rules.
            scene: the frame.

        Cost:
            As `edge.draw.draw`, and some milliseconds to encode.
        """
        step = scene.step
        assert step.image is not None
        height, width = step.image.shape[:2]
        run, trails = self._trails.get(view, (None, Trails()))
        if run is not scene.run:  # other tracks have these ids now
            trails = Trails()
            self._trails[view] = scene.run, trails
        camera = view.removesuffix(PLAIN)
        rules = self._rules().get(camera, ()) if camera == view else ()
        overlay = Overlay(
            class_names=self._class_names,
            lines=[
                self._line(camera, rule, step.stamp.media_s, (width, height))
                for rule in rules
                if rule.kind == "line"
            ],
            zones=[
                ZoneOverlay(
                    rule.id, _placed(rule, width, height), self._board.inside(camera, rule.id)
                )
                for rule in rules
                if rule.kind == "zone"
            ],
            tails=trails.update(step.stamp, step.tracks),
            text=_clock(step.stamp),
        )
        image = step.image
        if self._hidden:
            image = without_people(image, step.instances, self._hidden)
        picture = draw(image, step.instances, step.tracks, overlay)
        scale = min(1.0, LONGEST_PX / max(width, height))
        size = round(width * scale), round(height * scale)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # as it is, for its size
        _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        return encoded.tobytes()

    def forget(self, camera: str) -> None:
        """Forget a camera; in any thread."""
        for view in (camera, camera + PLAIN):
            self._trails.pop(view, None)

    def _line(self, camera: str, rule: Rule, now_s: float, size: tuple[int, int]) -> LineOverlay:
        totals = self._board.totals(camera, rule.id)
        crossed_s = self._board.crossed_s(camera, rule.id)
        return LineOverlay(
            rule.id,
            _placed(rule, *size),
            totals.count_in,
            totals.count_out,
            crossed_s is not None and 0.0 <= now_s - crossed_s < FLASH_S,
        )


def _placed(rule: Rule, width: int, height: int) -> list[tuple[float, float]]:
    """Its points in pixels of the frame."""
    return [(x * width, y * height) for x, y in rule.points]


def _clock(stamp: Stamp) -> str:
    """World time where it is known, else media time."""
    if stamp.wall is None:
        return f"{stamp.media_s:.1f} s"
    return f"{datetime.fromtimestamp(stamp.wall.utc_s, timezone.utc):%H:%M:%S} UTC"
