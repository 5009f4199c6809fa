"""What is found of onnxruntime, GPUs and their libraries, in builds and machines made up."""

import pytest

from edge.cli.doctor import providers
from edge.cli.doctor.providers import Facts, Wanted
from edge.errors import ModelError
from edge.segment import gpu, libraries, opening, runtime
from edge.segment.gpu import Gpu
from edge.segment.libraries import Missing
from edge.segment.providers import not_built_in

ORIN = Gpu("Orin", "8.7", "12.6")
CUDNN = Missing("libcudnn.so.9", "libcudnn.so.9 is missing", "install cuDNN")


@pytest.fixture
def machine(monkeypatch):
    """Make up what providers say, what is linked and missing, GPUs, and whether it is a Jetson."""

    def make(report, missing=None, gpus=(), is_jetson=False, some=()):
        def driver():
            if gpus is None:
                raise ModelError("GPU: expected NVIDIA's driver, got none")
            return list(gpus)

        linked = {name: ("libcudart.so.12", "libm.so.6") for name in report if name != "cpu"}
        monkeypatch.setattr(opening, "working_providers", lambda settings: report)
        monkeypatch.setattr(runtime, "linked_libraries", lambda name: linked.get(name, ()))
        monkeypatch.setattr(runtime, "missing_libraries", (missing or {}).get)
        monkeypatch.setattr(
            libraries,
            "some_major",
            lambda stem, packages=None: f"{stem}.so.9" if stem in some else None,
        )
        monkeypatch.setattr(gpu, "gpus", driver)
        monkeypatch.setattr(providers, "_on_bus", lambda root: False)
        monkeypatch.setattr(providers, "is_jetson", lambda: is_jetson)

    return make


def built(wanted=None):
    return {each.what: each for each in providers.build(wanted or Wanted())}


def test_a_cpu_and_nothing_else(machine):
    machine({"cpu": ""}, gpus=None)
    found = built()
    assert list(found) == ["onnxruntime", "provider cpu"]
    assert found["onnxruntime"].found.endswith(f"{runtime.runtime_version()}, built with cpu")
    assert found["provider cpu"].needed


def test_a_gpu_that_is_not_used(machine):
    machine({"cpu": ""}, gpus=[ORIN], some=("libcudart", "libnvinfer"))
    found = built()
    assert found["onnxruntime"].state == "note"
    assert found["onnxruntime"].found.endswith("; the GPU is not used")
    assert "onnxruntime-gpu[cuda,cudnn]" in found["onnxruntime"].remedy
    assert found["GPU 0"].found == "Orin, compute capability 8.7, driver for CUDA up to 12.6"
    assert found["CUDA libraries"].found == "libcudart.so.9, no cuDNN, libnvinfer.so.9"


def test_a_jetson_without_a_gpu_build(machine):
    machine({"cpu": ""}, gpus=[ORIN], is_jetson=True)
    remedy = built()["onnxruntime"].remedy
    assert remedy.startswith("`pip uninstall -y onnxruntime ")
    assert "wheel that was built for this JetPack" in remedy
    assert built(Wanted("cuda"))["provider cuda"].remedy == remedy


def test_the_error_and_the_doctor_advise_the_same(machine):
    machine({"cpu": ""}, gpus=[ORIN])
    for name in ("cuda", "tensorrt", "openvino"):
        remedy = built(Wanted(name))[f"provider {name}"].remedy
        assert remedy in not_built_in(name, "1.32.0", [], on_jetson=False)
        assert "`pip uninstall -y onnxruntime onnxruntime-gpu onnxruntime-openvino` first" in remedy


def test_openvino_is_taken_before_the_cpu_and_says_so(machine):
    machine({"cuda": "no GPU 0", "openvino": "", "cpu": ""}, gpus=[])
    assert "auto takes it" in built()["provider openvino"].found


def test_a_gpu_that_works(machine):
    machine({"cuda": "", "cpu": ""}, gpus=[ORIN], some=("libcudnn",))
    found = built()
    assert {each.state for each in found.values()} == {"ok"}
    assert found["provider cuda"].found.startswith(
        "creates a session and runs it; auto takes it: `--provider cpu`"
    )
    assert found["provider cpu"].found == "creates a session and runs it"
    assert "auto" not in built(Wanted("cuda"))["provider cuda"].found
    assert found["libraries of cuda"].found == "libcudart.so.12 load"
    assert found["cuDNN"].found == "libcudnn.so.9 loads"


