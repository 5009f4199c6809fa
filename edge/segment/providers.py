"""Where a model can run: in which order it is tried, and with what options. Pure functions.

The names of the options are onnxruntime's own (docs/execution-providers of microsoft/onnxruntime);
all values are texts, as it wants them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.installing import onnxruntime_with
from edge.segment.sizing import Profile, Size, by

PROVIDERS = {  # from the fastest to the one that always works
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
Options = dict[str, str]
Attempt = tuple[str, Options]  # full name of a provider
SMALL_BYTES = 64 << 20  # of a model's file
MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class CpuSettings:
    """How the CPU is used.

    Measured with the default model at 384 x 640 on onnxruntime 1.32: 100 MB of memory as set here,
    113 MB with planned memory, 122 to 148 MB without an arena, all at the same speed.
    """

    arena: bool = True
    memory_pattern: bool = False  # planned memory, kept for each shape of the input
    # Spinning steals the CPU from the decoder and the tracker between frames.
    spinning: bool = False
    at_once: int | None = 1  # runs, called from as many threads; None: as many as are good
    graph_optimization: str = "all"  # or extended, basic, none
    options: Mapping[str, str] = field(default_factory=dict)  # entries of a session's config


@dataclass(frozen=True, slots=True)
class CudaSettings:
    """How CUDA is used."""

    memory_mb: int | None = None
    conv_search: str = "heuristic"  # or exhaustive, default
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TensorRTSettings:
    """How TensorRT builds and keeps engines. Sizes are (height, width), pixels."""

    fp16: bool = True
    workspace_mb: int = 1024
    optimization_level: int = 3
    cache: str | None = None  # folder
    min_hw: Size | None = None
    best_hw: Size | None = None
    max_hw: Size | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenVinoSettings:
    """How OpenVINO is used."""

    device: str = "CPU"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """All that can be set about where a model runs."""

    gpu: int = 0  # number of the GPU
    cpu: CpuSettings = CpuSettings()
    cuda: CudaSettings = CudaSettings()
    tensorrt: TensorRTSettings = TensorRTSettings()
    openvino: OpenVinoSettings = OpenVinoSettings()
    longest_px: int | None = None  # longest side of the input that is asked for
    batch: int = 1  # most pictures a run


def attempts(wanted: str, listed: Sequence[str], strict: bool) -> list[str]:
    """Short names of the providers to try, in order.

    Args:
        wanted: one of `PROVIDERS`, or auto: those that are listed.
        listed: full names of those that this onnxruntime was built with.
        strict: only the first.

    >>> attempts("auto", ["CUDAExecutionProvider", "CPUExecutionProvider"], False)
    ['cuda', 'cpu']
    >>> attempts("tensorrt", ["CPUExecutionProvider"], False)
    ['tensorrt', 'cpu']
    """
    known = list(PROVIDERS)
    after = known if wanted == "auto" else known[known.index(wanted) :]
    tried = [name for name in after if name == wanted or PROVIDERS[name] in listed]
    return tried[:1] if strict else tried


def runs_at_once(settings: CpuSettings, threads: int, model_bytes: int) -> int:
    """How many pictures the CPU works on at once, sharing the threads.

    The threads of one run wait for each other after every operator: a small model on two threads
    takes .7 to .85 of the time of one, not half. Two runs of one thread each wait for nobody, and
    their results are the same to the bit. Large models lose less and need more memory a run.

    >>> many = CpuSettings(at_once=None)
    >>> runs_at_once(many, 2, 6 << 20), runs_at_once(many, 2, 200 << 20)
    (2, 1)
    """
    if settings.at_once is not None:
        return max(1, min(settings.at_once, threads))
    return min(threads, MOST_AT_ONCE) if model_bytes <= SMALL_BYTES else 1


def threads_of_a_run(threads: int, at_once: int) -> int:
    """What onnxruntime is told, so that all runs together use `threads`, and none is left idle.

    A run computes on the thread that calls it, and on those of the session, one fewer than it is
    told of, which all runs at the time share.

    >>> [threads_of_a_run(threads, 4) for threads in (4, 6, 8)], threads_of_a_run(2, 1)
    ([1, 3, 5], 2)
    """
    return threads - at_once + 1


def not_built_in(name: str, version: str, listed: Sequence[str], on_jetson: bool) -> str:
    """Why a provider cannot be had whose onnxruntime was built without it, and the remedy."""
    had = [short for short, full in PROVIDERS.items() if full in listed]
    return (
        f"an onnxruntime {version} that has {', '.join(had) or 'none'}; "
        f"{onnxruntime_with(name, on_jetson)}, or use --provider auto"
    )


def remedy(name: str, why: str, on_jetson: bool) -> str:
    """What to do about a provider that has its libraries and yet does not run a model.

    Args:
        name: tensorrt, cuda or openvino.
        why: what onnxruntime said of it.
        on_jetson: whether JetPack's wheels are advised.

    >>> remedy("openvino", "Device GPU is missing", False)
    'choose another model.openvino.device, or run on the CPU: --provider cpu'
    """
    instead = "or run on the CPU: --provider cpu"
    if "no kernel image" in why.lower():
        wheel = onnxruntime_with(name, on_jetson)
        return f"this onnxruntime was not built for this GPU: {wheel}, {instead}"
    if any(word in why.lower() for word in ("out of memory", "allocate memory", "bfc_arena")):
        return f"free memory of the GPU, or choose a smaller --input-size, {instead}"
    if name == "openvino":
        return f"choose another model.openvino.device, {instead}"
    return f"update the GPU's driver or its libraries (`edge doctor` names them), {instead}"


def short_name(full: str) -> str:
    """`cpu` for CPUExecutionProvider, and so on.

    >>> short_name("CPUExecutionProvider"), short_name("AzureExecutionProvider")
    ('cpu', 'azure')
    """
    known = {v: k for k, v in PROVIDERS.items()}
    return known.get(full, full.removesuffix("ExecutionProvider").lower())


def session_entries(settings: ProviderSettings) -> Options:
    """Entries of a session's config, whatever the provider.

    Their names are those of onnxruntime_session_options_config_keys.h.
    """
    return {
        "session.intra_op.allow_spinning": "1" if settings.cpu.spinning else "0",
        "session.record_ep_graph_assignment_info": "1",  # so that nodes can be counted
        **settings.cpu.options,
    }


def cuda(settings: ProviderSettings) -> Options:
    """Options of CUDA: memory taken as needed, so that a small board's is left to others."""
    its = settings.cuda
    options = {
        "device_id": str(settings.gpu),
        "arena_extend_strategy": "kSameAsRequested",
        # Trying every algorithm (the default) takes seconds for each new shape of the input.
        "cudnn_conv_algo_search": its.conv_search.upper(),
    }
    if its.memory_mb is not None:
        options["gpu_mem_limit"] = str(its.memory_mb << 20)
    return options | dict(its.options)


