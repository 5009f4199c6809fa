from __future__ import annotations

import json

import pytest

from edge.cli.bench_sources import Heard, lines, summed

FATES = {"delivered", "processed", "dropped", "drop_share"}
KEYS = FATES | {
    "source",
    "model",
    "provider",
    "threads",
    "machine",
    "versions",
    "input_hw",
    "elapsed_s",
    "fps",
    "frame_interval_ms",
    "cameras",
    "drop_share_smallest",
    "drop_share_largest",
    "processed_per_s",
    "latency_ms",
    "wait_ms",
    "infer_ms",
    "count_ms",
    "limit_ms",
    "is_within_limit",
}
STAGES = ("latency_ms", "wait_ms", "infer_ms", "count_ms")


@pytest.fixture
def bench(edge, scene, square_model):
    return lambda *arguments: edge(
        "bench", scene(), "--model", square_model, "--threads", 1, *arguments
    )


@pytest.mark.parametrize(("sources", "fps"), [(1, None), (3, 50)])
def test_every_frame_is_processed_or_dropped(bench, sources, fps):
    rate = [] if fps is None else ["--fps", fps]
    result = bench("--sources", sources, "--duration", 1, "--json", *rate)
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert set(found) == KEYS
    assert [c["camera"] for c in found["cameras"]] == ["scene", "scene-2", "scene-3"][:sources]
    assert found["fps"] == (fps or 10.0)
    assert found["frame_interval_ms"] == 1000 / found["fps"]
    for each in (found, *found["cameras"]):
        assert each["delivered"] == each["processed"] + each["dropped"] > 0
        assert each["drop_share"] == pytest.approx(each["dropped"] / each["delivered"], abs=1e-4)
    for name in ("delivered", "processed", "dropped"):
        assert found[name] == sum(c[name] for c in found["cameras"])
    shares = [c["drop_share"] for c in found["cameras"]]
    assert (found["drop_share_smallest"], found["drop_share_largest"]) == (min(shares), max(shares))
    for stage in STAGES:
        assert found[stage]["p50"] <= found[stage]["p95"] <= found[stage]["p99"]
    limit_ms = 2 * found["frame_interval_ms"] + found["infer_ms"]["p50"]
    assert found["limit_ms"] == pytest.approx(limit_ms, abs=0.01)
    assert found["is_within_limit"] is (found["latency_ms"]["p95"] < limit_ms)


def test_as_text(bench):
    result = bench("--sources", 2, "--duration", 0.5)
    assert result.code == 0
    assert set(json.loads(result.out.splitlines()[-1])) == KEYS
    *_, first, second, together = result.err.splitlines()
    assert first.startswith("scene: ")
    assert second.startswith("scene-2: ")
    assert "frames delivered" in together


def test_the_sums():
    heard = {
        "gate": Heard({"total": [0.1, 0.2], "infer": [0.05, 0.05]}),
        "yard": Heard({"total": [0.3], "infer": [0.05]}),
    }
    found = summed({"gate": (2, 2), "yard": (1, 3)}, heard, 10.0, 2.0)
    assert [found[k] for k in ("delivered", "processed", "dropped")] == [8, 3, 5]
    assert (found["drop_share"], found["processed_per_s"]) == (0.625, 1.5)
    assert (found["drop_share_smallest"], found["drop_share_largest"]) == (0.5, 0.75)
    assert found["latency_ms"] == {"p50": 200.0, "p95": 290.0, "p99": 298.0}
    assert (found["limit_ms"], found["is_within_limit"]) == (250.0, False)
    assert "yard: 4 frames delivered, 1 processed, 3 dropped (75.0%)" in "\n".join(lines(found))


def test_no_frame_at_all():
    found = summed({"gate": (0, 0)}, {"gate": Heard()}, 10.0, 1.0)
    assert (found["drop_share"], found["latency_ms"], found["is_within_limit"]) == (0.0, None, None)
    assert "no latency" in lines(found)[-1]
