from __future__ import annotations

import json
from itertools import count, pairwise

import numpy as np
import pytest

from edge import build
from edge.cli import bench_decode
from edge.cli.bench_stages import STAGES, percentiles_ms, spent_s
from edge.cli.options import combined
from edge.segment.cpus import usable_cpus

KEYS = {
    "source",
    "model",
    "provider",
    "threads",
    "frames",
    "input_hw",
    "machine",
    "versions",
    "pipeline_ms_per_frame",
    "bare_inference_ms_per_frame",
    "frames_at_once",
    "fps",
    "ratio",
    "ratio_of_rounds",
    "stages",
    "rss_mb",
    "startup_s",
}
VERSIONS = {"python", "onnxruntime", "numpy", "opencv", "edgecount"}


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
    assert tuple(found["stages"]) == STAGES
    assert all(0 <= ms["p50_ms"] <= ms["p95_ms"] for ms in found["stages"].values())
    assert all(set(ms) == {"p50_ms", "p95_ms"} for ms in found["stages"].values())
    assert found["input_hw"] == [48, 64]
    assert (found["threads"], found["frames"], found["provider"]) == (1, 20, "cpu")
    assert set(found["versions"]) == VERSIONS
    assert found["ratio_of_rounds"] == sorted(found["ratio_of_rounds"])
    assert found["ratio"] in found["ratio_of_rounds"]
    assert min(found[k] for k in KEYS if k.endswith(("ms_per_frame", "_s", "_mb", "fps"))) > 0


def test_the_peak_memory_is_that_of_the_run_alone(bench):
    large = np.ones(100 << 20, np.float64)  # 800 MB
    del large
    assert 20 < json.loads(bench("--json").out)["rss_mb"] < 700


def test_threads_are_those_that_are_used(edge, scene, square_model):
    found = json.loads(edge("bench", scene(), "--model", square_model, "--frames", 10).out)
    assert found["threads"] == usable_cpus()


def test_how_the_model_is_read_can_be_said(bench, tmp_path):
    (tmp_path / "names.txt").write_text("cat\n")
    names = ["--class-names", tmp_path / "names.txt"]
    assert bench("--json", "--family", "yolo", *names).code == 0
    refused = bench("--json", "--family", "rfdetr")
    assert refused.code == 4
    assert "expected outputs dets" in refused.err
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    assert "expected 1 class names given, got 2" in bench("--json", *names).err


def test_drawing_is_a_stage_if_asked(bench):
    stages = json.loads(bench("--json", "--draw").out)["stages"]
    assert tuple(stages) == (*STAGES, "draw")
    assert stages["draw"]["p50_ms"] > 0


def test_the_last_line_is_the_same_without_the_option(bench):
    result = bench()
    assert result.code == 0
    assert set(json.loads(result.out.splitlines()[-1])) == KEYS
    assert "pipeline_ms_per_frame" in result.err
    assert all(f"stage {stage} " in result.err for stage in STAGES)


def test_a_source_that_cannot_be_read(edge, tmp_path):
    result = edge("bench", tmp_path / "none.mp4", "--json")
    expected = f"edge: {tmp_path}/none.mp4: expected a video file, got no such file\n"
    assert result == (3, "", expected)


def test_without_a_source(edge):
    result = edge("bench")
    assert result == (2, "", "edge: edge bench: expected a SOURCE or --stage, got neither\n")


def test_a_source_of_one_frame_gives_no_time_a_frame(edge, scene, square_model):
    result = edge("bench", scene(frames=1), "--model", square_model, "--threads", 1)
    assert result.code == 2
    assert "expected a source with at least two frames, got one" in result.err


def test_stages_are_what_lies_between_two_looks_at_the_clock(scene, square_model):
    ticks = count()
    config = combined(None, [str(scene())], ["middle=.5,0,.5,1"], None, None)
    segmenter = build.segmenter(model=str(square_model), provider="cpu", threads=1)
    spent = spent_s(config, segmenter, 7, clock=lambda: float(next(ticks)))
    assert spent == {stage: [1.0] * 7 for stage in STAGES}


def test_percentiles():
    spent = {"read": [k / 1000 for k in range(101)], "track": [0.002], "send": []}
    assert percentiles_ms(spent) == {
        "read": {"p50_ms": 50.0, "p95_ms": 95.0},
        "track": {"p50_ms": 2.0, "p95_ms": 2.0},
    }


def test_one_stage_alone_needs_no_source(edge):
    result = edge("bench", "--stage", "decode", "--frames", 10, "--json")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert found["frame_hw"] == [1080, 1920]
    assert set(found["versions"]) == VERSIONS
    assert [row["family"] for row in found["families"]] == list(bench_decode.FAMILIES)
    assert {row["instances"] for row in found["families"]} == {100}
    for row in found["families"]:
        extra = {"masks"} if row["family"] in bench_decode.OF_PROTOTYPES else set()
        assert set(row["stages"]) == {"decode"} | extra


@pytest.mark.parametrize("family", bench_decode.FAMILIES)
def test_the_crowd_is_seen_as_it_stands(family):
    found = bench_decode.seen(family)
    height, width = bench_decode.FRAME_HW
    expected = bench_decode.crowd() * np.array([width, height, width, height])
    order = np.lexsort((expected[:, 0], expected[:, 1]))
    got = found.boxes[np.lexsort((found.boxes[:, 0], found.boxes[:, 1].round()))]
    assert got == pytest.approx(expected[order], abs=1.5)
    areas = np.diff(found.masks.offsets)
    shares = [found.masks.pixels[a:b].mean() for a, b in pairwise(found.masks.offsets.tolist())]
    assert areas.min() > 80 * 32 * 0.5
    assert 0.5 < np.median(shares) < 0.95  # an ellipse fills .785 of its box
