"""A model that is open: what its file says, where it runs, and running it."""

from __future__ import annotations

import ast
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.segment import engine_cache
from edge.segment.cpus import usable_cpus
from edge.segment.opening import ON_GPU, Content, opened
from edge.segment.providers import ProviderSettings
from edge.segment.runtime_messages import first_line

Outputs = list[NDArray[Any]]  # of one run, in the order of the model

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

log = logging.getLogger("edge.segment")


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
    """One model on one execution provider.

    Attributes:
        provider: short name of what really runs it, not of what was asked for.
        placement: nodes by provider, the most first; empty where this onnxruntime does not tell.
        threads: of the CPU, for all runs together.
        at_once: how many runs share them, from as many threads that call `run`.
        file: what the file says.
    """

    def __init__(
        self,
        path: Path,
        provider: str = "auto",
        threads: int | None = None,
        strict: bool = False,
        settings: ProviderSettings | None = None,
    ) -> None:
        """Open `path` on the first provider that works; warn of those that do not.

        Args:
            path: the ONNX file.
            provider: auto, tensorrt, cuda, openvino or cpu.
            threads: CPU threads of the model; None: those this process may really use.
            strict: refuse any provider but the one asked for; with auto, any but the fastest that
                this onnxruntime was built with.
            settings: of the providers; None: the usual ones.

        Raises:
            ModelError: no such file, no ONNX model, or strict and the provider does not work.
        """
        content = Content(path, _data(path))
        self.threads = threads or usable_cpus()
        found = opened(content, provider, self.threads, strict, settings or ProviderSettings())
        self._session, self.provider = found.session, found.provider
        self.placement, self.at_once = found.placement, found.at_once
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in INPUT_TYPES:
            got = ", ".join(f"{i.name} {i.type}{i.shape}" for i in inputs) or "none"
            raise ModelError(
                f"{path}: expected one picture of float32 or float16 as input, got {got}"
            )
        self.file = ModelFile(
            path,
            content.sha256,
            dict(self._session.get_modelmeta().custom_metadata_map),
            inputs[0].name,
            _dims(inputs[0].shape),
            tuple((o.name, _dims(o.shape)) for o in self._session.get_outputs()),
            INPUT_TYPES[inputs[0].type],
        )
        # TensorRT builds at the first run what it could not before: shapes that nobody foretold.
        self._may_build = self.provider == "tensorrt"

    @property
    def described(self) -> str:
        """Where it runs: `cpu, 2 threads`, or `cuda, 600 of 616 nodes, 16 on cpu`."""
        text = self.provider
        if self.provider not in ON_GPU:
            text += f", {self.threads} thread{'' if self.threads == 1 else 's'}"
        others = {name: n for name, n in self.placement.items() if name != self.provider}
        if others:
            total = sum(self.placement.values())
            text += f", {self.placement[self.provider]} of {total} nodes"
        return text + "".join(f", {n} on {name}" for name, n in others.items())

    def run(self, x: NDArray[Any]) -> Outputs:
        """All outputs for one input tensor.

        Raises:
            ModelError: the model failed on this input.
        """
        # No IOBinding: pictures come from the CPU and masks are decoded on it, so nothing would
        # stay on the GPU, and then onnxruntime's own copies cost the same.
        told = engine_cache.told_while(log.info) if self._may_build else contextlib.nullcontext()
        self._may_build = False
        try:
            with told:
                outputs: Outputs = self._session.run(None, {self.file.input_name: x})
        except Exception as error:
            raise ModelError(
                f"{self.file.path}: failed on input {x.shape}: {first_line(error)}"
            ) from error
        return outputs


def _data(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: expected an ONNX model, got {error.strerror}") from error


def _dims(shape: list[object]) -> tuple[int | None, ...]:
    return tuple(d if isinstance(d, int) else None for d in shape)
