"""Opening a model where it is asked for; what is not on this machine is played by `Pretender`."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import onnxruntime
import pytest

from edge.errors import ModelError
from edge.segment import opening, runtime
from edge.segment.gpu import Gpu
from edge.segment.libraries import Missing
from edge.segment.opening import Content, opened, working_providers
from edge.segment.probe import PROBE
from edge.segment.providers import (
    PROVIDERS,
    CpuSettings,
    ProviderSettings,
    TensorRTSettings,
)
from edge.segment.runtime import linked_libraries, missing_libraries, runtime_version

MODEL = Content(Path("m.onnx"), PROBE)
REAL = onnxruntime.InferenceSession
H100 = Gpu("NVIDIA H100", "9.0", "13.0")


@dataclass
class Pretender:
    """An onnxruntime with more providers than the real one, whose sessions run on the CPU."""

    active: str = "cpu"  # the provider that its sessions say they have
    nodes: dict[str, int] = field(default_factory=dict)  # a provider; empty: this one cannot tell
    says: str = ""  # on standard error, past Python
    error: str = ""  # when a session is made
    fails: str = ""  # when it runs
    seen: list[tuple[int, ...]] = field(default_factory=list)  # shapes that were run
    options: list[onnxruntime.SessionOptions] = field(default_factory=list)
    asked: list[list[tuple[str, dict[str, str]]]] = field(default_factory=list)

    def __call__(self, content, options, providers, enable_fallback):
        assert enable_fallback == 0
        self.asked.append(providers)
        self.options.append(options)
        if providers[0][0] == PROVIDERS["cpu"]:
            return REAL(content, options, providers=["CPUExecutionProvider"])
        if self.error:
            raise RuntimeError(self.error)
        if self.says:
            os.write(2, self.says.encode())
        return _Session(content, self)


class _Session:
    def __init__(self, content, played):
        self._real = REAL(content, providers=["CPUExecutionProvider"])
        self._played = played
        for name in ("get_inputs", "get_outputs", "get_modelmeta"):
            setattr(self, name, getattr(self._real, name))
        if played.nodes:
            self.get_provider_graph_assignment_info = self._parts

    def run(self, names, inputs, options):
        self._played.seen += [x.shape for x in inputs.values()]
        if self._played.fails:
            raise RuntimeError(self._played.fails)
        return self._real.run(names, inputs, options)

    def get_providers(self):
        return list(dict.fromkeys([PROVIDERS[self._played.active], PROVIDERS["cpu"]]))

    def _parts(self):
        return [_Part(PROVIDERS[name], n) for name, n in self._played.nodes.items()]


class _Part:
    def __init__(self, name, nodes):
        self.ep_name = name
        self.get_nodes: Callable[[], range] = lambda: range(nodes)


@pytest.fixture
def pretend(monkeypatch, tmp_path):
    """Put a Pretender in onnxruntime's place, with a GPU and all its libraries."""

    def put(name: str, played: Pretender) -> Pretender:
        listed = [PROVIDERS[name], PROVIDERS["cpu"]]
        if name == "tensorrt":
            listed.insert(1, PROVIDERS["cuda"])
        monkeypatch.setattr(runtime.ort, "get_available_providers", lambda: listed)
        monkeypatch.setattr(runtime.ort, "InferenceSession", played)
        monkeypatch.setattr(runtime, "missing_libraries", lambda name: [])
        monkeypatch.setattr(opening.gpu, "gpus", lambda: [H100])
        monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
        return played

    return put


def refusal(name: str, settings: ProviderSettings | None = None) -> str:
    with pytest.raises(ModelError) as told:
        opened(MODEL, name, 1, strict=True, settings=settings or ProviderSettings())
    assert "\n" not in str(told.value)
    return str(told.value)


def test_the_cpu_is_always_there():
    found = opened(MODEL, "cpu", 3, strict=True, settings=ProviderSettings())
    assert (found.provider, found.at_once) == ("cpu", 1)
    # Versions before 1.23 do not tell.
    assert found.placement in ({}, {"cpu": 1})
    many = ProviderSettings(cpu=CpuSettings(at_once=None))
    assert opened(MODEL, "auto", 3, strict=False, settings=many).at_once in (1, 3)
    assert len(MODEL.sha256) == 64


@pytest.mark.parametrize(
    ("threads", "told"), [(1, 1), (2, 1), (4, 1), (5, 2), (6, 3), (7, 4), (16, 13)]
)
def test_no_thread_is_left_idle(pretend, threads, told):
    played = pretend("openvino", Pretender())
    many = ProviderSettings(cpu=CpuSettings(at_once=None))
    found = opened(MODEL, "cpu", threads, strict=True, settings=many)
    [options] = played.options
    assert options.intra_op_num_threads == told
    assert found.at_once + told - 1 == threads


def test_what_a_session_is_told(pretend):
    played = pretend("openvino", Pretender())
    its = CpuSettings(
        arena=False,
        memory_pattern=True,
        graph_optimization="basic",
        options={"session.set_denormal_as_zero": "1"},
    )
    opened(MODEL, "cpu", 1, strict=True, settings=ProviderSettings(cpu=its))
    [options] = played.options
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, True)
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert options.get_session_config_entry("session.set_denormal_as_zero") == "1"


