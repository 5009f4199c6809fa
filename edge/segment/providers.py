"""Where a model can run: in which order it is tried, and with what options. Pure functions.

The names of the options are onnxruntime's own (docs/execution-providers of microsoft/onnxruntime);
all values are texts, as it wants them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.installing import onnxruntime_with

PROVIDERS = {  # from the fastest to the one that always works
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
Options = dict[str, str]
Attempt = tuple[str, Options]  # full name of a provider
STEP_PX = 32
SMALL_BYTES = 64 << 20  # of a model's file
MOST_AT_ONCE = 4
FIRST_PX = 256  # of the first picture that a model of any size is shown


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
    min_hw: tuple[int, int] | None = None
    best_hw: tuple[int, int] | None = None
    max_hw: tuple[int, int] | None = None
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


@dataclass(frozen=True, slots=True)
class Profile:
    """Least, usual and greatest shape (n, 3, h, w) of an input that may have several."""

    least: tuple[int, ...]
    best: tuple[int, ...]
    most: tuple[int, ...]

    @property
    def text(self) -> str:
        """As it stands in the name of an engine's folder."""
        if self.least == self.most:
            return _by(self.most)
        return f"{_by(self.least)}_{_by(self.best)}_{_by(self.most)}"


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
    """How many pictures the CPU works on at once, each with its share of the threads.

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


def not_built_in(name: str, version: str, listed: Sequence[str], on_jetson: bool) -> str:
    """Why a provider cannot be had whose onnxruntime was built without it, and the remedy."""
    had = [short for short, full in PROVIDERS.items() if full in listed]
    return (
        f"an onnxruntime {version} that has {', '.join(had) or 'none'}; "
        f"{onnxruntime_with(name, on_jetson)}, or use --provider auto"
    )


def short_name(full: str) -> str:
    """`cpu` for CPUExecutionProvider, and so on.

    >>> short_name("CPUExecutionProvider"), short_name("AzureExecutionProvider")
    ('cpu', 'azure')
    """
    known = {v: k for k, v in PROVIDERS.items()}
    return known.get(full, full.removesuffix("ExecutionProvider").lower())


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
            "trt_profile_min_shapes": f"{input_name}:{_by(profile.least)}",
            "trt_profile_opt_shapes": f"{input_name}:{_by(profile.best)}",
            "trt_profile_max_shapes": f"{input_name}:{_by(profile.most)}",
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


def profile(
    shape: Sequence[int | None], metadata: Mapping[str, str], settings: ProviderSettings
) -> Profile | None:
    """The shapes that an input must take, for TensorRT.

    A letterboxed picture's longest side is known, the other follows from the frame: from a
    quarter of it to all of it is allowed, and 9:16 is what the engine is made best for.

    Args:
        shape: of the input, (n, 3, h, w) or (3, h, w), None where it is free.
        metadata: of the model: `imgsz` and `stride`.
        settings: what is asked for.

    Returns:
        None if it is free and nothing tells which sizes will come: TensorRT then builds for those
        that do.

    >>> profile((1, 3, 640, 640), {}, ProviderSettings()).text
    '1x3x640x640'
    >>> profile((None, 3, None, None), {}, ProviderSettings(longest_px=640, batch=4)).text
    '1x3x160x160_1x3x384x640_4x3x640x640'
    """
    its = settings.tensorrt
    if None not in shape:
        sizes = tuple(size or 1 for size in shape)
        return Profile(sizes, sizes, sizes)
    lead: tuple[int | None, ...] = tuple(shape[:-3])  # the batch, if there is one
    if None not in shape[-2:]:
        least = best = most = (shape[-2] or 1, shape[-1] or 1)
    else:
        longest = settings.longest_px or _largest(metadata.get("imgsz", "")) or 0
        given = its.min_hw, its.best_hw, its.max_hw
        if not longest and None in given:
            return None
        step = _largest(metadata.get("stride", "")) or STEP_PX
        quarter, height = _up(longest / 4, step), _up(longest * 9 / 16, step)
        greatest = max(_up(longest, step), _up(FIRST_PX, step))
        least = its.min_hw or (quarter, quarter)
        best = its.best_hw or (height, _up(longest, step))
        most = its.max_hw or (greatest, greatest)
    few = tuple(1 if n is None else n for n in lead)
    many = tuple(max(1, settings.batch) if n is None else n for n in lead)
    return Profile((*few, 3, *least), (*few, 3, *best), (*many, 3, *most))


def _largest(text: str) -> int:
    return max((int(size) for size in re.findall(r"\d+", text)), default=0)


def _up(px: float, step: int) -> int:
    """The next multiple of a step."""
    return math.ceil(px / step) * step


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _flag(is_on: bool) -> str:
    return "True" if is_on else "False"  # 1 and 0 are refused
