"""`edge bench --sources N`: cameras of one recording share a model; who is dropped, how late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edge import build
from edge.config import Config
from edge.events import Past
from edge.lane import Feed, Lane, Session
from edge.ledger import Ledger
from edge.outputs import EventsOutput
from edge.segment import Segmenter
from edge.sources import PacedFeed, open_source
from edge.watch import watch

SHARES = (50, 95, 99)  # percentiles of what is timed
INTERVALS = 2  # latency is to stay below so many frame intervals and one inference


@dataclass(slots=True)
class Heard:
    """What the main loop told of one camera: seconds of each stage of each frame."""

    stages: dict[str, list[float]] = field(default_factory=dict)

    def add(self, stages: Mapping[str, float]) -> None:
        """Take one frame."""
        for name, spent_s in stages.items():
            self.stages.setdefault(name, []).append(spent_s)


class Alarm(threading.Event):
    """Wakes who waits on it when the next frame of a feed is due, as cameras wake the main loop."""

    def __init__(self, feeds: Sequence[PacedFeed]) -> None:
        """Keep the feeds."""
        super().__init__()
        self._feeds = feeds

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a frame, at most `timeout` seconds."""
        left_s = min(feed.due_s for feed in self._feeds) - time.monotonic()
        return super().wait(max(0.0, left_s if timeout is None else min(timeout, left_s)))


def lane_of(
    config: Config, camera: str, feed: Feed, kind: str, segmenter: Segmenter, ledger: Ledger
) -> Lane:
    """A camera's lane whose frames come from any feed, and whose events are kept as live ones are.

    Args:
        config: of all cameras.
        camera: its name.
        feed: its frames.
        kind: of its source, as events name it.
        segmenter: the model.
        ledger: keeps its events.

    Raises:
        EdgeError: a class that the model does not know, or the journal cannot be written.
    """
    stream = ledger.open(camera, None, build.geometry(config, camera))
    provenance = {
        "kind": kind,
        "session": stream.session,
        "source_key": stream.source_key,
        "width": 0,
        "height": 0,
        **build.model_provenance(segmenter),
    }
    encoder = build.encoder(config, camera, provenance, Past(stream.totals, stream.seq))
    send = ledger.sender(camera, None, encoder)
    names = segmenter.class_names

    def begin(number: int, width: int, height: int) -> Session:
        tracker = build.tracker(config, camera, names)
        counters = build.counters(config, camera, names, width, height)
        return Session(tracker, counters, (width, height), build.camera_motion(config, camera))

    events = EventsOutput(encoder, send, (), config.snapshot_every_s, stream.state)
    return Lane(camera, feed, stream.session, begin, events)


def measured(
    config: Config, segmenter: Segmenter, duration_s: float, fps: float | None
) -> dict[str, Any]:
    """What becomes of the frames of all cameras of a config, in `duration_s` of real time.

    Args:
        config: its cameras are recordings, each delivered as a camera would, again and again.
        segmenter: the model that they share.
        duration_s: of the measurement.
        fps: frames a second of each; None: as recorded.

    Returns:
        The numbers, ready for JSON.

    Raises:
        EdgeError: a recording cannot be read, the model or the journal fails.
    """
    with ExitStack() as finish:
        folder = Path(finish.enter_context(TemporaryDirectory(prefix="edge-bench-")))
        ledger = Ledger(folder / "journal.db", config)
        finish.callback(ledger.close, 1.0)
        feeds: list[PacedFeed] = []
        lanes: list[Lane] = []
        for camera, section in config.cameras.items():
            feed = PacedFeed(_reopening(section.source), fps)
            finish.callback(feed.close)
            feeds.append(feed)
            lanes.append(lane_of(config, camera, feed, "file", segmenter, ledger))
        first = feeds[0].ahead
        segmenter.segment(first.image)  # the first run of a model is slower
        heard = {lane.name: Heard() for lane in lanes}
        elapsed_s = _watched(lanes, feeds, segmenter, duration_s, heard)
        rates = {lane.name: feed.fps for lane, feed in zip(lanes, feeds, strict=True)}
        counts = {
            lane.name: (lane.frames, feed.dropped) for lane, feed in zip(lanes, feeds, strict=True)
        }
        for lane in lanes:
            lane.close()
        size_hw = list(segmenter.prepare(first.image).box.input_hw)
    return {"input_hw": size_hw, **summed(counts, heard, min(rates.values()), elapsed_s)}


