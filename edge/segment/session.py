"""A model that is open: what its file says, where it runs, and running it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.segment import engine_cache
from edge.segment.cpus import usable_cpus
from edge.segment.external_data import other_files
from edge.segment.model_file import Outputs
from edge.segment.opening import LOGGED, Content, Tell, opened
from edge.segment.providers import ProviderSettings
from edge.segment.runtime import ON_GPU
from edge.segment.runtime_messages import first_line


class Session:
    """One model on one execution provider.

    Attributes:
        provider: short name of what really runs it, not of what was asked for.
        placement: nodes by provider, the most first; empty where this onnxruntime does not tell.
        threads: of the CPU, for all runs together.
        at_once: how many runs share them, from as many threads that call `run`.
        file: what the file says; sizes that it says are free, but are not, are given.
    """

    def __init__(
        self,
        path: Path,
        provider: str = "auto",
        threads: int | None = None,
        strict: bool = False,
        settings: ProviderSettings | None = None,
        tell: Tell = LOGGED,
    ) -> None:
        """Open `path` on the first provider that runs it; warn of those that do not.

        Args:
            path: the ONNX file.
            provider: auto, tensorrt, cuda, openvino or cpu.
            threads: CPU threads of the model; None: those this process may really use.
            strict: refuse any provider but the one asked for; with auto, any but the fastest that
                this onnxruntime was built with.
            settings: of the providers; None: the usual ones.
            tell: told now and then while TensorRT builds an engine, which takes minutes.

        Raises:
            ModelError: no such file, no ONNX model of a picture, or strict and the provider does
                not work.
        """
        content = Content(path, _data(path))
        self.threads = threads or usable_cpus()
        settings = settings or ProviderSettings()
        found = opened(content, provider, self.threads, strict, settings, tell)
        self._session, self.provider = found.session, found.provider
        self.placement, self.at_once = found.placement, found.at_once
        self.file = found.file
        self._first_shape = found.first_shape
        self._first: Outputs | None = found.first
        self._tell = tell
        # TensorRT builds for a picture what it could not before: sizes that nobody foretold.
        self._may_build = self.provider == "tensorrt"

    def first_outputs(self) -> Outputs:
        """What it gives for the black picture with which it was tried.

        They may be large, and are kept until they are first asked for.

        Raises:
            ModelError: asked for again, the model failed.
        """
        outputs, self._first = self._first, None
        if outputs is None:
            outputs = self.run(np.zeros(self._first_shape, self.file.input_dtype))
        return outputs

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
        told = engine_cache.told_while(self._tell) if self._may_build else contextlib.nullcontext()
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
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: expected an ONNX model, got {error.strerror}") from error
    if others := other_files(data):
        more = ", ..." if others[3:] else ""
        command = f"import onnx; onnx.save(onnx.load({str(path)!r}), 'whole.onnx')"
        raise ModelError(
            f"{path}: expected an ONNX model in one file, got one whose weights lie in others "
            f'({", ".join(others[:3])}{more}); save it as one: `python -c "{command}"`'
        )
    return data
