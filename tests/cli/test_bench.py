from __future__ import annotations

import json

import pytest

KEYS = {
    "source",
    "model",
    "provider",
    "threads",
    "frames",
    "input_hw",
    "machine",
    "pipeline_ms_per_frame",
    "bare_inference_ms_per_frame",
    "ratio",
    "stages",
    "rss_mb",
    "startup_s",
}
STAGES = {"wait_for_frame", "prepare", "infer", "decode", "track", "count"}


@pytest.fixture
def bench(edge, scene, square_model):
    return lambda *arguments: edge(
        "bench", scene(), "--model", square_model, "--threads", 1, "--frames", 20, *arguments
    )


def test_json_is_one_line_with_every_number(bench):
    result = bench("--json")
    assert (result.code, result.err) == (0, "")
    [line] = result.out.splitlines()
    found = json.loads(line)
    assert set(found) == KEYS
    assert set(found["stages"]) == STAGES
    assert found["input_hw"] == [48, 64]
    assert (found["threads"], found["frames"], found["provider"]) == (1, 20, "cpu")
    assert min(found[k] for k in KEYS if k.endswith(("ms_per_frame", "_s", "_mb"))) > 0


def test_the_last_line_is_the_same_without_the_option(bench):
    result = bench()
    assert result.code == 0
    assert set(json.loads(result.out.splitlines()[-1])) == KEYS
    assert "pipeline_ms_per_frame" in result.err


def test_a_source_that_cannot_be_read(edge, tmp_path):
    result = edge("bench", tmp_path / "none.mp4", "--json")
    expected = f"edge: {tmp_path}/none.mp4: expected a video file, got no such file\n"
    assert result == (3, "", expected)