def _watched(
    lanes: list[Lane],
    feeds: Sequence[PacedFeed],
    segmenter: Segmenter,
    duration_s: float,
    heard: Mapping[str, Heard],
) -> float:
    """Count in all lanes for a while; how long it was."""
    began_s = time.monotonic()
    for k, feed in enumerate(feeds):  # as cameras do, they deliver at different moments
        feed.start(began_s + k / (len(feeds) * feed.fps))
    stop = threading.Event()

    def turn() -> None:
        if time.monotonic() - began_s >= duration_s:
            stop.set()

    def observe(camera: str, stages: Mapping[str, float]) -> None:
        heard[camera].add(stages)

    watch(lanes, segmenter, stop, Alarm(feeds), turn, observe)
    return time.monotonic() - began_s


def summed(
    counts: Mapping[str, tuple[int, int]],
    heard: Mapping[str, Heard],
    fps: float,
    elapsed_s: float,
) -> dict[str, Any]:
    """The numbers of a measurement, of each camera and of all.

    Args:
        counts: frames processed and dropped, by camera.
        heard: stages of those processed.
        fps: frames that each camera delivers in a second.
        elapsed_s: how long it was.

    Example:
        >>> heard = {"a": Heard({"total": [0.1, 0.3], "infer": [0.04, 0.04]})}
        >>> found = summed({"a": (2, 6)}, heard, 10.0, 0.8)
        >>> found["cameras"][0]["drop_share"], found["latency_ms"]["p50"], found["is_within_limit"]
        (0.75, 200.0, False)
    """
    rows = [
        {
            "camera": name,
            **_fates(*counts[name]),
            "latency_ms": _percentiles_ms(heard[name].stages.get("total", [])),
        }
        for name in counts
    ]
    together = Heard()
    for each in heard.values():
        for stage, spent_s in each.stages.items():
            together.stages.setdefault(stage, []).extend(spent_s)
    latency = _percentiles_ms(together.stages.get("total", []))
    infer = _percentiles_ms(together.stages.get("infer", []))
    interval_ms = round(1e3 / fps, 3)
    limit_ms = None if infer is None else round(INTERVALS * interval_ms + infer["p50"], 3)
    shares = [row["drop_share"] for row in rows]
    processed = sum(done for done, _ in counts.values())
    return {
        "elapsed_s": round(elapsed_s, 3),
        "fps": round(fps, 3),
        "frame_interval_ms": interval_ms,
        "cameras": rows,
        **_fates(processed, sum(dropped for _, dropped in counts.values())),
        "drop_share_smallest": min(shares),
        "drop_share_largest": max(shares),
        "processed_per_s": round(processed / elapsed_s, 3),
        "latency_ms": latency,
        "wait_ms": _percentiles_ms(together.stages.get("wait", [])),
        "infer_ms": infer,
        "count_ms": _percentiles_ms(together.stages.get("count", [])),
        "limit_ms": limit_ms,
        "is_within_limit": None
        if latency is None or limit_ms is None
        else latency["p95"] < limit_ms,
    }


def lines(result: Mapping[str, Any]) -> list[str]:
    """A result as text: a line for each camera, and the rest a line each."""
    rows = [_line(row["camera"], row) for row in result["cameras"]]
    if len(rows) > 1:
        rows.append(_line("together", result))
    widest = max(len(key) for key in result)
    rest = [f"{key:{widest}} {value}" for key, value in result.items() if key != "cameras"]
    return [*rest, *rows]


def _line(name: str, row: Mapping[str, Any]) -> str:
    latency = row["latency_ms"]
    late = "no latency" if latency is None else " / ".join(f"{v:.0f}" for v in latency.values())
    return (
        f"{name}: {row['delivered']} frames delivered, {row['processed']} processed, "
        f"{row['dropped']} dropped ({row['drop_share']:.1%}); p50 / p95 / p99 {late} ms"
    )


def _fates(processed: int, dropped: int) -> dict[str, Any]:
    delivered = processed + dropped
    share = round(dropped / delivered, 4) if delivered else 0.0
    return {
        "delivered": delivered,
        "processed": processed,
        "dropped": dropped,
        "drop_share": share,
    }


def _percentiles_ms(spent_s: Sequence[float]) -> dict[str, float] | None:
    if not spent_s:
        return None
    found = np.percentile(np.array(spent_s) * 1e3, SHARES)
    return {f"p{share}": round(float(ms), 2) for share, ms in zip(SHARES, found, strict=True)}


def _reopening(source: str) -> Callable[[], Any]:
    return lambda: open_source(source)
