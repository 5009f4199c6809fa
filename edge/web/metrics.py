"""Prometheus metrics: what the main loop tells, and what a status says when it is asked."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from edge.web.status import CameraStatus, EvidenceStatus, JournalStatus, SinkStatus, Status

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Upper bounds, seconds. Around a frame interval (40 ms, 67 ms, 100 ms) they lie close.
BOUNDS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.067, 0.08, 0.1, 0.15),
    *(0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
_LE = (*(repr(bound) for bound in BOUNDS_S), "+Inf")


class Metrics:
    """Numbers of one process in a registry of their own.

    `frame` and `event` are for the main loop; everything else is read from `status` when somebody
    asks, in the thread of the asker.

    Cost:
        `frame` with seven stages: some microseconds; it takes one lock, that is seldom contended.
    """

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status
        self._lock = threading.Lock()
        self._latency: dict[tuple[str, str], list[float]] = {}  # buckets, then the sum in seconds
        self._events: dict[tuple[str, str], int] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(self._collected))
        ProcessCollector(registry=self._registry)

    def frame(self, camera: str, stages: Mapping[str, float]) -> None:
        """Add what one frame spent where.

        Args:
            camera: Name of the camera.
            stages: Seconds by stage; `total` is from capture to event. What is no time is ignored.
        """
        latency = self._latency
        with self._lock:
            for stage, spent_s in stages.items():
                if not spent_s >= 0.0:  # NaN, or a clock that was set back
                    continue
                key = camera, stage
                row = latency.get(key)
                if row is None:
                    row = latency[key] = [0] * (len(BOUNDS_S) + 1) + [0.0]
                row[bisect_left(BOUNDS_S, spent_s)] += 1
                row[-1] += spent_s

    def event(self, camera: str, kind: str) -> None:
        """Count one event of a type, such as line_crossed."""
        with self._lock:
            self._events[camera, kind] = self._events.get((camera, kind), 0) + 1

    def forget(self, camera: str) -> None:
        """Drop the numbers of a camera that is no longer in the config."""
        with self._lock:
            for key in [key for key in self._latency if key[0] == camera]:
                del self._latency[key]
            for key in [key for key in self._events if key[0] == camera]:
                del self._events[key]

    def exposition(self) -> bytes:
        """All numbers in the text format of Prometheus, of the type `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _collected(self) -> Iterator[Metric]:
        with self._lock:
            latency = {key: list(row) for key, row in self._latency.items()}
            events = dict(self._events)
        yield _histogram(latency)
        told = _counter("events", "Events by type.", ("camera", "type"))
        for (camera, kind), count in events.items():
            told.add_metric([camera, kind], count)
        yield told
        status = self._status()
        yield InfoMetricFamily(
            "edgecount_build",
            "What runs here.",
            {"version": status.version, "provider": status.provider, "model": status.model},
        )
        nodes = _gauge("model_nodes", "Nodes of the model, by where they run.", ("provider",))
        for provider, count in status.nodes.items():
            nodes.add_metric([provider], count)
        yield nodes
        yield from _cameras(status.cameras)
        yield from _sinks(status.sinks)
        if status.journal is not None:
            yield from _journal(status.journal)
        if status.evidence is not None:
            yield from _evidence(status.evidence)
        if (threads := _threads()) is not None:
            yield _gauge("threads", "Threads of the process.", value=threads)


class _Collector:
    """What the registry wants: an object with `collect`, that it does not ask beforehand."""

    def __init__(self, collected: Callable[[], Iterator[Metric]]) -> None:
        self._collected = collected

    def collect(self) -> Iterator[Metric]:
        return self._collected()

    def describe(self) -> Iterable[Metric]:
        return []


def _histogram(latency: Mapping[tuple[str, str], list[float]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(
        "edgecount_latency_seconds",
        "Time that frames spend by stage; total is from capture to event.",
        labels=("camera", "stage"),
    )
    for (camera, stage), row in latency.items():
        buckets = list(zip(_LE, accumulate(row[:-1]), strict=True))
        family.add_metric([camera, stage], buckets, sum_value=row[-1])
    return family


def _cameras(cameras: Iterable[CameraStatus]) -> Iterator[Metric]:
    label = ("camera",)
    processed = _counter("frames", "Frames counted in.", label)
    received = _counter("frames_received", "Frames decoded.", label)
    dropped = _counter("frames_dropped", "Frames replaced by a newer one, unseen.", label)
    left_out = _counter("frames_left_out", "Frames above max_fps.", label)
    reconnects = _counter("reconnects", "Times that the camera came back.", label)
    connected = _gauge("camera_connected", "1 while pictures come, else 0.", label)
    session = _gauge("camera_session", "Number of the present run of frames.", label)
    age_s = _gauge("last_frame_age_seconds", "Time since the newest frame.", label)
    for camera in cameras:
        name = [camera.name]
        processed.add_metric(name, camera.processed)
        received.add_metric(name, camera.received)
        dropped.add_metric(name, camera.dropped)
        left_out.add_metric(name, camera.left_out)
        reconnects.add_metric(name, camera.reconnects)
        connected.add_metric(name, float(camera.state == "connected"))
        session.add_metric(name, camera.session)
        if camera.last_frame_age_s is not None:
            age_s.add_metric(name, camera.last_frame_age_s)
    yield from (processed, received, dropped, left_out, reconnects, connected, session, age_s)


def _sinks(sinks: Iterable[SinkStatus]) -> Iterator[Metric]:
    label = ("sink",)
    lag = _gauge("sink_lag_events", "Events not yet delivered.", label)
    lag_s = _gauge("sink_lag_seconds", "Age of the oldest event not yet delivered.", label)
    failures = _counter("sink_failures", "Attempts that failed.", label)
    dead = _counter("sink_dead_letters", "Events set aside for good.", label)
    for sink in sinks:
        lag.add_metric([sink.name], sink.lag_events)
        lag_s.add_metric([sink.name], sink.oldest_waiting_s)
        failures.add_metric([sink.name], sink.failures)
        dead.add_metric([sink.name], sink.dead_letters)
    yield from (lag, lag_s, failures, dead)


def _journal(journal: JournalStatus) -> Iterator[Metric]:
    failing_s = 0.0 if journal.failing_s is None else journal.failing_s
    yield _gauge("journal_waiting_events", "Events in memory.", value=journal.waiting)
    yield _gauge(
        "journal_failing_seconds", "Time that writing has failed; 0: works.", (), failing_s
    )
    yield _counter("journal_lost_events", "Events lost before the journal.", (), journal.lost)
    yield _gauge("journal_size_bytes", "Size of the journal.", value=journal.size_bytes)


def _evidence(evidence: EvidenceStatus) -> Iterator[Metric]:
    yield _counter("evidence_saved", "Pictures written.", (), evidence.saved)
    yield _counter("evidence_dropped", "Pictures not written.", (), evidence.dropped)
    yield _gauge("evidence_size_bytes", "Size of the pictures.", value=evidence.size_bytes)


def _counter(
    name: str, text: str, labels: tuple[str, ...] = (), value: float | None = None
) -> CounterMetricFamily:
    # A family takes labels or a value; an empty tuple beside a value is neither.
    return CounterMetricFamily(f"edgecount_{name}", text, value, labels or None)


def _gauge(
    name: str, text: str, labels: tuple[str, ...] = (), value: float | None = None
) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"edgecount_{name}", text, value, labels or None)


def _threads() -> int | None:
    """Threads, those of libraries included; None where the kernel does not say."""
    try:
        return len(os.listdir(Path("/proc/self/task")))
    except OSError:
        return None
