"""Export trained weights as ONNX in the YOLO-seg raw convention, with metadata, and check them."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import onnxslim
import torch
from model import CLASS_NAMES, Segmenter

OPSET = 17
LARGEST_MB = 6.0
CHECKED_SHAPES = ((1, 3, 480, 640), (1, 3, 416, 416), (2, 3, 256, 320))


def blended(weights: list[Path], shares: list[float]) -> dict[str, torch.Tensor]:
    """Weighted mean of checkpoints of one training run (Wortsman et al., arXiv:2203.05482)."""
    states = [torch.load(path) for path in weights]
    return {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
        if value.is_floating_point()
        else value
        for name, value in states[-1].items()
    }


def exported(state: dict[str, torch.Tensor], out: Path) -> None:
    """Write `out` and compare it with the weights on random input of several shapes."""
    model = Segmenter()
    model.load_state_dict(state)
    model.eval()
    torch.onnx.export(
        model,
        (torch.rand(1, 3, 416, 416),),
        str(out),
        input_names=["images"],
        output_names=["output0", "output1"],
        opset_version=OPSET,
        dynamo=False,
        dynamic_axes={
            "images": {0: "batch", 2: "height", 3: "width"},
            "output0": {0: "batch", 2: "cells"},
            "output1": {0: "batch", 2: "mask_height", 3: "mask_width"},
        },
    )
    graph = onnxslim.slim(onnx.load(out))
    del graph.metadata_props[:]
    for key, value in metadata().items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    onnx.save(graph, out)
    session = ort.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    for shape in CHECKED_SHAPES:
        x = torch.rand(shape)
        with torch.no_grad():
            wanted = model(x)
        got = session.run(None, {"images": x.numpy()})
        for a, b in zip(wanted, got, strict=True):
            np.testing.assert_allclose(b, a.numpy(), rtol=1e-2, atol=2e-2)
    size_mb = out.stat().st_size / 1e6
    if size_mb > LARGEST_MB:
        raise SystemExit(f"{out}: expected at most {LARGEST_MB} MB, got {size_mb:.2f}")
    print(f"{out}: {size_mb:.2f} MB, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


def metadata() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return {
        "description": "People and vehicles: YOLOX-Nano detector with a prototype mask branch",
        "author": "the edgecount authors",
        "license": "Apache-2.0",
        "version": "1.0",
        "task": "segment",
        "stride": "32",
        "batch": "1",
        "imgsz": "[640, 640]",
        "channels": "3",
        "end2end": "False",
        "names": str(dict(enumerate(CLASS_NAMES))),
        "training_data": "COCO (annotations CC BY 4.0), Penn-Fudan, web pictures; "
        "detector weights: YOLOX-Nano, Megvii, Apache-2.0",
        "commit": commit,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0])
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    exported(blended(given.weights, given.shares), given.out)
