"""The one place that knows onnxruntime: opening a model and running it."""

from __future__ import annotations

import ast
import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.errors import ModelError

Outputs = list[NDArray[Any]]  # of one run, in the order of the model

EXECUTION_PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What an ONNX file says about itself."""

    path: Path
    sha256: str
    metadata: dict[str, str]
    input_name: str
    input_shape: tuple[int | None, ...]  # None where dynamic
    outputs: tuple[tuple[str, tuple[int | None, ...]], ...]
    input_dtype: type = np.float32

    def names(self) -> tuple[str, ...]:
        """Class names from the metadata entry `names`; empty when there is none."""
        try:
            names = ast.literal_eval(self.metadata.get("names", "{}"))
            return tuple(str(names[i]) for i in range(len(names)))
        except (ValueError, SyntaxError, KeyError, TypeError):
            return ()


class Session:
    """One model on one execution provider; `provider` is what really runs, not what was asked."""

    def __init__(
        self, path: Path, provider: str = "auto", threads: int | None = None, strict: bool = False
    ) -> None:
        """Open `path`.

        Args:
            path: the ONNX file.
            provider: auto, tensorrt, cuda, openvino or cpu.
            threads: CPU threads of the model; None: those this process may really use.
            strict: refuse any provider but the one asked for.

        Raises:
            ModelError: no such file, no ONNX model, or no such provider on this machine.
        """
        content = _content(path)
        self._session = _open(path, content, provider, threads or usable_cpus(), strict)
        self.provider = _short_name(self._session.get_providers()[0])
        if strict and provider not in ("auto", self.provider):
            raise ModelError(
                f"{path}: expected to run on {provider}, got {self.provider}: "
                f"onnxruntime {ort.__version__} could not load that provider (see `edge doctor`)"
            )
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in INPUT_TYPES:
            found = ", ".join(f"{i.name} {i.type}{i.shape}" for i in inputs) or "none"
            raise ModelError(
                f"{path}: expected one picture of float32 or float16 as input, got {found}"
            )
        self.file = ModelFile(
            path,
            hashlib.sha256(content).hexdigest(),
            dict(self._session.get_modelmeta().custom_metadata_map),
            inputs[0].name,
            _dims(inputs[0].shape),
            tuple((o.name, _dims(o.shape)) for o in self._session.get_outputs()),
            INPUT_TYPES[inputs[0].type],
        )

    def run(self, x: NDArray[Any]) -> Outputs:
        """All outputs for one input tensor.

        Raises:
            ModelError: the model failed on this input.
        """
        try:
            outputs: Outputs = self._session.run(None, {self.file.input_name: x})
        except Exception as error:
            raise ModelError(
                f"{self.file.path}: failed on input {x.shape}: {_first(error)}"
            ) from error
        return outputs


def usable_cpus() -> int:
    """CPUs that this process may use: its affinity, and a container's quota if there is one."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cpus = min(cpus, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        pass  # no control groups here: the affinity is all there is to know
    return max(1, cpus)


def working_providers(probe: Path) -> dict[str, str]:
    """For each provider that onnxruntime lists: "works", or why a session of it fails."""
    content = _content(probe)
    report = {}
    for name, full in EXECUTION_PROVIDERS.items():
        if full in ort.get_available_providers():
            try:
                _open(probe, content, name, 1, strict=True)
                report[name] = "works"
            except ModelError as error:
                report[name] = str(error)
    return report


def runtime_version() -> str:
    """Version of onnxruntime."""
    return str(ort.__version__)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: expected an ONNX model, got {error.strerror}") from error


def _open(
    path: Path, content: bytes, provider: str, threads: int, strict: bool
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning steals the CPU from the decoder and the tracker between frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = _wanted(path, provider, strict)
    try:
        session = ort.InferenceSession(content, options, providers=wanted)
    except Exception as error:
        kind = "a picture" if content[:3] == b"\xff\xd8\xff" or content[:4] == b"\x89PNG" else ""
        got = kind or _first(error)
        raise ModelError(
            f"{path}: expected an ONNX model that runs on {wanted[0]}, got {got}"
        ) from error
    if strict and session.get_providers()[0] != wanted[0]:
        raise ModelError(
            f"{path}: expected to run on {_short_name(wanted[0])}, got "
            f"{_short_name(session.get_providers()[0])}: its libraries did not load"
        )
    return session


def _wanted(path: Path, provider: str, strict: bool) -> list[str]:
    available = ort.get_available_providers()
    if provider == "auto":
        return [p for p in EXECUTION_PROVIDERS.values() if p in available]
    full = EXECUTION_PROVIDERS[provider]
    if full not in available:
        names = ", ".join(_short_name(p) for p in available)
        raise ModelError(
            f"{path}: expected provider {provider}, got an onnxruntime that has {names}; "
            "install edgecount[gpu], or use --provider auto"
        )
    return [full] if strict or provider == "cpu" else [full, EXECUTION_PROVIDERS["cpu"]]


def _short_name(full: str) -> str:
    known = {v: k for k, v in EXECUTION_PROVIDERS.items()}
    return known.get(full, full.removesuffix("ExecutionProvider").lower())


def _dims(shape: list[object]) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in shape)


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
