from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.segment import providers
from edge.segment.providers import (
    PROVIDERS,
    CpuSettings,
    CudaSettings,
    OpenVinoSettings,
    ProviderSettings,
    TensorRTSettings,
    attempts,
    runs_at_once,
    session_entries,
    short_name,
    threads_of_a_run,
)
from edge.segment.sizing import profile

CPU, CUDA, TENSORRT = (PROVIDERS[name] for name in ("cpu", "cuda", "tensorrt"))


@pytest.mark.parametrize(
    ("wanted", "listed", "expected"),
    [
        ("auto", [TENSORRT, CUDA, CPU], ["tensorrt", "cuda", "cpu"]),
        ("auto", [CPU], ["cpu"]),
        ("auto", ["AzureExecutionProvider", CPU], ["cpu"]),
        ("tensorrt", [CUDA, CPU], ["tensorrt", "cuda", "cpu"]),
        ("cuda", [TENSORRT, CUDA, CPU], ["cuda", "cpu"]),
        ("openvino", [CPU], ["openvino", "cpu"]),
        ("cpu", [TENSORRT, CUDA, CPU], ["cpu"]),
    ],
)
def test_what_is_tried_in_turn(wanted, listed, expected):
    assert attempts(wanted, listed, strict=False) == expected
    assert attempts(wanted, listed, strict=True) == expected[:1]


@given(st.integers(1, 256), st.integers(0, 1 << 30), st.none() | st.integers(-1, 300))
def test_each_run_has_a_thread(threads, size, asked):
    runs = runs_at_once(CpuSettings(at_once=asked), threads, size)
    assert 1 <= runs <= threads
    if asked is not None and 1 <= asked <= threads:
        assert runs == asked
    # Each run computes on the thread that calls it, and all on those of the session.
    assert runs + (threads_of_a_run(threads, runs) - 1) == threads


def test_a_name_that_is_not_known_is_shortened():
    assert [short_name(full) for full in PROVIDERS.values()] == list(PROVIDERS)
    assert short_name("NnapiExecutionProvider") == "nnapi"


def test_what_is_not_built_in_is_told_with_a_remedy():
    listed = ["AzureExecutionProvider", CPU]
    told = providers.not_built_in("cuda", "1.32.0", listed, on_jetson=False)
    assert told.startswith("an onnxruntime 1.32.0 that has cpu; install edgecount[gpu]: `pip unin")
    told = providers.not_built_in("cuda", "1.32.0", listed, on_jetson=True)
    assert "edgecount[gpu]" not in told
    assert "`pip uninstall -y onnxruntime " in told
    assert "wheel that was built for this JetPack" in told


def test_the_extras_of_the_remedies_exist():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    remedies = " ".join(providers.not_built_in(name, "1", [], False) for name in PROVIDERS)
    extras = set(re.findall(r"edgecount\[(\w+)\]", remedies))
    assert extras == {"gpu", "openvino"}
    assert [e for e in extras if f"\n{e} = [" not in project] == []


def test_entries_of_a_session():
    usual = session_entries(ProviderSettings())
    assert usual["session.intra_op.allow_spinning"] == "0"
    its = {"session.intra_op.allow_spinning": "1", "session.set_denormal_as_zero": "1"}
    given = ProviderSettings(cpu=CpuSettings(options=its))
    assert session_entries(given) == usual | its


def test_options_of_cuda():
    assert "gpu_mem_limit" not in providers.cuda(ProviderSettings())
    settings = ProviderSettings(
        gpu=1, cuda=CudaSettings(512, "exhaustive", {"do_copy_in_default_stream": "0"})
    )
    assert providers.cuda(settings) == {
        "device_id": "1",
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "gpu_mem_limit": str(512 << 20),
        "do_copy_in_default_stream": "0",
    }


def test_options_of_openvino():
    assert providers.openvino(ProviderSettings(), 3) == {
        "device_type": "CPU",
        "num_of_threads": "3",
    }
    settings = ProviderSettings(openvino=OpenVinoSettings("GPU", {"cache_dir": "c"}))
    assert providers.openvino(settings, 3) == {"device_type": "GPU", "cache_dir": "c"}


def test_options_of_tensorrt():
    fixed = profile((1, 3, 384, 640), {})
    options = providers.tensorrt(ProviderSettings(), "images", fixed)
    assert options["trt_fp16_enable"] == options["trt_layer_norm_fp32_fallback"] == "True"
    assert options["trt_max_workspace_size"] == str(1 << 30)
    assert not any("profile" in name for name in options)
    exact = ProviderSettings(
        tensorrt=TensorRTSettings(
            fp16=False, workspace_mb=256, options={"trt_builder_optimization_level": "0"}
        ),
    )
    free = profile((1, 3, None, None), {}, 640)
    options = providers.tensorrt(exact, "images", free)
    assert options["trt_fp16_enable"] == "False"
    assert options["trt_max_workspace_size"] == str(256 << 20)
    assert options["trt_builder_optimization_level"] == "0"
    assert options["trt_profile_min_shapes"] == "images:1x3x32x32"
    assert options["trt_profile_opt_shapes"] == "images:1x3x384x640"
    assert options["trt_profile_max_shapes"] == "images:1x3x640x640"
    assert all(isinstance(value, str) for value in options.values())
