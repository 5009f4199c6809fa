"""Quantise the default model to int8 (static, QDQ), calibrated on pictures that it should see.

    scripts/quantize_default_model train.json --out int8.onnx      # or a folder, or a video
    scripts/quantize_default_model street.mp4 --out int8.onnx --range minmax --activations s8

Weights are int8, one scale a channel; activations have one scale a tensor, from the values met on
the pictures. The last convolutions and what follows, which decide boxes, scores and masks, stay in
float, and so do the first two stages: few channels of high resolution, where int8 is slower.
What it costs and brings: docs/models.md, section int8.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from edge.errors import EdgeError
from edge.segment import Limits, Segmenter, Session
from edge.sources import VideoFile
from edge.sources.folder import picture
from edge.types import F32, U8

DEFAULT = Path(__file__).resolve().parent.parent / "models" / "person-vehicle-seg-nano.onnx"
OPERATORS = {
    "all": ("Conv", "Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize", "Relu"),
    "convolutions": ("Conv",),
}
RANGES = {
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
    "minmax": CalibrationMethod.MinMax,
}
ACTIVATIONS = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}
FIRST_STAGES = r"^/detector/c[12]/"  # nodes of the default model
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def images(source: Path, count: int, seed: int = 0) -> Iterator[U8]:
    """At most `count` pictures, BGR: drawn from COCO JSON or a folder, or spread over a video."""
    if source.suffix == ".json" or source.is_dir():
        files = _files(source)
        random.Random(seed).shuffle(files)
        for path in files[:count]:
            image = picture(path)
            if image is None:
                raise SystemExit(f"{path}: expected a picture, got a file that cannot be read")
            yield image
        return
    with VideoFile(source) as video:
        frames = sum(1 for _ in video)
    chosen = set(np.linspace(0, frames - 1, min(count, frames)).astype(int).tolist())
    with VideoFile(source) as video:
        yield from (frame.image for k, frame in enumerate(video) if k in chosen)


def _files(source: Path) -> list[Path]:
    """Pictures by name. Of COCO JSON those that are labelled fully: all sorts, none by far most."""
    if source.is_dir():
        found = sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
    else:
        listed = json.loads(source.read_text())["images"]
        found = [source.parent / i["file_name"] for i in listed if i.get("exhaustive", True)]
    if not found:
        raise SystemExit(f"{source}: expected pictures, got none")
    return found


class Tensors(CalibrationDataReader):  # type: ignore[misc]
    """Pictures as the network takes them, each in a square, since histograms want one shape."""

    def __init__(self, segmenter: Segmenter, pictures: Iterator[U8]) -> None:
        self._segmenter, self._pictures = segmenter, pictures
        self.count = 0

    def get_next(self) -> dict[str, F32] | None:
        image = next(self._pictures, None)
        if image is None:
            return None
        self.count += 1
        height, width = image.shape[:2]
        side = max(height, width)
        square = np.full((side, side, 3), 114, np.uint8)  # the grey that YOLO pads with
        square[:height, :width] = image
        tensor = self._segmenter.prepare(square).tensor.copy()
        return {self._segmenter.session.file.input_name: tensor}


def kept_in_float(model: onnx.ModelProto, pattern: str) -> list[str]:
    """Nodes that stay in float: the last convolutions and what follows, and those asked for.

    Args:
        model: in topological order, as ONNX demands.
        pattern: of names of more nodes; empty: none.

    Returns:
        Their names, in the order of the model.
    """
    # With what follows, for onnxruntime quantises a float convolution between int8 neighbours by
    # itself, with one scale for all its weights.
    to_convolve: set[str] = set()  # tensors that a convolution still comes after
    kept = []
    for node in reversed(model.graph.node):
        is_convolution = node.op_type == "Conv"
        is_last = not to_convolve.intersection(node.output)
        if not is_last or is_convolution:
            to_convolve.update(node.input)
        if is_last or (pattern and re.search(pattern, node.name)):
            kept.append(node.name)
    if pattern and not any(re.search(pattern, name) for name in kept):
        raise SystemExit(f"--float {pattern}: expected names of nodes, got no match")
    return kept[::-1]


def quantised(tensors: Tensors, args: argparse.Namespace) -> None:
    """Write `args.out`: the model in int8 but for what is kept, its metadata, how it was made."""
    source = onnx.load(args.model)
    kept = kept_in_float(source, args.float)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.out.parent) as folder:
        made = Path(folder) / "int8.onnx"
        quantize_static(
            args.model,  # not `source`, whose weights onnxruntime 1.20 would move out of it
            made,
            tensors,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS[args.operators]),
            nodes_to_exclude=kept,
            per_channel=True,
            reduce_range=args.reduce_range,
            activation_type=ACTIVATIONS[args.activations],
            weight_type=QuantType.QInt8,
            calibrate_method=RANGES[args.range],
            extra_options={"CalibPercentile": args.percentile},
        )
        model = onnx.load(made)
        described = f"int8 {args.activations}, {args.range}, {tensors.count} pictures"
        its = {p.key: p.value for p in source.metadata_props} | {"quantization": described}
        onnx.helper.set_model_props(model, its)
        onnx.checker.check_model(model)
        onnx.save(model, made)
        made.replace(args.out)
    inside = sum(n.op_type == "Conv" and n.name not in kept for n in source.graph.node)
    convolutions = sum(n.op_type == "Conv" for n in source.graph.node)
    print(
        f"{args.out}: {described}, {inside} of {convolutions} convolutions, "
        f"{args.out.stat().st_size / 1e6:.2f} MB"
    )


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/quantize_default_model", description=__doc__.splitlines()[0]
    )
    parser.add_argument("pictures", type=Path, help="COCO JSON, folder of pictures, or video")
    parser.add_argument("--model", type=Path, default=DEFAULT, metavar="FILE.onnx")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--count", type=int, default=32, metavar="N", help="pictures")
    parser.add_argument(
        "--input-size", type=int, default=416, metavar="PX", help="histograms of 32 take 6 GB"
    )
    parser.add_argument("--range", choices=RANGES, default="percentile", help="of activations")
    parser.add_argument("--percentile", type=float, default=99.99)
    parser.add_argument("--activations", choices=ACTIVATIONS, default="u8")
    parser.add_argument("--operators", choices=OPERATORS, default="all")
    parser.add_argument(
        "--float",
        default=FIRST_STAGES,
        metavar="REGEX",
        help="names of more nodes that stay in float; default: the first two stages",
    )
    parser.add_argument(
        "--reduce-range", action="store_true", help="weights of 7 bits, for CPUs without VNNI"
    )
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    args = arguments(given)
    logging.getLogger().setLevel(logging.ERROR)  # it advises an optimisation that the file has
    try:
        session = Session(args.model, "cpu")
        segmenter = Segmenter(session, Limits(), args.input_size)
        tensors = Tensors(segmenter, images(args.pictures, args.count))
        quantised(tensors, args)
    except EdgeError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
