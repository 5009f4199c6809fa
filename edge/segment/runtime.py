"""onnxruntime, the one place that knows it: its build, its sessions, and running them."""

from __future__ import annotations

import contextlib
import ctypes
import io
from collections import Counter
from pathlib import Path
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from edge.segment import libraries, providers
from edge.segment.model_file import Outputs
from edge.segment.providers import Attempt, ProviderSettings, short_name
from edge.segment.runtime_messages import heard, plain

ON_GPU = ("tensorrt", "cuda")
FATAL, ERROR, WARNING = 4, 3, 2  # severities of onnxruntime's log
_OPTIMIZATIONS = {
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
_FOLDER = Path(ort.__file__).parent / "capi"


def runtime_version() -> str:
    """Version of onnxruntime."""
    return str(ort.__version__)


def listed_providers() -> list[str]:
    """Full names of the providers that it was built with, whether or not they work."""
    return list(ort.get_available_providers())


def linked_libraries(name: str) -> tuple[str, ...]:
    """The shared libraries that a provider of this onnxruntime links; empty: it is built in."""
    return libraries.linked(_FOLDER / f"libonnxruntime_providers_{name}.so")


def missing_libraries(name: str) -> list[libraries.Missing]:
    """Those of them that do not load. The others are loaded."""
    if name in ON_GPU and hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints, where events may go
            ort.preload_dlls()  # what the wheels of CUDA and cuDNN brought
    return libraries.missing(linked_libraries(name), _FOLDER.parents[1])


def tensorrt_version() -> str:
    """Version of the TensorRT that is linked, as it says it of itself."""
    names = [n for n in linked_libraries("tensorrt") if n.startswith("libnvinfer.so")]
    try:
        return str(ctypes.CDLL(names[0]).getInferLibVersion())
    except (OSError, AttributeError, IndexError):
        return "unknown"


def new_session(
    model: bytes,
    wanted: list[Attempt],
    threads: int,
    settings: ProviderSettings,
    severity: int = FATAL,
) -> Any:
    """A session that falls back to nothing; raises whatever onnxruntime does.

    Args:
        model: an ONNX file.
        wanted: providers and their options; nodes go to the first that takes them.
        threads: of a run.
        settings: of all providers.
        severity: from which on onnxruntime writes to standard error while it opens the model.
    """
    options = ort.SessionOptions()
    options.log_severity_level = ERROR
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = settings.cpu.arena
    options.enable_mem_pattern = settings.cpu.memory_pattern
    options.graph_optimization_level = _OPTIMIZATIONS[settings.cpu.graph_optimization]
    for key, value in providers.session_entries(settings).items():
        options.add_session_config_entry(key, value)
    # What it says of libraries that do not load, we say better.
    ort.set_default_logger_severity(severity)
    try:
        return ort.InferenceSession(model, options, providers=wanted, enable_fallback=0)
    finally:
        ort.set_default_logger_severity(WARNING)


def said_of(model: bytes, wanted: list[Attempt], threads: int, settings: ProviderSettings) -> str:
    """Why onnxruntime left a provider out, which it writes to standard error and nowhere else.

    So the session is opened once more; what failed at once does so again.
    """
    with heard() as lines, contextlib.suppress(Exception):
        new_session(model, wanted, threads, settings, ERROR)
    return next((plain(line) for line in lines if "[E:onnxruntime" in line), "")


def run_quietly(session: Any, x: dict[str, NDArray[Any]]) -> Outputs:
    """All outputs; if it fails, onnxruntime raises and writes nothing beside."""
    quiet = ort.RunOptions()
    quiet.log_severity_level = FATAL
    outputs: Outputs = session.run(None, x, quiet)
    return outputs


def placement(session: Any) -> dict[str, int]:
    """How many nodes run on which provider, by short name, the most first.

    Empty where this onnxruntime does not tell.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[short_name(part.ep_name)] += len(part.get_nodes())
    return dict(nodes.most_common())
