from __future__ import annotations

import math
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from edge.web.metrics import BOUNDS_S, Metrics
from edge.web.status import Status

NOTHING = Status("1", "cpu", "nano", True, [], [], None)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def test_a_status_is_told_under_stable_names(status):
    told = samples(Metrics(lambda: status))
    assert {key: value for key, value in told.items() if key[0].startswith("edgecount_")} == {
        ("edgecount_build_info", "nano", "cpu", "1.2.3"): 1,
        ("edgecount_model_nodes", "cuda"): 600,
        ("edgecount_model_nodes", "cpu"): 16,
        ("edgecount_frames_total", "gate"): 900,
        ("edgecount_frames_total", "yard"): 0,
        ("edgecount_frames_received_total", "gate"): 1000,
        ("edgecount_frames_received_total", "yard"): 0,
        ("edgecount_frames_dropped_total", "gate"): 90,
        ("edgecount_frames_dropped_total", "yard"): 0,
        ("edgecount_frames_left_out_total", "gate"): 10,
        ("edgecount_frames_left_out_total", "yard"): 0,
        ("edgecount_reconnects_total", "gate"): 2,
        ("edgecount_reconnects_total", "yard"): 0,
        ("edgecount_camera_connected", "gate"): 1,
        ("edgecount_camera_connected", "yard"): 0,
        ("edgecount_camera_session", "gate"): 3,
        ("edgecount_camera_session", "yard"): 0,
        ("edgecount_last_frame_age_seconds", "gate"): 0.04,
        ("edgecount_sink_lag_events", "office"): 12,
        ("edgecount_sink_lag_seconds", "office"): 34.5,
        ("edgecount_sink_failures_total", "office"): 6,
        ("edgecount_sink_dead_letters_total", "office"): 1,
        ("edgecount_journal_waiting_events",): 4,
        ("edgecount_journal_failing_seconds",): 0,
        ("edgecount_journal_lost_events_total",): 0,
        ("edgecount_journal_size_bytes",): 8192,
        ("edgecount_evidence_saved_total",): 5,
        ("edgecount_evidence_dropped_total",): 1,
        ("edgecount_evidence_size_bytes",): 60_000,
        ("edgecount_threads",): told["edgecount_threads",],
    }
    assert told["edgecount_threads",] >= threading.active_count()
    assert told["process_resident_memory_bytes",] > 1e6
    assert told["process_open_fds",] > 2


def test_the_status_is_read_when_it_is_asked_for(status):
    now = [status]
    metrics = Metrics(lambda: now[0])
    assert ("edgecount_frames_total", "gate") in samples(metrics)
    now[0] = replace(status, cameras=[], journal=None)
    told = samples(metrics)
    assert ("edgecount_frames_total", "gate") not in told
    assert ("edgecount_journal_waiting_events",) not in told


def test_latency_is_a_histogram_by_stage():
    metrics = Metrics(lambda: NOTHING)
    for spent_s in (0.001, 0.0011, 0.04, 99.0):
        metrics.frame("gate", {"infer": spent_s, "total": 2 * spent_s})
    told = samples(metrics)
    name = "edgecount_latency_seconds"
    assert [
        told[f"{name}_bucket", "gate", le, "infer"]
        for le in ("0.001", "0.0025", "0.03", "0.04", "30.0", "+Inf")
    ] == [1, 2, 2, 3, 3, 4]
    assert told[f"{name}_count", "gate", "total"] == 4
    assert told[f"{name}_sum", "gate", "infer"] == pytest.approx(99.0421)


@given(st.lists(st.floats()))
def test_buckets_agree_with_what_was_given(times):
    metrics = Metrics(lambda: NOTHING)
    for spent_s in times:
        metrics.frame("gate", {"total": spent_s})
    told = samples(metrics)
    sound = [t for t in times if t >= 0]
    for bound in BOUNDS_S if sound else ():
        at_most = told["edgecount_latency_seconds_bucket", "gate", repr(bound), "total"]
        assert at_most == sum(t <= bound for t in sound)
    assert told.get(("edgecount_latency_seconds_count", "gate", "total"), 0) == len(sound)


def test_times_that_are_none_are_ignored():
    metrics = Metrics(lambda: NOTHING)
    metrics.frame("gate", {"infer": math.nan, "total": -1.0})
    assert not [key for key in samples(metrics) if "latency" in key[0]]


def test_events_are_counted_by_type():
    metrics = Metrics(lambda: NOTHING)
    for kind in ("line_crossed", "line_crossed", 'odd"\n'):
        metrics.event("gate", kind)
    told = samples(metrics)
    assert told["edgecount_events_total", "gate", "line_crossed"] == 2
    assert told["edgecount_events_total", "gate", 'odd"\n'] == 1


def test_a_camera_that_is_gone_is_forgotten():
    metrics = Metrics(lambda: NOTHING)
    for camera in ("gate", "yard"):
        metrics.frame(camera, {"total": 0.1})
        metrics.event(camera, "line_crossed")
    metrics.forget("gate")
    told = samples(metrics)
    assert not [key for key in told if "gate" in key]
    assert told["edgecount_events_total", "yard", "line_crossed"] == 1


def test_asking_while_frames_come_sees_whole_numbers():
    """Buckets, count and events never disagree within one answer."""
    metrics, done = Metrics(lambda: NOTHING), threading.Event()

    def frames() -> None:
        while not done.is_set():
            metrics.frame("gate", {"infer": 0.01, "total": 0.02})

    thread = threading.Thread(target=frames)
    thread.start()
    try:
        for _ in range(20):
            told = samples(metrics)
            counts = {
                told.get(("edgecount_latency_seconds_count", "gate", stage))
                for stage in ("infer", "total")
            }
            assert len(counts) == 1
    finally:
        done.set()
        thread.join()


def test_two_of_them_do_not_meet():
    one, other = Metrics(lambda: NOTHING), Metrics(lambda: NOTHING)
    one.event("gate", "line_crossed")
    assert ("edgecount_events_total", "gate", "line_crossed") not in samples(other)


def test_the_page_on_operations_names_every_metric(status):
    metrics = Metrics(lambda: status)
    metrics.frame("gate", {"total": 0.1})
    metrics.event("gate", "line_crossed")
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    families = text_string_to_metric_families(metrics.exposition().decode())
    own = [f for f in families if f.name.startswith("edgecount_")]
    names = {f"{f.name}_total" if f.type == "counter" else f.name for f in own}
    assert names - {"edgecount_evidence_dropped_total"} <= set(re.findall(r"`(\w+)`", page))
    named = set(re.findall(r"edgecount_\w+", page))
    assert {n.removesuffix("_bucket") for n in named if not n.endswith("_")} <= names
