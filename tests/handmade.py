"""Arrays in the conventions of model families, made by hand, and how they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge import masks as mask_ops
from edge.segment.families import recognised
from edge.segment.model_file import ModelFile


def model_file(outputs: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> ModelFile:
    """A file that says it has these outputs."""
    stated = tuple((name, output.shape) for name, output in outputs.items())
    return ModelFile(Path("m.onnx"), "", metadata or {}, "input", (1, 3, 64, 64), stated)


def reading_of(outputs, names=None, metadata=None, family=None):
    """How outputs are read."""
    return recognised(model_file(outputs, metadata), list(outputs.values()), family, names)


def rectangle(shape, x1, y1, x2, y2, inside=1.0, outside=0.0) -> np.ndarray:
    """A plane with a rectangle in it, float32."""
    plane = np.full(shape, outside, np.float32)
    plane[y1:y2, x1:x2] = inside
    return plane


def filled(instances, k: int) -> tuple[int, ...]:
    """Window x1, y1, x2, y2 of mask k, a rectangle but for the corners that interpolation cuts."""
    x1, y1, x2, y2 = mask_ops.extents(instances.masks)[k].tolist()
    crop = instances.masks.crop(k)
    h, w = crop.shape
    assert (w, h) == (x2 - x1, y2 - y1)
    assert crop[h // 4 : -h // 4].all()
    assert crop[:, w // 4 : -w // 4].all()
    return x1, y1, x2, y2
