"""Counting in recordings for `edge run`, one after the other; and what a run writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge import build, pipeline
from edge.cli.live import FINISH_S, close_ledger, journal_path
from edge.cli.logs import start_logging
from edge.cli.signals import ended_at_once, stop_on_signal
from edge.cli.terminal import (
    ProgressOutput,
    console,
    log_stream,
    standard_output,
    teller,
    totals_table,
    warn,
)
from edge.config import Config, decided_by, people
from edge.delivery import Sink
from edge.errors import ConfigError
from edge.ledger import Ledger
from edge.outputs import Counter, EventsOutput, Output, VideoOutput, lines_to
from edge.segment import Segmenter
from edge.sinks.detections import DetectionsSink
from edge.sinks.jsonl import JsonLinesSink
from edge.sinks.rotating import RotatingFile
from edge.sinks.stdout import StandardOutput
from edge.sinks.tracks import TracksFormat, TracksSink
from edge.sinks.video import VideoSink
from edge.sources import check_recorded, open_source

if TYPE_CHECKING:
    from edge.cli.editing import Editable
    from edge.cli.page import RecordedPage
    from edge.cli.reporting import RunReport

LIVE_FPS = 15.0  # nominal rate of annotated videos of cameras; their times are exact
MOST_WAITING = 10_000  # events in memory while the journal's disk is full
DELIVER_S = 30.0  # how long a finished recording waits for receivers


@dataclass(frozen=True, slots=True)
class Results:
    """Where results of one camera go besides the events, and how much is said."""

    video: Path | None
    detections: Path | None
    tracks: Path | None
    track_format: TracksFormat
    max_frames: int | None
    quiet: bool
    blur_people: bool | tuple[str, ...] = False
    report: RunReport | None = None

    def of(self, camera: str) -> Results:
        """The same with the camera's name in each file name, for one of several sources."""
        return replace(
            self,
            video=self.video and named(self.video, camera),
            detections=self.detections and named(self.detections, camera),
            tracks=self.tracks and named(self.tracks, camera),
        )


def direct_sink(config: Config, events: str | None) -> Sink | None:
    """The sink that --events names; standard output if there is no other at all.

    Raises:
        SinkError: the file cannot be opened.
    """
    if events is None and config.sinks:
        return None
    if events in (None, "-"):
        return StandardOutput(standard_output())
    return RotatingFile(Path(str(events)))


def session_outputs(
    results: Results, segmenter: Segmenter, camera: str, number: int, width: int, height: int
) -> list[Output]:
    """What a session of a camera writes besides events: files of its own."""
    names = segmenter.class_names
    provenance = {
        "source_id": camera,
        "kind": "rtsp",
        "source_key": "",
        "width": width,
        "height": height,
        "session": number,
        **build.model_provenance(segmenter),
    }
    outputs = _files(results.of(f"{camera}.{number}"), names, provenance, LIVE_FPS, [])
    if results.report is not None:
        outputs.append(results.report.footprints(camera, people(names, results.blur_people)))
    return outputs


def _files(
    its: Results,
    names: tuple[str, ...],
    provenance: dict[str, Any],
    fps: float,
    counters: list[Counter],
) -> list[Output]:
    """Detections, tracks and the annotated video, as far as they are wanted."""
    outputs: list[Output] = []
    if its.detections:
        outputs.append(DetectionsSink(its.detections, names, provenance))
    if its.tracks:
        outputs.append(TracksSink(its.tracks, names, its.track_format))
    if its.video:
        sink = VideoSink(its.video, provenance["width"], provenance["height"], fps)
        hidden = people(names, its.blur_people) if its.blur_people else ()
        outputs.append(VideoOutput(sink, names, counters, hidden))
    return outputs