def test_what_works_here_really_runs(pretend):
    assert working_providers(ProviderSettings())["cpu"] == ""
    pretend("openvino", Pretender())
    report = working_providers(ProviderSettings())
    assert report["cpu"] == ""
    assert "left it out" in report["openvino"]
    pretend("openvino", Pretender("openvino", {"openvino": 1}))
    assert working_providers(ProviderSettings()) == {"openvino": "", "cpu": ""}
    assert runtime_version() == onnxruntime.__version__


def test_a_provider_that_takes_part_is_taken(pretend):
    pretend("openvino", Pretender("openvino", {"openvino": 5, "cpu": 9}))
    found = opened(MODEL, "auto", 2, strict=True, settings=ProviderSettings())
    assert (found.provider, found.at_once) == ("openvino", 1)
    assert found.placement == {"cpu": 9, "openvino": 5}


def test_a_quiet_fall_back_is_refused_with_what_onnxruntime_said(pretend):
    line = (
        "\x1b[1;31m2026-01-01 00:00:00.0 [E:onnxruntime:Default, p.cc:1 F] /src/p.cc:2 "
        "Provider& F() Failed to load libopenvino.so.2500: cannot open shared object file\x1b[m\n"
    )
    pretend("openvino", Pretender(says=line))
    assert refusal("openvino") == (
        "m.onnx: expected to run on openvino, got Failed to load libopenvino.so.2500: cannot open "
        "shared object file; choose another model.openvino.device, or run on the CPU: --provider "
        "cpu"
    )


def test_a_fall_back_is_told_once(pretend, caplog):
    pretend("openvino", Pretender(error="no such device"))
    with caplog.at_level(logging.WARNING):
        found = opened(MODEL, "auto", 1, strict=False, settings=ProviderSettings())
    assert found.provider == "cpu"
    assert [r.getMessage() for r in caplog.records] == [
        "m.onnx runs on cpu, not on openvino: no such device; choose another "
        "model.openvino.device, or run on the CPU: --provider cpu"
    ]


def test_a_provider_without_nodes_is_none(pretend):
    pretend("openvino", Pretender("openvino", {"cpu": 7}))
    assert refusal("openvino").endswith(
        "got none of the model's 7 nodes runs there; have the CPU run it: --provider cpu"
    )


NO_KERNELS = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Conv node. "
    "Name:'/conv' Status Message: CUDA error cudaErrorNoKernelImageForDevice:no kernel image is "
    "available for execution on the device"
)


def test_a_provider_works_once_it_has_run_the_model(pretend, caplog):
    """Kernels of another GPU are noticed at the first run, as on an Orin with the wrong wheel."""
    pretend("cuda", Pretender("cuda", {"cuda": 1}, fails=NO_KERNELS))
    with caplog.at_level(logging.WARNING):
        found = opened(MODEL, "auto", 1, strict=False, settings=ProviderSettings())
    assert found.provider == "cpu"
    [warning] = [r.getMessage() for r in caplog.records]
    assert warning.startswith(
        "m.onnx runs on cpu, not on cuda: it fails at the first run: Non-zero"
    )
    assert "no kernel image is available" in warning


def test_a_first_run_that_fails_is_refused_with_the_remedy(pretend, monkeypatch):
    pretend("cuda", Pretender("cuda", {"cuda": 1}, fails=NO_KERNELS))
    told = refusal("cuda")
    assert told.startswith("m.onnx: expected to run on cuda, got it fails at the first run: Non-")
    assert "; this onnxruntime was not built for this GPU: install edgecount[gpu]: " in told
    assert told.endswith(", or run on the CPU: --provider cpu")
    monkeypatch.setattr(opening, "is_jetson", lambda: True)
    assert "wheel that was built for this JetPack" in refusal("cuda")


def test_no_memory_at_the_first_run(pretend):
    pretend("cuda", Pretender("cuda", fails="CUDA failure 2: out of memory; GPU=0"))
    told = refusal("cuda").partition("; ")[2]
    assert told.startswith("free memory of the GPU, or choose a smaller --input-size, or run on")


def test_a_model_that_fails_on_the_cpu_too(pretend, monkeypatch):
    def fail(session, x):
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : dimensions must match\n")

    monkeypatch.setattr(runtime, "run_quietly", fail)
    for strict in (False, True):
        with pytest.raises(ModelError) as told:
            opened(MODEL, "cpu", 1, strict, ProviderSettings())
        assert str(told.value) == "m.onnx: failed on input (1, 3, 8, 8): dimensions must match"


def test_what_it_gave_at_first_is_kept():
    found = opened(MODEL, "cpu", 1, strict=True, settings=ProviderSettings())
    assert found.first_shape == (1, 3, 8, 8)
    [output] = found.first
    assert output.shape == (1, 1, 8, 8)
    assert not output.any()


