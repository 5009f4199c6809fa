"""Where models can run: onnxruntime's build, what really works, GPUs and their libraries, models.

onnxruntime is imported where it is asked, so that one which is broken is a finding.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.doctor.finding import Finding, State
from edge.cli.doctor.machine import disk
from edge.cli.doctor.packages import clash, owners
from edge.cli.doctor.video import import_failure
from edge.errors import ModelError
from edge.installing import JETSON_WHEEL, ROOT, is_jetson, onnxruntime_with

if TYPE_CHECKING:
    from edge.segment.gpu import Gpu
    from edge.segment.providers import ProviderSettings

ONNXRUNTIME_NAMES = r"onnxruntime|ort-"
ON_GPU = ("tensorrt", "cuda")
WHICH = "onnxruntime`, where there is a GPU of NVIDIA `onnxruntime-gpu"
# What a GPU build may need, on a machine without such a build.
GPU_LIBRARIES = {"CUDA": "libcudart", "cuDNN": "libcudnn", "TensorRT": "libnvinfer"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a config, or every run, wants of providers."""

    provider: str = "auto"
    strict: bool = False
    settings: ProviderSettings | None = None

    def needs(self, name: str, listed: Mapping[str, str]) -> bool:
        """Whether nothing can be counted if this provider does not work.

        >>> listed = {"cuda": "no GPU", "cpu": ""}
        >>> [Wanted("auto", strict).needs("cuda", listed) for strict in (False, True)]
        [False, True]
        """
        if not self.strict:
            return name == "cpu"
        return name == (next(iter(listed)) if self.provider == "auto" else self.provider)


@dataclass(slots=True)
class Facts:
    """What is known of GPUs before a provider is tried."""

    gpus: list[Gpu] = field(default_factory=list)
    trouble: str = ""  # why the driver cannot be asked
    is_there: bool = False  # a GPU, with or without a driver


def build(wanted: Wanted) -> Iterator[Finding]:
    """The packages of onnxruntime, each provider that it has, tried, GPUs and their libraries."""
    brought = owners("onnxruntime", ONNXRUNTIME_NAMES)
    if len(brought) > 1:
        yield clash("onnxruntime packages", brought, WHICH)
    if importlib.util.find_spec("onnxruntime") is None:
        remedy = JETSON_WHEEL if is_jetson() else f"`pip install {WHICH}`"
        yield Finding("onnxruntime", "missing", "problem", remedy, needed=True)
        return
    with contextlib.suppress(Exception):  # which has a finding of its own
        import cv2  # noqa: F401
    try:
        from edge.segment.opening import working_providers
        from edge.segment.providers import ProviderSettings
        from edge.segment.runtime import runtime_version
    except Exception as error:  # a binary for another numpy fails with several types
        if "cv2" in sys.modules:
            yield import_failure("onnxruntime", "onnxruntime", error)
        else:
            yield Finding("onnxruntime", "not checked, for lack of OpenCV", "note")
        return
    facts = _facts()
    report = working_providers(wanted.settings or ProviderSettings())
    name = brought[0].metadata["Name"] if len(brought) == 1 else "onnxruntime"
    text = f"{name} {runtime_version()}, built with {', '.join(report)}"
    has_gpu_build = any(each in report for each in ON_GPU)
    if facts.is_there and not has_gpu_build:
        remedy = onnxruntime_with("cuda", is_jetson())
        yield Finding("onnxruntime", f"{text}; the GPU is not used", "note", remedy)
    else:
        yield Finding("onnxruntime", text, needed=True)
    yield from gpus(facts, has_gpu_build or is_jetson())
    if has_gpu_build:
        yield from linked(report, facts, wanted)
    elif facts.is_there or is_jetson():
        yield installed()
    yield from tried(report, facts, wanted)


