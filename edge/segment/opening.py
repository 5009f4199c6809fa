"""The one place that knows onnxruntime: opening a model on a provider that really runs it.

onnxruntime itself falls back in silence: a provider whose libraries do not load, or that does not
take one of its options, is left out, and `get_providers()` may name one on which no node runs. So
its fall-back is off, providers are tried one after the other, and where the nodes are is read back.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from edge.errors import ModelError
from edge.installing import is_jetson
from edge.segment import engine_cache, gpu, libraries, providers
from edge.segment.probe import PROBE, PROBE_SHAPE
from edge.segment.providers import PROVIDERS, Attempt, Options, ProviderSettings, short_name
from edge.segment.runtime_messages import first_line, heard, plain

ON_GPU = ("tensorrt", "cuda")
_FATAL, _ERROR, _WARNING = 4, 3, 2  # severities of onnxruntime's log

log = logging.getLogger("edge.segment")


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
    """A session that works."""

    session: Any  # onnxruntime's InferenceSession
    provider: str  # short name of what it was opened for; some of its nodes run there
    placement: dict[str, int]  # nodes by provider, the most first; empty: this version cannot tell
    at_once: int  # runs


class _Unusable(Exception):
    """Why a provider cannot run a model."""


def opened(
    model: Content, provider: str, threads: int, strict: bool, settings: ProviderSettings
) -> Opened:
    """A session on the first provider that works; warns of those that do not.

    Args:
        model: the file.
        provider: auto, tensorrt, cuda, openvino or cpu.
        threads: of the CPU.
        strict: take none but the first.
        settings: of the providers.

    Raises:
        ModelError: no ONNX model, or strict and the provider does not work; says why and what to
            do.
    """
    listed = ort.get_available_providers()
    refused: list[str] = []
    for name in providers.attempts(provider, listed, strict):
        if PROVIDERS[name] not in listed:
            why = providers.not_built_in(name, runtime_version(), listed, is_jetson())
            if strict:
                raise ModelError(f"{model.path}: expected provider {name}, got {why}")
            refused.append(why)
            continue
        try:
            found = _on(model, name, threads, settings)
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
    report = {}
    for name in (n for n, full in PROVIDERS.items() if full in ort.get_available_providers()):
        report[name] = ""
        try:
            session = _on(Content(Path("probe"), PROBE), name, 1, settings).session
            # A GPU for which the kernels were not made is noticed at the first run only.
            session.run(None, {"x": np.ones(PROBE_SHAPE, np.float32)})
        except (_Unusable, ModelError) as error:
            report[name] = str(error)
        except Exception as error:
            report[name] = first_line(error)
    return report


def runtime_version() -> str:
    """Version of onnxruntime."""
    return str(ort.__version__)


def linked_libraries(name: str) -> tuple[str, ...]:
    """The shared libraries that a provider of this onnxruntime links; empty: it is built in."""
    return libraries.linked(_FOLDER / f"libonnxruntime_providers_{name}.so")


def missing_libraries(name: str) -> list[libraries.Missing]:
    """Those of them that do not load. The others are loaded."""
    if name in ON_GPU and hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints, where events may go
            ort.preload_dlls()  # what the wheels of CUDA and cuDNN brought
    return libraries.missing(linked_libraries(name), _FOLDER.parents[1])


_FOLDER = Path(ort.__file__).parent / "capi"


def _on(model: Content, name: str, threads: int, settings: ProviderSettings) -> Opened:
    """A session on one provider; on the CPU the threads are shared among several runs at once.

    Raises:
        _Unusable: it does not work, or runs nothing of the model.
        ModelError: on the CPU: no model.
    """
    if name in ON_GPU:
        _check_gpu(name, settings.gpu)
    at_once = 1
    if name == "cpu":
        at_once = providers.runs_at_once(settings.cpu, threads, len(model.data))
        threads //= at_once
    if name == "tensorrt":
        session = _on_tensorrt(model, threads, settings)
    else:
        options = {
            "cuda": providers.cuda(settings),
            "openvino": providers.openvino(settings, threads),
        }
        wanted = [(PROVIDERS[name], options.get(name, {}))]
        session = _session(model, wanted, threads, settings)
    placement = _placement(session)
    if session.get_providers()[0] != PROVIDERS[name]:
        said = "" if name == "tensorrt" else _said_by_runtime(model, wanted, threads, settings)
        raise _Unusable(said or "onnxruntime left it out and does not say why")
    if placement and name not in placement:
        raise _Unusable(f"none of the model's {sum(placement.values())} nodes runs there")
    return Opened(session, name, placement, at_once)


def _check_gpu(name: str, number: int) -> None:
    gone = missing_libraries(name)
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
    model: Content,
    wanted: list[Attempt],
    threads: int,
    settings: ProviderSettings,
    severity: int = _FATAL,
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = _ERROR
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = settings.cpu.arena
    options.enable_mem_pattern = settings.cpu.memory_pattern
    spins = "1" if settings.cpu.spinning else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spins)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # What it says of libraries that do not load, we say better.
    ort.set_default_logger_severity(severity)
    try:
        return ort.InferenceSession(model.data, options, providers=wanted, enable_fallback=0)
    except Exception as error:
        if wanted[0][0] != PROVIDERS["cpu"]:
            raise _Unusable(first_line(error)) from error
        is_picture = model.data[:3] == b"\xff\xd8\xff" or model.data[:4] == b"\x89PNG"
        got = "a picture" if is_picture else first_line(error)
        raise ModelError(
            f"{model.path}: expected an ONNX model that runs on {wanted[0][0]}, got {got}"
        ) from error
    finally:
        ort.set_default_logger_severity(_WARNING)


def _on_tensorrt(model: Content, threads: int, settings: ProviderSettings) -> ort.InferenceSession:
    listed = ort.get_available_providers()
    # What TensorRT must be told about the input stands in the file, which the CPU opens at once.
    plain = _session(model, [(PROVIDERS["cpu"], {})], threads, settings)
    its = plain.get_inputs()[0]
    shape = tuple(d if isinstance(d, int) else None for d in its.shape)
    metadata = plain.get_modelmeta().custom_metadata_map
    del plain
    profile = providers.profile(shape, metadata, settings)
    options = providers.tensorrt(settings, its.name, profile)
    engine = engine_cache.Engine(
        model_sha256=model.sha256,
        shape=profile.text if profile else "any",
        precision="fp16" if settings.tensorrt.fp16 else "fp32",
        onnxruntime=runtime_version(),
        tensorrt=_tensorrt_version(),
        gpu=_gpu_name(settings.gpu),
        options=options,
    )
    # What TensorRT leaves goes to CUDA, and what that leaves to the CPU.
    after = [("cuda", providers.cuda(settings)), ("cpu", Options())]
    rest = [(PROVIDERS[name], its) for name, its in after if PROVIDERS[name] in listed]
    with _kept(engine, settings.tensorrt.cache) as kept:
        wanted = [(PROVIDERS["tensorrt"], options | kept), *rest]
        return _session(model, wanted, threads, settings)


@contextlib.contextmanager
def _kept(engine: engine_cache.Engine, cache: str | None) -> Iterator[Options]:
    """Options that keep an engine, while nobody else builds it; progress is logged."""
    default = engine_cache.cache_folder(os.environ, Path(os.path.expanduser("~"))) / "tensorrt"
    root = Path(cache) if cache else default
    folder, timing = root / engine.folder_name, root / engine.timing_name
    with contextlib.ExitStack() as held:
        options = providers.kept_in(str(folder), str(timing))
        try:
            held.enter_context(engine_cache.one_builder(folder, log.info))
            timing.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            trouble = f"TensorRT engines cannot be kept there ({error.strerror}) and are built"
            log.warning("%s: %s at every start; set model.tensorrt.cache", root, trouble)
            options = {}
        if not (options and engine_cache.has_engine(folder)):
            held.enter_context(engine_cache.told_while(log.info))
        yield options


def _tensorrt_version() -> str:
    names = [n for n in linked_libraries("tensorrt") if n.startswith("libnvinfer.so")]
    try:
        return str(ctypes.CDLL(names[0]).getInferLibVersion())
    except (OSError, AttributeError, IndexError):
        return "unknown"


def _gpu_name(number: int) -> str:
    found = gpu.gpus()[number]
    return f"{found.name}-sm{found.capability}"


def _placement(session: ort.InferenceSession) -> dict[str, int]:
    """How many nodes run on which provider, by short name."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[short_name(part.ep_name)] += len(part.get_nodes())
    return dict(nodes.most_common())


def _said_by_runtime(
    model: Content, wanted: list[Attempt], threads: int, settings: ProviderSettings
) -> str:
    """Why onnxruntime left a provider out, which it writes to standard error and nowhere else.

    So the session is opened once more; what failed at once does so again.
    """
    with heard() as lines, contextlib.suppress(_Unusable, ModelError):
        _session(model, wanted, threads, settings, _ERROR)
    return next((plain(line) for line in lines if "[E:onnxruntime" in line), "")