def test_missing_libraries_are_named(pretend, monkeypatch):
    pretend("cuda", Pretender("cuda"))
    gone = [
        Missing("libcudnn.so.9", "libcudnn.so.9 is missing", "install cuDNN"),
        Missing("libcublas.so.13", "libcublas.so.13 is missing", "install CUDA"),
    ]
    monkeypatch.setattr(runtime, "missing_libraries", lambda name: gone)
    assert refusal("cuda") == (
        "m.onnx: expected to run on cuda, got libcudnn.so.9, libcublas.so.13 missing; "
        "install cuDNN; install CUDA"
    )


def test_no_driver_is_told(pretend, monkeypatch):
    pretend("cuda", Pretender("cuda"))

    def none():
        raise ModelError("GPU: expected NVIDIA's driver, got libcuda.so.1: cannot open")

    monkeypatch.setattr(opening.gpu, "gpus", none)
    told = refusal("cuda")
    assert "got libcuda.so.1: cannot open; install NVIDIA's driver" in told


def test_a_gpu_that_is_not_there_is_told(pretend):
    pretend("cuda", Pretender("cuda"))
    told = refusal("cuda", ProviderSettings(gpu=1))
    assert told.endswith("got no GPU 1: the driver has 1; see model.gpu")


def test_cuda_gets_its_options(pretend):
    played = pretend("cuda", Pretender("cuda"))
    found = opened(MODEL, "cuda", 1, strict=True, settings=ProviderSettings())
    assert found.provider == "cuda"
    assert found.placement == {}
    [[(name, options)]] = played.asked
    assert name == PROVIDERS["cuda"]
    assert options["arena_extend_strategy"] == "kSameAsRequested"


def test_an_engine_is_kept_in_a_folder_of_its_own(pretend, tmp_path):
    played = pretend("tensorrt", Pretender("tensorrt"))
    opened(MODEL, "auto", 1, strict=True, settings=ProviderSettings())
    tensorrt, cuda, cpu = played.asked[-1]
    assert [tensorrt[0], cuda[0], cpu[0]] == [PROVIDERS[n] for n in ("tensorrt", "cuda", "cpu")]
    folder = Path(tensorrt[1]["trt_engine_cache_path"])
    assert folder.is_relative_to(tmp_path / "cache/tensorrt")
    assert folder.name.startswith(f"{MODEL.sha256[:16]}-1x3x8x8-fp16-ort{runtime_version()}")
    assert "NVIDIA_H100" in folder.name
    assert folder.is_dir()
    other = ProviderSettings(tensorrt=TensorRTSettings(fp16=False, cache=str(tmp_path / "own")))
    opened(MODEL, "tensorrt", 1, strict=True, settings=other)
    again = Path(played.asked[-1][0][1]["trt_engine_cache_path"])
    assert again.parent == tmp_path / "own"
    assert "-fp32-" in again.name


def test_the_users_word_for_a_cache_is_taken(pretend):
    played = pretend("tensorrt", Pretender("tensorrt"))
    its = {"trt_engine_cache_path": "/mine", "trt_timing_cache_enable": "False"}
    settings = ProviderSettings(tensorrt=TensorRTSettings(options=its))
    opened(MODEL, "tensorrt", 1, strict=True, settings=settings)
    options = played.asked[-1][0][1]
    assert its.items() <= options.items()
    assert options["trt_engine_cache_enable"] == "True"


def test_an_engine_is_built_while_nobody_else_builds_it(pretend, monkeypatch):
    """What TensorRT builds at the first run, too."""
    played = pretend("tensorrt", Pretender("tensorrt"))
    held: list[str] = []

    @contextlib.contextmanager
    def lock(folder, say):
        folder.mkdir(parents=True)
        held.append(folder.name)
        yield
        held.append(f"after {len(played.seen)} run")

    monkeypatch.setattr(opening.engine_cache, "one_builder", lock)
    opened(MODEL, "tensorrt", 1, strict=True, settings=ProviderSettings())
    assert held[1:] == ["after 1 run"]


def test_whoever_opens_is_told_while_an_engine_is_built(pretend, monkeypatch):
    pretend("tensorrt", Pretender("tensorrt"))
    told: list[str] = []

    @contextlib.contextmanager
    def at_once(say):
        say("building")
        yield

    monkeypatch.setattr(opening.engine_cache, "told_while", at_once)
    opened(MODEL, "tensorrt", 1, True, ProviderSettings(), told.append)
    assert told == ["building"]


def test_a_cache_that_cannot_be_written_is_told(pretend, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    played = pretend("tensorrt", Pretender("tensorrt"))
    settings = ProviderSettings(tensorrt=TensorRTSettings(cache=str(tmp_path / "file")))
    opened(MODEL, "tensorrt", 1, strict=True, settings=settings)
    assert "built at every start; set model.tensorrt.cache" in caplog.text
    assert "trt_engine_cache_path" not in played.asked[-1][0][1]


def test_libraries_of_a_provider_that_is_built_in():
    assert linked_libraries("cpu") == ()
    assert missing_libraries("cpu") == []


def test_nothing_works(pretend):
    pretend("openvino", Pretender())
    with pytest.raises(ModelError, match=r"^x.onnx: expected an ONNX model that runs on CPU"):
        opened(Content(Path("x.onnx"), b""), "auto", 1, False, ProviderSettings())