def run_recorded(
    config: Config,
    results: Results,
    events: str | None,
    journal: Path | None,
    secrets: Collection[str] = (),
    edits: Editable | None = None,
) -> bool:
    """Count in recordings, one after the other; whether that was interrupted.

    Raises:
        SourceError: One of them is not there, before anything is opened or written; or cannot be
            counted when its turn has come.
    """
    for recording in config.cameras.values():
        check_recorded(recording.source)
    stop = stop_on_signal()
    with ExitStack() as finish:
        ledger: Ledger | None = None
        if journal is not None or config.journal.path is not None or config.sinks:
            # Of receivers and the journal, threads tell.
            level = "error" if results.quiet else "warning"
            start_logging(config.log.format, level, secrets, log_stream())
            path = journal_path(config, journal)
            ledger = Ledger(path, config, direct_sink(config, events))
            finish.callback(_close, ledger, stop)

        @cache  # not before there is something to count: it empties the file of an earlier run
        def opened_sink() -> JsonLinesSink:
            target = standard_output() if events in (None, "-") else Path(str(events))
            return finish.enter_context(JsonLinesSink(target))

        with ended_at_once():
            segmenter = build.configured_segmenter(config, teller(results.quiet))
        if not results.quiet:
            described = f"{segmenter.session.file.path.name} on {segmenter.session.described}"
            console.print(f"model {described}", style="dim", highlight=False)
        page: RecordedPage | None = None
        if config.web.listen is not None:  # web servers take long to import
            from edge.cli.page import RecordedPage

            page = RecordedPage(config, segmenter, edits)
            finish.callback(page.close)
            page.listen(config.web, page.status, page.alive)
            page.serve()
            if not results.quiet:
                console.print(f"page on {page.address}", highlight=False)
        for camera in config.cameras:
            its = results.of(camera) if len(config.cameras) > 1 else results
            events_file = Path(events) if events not in (None, "-") else None
            written = [p for p in (its.video, its.detections, its.tracks, events_file) if p]
            check_not_overwritten(config.cameras[camera].source, written)
            _count(config, camera, segmenter, ledger or opened_sink, its, stop, page)
            if stop.is_set():
                break
        is_interrupted = stop.is_set()
        if page is not None and console.is_terminal and not (results.quiet or is_interrupted):
            # Somebody sits there, who has perhaps not opened it yet; a script goes on.
            console.print(f"done; {page.address} stays until Ctrl-C", highlight=False)
            stop.wait()
    return is_interrupted


def _close(ledger: Ledger, stop: threading.Event) -> None:
    timeout_s = FINISH_S if stop.is_set() else DELIVER_S
    close_ledger(ledger, timeout_s, lambda text: warn("events", [text]))


def _count(  # noqa: PLR0913
    config: Config,
    camera: str,
    segmenter: Segmenter,
    keeps: Ledger | Callable[[], JsonLinesSink],
    results: Results,
    stop: threading.Event,
    page: RecordedPage | None = None,
) -> None:
    """Count in one recording; its events go to a ledger, or straight to the sink that is opened."""
    with open_source(config.cameras[camera].source) as source:
        names = segmenter.class_names
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, source.width, source.height)
        provenance = build.provenance(camera, source, segmenter)
        encoder = build.encoder(config, camera, provenance)
        if isinstance(keeps, Ledger):
            key, geometry = source.content_key, build.geometry(config, camera)
            revs = decided_by(config, camera, segmenter.session.file.sha256)
            keeps.open_recording(camera, key, geometry, revs)
            send = keeps.sender(camera, key, encoder, MOST_WAITING, stop)
            together = partial(keeps.together, camera)
        else:
            send, together = lines_to(keeps()), None
        if page is not None:
            send = page.telling(camera, send)
        if results.report is not None:
            send = results.report.tapped(send)
        every_s = config.snapshot_every_s
        events = EventsOutput(encoder, send, counters, every_s, together=together)
        outputs: list[Output] = [events]
        outputs += _files(results, names, provenance, source.fps, counters)
        if results.report is not None:
            outputs.append(results.report.footprints(camera, people(names, results.blur_people)))
        frames = source.frame_count
        most = results.max_frames
        total = min(most or frames, frames) if frames else most
        progress = ProgressOutput(camera, total, counters, results.quiet)
        outputs.append(progress)
        if page is not None:
            outputs.append(page.output(camera, total))
        try:
            seen = pipeline.ending(pipeline.segmented(source, segmenter), events.source_ended)
            if moving := build.camera_motion(config, camera):
                seen = pipeline.followed(seen, moving)
            pipeline.run(seen, tracker, counters, outputs, stop, most)
        finally:
            if not results.quiet:
                console.print(totals_table(camera, counters, names, progress, stop.is_set()))
                warn(camera, warnings(source, tracker.dropped, segmenter.dropped))


def check_not_overwritten(source: str, written: Sequence[Path]) -> None:
    """Refuse to write results over the recording that they come from.

    Raises:
        ConfigError: one of the files is the source.
    """
    for path in written:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ConfigError(f"{path}: expected another file for results, got the source itself")


def warnings(source: Any, dropped: dict[str, int], broken: int) -> list[str]:
    """What was amiss with a source, a sentence each."""
    texts: list[str] = source.warnings.sentences()
    texts += [f"{n} x {what} dropped" for what, n in dropped.items()]
    if broken:
        texts.append(f"{broken} model outputs that are no numbers dropped")
    return texts


def named(path: Path, camera: str) -> Path:
    """`out.mp4` -> `out.CAMERA.mp4`, for several sources.

    >>> named(Path("x/out.jsonl.gz"), "gate").name
    'out.gate.jsonl.gz'
    """
    stem, dot, rest = path.name.partition(".")
    return path.with_name(f"{stem}.{camera}{dot}{rest}")
