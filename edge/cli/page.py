"""The live page for `edge run`: what a run tells it, and its server.

Imported only where a page is asked for: web servers take long to import.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import edge
from edge.cli.desk import Desk
from edge.cli.editing import Editable
from edge.config import Config, Line, Web, people
from edge.errors import SinkError
from edge.events import Tally, utc_text
from edge.events.journal import Choice, Journal
from edge.outputs import Output
from edge.recent import Recent
from edge.segment import Segmenter
from edge.sinks.evidence import EvidenceFolder
from edge.site import Outputs
from edge.types import Step
from edge.view import Painter, View
from edge.web.board import TOLD, Board, Rule, Totals, told
from edge.web.chart import KEPT, STEPS_S, TYPES, History
from edge.web.editor import Editor
from edge.web.metrics import Metrics
from edge.web.page import SHOWN_EVENTS, Page
from edge.web.pictures import Pictures
from edge.web.server import WebServer
from edge.web.state import About, Progress, Told
from edge.web.status import CameraStatus, Status

log = logging.getLogger("edge.web")

HISTORY_S = float(KEPT["hour"] * STEPS_S["hour"])
BREATH_S = 0.01  # between pages of the journal: counting goes first
RECORDED = ("file", "folder")


class LivePage:
    """A page, and what it must be told. Nothing listens before `listen`, or answers before `serve`.

    Attributes:
        address: to be opened in a browser, once it listens.
    """

    def __init__(
        self,
        config: Config,
        segmenter: Segmenter | None,
        told: Told,
        folder: EvidenceFolder | None = None,
        edits: Editable | None = None,
        front: str | None = None,
    ) -> None:
        """Begin to take pictures and events.

        Args:
            config: at the start.
            segmenter: the model; None: there is none.
            told: how the cameras are, asked when somebody looks.
            folder: has the pictures of events.
            edits: whether rules can be changed; None: there is no editor.
            front: the camera whose editor is shown instead of counts.
        """
        names = () if segmenter is None else segmenter.class_names
        about = About(
            device=config.device_id,
            version=edge.__version__,
            model="none" if segmenter is None else segmenter.session.file.path.name,
            provider="nothing" if segmenter is None else segmenter.session.provider,
            has_evidence=folder is not None,
        )
        hidden = people(names, config.blur_people) if config.blur_people else ()
        self._metrics: Metrics | None = None
        self.address = ""
        self._board = Board()
        self._painter = Painter(told.rules, self._board, names, hidden)
        self._pictures = Pictures(self._painter.jpeg)
        self._recents: dict[str, Recent] = {}
        evidence = None if folder is None else folder.picture
        editor = None
        if edits is not None:
            desk, cameras = Desk(edits, names, self._recents), lambda: told.rules().keys()
            editor = Editor(desk, cameras, front, is_linked=edits.file is not None)
        self._page = Page(about, told, self._board, self._pictures, evidence, editor=editor)
        self._about = about
        self._nodes = {} if segmenter is None else segmenter.session.placement
        self._told = told
        self._server: WebServer | None = None

    def status(self, **parts: Any) -> Status:
        """The status for health and metrics; `parts` are its journal, sinks and evidence."""
        about, cameras = self._about, self._told.cameras()
        given = {"sinks": [], "journal": None, "nodes": self._nodes, **parts}
        return Status(about.version, about.provider, about.model, True, cameras, **given)

    def listen(self, web: Web, status: Callable[[], Status], alive: Callable[[], float]) -> Metrics:
        """Take the address; what the main loop is to tell of each frame goes to the metrics.

        Raises:
            ConfigError: the address cannot be had.
        """
        metrics = self._metrics = Metrics(status)
        self._server = WebServer(
            web.host, web.port, web.token, status, metrics, alive, page=self._page
        )
        host = f"[{web.host}]" if ":" in web.host else web.host
        self.address = f"http://{host}:{self._server.port}/"
        return metrics

    def serve(self) -> None:
        """Begin to answer, when there is something to be told of."""
        assert self._server is not None, "listen comes first"
        self._server.begin()

    def with_views(self, outputs: Outputs) -> Outputs:
        """What each session of a camera writes, and its view."""

        def made(camera: str, number: int, width: int, height: int) -> list[Output]:
            return [*outputs(camera, number, width, height), *self.seen(camera)]

        return made

    def seen(self, camera: str, keeps: bool = True) -> list[Output]:
        """The outputs that show a run of frames, and keep its tracks for rules to be tried on."""
        view = View(camera, self._pictures)
        if not keeps:
            return [view]
        recent = self._recents[camera] = Recent()  # track ids of another run mean others
        return [view, recent]

    def event(self, camera: str, event: dict[str, Any]) -> None:
        """Take an event that was sent."""
        if self._metrics is not None:
            self._metrics.event(camera, event["type"])
        self._board.take(camera, event)

    def forget(self, camera: str) -> None:
        """Forget a camera that is no longer in the config."""
        if self._metrics is not None:
            self._metrics.forget(camera)
        self._board.forget(camera)
        self._pictures.forget(camera)
        self._painter.forget(camera)
        self._recents.pop(camera, None)

    def note_media_s(self, camera: str, media_s: float) -> None:
        """Tell how far a recording is."""
        self._board.history.note_media_s(camera, media_s)

    def begin_with(self, journal: Journal, now_s: float) -> None:
        """Begin with what a journal has of live sources, before their first event.

        Totals and the last events at once; counts per interval on a thread of their own.

        Raises:
            SinkError: it cannot be read.
        """
        for found in journal.totals():
            if found.source_key == journal.journal_id:  # a live source's
                self._board.begin_with(found.source_id, found.rule_id, _totals(found.tally))
        for row in journal.last(SHOWN_EVENTS, Choice(types=TOLD)):
            event = json.loads(row.line)
            if _is_live(event):
                self._board.bulletin.post(told(event["source"]["id"], event))
        until = journal.newest
        work = threading.Thread(
            target=self._read, args=(journal, now_s, until), name="edge-web-past", daemon=True
        )
        work.start()

    def close(self) -> None:
        """Stop; who looks is let go."""
        if self._server is not None:
            self._server.close(1.0)
        else:
            self._page.close()

    def _read(self, journal: Journal, now_s: float, until: int) -> None:
        past, choice = History(), Choice(types=TYPES, from_unix_s=now_s - HISTORY_S)
        try:
            for n, row in enumerate(journal.all_after(0, choice)):
                if row.position > until:
                    break
                event = json.loads(row.line)
                if _is_live(event):
                    past.take(event["source"]["id"], event)
                if n % 200 == 199:
                    time.sleep(BREATH_S)
        except (SinkError, ValueError, KeyError) as error:
            log.warning("web: the chart begins now: expected past events, got %s", error)
            return
        self._board.history.begin_with(past)


class RecordedPage(LivePage):
    """A page for recordings that are counted one after the other."""

    def __init__(self, config: Config, segmenter: Segmenter, edits: Editable | None = None) -> None:
        """Begin before the first of them; `edits` as `LivePage` has it."""
        self._progress = {name: Progress("waiting", 0, None, 0.0) for name in config.cameras}
        self._turned_s: float | None = None  # when a frame was last counted; None: nothing to do
        rules = rules_of(config)
        super().__init__(
            config,
            segmenter,
            Told(self._statuses, lambda: rules, lambda: self._progress),
            edits=edits,
        )

    def alive(self) -> float:
        """Seconds since a frame was counted; 0 while there is nothing to count."""
        return 0.0 if self._turned_s is None else time.monotonic() - self._turned_s

    def telling(
        self, camera: str, send: Callable[[dict[str, Any]], None]
    ) -> Callable[[dict[str, Any]], None]:
        """What sends events of a recording, and shows them."""

        def sent(event: dict[str, Any]) -> None:
            send(event)
            self.event(camera, event)

        return sent

    def output(self, camera: str, total: int | None) -> Output:
        """The output for a recording that begins, of so many frames, if that is known."""
        self._turned_s = time.monotonic()
        self._progress[camera] = Progress("running", 0, total, 0.0)
        return _RecordedView(self, camera, self.seen(camera))

    def turned(self, camera: str, media_s: float) -> None:
        """Take note of a frame."""
        self._turned_s = time.monotonic()
        before = self._progress[camera]
        self._progress[camera] = Progress("running", before.frames + 1, before.total, media_s)
        self.note_media_s(camera, media_s)

    def finished(self, camera: str) -> None:
        """Take note that a recording is done."""
        self._turned_s = None
        p = self._progress[camera]
        self._progress[camera] = Progress("finished", p.frames, p.total, p.media_s)

    def _statuses(self) -> Sequence[CameraStatus]:
        return [
            CameraStatus(name, "connected", 1, p.frames, p.frames, 0, 0, 0, None)
            for name, p in list(self._progress.items())
        ]


class _RecordedView:
    """Shows each step, and how far the recording is."""

    def __init__(self, page: RecordedPage, camera: str, outputs: Sequence[Output]) -> None:
        self._page = page
        self._camera = camera
        self._outputs = outputs

    def write(self, step: Step) -> None:
        for output in self._outputs:
            output.write(step)
        self._page.turned(self._camera, step.stamp.media_s)

    def close(self) -> None:
        self._page.finished(self._camera)


def rules_of(config: Config) -> Mapping[str, Sequence[Rule]]:
    """The rules of each camera as the page has them."""
    found = {}
    for name, camera in config.cameras.items():
        rules = []
        for rule_id, rule in camera.rules.items():
            classes = rule.classes or camera.classes
            if isinstance(rule, Line):
                names = rule.in_name, rule.out_name
                rules.append(Rule(rule_id, "line", rule.path, classes, *names))
            else:
                rules.append(Rule(rule_id, "zone", rule.polygon, classes, dwell_s=rule.dwell_s))
        found[name] = rules
    return found


def _totals(tally: Tally) -> Totals:
    since = None if tally.since_utc_s is None else utc_text(tally.since_utc_s)
    return Totals(tally.count_in, tally.count_out, tally.by_class, since)


def _is_live(event: Mapping[str, Any]) -> bool:
    return event["source"]["kind"] not in RECORDED
