"""Opening a model on a provider that really runs it.

onnxruntime itself falls back in silence: a provider whose libraries do not load, or that does not
take one of its options, is left out, `get_providers()` may name one on which no node runs, and a
GPU for which the kernels were not made is noticed at the first run only. So its fall-back is off,
providers are tried one after the other, where the nodes are is read back, and a provider works once
it has run the model.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.installing import is_jetson
from edge.segment import engine_cache, gpu, libraries, providers, runtime, sizing
from edge.segment.model_file import ModelFile, Outputs, model_file
from edge.segment.probe import PROBE
from edge.segment.providers import PROVIDERS, Attempt, Options, ProviderSettings, short_name
from edge.segment.runtime import ON_GPU
from edge.segment.runtime_messages import first_line

log = logging.getLogger("edge.segment")

Tell = Callable[[str], None]  # told a line now and then while something takes long
LOGGED: Tell = log.info


@dataclass(frozen=True)
class Content:
    """The bytes of an ONNX file."""

    path: Path
    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Hash of the bytes, as hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that works: it has run the model."""

    session: Any  # onnxruntime's InferenceSession
    provider: str  # short name of what it was opened for; some of its nodes run there
    placement: dict[str, int]  # nodes by provider, the most first; empty: this version cannot tell
    at_once: int  # runs
    file: ModelFile
    first_shape: tuple[int, ...]  # of the black picture that it has run
    first: Outputs  # of that


class _Unusable(Exception):
    """Why a provider cannot run a model, and what to do."""


def opened(
    model: Content,
    provider: str,
    threads: int,
    strict: bool,
    settings: ProviderSettings,
    tell: Tell = LOGGED,
) -> Opened:
    """A session on the first provider that runs the model; warns of those that do not.

    Args:
        model: the file.
        provider: auto, tensorrt, cuda, openvino or cpu.
        threads: of the CPU.
        strict: take none but the first.
        settings: of the providers.
        tell: told now and then while TensorRT builds an engine, which takes minutes.

    Raises:
        ModelError: no ONNX model of a picture, or strict and the provider does not work; says why
            and what to do.
    """
    listed = runtime.listed_providers()
    refused: list[str] = []
    for name in providers.attempts(provider, listed, strict):
        if PROVIDERS[name] not in listed:
            why = providers.not_built_in(name, runtime.runtime_version(), listed, is_jetson())
            if strict:
                raise ModelError(f"{model.path}: expected provider {name}, got {why}")
            refused.append(why)
            continue
        try:
            found = _on(model, name, threads, settings, tell)
        except _Unusable as error:
            if strict:
                raise ModelError(f"{model.path}: expected to run on {name}, got {error}") from error
            refused.append(str(error))
            continue
        for wanted, why in zip(providers.attempts(provider, listed, False), refused, strict=False):
            log.warning("%s runs on %s, not on %s: %s", model.path.name, name, wanted, why)
        return found
    raise ModelError(f"{model.path}: expected a provider that works, got {'; '.join(refused)}")


def working_providers(settings: ProviderSettings) -> dict[str, str]:
    """For each provider that onnxruntime lists: nothing if it runs a model, or why it does not.

    The model is tiny, so that TensorRT takes seconds.
    """
    report, listed = {}, runtime.listed_providers()
    for name in (n for n, full in PROVIDERS.items() if full in listed):
        report[name] = ""
        try:
            _on(Content(Path("probe"), PROBE), name, 1, settings, LOGGED)
        except (_Unusable, ModelError) as error:
            report[name] = str(error)
    return report


def _on(model: Content, name: str, threads: int, settings: ProviderSettings, tell: Tell) -> Opened:
    """A session on one provider, which has run the model.

    Raises:
        _Unusable: it does not work, or runs nothing of the model.
        ModelError: no model of a picture; on the CPU: or none that runs.
    """
    if name in ON_GPU:
        _check_gpu(name, settings.gpu)
    at_once = 1
    if name == "cpu":
        at_once = providers.runs_at_once(settings.cpu, threads, len(model.data))
        threads = providers.threads_of_a_run(threads, at_once)
    best_hw = settings.tensorrt.best_hw if name == "tensorrt" else None
    with _attempts(model, name, threads, settings, tell) as wanted:
        session = _session(model, wanted, threads, settings)
        placement = runtime.placement(session)
        if session.get_providers()[0] != PROVIDERS[name]:
            # To hear it, the session is opened again, which for TensorRT may take minutes.
            said = name != "tensorrt" and runtime.said_of(model.data, wanted, threads, settings)
            raise _unusable(name, said or "onnxruntime left it out and does not say why")
        if placement and name not in placement:
            nodes = sum(placement.values())
            raise _Unusable(
                f"none of the model's {nodes} nodes runs there; have the CPU run it: --provider cpu"
            )
        file = model_file(model.path, model.sha256, session)
        shapes = sizing.first_shapes(file.input_shape, file.metadata, settings.longest_px, best_hw)
        # TensorRT builds now what it could not before, still as the only one.
        first, shape = _first_run(session, name, file, shapes)
    if shape != shapes[0]:
        file = replace(file, input_shape=(*file.input_shape[:-2], *shape[-2:]))
    return Opened(session, name, placement, at_once, file, shape, first)


