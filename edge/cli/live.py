"""Watching cameras for `edge run`: everything that goes on beside the main loop."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from edge import receivers
from edge.cli.reading import Reading
from edge.cli.status_line import Sight, StatusLines
from edge.cli.systemd import notify, watchdog_interval_s
from edge.config import Config, Web
from edge.delivery import Sink
from edge.errors import SinkError
from edge.ledger import Ledger
from edge.segment import Segmenter
from edge.sinks.evidence import EvidenceFolder
from edge.sinks.stdout import StandardOutput
from edge.site import Outputs, Send, Site, state_folder
from edge.statuses import totals_of
from edge.watch import watch
from edge.web.status import EvidenceStatus, SinkStatus, Status

if TYPE_CHECKING:
    from edge.cli.editing import Editable
    from edge.cli.page import LivePage

log = logging.getLogger("edge.run")

FINISH_S = 2.0  # for writing and delivering what is left; a service is killed after some more
LOOK_EVERY_S = 2.0  # at the config file, with --watch
SAY_EVERY_S = 60.0


@dataclass(slots=True)
class Asked:
    """What signals ask of the main loop."""

    stop: threading.Event = field(default_factory=threading.Event)
    wake: threading.Event = field(default_factory=threading.Event)
    reload: threading.Event = field(default_factory=threading.Event)
    by_signal: bool = False  # whether a signal set `stop`

    def on_signals(self) -> None:
        """SIGTERM and SIGINT stop, a second SIGINT interrupts at once, SIGHUP reloads."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self.stop.is_set() and number == signal.SIGINT:
                raise KeyboardInterrupt
            asked = self.reload if number == signal.SIGHUP else self.stop
            self.by_signal |= asked is self.stop
            asked.set()
            self.wake.set()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, ask)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line adds to the config."""

    reading: Reading
    files: tuple[Path, ...]  # that decide it, for --watch; empty: they are not looked at
    journal: Path | None
    direct: Sink | None
    outputs: Outputs
    max_frames: int | None
    tap: Callable[[Send], Send] | None = None  # what else listens to events
    edits: Editable | None = None  # what the page's editor may change
    status_lines: bool = False  # whether somebody looks at a terminal


def run_live(config: Config, segmenter: Segmenter, wishes: Wishes, asked: Asked) -> None:
    """Watch the cameras of a config until asked to stop, or all recordings among them end.

    Raises:
        EdgeError: the config, the journal or the model cannot be used. A camera or a receiver
            that is away is no error.
    """
    path = journal_path(config, wishes.journal)
    with ExitStack() as finish:
        ledger = Ledger(path, config, wishes.direct)
        finish.callback(close_ledger, ledger)
        log.info("journal %s", path)
        log.info("model %s on %s", segmenter.session.file.path.name, segmenter.session.described)
        pictures = receivers.evidence(config, segmenter.class_names)
        folder, keep = pictures or (None, None)
        if folder is not None:
            finish.callback(folder.close, 1.0)
        page, outputs = None, wishes.outputs
        if config.web.listen is not None:  # web servers take long to import
            page = _page(config, segmenter, lambda: site, folder, wishes, asked)
            finish.callback(page.close)
            outputs = page.with_views(outputs)
        site = Site(segmenter, ledger, asked.wake, outputs, keep, wishes.tap)
        finish.callback(site.close)
        routine = _Routine(site, ledger, wishes, asked)
        observe = None
        if page is not None:
            observe = _listen(page, config.web, routine, folder, finish)
        site.apply(config)
        if page is not None:
            page.serve()
            log.info("page, health and metrics on %s", page.address)
        notify("READY=1")
        finish.callback(notify, "STOPPING=1")
        if wishes.status_lines:
            finish.enter_context(StatusLines(routine.sights))
        watch(
            site.lanes,
            segmenter,
            asked.stop,
            asked.wake,
            routine.turn,
            observe,
            batch_of(config, segmenter),
        )
        site.save(is_due=True)
    log.info("stopped")


def batch_of(config: Config, segmenter: Segmenter) -> int:
    """How many frames go into one run of the model; 1, and said, if it takes no more."""
    if config.model.batch > 1 and not segmenter.takes_batches:
        log.warning("model.batch: the model takes one picture at a time")
        return 1
    return config.model.batch


def journal_path(config: Config, given: Path | None) -> Path:
    """Where the journal is: as given, as configured, or in the state folder."""
    if given is not None:
        return given
    if config.journal.path is not None:
        return Path(config.journal.path)
    return state_folder(os.environ, Path.home()) / "journal.db"


class _Routine:
    """What is to be done besides counting, each in its time."""

    def __init__(self, site: Site, ledger: Ledger, wishes: Wishes, asked: Asked) -> None:
        self.turned_s = time.monotonic()
        self.site, self.ledger = site, ledger
        self._wishes, self._asked = wishes, asked
        self._watchdog_s = watchdog_interval_s()
        self._petted_s = self._said_s = self._looked_s = self.turned_s
        self._changed = _changed(wishes.files)
        self._frames: dict[str, int] = {}

    def turn(self) -> None:
        """Called by the main loop before each frame."""
        self.turned_s = now_s = time.monotonic()
        if self._watchdog_s is not None and now_s - self._petted_s >= self._watchdog_s:
            self._petted_s = now_s
            notify("WATCHDOG=1")
        if self._wishes.files and now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            changed = _changed(self._wishes.files)
            if changed != self._changed:
                self._changed = changed
                self._asked.reload.set()
        if self._asked.reload.is_set():
            self._asked.reload.clear()
            notify("RELOADING=1")
            self._wishes.reading.again(self._apply)
            notify("READY=1")
        self.site.save()
        self.ledger.retain()
        if now_s - self._said_s >= SAY_EVERY_S:
            self._say(now_s - self._said_s)
            self._said_s = now_s
        if isinstance(self._wishes.direct, StandardOutput) and self._wishes.direct.is_gone:
            raise SinkError("standard output: expected a reader, got none: it closed the pipe")
        most = self._wishes.max_frames
        if most is not None and all(
            lane.frames >= most or lane.feed.ended for lane in self.site.lanes
        ):
            self._asked.stop.set()

    def sights(self) -> tuple[list[Sight], list[SinkStatus]]:
        """The cameras and the receivers as they are now."""
        totals = {lane.name: totals_of(lane) for lane in list(self.site.lanes)}
        seen = [Sight(its, totals.get(its.name, "")) for its in self.site.statuses()]
        return seen, self.ledger.sink_statuses()

    def _apply(self, config: Config) -> None:
        before = self.site.config
        self.site.apply(config)
        if later := _for_the_next_start(before, config):
            log.warning("%s: changed in the config, not until the next start", ", ".join(later))

    def _say(self, elapsed_s: float) -> None:
        for lane in self.site.lanes:
            before = self._frames.get(lane.name, 0)  # more, if it was opened anew
            done = lane.frames - before * (before <= lane.frames)
            self._frames[lane.name] = lane.frames
            log.info(
                "%s: %.1f frames a second, %s",
                lane.name,
                done / elapsed_s,
                totals_of(lane),
                extra={"camera": lane.name},
            )


def _for_the_next_start(before: Config, after: Config) -> list[str]:
    """What has changed and is not taken over by a process that runs."""
    sections = ("model", "evidence", "web", "log", "blur_people")
    found = [name for name in sections if getattr(before, name) != getattr(after, name)]
    return found + ["journal.path"] * (before.journal.path != after.journal.path)


def _page(
    config: Config,
    segmenter: Segmenter,
    site: Callable[[], Site],
    folder: EvidenceFolder | None,
    wishes: Wishes,
    asked: Asked,
) -> LivePage:
    from edge.cli.page import LivePage, rules_of
    from edge.web.state import Told

    known: tuple[Config | None, Any] = (None, {})

    def rules() -> Any:
        nonlocal known
        now = site().config
        if known[0] is not now:
            known = now, rules_of(now)
        return known[1]

    def reload() -> None:  # what the editor has saved
        asked.reload.set()
        asked.wake.set()

    edits = wishes.edits and replace(wishes.edits, takes="now", on_saved=reload)
    told = Told(lambda: site().statuses(), rules, taken=lambda: wishes.reading.taken)
    return LivePage(config, segmenter, told, folder, edits)


def _listen(
    page: LivePage,
    web: Web,
    routine: _Routine,
    folder: EvidenceFolder | None,
    finish: ExitStack,
) -> Callable[..., None]:
    site, ledger = routine.site, routine.ledger

    def status() -> Status:
        evidence = folder and EvidenceStatus(folder.saved, folder.dropped, folder.size_bytes)
        return page.status(
            sinks=ledger.sink_statuses(), journal=ledger.journal_status(), evidence=evidence
        )

    page.begin_with(ledger.journal, time.time())
    metrics = page.listen(web, status, lambda: time.monotonic() - routine.turned_s)
    finish.callback(page.close)
    site.on_event = page.event
    site.on_gone = page.forget
    return metrics.frame


def close_ledger(
    ledger: Ledger, timeout_s: float = FINISH_S, say: Callable[[str], None] = log.warning
) -> None:
    """Write and deliver what is left, and say what receivers do not have.

    Raises:
        SinkError: events could not be written to the journal, and are lost.
    """
    try:
        ledger.close(timeout_s)
    finally:
        for sink, events in ledger.undelivered.items():
            say(f"sink {sink}: {events} events wait in the journal until the next start")


def _changed(files: Iterable[Path]) -> list[tuple[int, int]]:
    """Something that changes with the files."""
    found = []
    for file in files:
        try:
            about = file.stat()
            found.append((about.st_mtime_ns, about.st_size))
        except OSError:  # an editor may be replacing it
            found.append((0, 0))
    return found