def openvino(settings: ProviderSettings, threads: int) -> Options:
    """Options of OpenVINO."""
    its = settings.openvino
    options = {"device_type": its.device}
    if its.device.upper() == "CPU":
        options["num_of_threads"] = str(threads)
    return options | dict(its.options)


def tensorrt(settings: ProviderSettings, input_name: str, profile: Profile | None) -> Options:
    """Options of TensorRT that decide an engine; `kept_in` adds where it is kept."""
    its = settings.tensorrt
    options = {
        "device_id": str(settings.gpu),
        "trt_fp16_enable": _flag(its.fp16),
        # Without it the LayerNorms of transformers overflow in fp16; other models have none.
        "trt_layer_norm_fp32_fallback": _flag(its.fp16),
        "trt_max_workspace_size": str(its.workspace_mb << 20),
        "trt_builder_optimization_level": str(its.optimization_level),
        # A model split in several engines needs the memory of the largest only.
        "trt_context_memory_sharing_enable": _flag(True),
    }
    if profile is not None and profile.least != profile.most:
        # Without the three, every new shape builds an engine.
        options |= {
            "trt_profile_min_shapes": f"{input_name}:{by(profile.least)}",
            "trt_profile_opt_shapes": f"{input_name}:{by(profile.best)}",
            "trt_profile_max_shapes": f"{input_name}:{by(profile.most)}",
        }
    return options | dict(its.options)


def kept_in(engine_folder: str, timing_folder: str) -> Options:
    """Options of TensorRT that name the folders of an engine and of timings."""
    return {
        "trt_engine_cache_enable": _flag(True),
        "trt_engine_cache_path": engine_folder,
        "trt_timing_cache_enable": _flag(True),
        "trt_timing_cache_path": timing_folder,
    }


def _flag(is_on: bool) -> str:
    return "True" if is_on else "False"  # 1 and 0 are refused
