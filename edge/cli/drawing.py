"""The editor of `edge draw`: pictures of one camera, and its tracks, without counting.

Imported only where it is used: web servers take long to import.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from edge import build
from edge.cli.editing import Editable
from edge.cli.page import LivePage, rules_of
from edge.cli.signals import stop_on_signal
from edge.cli.terminal import console, teller, warn
from edge.config import Camera, Config
from edge.errors import ModelError
from edge.recent import without_masks
from edge.segment import Segmenter
from edge.sources import is_live, open_live, open_source
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import Frame, Notice, Step
from edge.web.state import Told
from edge.web.status import CameraState, CameraStatus

ROUND_S = 1.0  # that each round through a recording takes at least
WAIT_S = 0.25  # for a camera's next picture, before looking whether to stop


class Shown:
    """How the camera is, for the page.

    Attributes:
        frames: shown so far.
        state: as in `CameraStatus`.
        reason: why it is lost.
    """

    def __init__(self, camera: str) -> None:
        """Begin before the first frame."""
        self.frames = 0
        self.state: CameraState = "opening"
        self.reason = ""
        self._camera = camera

    def statuses(self) -> list[CameraStatus]:
        """As the page asks for them."""
        n = self.frames
        return [CameraStatus(self._camera, self.state, 1, n, n, 0, 0, 0, None, self.reason)]


def show(config: Config, camera: str, file: Path, needs_model: bool) -> None:
    """Serve the editor and show pictures until a signal comes."""
    stop = stop_on_signal()
    # Without a model nobody would be hidden.
    segmenter = _segmenter(config, needs_model or bool(config.blur_people))
    shown, chosen = Shown(camera), config.cameras[camera]
    rules = rules_of(config.model_copy(update={"cameras": {camera: chosen}}))
    told = Told(shown.statuses, lambda: rules)
    edits = Editable(file, takes="never")
    page = LivePage(config, segmenter, told, edits=edits, front=camera)
    try:
        page.listen(config.web, page.status, lambda: 0.0)
        page.serve()
        console.print(
            f"draw on {page.address} and save; Ctrl-C ends", highlight=False, soft_wrap=True
        )
        is_camera = is_live(chosen.source)
        frames = (_of_camera if is_camera else _played)(chosen, stop, shown)
        now = 0
        for run, frame in frames:
            if run != now:
                now, see = run, _sight(config, camera, segmenter)
                outputs = page.seen(camera, keeps=is_camera or run == 1)
            shown.state, shown.frames = "connected", shown.frames + 1
            step = see(frame)
            for output in outputs:
                output.write(step)
    finally:
        page.close()


def _segmenter(config: Config, is_needed: bool) -> Segmenter | None:
    """The model; None, and said, if there is none that works and nobody asked for one."""
    try:
        return build.configured_segmenter(config, teller())
    except ModelError as error:
        if is_needed:
            raise
        warn("model", [f"rules cannot be tried here: {error}"])
        return None


def _sight(config: Config, camera: str, segmenter: Segmenter | None) -> Callable[[Frame], Step]:
    """What sees the frames of a run: instances and tracks, or without a model none."""
    if segmenter is None:
        tracker = Tracker(TrackerSettings(), [], [])
    else:
        tracker = build.tracker(config, camera, segmenter.class_names)
    motion = build.camera_motion(config, camera)

    def see(frame: Frame) -> Step:
        if segmenter is None:
            height, width = frame.image.shape[:2]
            instances = without_masks(0, width, height)
        else:
            instances = segmenter.segment(frame.image)
        if motion is not None:
            moved = motion.update(frame.image, instances.boxes)
            instances = replace(instances, camera=moved)
        tracks = tracker.update(frame.stamp, instances)
        return Step(frame.stamp, frame.image, instances, tracks, ())

    return see


def _played(camera: Camera, stop: threading.Event, shown: Shown) -> Iterator[tuple[int, Frame]]:
    """Every frame of a recording, none before its time, again and again; with the round from 1."""
    for number in itertools.count(1):
        began_s, frame = time.monotonic(), None
        with open_source(camera.source) as recording:
            for frame in recording:
                if stop.wait(max(0.0, began_s + frame.stamp.media_s - time.monotonic())):
                    return
                yield number, frame
        if frame is None:
            shown.state, shown.reason = "lost", "the recording has no picture"
        if stop.wait(max(0.0, began_s + ROUND_S - time.monotonic())):  # it may be one picture only
            return


def _of_camera(camera: Camera, stop: threading.Event, shown: Shown) -> Iterator[tuple[int, Frame]]:
    """The newest frames of a camera, with the number of its session."""
    ready, session = threading.Event(), 1
    with open_live(camera.source, build.live_settings(camera), on_ready=ready.set) as live:
        while not stop.is_set():
            item = live.poll()
            if isinstance(item, Frame):
                yield session, item
            elif isinstance(item, Notice):
                session = max(session, item.session)
                if item.kind == "source_lost":
                    shown.state, shown.reason = "lost", item.reason
            else:
                ready.wait(WAIT_S)
                ready.clear()