def tried(report: Mapping[str, str], facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Each provider: whether it creates a session and runs it.

    Args:
        report: why each does not work, or nothing; as `working_providers` makes it.
        facts: of GPUs.
        wanted: what is asked for.
    """
    from edge.segment.runtime import missing_libraries

    for name, why in report.items():
        needed = wanted.needs(name, report)
        is_problem = needed or name == wanted.provider or (facts.is_there and name in ON_GPU)
        if not why:
            text = f"creates a session and runs it{_choice(name, report, wanted)}"
            yield Finding(f"provider {name}", text, needed=needed)
            continue
        remedy = "without it, models run on the CPU"
        if needed:
            remedy = "install onnxruntime anew, or let it fall back: strict_provider: false"
        if name in ON_GPU and missing_libraries(name):
            why, remedy = "does not work: libraries are missing", "see its libraries"
        state: State = "problem" if is_problem else "note"
        found, _, advice = why.partition("; ")
        yield Finding(f"provider {name}", found, state, advice or remedy, needed)
    name = wanted.provider
    if name != "auto" and name not in report:
        needed = wanted.needs(name, report)
        has = f"not in this onnxruntime, which has {', '.join(report)}"
        remedy = onnxruntime_with(name, is_jetson())
        yield Finding(f"provider {name}", has, "problem", remedy, needed)


def _choice(name: str, report: Mapping[str, str], wanted: Wanted) -> str:
    """That `auto` takes this provider, and how to have the CPU instead."""
    working = [each for each, why in report.items() if not why]
    if wanted.provider != "auto" or name == "cpu" or working[0] != name:
        return ""
    return "; auto takes it: `--provider cpu`, or `provider: cpu` below `model`, has the CPU do it"


def linked(report: Mapping[str, str], facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """The libraries that the providers of a GPU build link, by loading them."""
    from edge.segment import libraries
    from edge.segment.runtime import linked_libraries, missing_libraries

    for name in ON_GPU:
        if name not in report:
            continue
        needed = wanted.needs(name, report)
        missing = missing_libraries(name)
        if missing:
            is_problem = needed or facts.is_there or name == wanted.provider
            state: State = "problem" if is_problem else "note"
            found, remedy = libraries.reasons(missing), libraries.remedies(missing)
            yield Finding(f"libraries of {name}", found, state, remedy, needed)
            continue
        own = [each for each in linked_libraries(name) if libraries.remedy(each)]
        yield Finding(f"libraries of {name}", f"{', '.join(own)} load", needed=needed)
    if "cuda" in report and (cudnn := libraries.some_major("libcudnn", packages=_packages())):
        yield Finding("cuDNN", f"{cudnn} loads")
    elif "cuda" in report:
        remedy = libraries.remedy("libcudnn.so.9")  # newer onnxruntimes load it when it is needed
        yield Finding("cuDNN", "libcudnn missing", "note", remedy)


def installed() -> Finding:
    """Which of the libraries that a GPU build would need are there."""
    from edge.segment.libraries import some_major

    found = {name: some_major(stem, packages=_packages()) for name, stem in GPU_LIBRARIES.items()}
    text = ", ".join(library or f"no {name}" for name, library in found.items())
    return Finding("CUDA libraries", text)


def gpus(facts: Facts, is_expected: bool) -> Iterator[Finding]:
    """The GPUs, or why there is none where one is expected or built in."""
    from edge.segment import libraries
    from edge.segment.gpu import DRIVER

    for number, gpu in enumerate(facts.gpus):
        able = f"compute capability {gpu.capability}, driver for CUDA up to {gpu.driver}"
        yield Finding(f"GPU {number}", f"{gpu.name}, {able}")
    if facts.gpus or not (is_expected or facts.is_there):
        return
    found = facts.trouble or "NVIDIA's driver, but no GPU that it may use"
    remedy = libraries.remedy(DRIVER) if facts.trouble else "give the container a GPU: `--gpus all`"
    yield Finding("GPU", found, "problem" if facts.is_there else "note", remedy)


def engine_cache(folder: str | None) -> Iterator[Finding]:
    """Whether TensorRT's engines can be kept, where onnxruntime has TensorRT.

    Args:
        folder: as configured; None: where they are kept by default.
    """
    from edge.segment import engine_cache
    from edge.segment.runtime import linked_libraries

    if linked_libraries("tensorrt"):
        default = engine_cache.cache_folder(os.environ, Path(os.path.expanduser("~")))
        yield from disk("engine cache", Path(folder) if folder else default / "tensorrt")


def _facts() -> Facts:
    from edge.segment import gpu

    facts = Facts(is_there=_on_bus(ROOT))
    try:
        facts.gpus = gpu.gpus()
    except (ModelError, AttributeError) as error:  # an odd driver lacks functions
        facts.trouble = str(error).removeprefix("GPU: ")
    facts.is_there = facts.is_there or bool(facts.gpus)
    return facts


def _on_bus(root: Path) -> bool:
    """Whether a display controller of NVIDIA is on the PCI bus."""
    for device in (root / "sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):
            return True
    return False


def _packages() -> Path | None:
    """The folder of installed wheels, where those of CUDA put their libraries."""
    spec = importlib.util.find_spec("onnxruntime")
    return Path(spec.origin).parents[1] if spec and spec.origin else None
