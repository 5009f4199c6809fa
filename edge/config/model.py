"""The model's section of the config: which one, how it is read, and where it runs.

A section for each provider holds what may be set about it; `options` hands anything else on to
onnxruntime, by its own names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from edge.config.section import Section
from edge.config.values import Share, Text, expected


def _names_or_file(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return value
    names = list(value) if isinstance(value, list | tuple) else []
    if names and all(isinstance(name, str) and name.strip() for name in names):
        return tuple(names)
    raise expected("a file of class names, or a list of them")


SidePx = Annotated[int, Field(ge=32, le=4096)]
Options = dict[Text, Text]
ClassNames = Annotated[str | tuple[str, ...], BeforeValidator(_names_or_file)]


class Cpu(Section):
    """The CPU."""

    at_once: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Frames that the model works on at once, which share the threads; "
        "left out: as many as there are threads, at most 4, and 1 for a file above 64 MB.",
    )
    arena: bool = Field(
        default=True, description="Keep the memory of one run for the next; faster, and less of it."
    )
    memory_pattern: bool = Field(
        default=False, description="Plan the memory of a run for each size of the input."
    )
    spinning: bool = Field(
        default=False, description="Threads wait busily; faster alone, slower beside other work."
    )
    graph_optimization: Literal["all", "extended", "basic", "none"] = Field(
        default="all",
        description="How far onnxruntime rewrites the model as it opens it, whatever the provider: "
        "all, extended, basic or none.",
    )
    options: Options = Field(
        default={},
        description="Entries of onnxruntime's session config, as texts, whatever the provider.",
    )


class Cuda(Section):
    """NVIDIA's CUDA."""

    memory_mb: int | None = Field(
        default=None,
        ge=16,
        le=1_000_000,
        description="Most GPU memory for the model's data, megabytes; left out: no limit.",
    )
    conv_search: Literal["heuristic", "exhaustive", "default"] = Field(
        default="heuristic",
        description="How the way to compute a convolution is chosen: heuristic, exhaustive "
        "(seconds for each new input size) or default.",
    )
    options: Options = Field(
        default={}, description="Further options of onnxruntime's CUDA provider, as texts."
    )


class TensorRT(Section):
    """NVIDIA's TensorRT."""

    fp16: bool = Field(default=True, description="Compute with 16 bits where that is good enough.")
    workspace_mb: int = Field(
        default=1024,
        ge=16,
        le=1_000_000,
        description="Most GPU memory while an engine is built and runs, megabytes.",
    )
    optimization_level: int = Field(
        default=3,
        ge=0,
        le=5,
        description="0 builds soonest, 5 searches longest for a faster engine.",
    )
    cache: Text | None = Field(
        default=None,
        description="Folder of built engines; left out: in the cache folder of the service or "
        "user.",
    )
    min_size: tuple[SidePx, SidePx] | None = Field(
        default=None,
        strict=False,
        description="Least [height, width] of the input, pixels, for a model that takes any; left "
        "out: its stride, so that frames of any shape fit.",
    )
    best_size: tuple[SidePx, SidePx] | None = Field(
        default=None,
        strict=False,
        description="The [height, width] for which the engine is best; left out: 16:9.",
    )
    max_size: tuple[SidePx, SidePx] | None = Field(
        default=None,
        strict=False,
        description="Greatest [height, width]; left out: a square of its longest side.",
    )
    options: Options = Field(
        default={}, description="Further options of onnxruntime's TensorRT provider, as texts."
    )


class OpenVino(Section):
    """Intel's OpenVINO."""

    device: Text = Field(default="CPU", description="CPU, GPU, NPU, or as OpenVINO names it.")
    options: Options = Field(
        default={}, description="Further options of onnxruntime's OpenVINO provider, as texts."
    )


class Model(Section):
    """The segmentation model and how it runs."""

    name: Text | None = Field(
        default=None,
        description="Name in the catalogue, or path of an ONNX file; left out: the catalogue's "
        "default.",
    )
    family: Text | None = Field(
        default=None,
        description="How its outputs are read, such as yolo or rfdetr; left out: found out.",
    )
    class_names: ClassNames | None = Field(
        default=None,
        description="Names of its classes, in order: a list, or a text file with one a line; left "
        "out: its own.",
    )
    provider: Literal["auto", "tensorrt", "cuda", "openvino", "cpu"] = Field(
        default="auto",
        description="Where it runs: auto, tensorrt, cuda, openvino or cpu; auto takes the first of "
        "these that works here.",
    )
    strict_provider: bool = Field(
        default=False,
        description="Stop if the provider asked for does not work, instead of using the CPU.",
    )
    gpu: int = Field(default=0, ge=0, le=63, description="Number of the GPU.")
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="CPU threads of the model; left out: as many as this process may use.",
    )
    input_size: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        multiple_of=32,
        description="Longest side of the model's input, pixels, a multiple of 32; left out: the "
        "model's own.",
    )
    batch: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Most frames, of different cameras, in one run of the model.",
    )
    min_score: Share = Field(default=0.2, description="Lowest score handed to the tracker, 0..1.")
    nms_iou: Share = Field(
        default=0.65,
        description="Overlap of two boxes of one class, 0..1, above which the worse is dropped.",
    )
    cpu: Cpu = Field(default=Cpu(), description="How the CPU is used.")
    cuda: Cuda = Field(default=Cuda(), description="How CUDA is used.")
    tensorrt: TensorRT = Field(default=TensorRT(), description="How TensorRT is used.")
    openvino: OpenVino = Field(default=OpenVino(), description="How OpenVINO is used.")