def test_a_gpu_build_without_a_gpu(machine):
    missing = {"tensorrt": [CUDNN], "cuda": [CUDNN]}
    why = libraries.told([CUDNN])
    machine({"tensorrt": why, "cuda": why, "cpu": ""}, missing, gpus=None)
    found = built()
    assert not any(each.decides for each in found.values())
    assert found["GPU"].found == "expected NVIDIA's driver, got none"
    assert "driver" in found["GPU"].remedy
    for name in ("tensorrt", "cuda"):
        assert found[f"libraries of {name}"].found == "libcudnn.so.9 missing"
        assert found[f"libraries of {name}"].remedy == "install cuDNN"
        assert found[f"provider {name}"].found == "does not work: libraries are missing"
        assert found[f"provider {name}"].state == "note"
    assert found["cuDNN"].state == "note"


def test_a_gpu_whose_libraries_are_missing(machine):
    machine({"cuda": "x", "cpu": ""}, {"cuda": [CUDNN]}, gpus=[ORIN])
    found = built()
    assert found["libraries of cuda"].state == found["provider cuda"].state == "problem"
    assert not any(each.decides for each in found.values())  # it runs on the CPU


def test_a_driver_without_a_gpu(machine):
    machine({"cuda": "no GPU 0: the driver has 0; see model.gpu", "cpu": ""}, gpus=[])
    found = built()
    assert found["GPU"].found == "NVIDIA's driver, but no GPU that it may use"
    assert found["provider cuda"].found == "no GPU 0: the driver has 0"
    assert found["provider cuda"].remedy == "see model.gpu"


@pytest.mark.parametrize(
    ("wanted", "state", "decides"),
    [
        (Wanted("auto"), "note", False),
        (Wanted("auto", strict=True), "problem", True),
        (Wanted("cuda"), "problem", False),
        (Wanted("cuda", strict=True), "problem", True),
        (Wanted("cpu", strict=True), "note", False),
    ],
)
def test_what_is_asked_for_decides(wanted, state, decides, machine):
    machine({"cuda": "no GPU 0", "cpu": ""}, gpus=[])
    cuda = built(wanted)["provider cuda"]
    assert (cuda.state, cuda.decides) == (state, decides)
    assert cuda.remedy


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("name", "remedy"), [("openvino", "install onnxruntime-openvino"), ("tensorrt", "-gpu[cuda")]
)
def test_a_provider_that_is_not_built_in(name, remedy, strict, machine):
    machine({"cpu": ""}, gpus=None)
    found = built(Wanted(name, strict))[f"provider {name}"]
    assert found.found == "not in this onnxruntime, which has cpu"
    assert remedy in found.remedy
    assert (found.state, found.decides) == ("problem", strict)


def test_a_gpu_on_the_bus(tmp_path):
    assert not providers._on_bus(tmp_path)
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    assert not providers._on_bus(tmp_path)
    (device / "class").write_text("0x030200\n")
    assert providers._on_bus(tmp_path)
    (device / "class").write_text("0x040300\n")  # its sound
    assert not providers._on_bus(tmp_path)


def test_onnxruntime_is_missing(monkeypatch):
    monkeypatch.setattr(providers.importlib.util, "find_spec", lambda name: None)
    [found] = providers.build(Wanted())
    assert (found.found, found.decides) == ("missing", True)
    assert "`pip install onnxruntime`" in found.remedy


def test_two_of_them(machine, monkeypatch):
    class Wheel:
        def __init__(self, name, version):
            self.metadata, self.version = {"Name": name}, version

    machine({"cpu": ""}, gpus=None)
    wheels = [Wheel("onnxruntime", "1.32.0"), Wheel("onnxruntime-gpu", "1.31.1")]
    monkeypatch.setattr(providers, "owners", lambda module, names: wheels)
    found = built()["onnxruntime packages"]
    assert found.state == "problem"
    assert found.found.startswith("onnxruntime 1.32.0, onnxruntime-gpu 1.31.1: they overwrite")
    assert found.remedy == (
        "keep one: `pip uninstall -y onnxruntime onnxruntime-gpu`, then `pip install onnxruntime`, "
        "where there is a GPU of NVIDIA `onnxruntime-gpu`"
    )


def test_where_engines_are_kept(machine, tmp_path, monkeypatch):
    machine({"tensorrt": "", "cpu": ""}, gpus=[ORIN])
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path))
    [found] = providers.engine_cache(None)
    assert found.found.startswith(f"{tmp_path}/tensorrt: ")
    [found] = providers.engine_cache(str(tmp_path / "own"))
    assert found.found.startswith(f"{tmp_path}/own: ")
    machine({"cpu": ""})
    assert list(providers.engine_cache(None)) == []


def test_what_facts_hold_by_default():
    assert (Facts().gpus, Facts().is_there) == ([], False)


def test_the_true_onnxruntime():
    found = {each.what: each for each in providers.build(Wanted())}
    assert found["provider cpu"].state == "ok"
    assert found["onnxruntime"].found.partition(" ")[0].startswith("onnxruntime")
