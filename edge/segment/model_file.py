"""What an ONNX file says about itself, once it is open."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError

Outputs = list[NDArray[Any]]  # of one run, in the order of the model
Shape = tuple[int | None, ...]  # None where any size is taken

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What an ONNX file says about itself."""

    path: Path
    sha256: str
    metadata: dict[str, str]
    input_name: str
    input_shape: Shape  # (n, 3, h, w) or (3, h, w)
    outputs: tuple[tuple[str, Shape], ...]
    input_dtype: type = np.float32

    def names(self) -> tuple[str, ...]:
        """Class names from the metadata entry `names`; empty when there is none."""
        try:
            names = ast.literal_eval(self.metadata.get("names", "{}"))
            return tuple(str(names[i]) for i in range(len(names)))
        except (ValueError, SyntaxError, KeyError, TypeError):
            return ()

    @property
    def is_single(self) -> bool:
        """Whether its input is one picture, without a batch's axis."""
        return len(self.input_shape) == 3

    @property
    def batch(self) -> int | None:
        """How many pictures a run takes; None: as many as one likes."""
        return 1 if self.is_single else self.input_shape[0]

    @property
    def fixed_hw(self) -> tuple[int, int] | None:
        """Height and width of its input, pixels; None: it takes any."""
        height, width = self.input_shape[-2:]
        return (height, width) if height and width else None


def model_file(path: Path, sha256: str, session: Any) -> ModelFile:
    """What a session of onnxruntime says of its file.

    Raises:
        ModelError: its input is not one colour picture.
    """
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in INPUT_TYPES:
        got = ", ".join(f"{i.name} {i.type}{i.shape}" for i in inputs) or "none"
        raise ModelError(f"{path}: expected one picture of float32 or float16 as input, got {got}")
    shape = _dims(inputs[0].shape)
    if len(shape) not in (3, 4) or shape[-3] not in (3, None) or 0 in shape:
        raise ModelError(f"{path}: expected an input (1, 3, height, width), got {shape}")
    return ModelFile(
        path,
        sha256,
        dict(session.get_modelmeta().custom_metadata_map),
        inputs[0].name,
        shape,
        tuple((o.name, _dims(o.shape)) for o in session.get_outputs()),
        INPUT_TYPES[inputs[0].type],
    )


def _dims(shape: list[object]) -> Shape:
    return tuple(d if isinstance(d, int) else None for d in shape)