def _check_gpu(name: str, number: int) -> None:
    gone = runtime.missing_libraries(name)
    if gone:
        raise _Unusable(libraries.told(gone))
    try:
        found = gpu.gpus()
    except ModelError as error:
        advice = libraries.remedy(gpu.DRIVER)
        raise _Unusable(f"{str(error).partition(', got ')[2]}; {advice}") from error
    if number >= len(found):
        raise _Unusable(f"no GPU {number}: the driver has {len(found)}; see model.gpu")


def _session(
    model: Content, wanted: list[Attempt], threads: int, settings: ProviderSettings
) -> Any:
    try:
        return runtime.new_session(model.data, wanted, threads, settings)
    except Exception as error:
        if wanted[0][0] != PROVIDERS["cpu"]:
            raise _unusable(short_name(wanted[0][0]), first_line(error), str(error)) from error
        is_picture = model.data[:3] == b"\xff\xd8\xff" or model.data[:4] == b"\x89PNG"
        got = "a picture" if is_picture else first_line(error)
        raise ModelError(
            f"{model.path}: expected an ONNX model that runs on {wanted[0][0]}, got {got}"
        ) from error


def _first_run(
    session: Any, name: str, file: ModelFile, shapes: Sequence[tuple[int, ...]]
) -> tuple[Outputs, tuple[int, ...]]:
    """The outputs for a black picture of the first of some shapes that the model takes, and which.

    Raises:
        _Unusable: the provider runs none.
        ModelError: the CPU does not.
    """
    failures: list[Exception] = []
    for shape in shapes:
        black: dict[str, NDArray[Any]] = {file.input_name: np.zeros(shape, file.input_dtype)}
        try:
            return runtime.run_quietly(session, black), shape
        except Exception as error:
            failures.append(error)
    why = first_line(failures[0])
    if name == "cpu":
        raise ModelError(f"{file.path}: failed on input {shapes[0]}: {why}") from failures[0]
    raise _unusable(name, f"it fails at the first run: {why}", str(failures[0])) from failures[0]


def _unusable(name: str, why: str, said: str = "") -> _Unusable:
    """That a provider does not work, why, and what to do; `said` is all that is known of it."""
    reason = why.replace(";", ",")  # what to do begins after the first one
    return _Unusable(f"{reason}; {providers.remedy(name, said or why, is_jetson())}")


def _attempts(
    model: Content, name: str, threads: int, settings: ProviderSettings, tell: Tell
) -> contextlib.AbstractContextManager[list[Attempt]]:
    """The providers of a session and their options."""
    if name == "tensorrt":
        return _with_engine(model, threads, settings, tell)
    options = {"cuda": providers.cuda(settings), "openvino": providers.openvino(settings, threads)}
    return contextlib.nullcontext([(PROVIDERS[name], options.get(name, {}))])


@contextlib.contextmanager
def _with_engine(
    model: Content, threads: int, settings: ProviderSettings, tell: Tell
) -> Iterator[list[Attempt]]:
    """TensorRT's attempt and those after it, while nobody else builds the same engine."""
    # What TensorRT must be told about the input stands in the file, which the CPU opens at once.
    cpu = [(PROVIDERS["cpu"], Options())]
    file = model_file(model.path, model.sha256, _session(model, cpu, threads, settings))
    its = settings.tensorrt
    given = its.min_hw, its.best_hw, its.max_hw
    profile = sizing.profile(
        file.input_shape, file.metadata, settings.longest_px, settings.batch, given
    )
    options = providers.tensorrt(settings, file.input_name, profile)
    engine = engine_cache.Engine(
        model_sha256=model.sha256,
        shape=profile.text if profile else "any",
        precision="fp16" if its.fp16 else "fp32",
        onnxruntime=runtime.runtime_version(),
        tensorrt=runtime.tensorrt_version(),
        gpu=_gpu_name(settings.gpu),
        options=options,
    )
    # What TensorRT leaves goes to CUDA, and what that leaves to the CPU.
    if PROVIDERS["cuda"] in runtime.listed_providers():
        cpu = [(PROVIDERS["cuda"], providers.cuda(settings)), *cpu]
    default = engine_cache.cache_folder(os.environ, Path(os.path.expanduser("~"))) / "tensorrt"
    with engine_cache.kept(engine, Path(its.cache) if its.cache else default, tell) as kept:
        yield [(PROVIDERS["tensorrt"], kept | options), *cpu]


def _gpu_name(number: int) -> str:
    found = gpu.gpus()[number]
    return f"{found.name}-sm{found.capability}"
