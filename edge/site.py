"""All cameras of a config, watched together; the config may be changed while they are."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge import build
from edge.config import Camera, Config, check_classes, decided_by
from edge.errors import EdgeError, SinkError, SourceError
from edge.events import Past
from edge.events.journal import Stream
from edge.lane import Feed, Lane, Session
from edge.ledger import Ledger
from edge.openings import Opened, Openings, Recording
from edge.outputs import EventsOutput, Output
from edge.receivers import Evidence
from edge.segment import Segmenter
from edge.sources import RecordedFeed, check_live, is_live, open_live
from edge.statuses import status_of, totals_of
from edge.types import Stamp, Wall
from edge.web.status import CameraStatus

log = logging.getLogger("edge.run")

CLOSE_S = 1.0  # how long cameras that hang are waited for
SAVE_EVERY_S = 5.0  # what a camera needs to go on is saved so often
ARRIVAL_MS = 500.0  # uncertainty of a time that no picture has
Outputs = Callable[[str, int, int, int], list[Output]]
Send = Callable[[dict[str, Any]], None]


class Site:
    """The lanes of a config's cameras, opened, changed and closed; each on its own.

    Attributes:
        lanes: one for each camera; the list stays the same object.
        config: as it is applied.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        ledger: Ledger,
        wake: threading.Event,
        outputs: Outputs | None = None,
        evidence: Evidence | None = None,
        tap: Callable[[Send], Send] | None = None,
    ) -> None:
        """Begin without cameras.

        Args:
            segmenter: the model that they share.
            ledger: keeps their events.
            wake: set when a camera has something new.
            outputs: what else a session writes, from camera, session, width and height.
            evidence: keeps a picture of an event and says where.
            tap: what else listens to the events, wrapped around what sends them.
        """
        self.lanes: list[Lane] = []
        self.config = Config()
        self._segmenter = segmenter
        self._ledger = ledger
        self._wake = wake
        self._outputs = outputs
        self._evidence = evidence
        self._tap = tap
        self._saved_s = time.monotonic()
        self._unopened: dict[str, str] = {}  # cameras without a lane, and why
        self._openings = Openings(wake.set)
        # told the camera and each event, once it is on its way
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.on_gone: Callable[[str], None] | None = None  # told the camera

    def apply(self, config: Config) -> None:
        """Make cameras and sinks those of a config; those that stay the same notice nothing.

        Raises:
            ConfigError: a class that the model does not know; nothing is changed then.
            SourceError: a kind of camera that cannot be read here; likewise.
            SinkError: a sink cannot be made or the journal not be written; likewise.
        """
        self._check(config)
        self._ledger.apply(config, self._ledger.prepare(config))
        old, self.config = self.config, config
        for lane in list(self.lanes):
            if lane.name not in config.cameras or _is_other(old, config, lane.name):
                self._close(lane, "config_changed", 0.0)  # the other cameras cannot wait
                if lane.name not in config.cameras and self.on_gone is not None:
                    self.on_gone(lane.name)
        self._unopened = {}
        known = {lane.name: lane for lane in self.lanes}
        for name, camera in config.cameras.items():
            if name in known:
                if old.cameras[name] != camera:
                    self._change(known[name], old)
            elif is_live(camera.source):
                self._open_or_later(name, is_start=not old.cameras)
            else:
                self._openings.begin(name, camera.source)
        self._openings.keep({name: camera.source for name, camera in config.cameras.items()})

    def _check(self, config: Config) -> None:
        """Refuse what cannot be applied."""
        check_classes(config, self._segmenter.class_names)
        for camera in config.cameras.values():
            if is_live(camera.source):
                check_live(camera.source)
        if self.lanes and not self._ledger.flush():
            raise SinkError(
                "journal: expected it to take all events before cameras change, got some that wait "
                "in memory; the cameras are as they were"
            )

    def save(self, is_due: bool = False) -> None:
        """Save what each camera needs to go on, now if `is_due`, else every few seconds.

        Recordings that have been opened meanwhile begin.
        """
        now_s = time.monotonic()
        for opened in self._openings.done():
            self._open_or_later(opened.name, opened=opened)
        if is_due or now_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s = now_s
            for lane in self.lanes:
                self._save(lane)
            again = [n for n in self._unopened if is_live(self.config.cameras[n].source)]
            if again and not is_due and self._ledger.flush(0.2):
                for name in again:
                    self._open_or_later(name)

    def _save(self, lane: Lane) -> None:
        if not isinstance(lane.feed, RecordedFeed):  # which begins again
            self._ledger.save_state(lane.name, lane.events.state())

    def statuses(self) -> list[CameraStatus]:
        """How each camera is; one that could not be opened counts as lost."""
        unopened = [
            CameraStatus(name, "lost", 0, 0, 0, 0, 0, 0, None, reason)
            for name, reason in self._unopened.copy().items()
        ]
        unopened += [
            CameraStatus(name, "opening", 0, 0, 0, 0, 0, 0, None) for name in self._openings.names
        ]
        return [status_of(lane) for lane in list(self.lanes)] + unopened

    def close(self) -> None:
        """Close all cameras; the first error is raised when all are.

        Raises:
            EdgeError: a result could not be finished.
        """
        until_s = time.monotonic() + CLOSE_S
        for lane in self.lanes:
            lane.feed.close(0.0)  # all are asked before one that hangs is waited for
        failures = [
            self._close(lane, "stopped", max(0.0, until_s - time.monotonic()))
            for lane in list(self.lanes)
        ]
        for failure in failures:
            if failure is not None:
                raise failure

    def _open_or_later(
        self, name: str, is_start: bool = False, opened: Opened | None = None
    ) -> None:
        """Open one camera; `save` tries again if the journal cannot say now where it left off.

        At the start that is raised. A recording, `opened` before, is left out if it cannot be
        counted.
        """
        extra, is_camera = {"camera": name}, is_live(self.config.cameras[name].source)
        try:
            self._open(name, None if opened is None else opened.recording())
            self._unopened.pop(name, None)
        except SourceError as error:
            self._unopened[name] = str(error)
            log.error("%s: %s", name, error, extra=extra)
        except SinkError as error:
            if is_start and is_camera:
                raise
            later = "; tried again" if is_camera else ""
            log.error("%s: not opened: %s%s", name, error, later, extra=extra)
            self._unopened[name] = f"not opened: {error}"

    def _open(self, name: str, recording: Recording | None) -> None:
        """Open one camera, or begin to count in a recording."""
        camera, geometry = self.config.cameras[name], build.geometry(self.config, name)
        key = None if recording is None else recording.content_key
        feed: Feed
        if key is None:
            stream = self._ledger.open(name, None, geometry)
        else:
            revs = decided_by(self.config, name, self._segmenter.session.file.sha256)
            stream = self._ledger.open_recording(name, key, geometry, revs)
        if recording is None:
            feed = open_live(
                camera.source,
                build.live_settings(camera),
                stream.session,
                name,
                self._wake.set,
            )
        else:
            feed = RecordedFeed(recording, self._wake.set)
        provenance = {
            "kind": build.kind_of(feed if recording is None else recording),
            "session": stream.session,
            "source_key": stream.source_key,
            "width": 0,
            "height": 0,
            **build.model_provenance(self._segmenter),
        }
        encoder = build.encoder(self.config, name, provenance, Past(stream.totals, stream.seq))
        events = EventsOutput(
            encoder,
            self._telling(name, self._ledger.sender(name, key, encoder)),
            (),
            self.config.snapshot_every_s,
            stream.state,
            self._evidence,
            lambda: self._ledger.together(name, events.state if key is None else None),
        )
        if recording is None:
            now = _now()
            events.start(now)
            for rule_id, before in stream.resets.items():
                events.send(encoder.counter_reset(rule_id, before, now))
            self._end_stays(stream, events, now)
        self.lanes.append(Lane(name, feed, stream.session, self._beginning(name), events))

    def _end_stays(self, stream: Stream, events: EventsOutput, now: Stamp) -> None:
        """End what an earlier run, which was killed, saw begin."""
        inside = Counter(s["rule"]["id"] for s in stream.open_stays if s["type"] == "zone_entered")
        seen_utc_s = (stream.state or {}).get("seen_utc_s")
        for begun in stream.open_stays:
            rule_id = begun["rule"]["id"]
            inside[rule_id] -= begun["type"] == "zone_entered"
            ended = events.encoder.interrupted(begun, now, inside[rule_id], seen_utc_s)
            events.send(ended)

    def _telling(self, name: str, send: Send) -> Send:
        if self._tap is not None:
            send = self._tap(send)

        def sent(event: dict[str, Any]) -> None:
            send(event)
            if self.on_event is not None:
                self.on_event(name, event)

        return sent

    def _beginning(self, name: str) -> Callable[[int, int, int], Session]:
        def begin(number: int, width: int, height: int) -> Session:
            names = self._segmenter.class_names
            return Session(
                build.tracker(self.config, name, names),
                build.counters(self.config, name, names, width, height),
                (width, height),
                build.camera_motion(self.config, name),
                self._outputs(name, number, width, height) if self._outputs else [],
            )

        return begin

    def _change(self, lane: Lane, old: Config) -> None:
        """Other rules for a camera that goes on."""
        before, after = old.cameras[lane.name].rules, self.config.cameras[lane.name].rules
        changed = {name for name in after if before.get(name) != after[name]}
        lane.leave(changed | (before.keys() - after.keys()), "config_changed")
        try:
            stream = self._ledger.open(lane.name, None, build.geometry(self.config, lane.name))
        except SinkError as error:
            log.error("%s: rules not changed: %s", lane.name, error, extra={"camera": lane.name})
            kept = {**self.config.cameras, lane.name: old.cameras[lane.name]}
            self.config = self.config.model_copy(update={"cameras": kept})
            return
        begun = {name: stream.totals[name] for name in changed}
        build.reconfigure(lane, old, self.config, self._segmenter.class_names, begun)
        now = _now(lane.events.last)
        lane.events.changed(now)
        for rule_id, totals in stream.resets.items():
            lane.events.send(lane.events.encoder.counter_reset(rule_id, totals, now))
        log.info("%s: rules changed", lane.name, extra={"camera": lane.name})

    def _close(self, lane: Lane, reason: str, patience_s: float = CLOSE_S) -> EdgeError | None:
        self.lanes.remove(lane)
        extra = {"camera": lane.name}
        log.info("%s: %d frames, %s", lane.name, lane.frames, totals_of(lane), extra=extra)
        try:
            self._save(lane)
            lane.close(reason, patience_s)
        except EdgeError as error:
            log.error("%s: %s", lane.name, error, extra={"camera": lane.name})
            return error
        return None


def _is_other(old: Config, new: Config, name: str) -> bool:
    """Whether a camera must be opened anew: all but its rules is as it was otherwise."""

    def essence(config: Config) -> tuple[Any, ...]:
        camera: Camera = config.cameras[name]
        rest = camera.model_dump(exclude={"lines", "zones"})
        return rest, config.tracker, config.counting, config.device_id, config.snapshot_every_s

    is_recorded = not is_live(new.cameras[name].source)
    return essence(old) != essence(new) or (is_recorded and old.cameras[name] != new.cameras[name])


def _now(last: Stamp | None = None) -> Stamp:
    """A moment that no frame belongs to, after the last one."""
    wall = Wall(time.time(), "arrival", ARRIVAL_MS)
    return Stamp(0, 0.0, wall) if last is None else replace(last, wall=wall)


def state_folder(environment: Mapping[str, str], home: Path) -> Path:
    """Where a journal lies by default: the service's folder, or the user's.

    >>> state_folder({"STATE_DIRECTORY": "/var/lib/edgecount"}, Path("/root")).as_posix()
    '/var/lib/edgecount'
    >>> state_folder({}, Path("/home/me")).as_posix()
    '/home/me/.local/state/edgecount'
    """
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else home / ".local" / "state") / "edgecount"
