"""Tiny ONNX models whose outputs are known by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

NAMES = "{0: 'person', 1: 'car'}"
SaveModel = Callable[..., Path]


def _save(path: Path, nodes, inputs, outputs, constants, metadata) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        outputs,
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def save_fixed(tmp_path: Path) -> SaveModel:
    """Saves a model that gives the same arrays for any picture."""

    def save(
        outputs: Sequence[np.ndarray],
        input_shape: Sequence[int | str] = (1, 3, 64, 64),
        metadata: dict[str, str] | None = None,
        input_type: int = TensorProto.FLOAT,
        input_names: Sequence[str] = ("images",),
        takes_only: tuple[int, int] = (1, 1),  # height and width; (1, 1): any
    ) -> Path:
        constants = {
            "nothing": np.zeros((), np.float32),
            "positions": np.zeros(takes_only, np.float32),
        }
        cast = helper.make_node("Cast", [input_names[0]], ["values"], to=TensorProto.FLOAT)
        nodes = [
            cast,
            helper.make_node("Add", ["values", "positions"], ["picture"]),
            helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        ]
        infos = []
        for k, array in enumerate(outputs):
            constants[f"c{k}"] = array.astype(np.float32)
            nodes.append(helper.make_node("Add", [f"c{k}", "zero"], [f"output{k}"]))
            infos.append(
                helper.make_tensor_value_info(f"output{k}", TensorProto.FLOAT, array.shape)
            )
        pictures = [helper.make_tensor_value_info(n, input_type, input_shape) for n in input_names]
        stated = {"names": NAMES} if metadata is None else metadata
        return _save(tmp_path / "fixed.onnx", nodes, pictures, infos, constants, stated)

    return save


@pytest.fixture
def save_named(tmp_path: Path) -> SaveModel:
    """Saves a model that gives the same named arrays, of their own types, for any picture."""

    def save(
        outputs: dict[str, np.ndarray],
        input_shape: Sequence[int | str] = (1, 3, 64, 64),
        metadata: dict[str, str] | None = None,
        input_type: int = TensorProto.FLOAT,
    ) -> Path:
        nodes = [helper.make_node("Identity", [f"its {k}"], [k]) for k in outputs]
        infos = [
            helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for k, a in outputs.items()
        ]
        picture = helper.make_tensor_value_info("picture", input_type, input_shape)
        constants = {f"its {k}": a for k, a in outputs.items()}
        return _save(tmp_path / "named.onnx", nodes, [picture], infos, constants, metadata or {})

    return save


@pytest.fixture
def save_telling(tmp_path: Path) -> SaveModel:
    """Saves a model of `batch` pictures that finds one person in each: the brighter, the surer."""

    def save(batch: int | str) -> Path:
        cells, slope = np.zeros((2, 1, 8, 12), np.float32)
        cells[0, :, 0] = [32, 32, 16, 8, 0.25, 0, 1, 0]
        slope[0, 4, 0] = 0.5
        constants = {
            "cells": cells,
            "slope": slope,
            "planes": np.ones((1, 2, 16, 16), np.float32),
            "nothing": np.zeros((), np.float32),
        }
        nodes = [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[2, 3], keepdims=1),
            helper.make_node("ReduceMean", ["mean"], ["bright"], axes=[1], keepdims=1),
            helper.make_node("Squeeze", ["bright", "last"], ["grey"]),
            helper.make_node("Mul", ["grey", "slope"], ["more"]),
            helper.make_node("Add", ["more", "cells"], ["output0"]),
            helper.make_node("Mul", ["bright", "nothing"], ["black"]),
            helper.make_node("Add", ["black", "planes"], ["output1"]),
        ]
        constants["last"] = np.array([3], np.int64)
        picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 64, 64])
        outputs = [
            helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 8, 12]),
            helper.make_tensor_value_info("output1", TensorProto.FLOAT, [batch, 2, 16, 16]),
        ]
        metadata = {"names": NAMES}
        return _save(tmp_path / "telling.onnx", nodes, [picture], outputs, constants, metadata)

    return save


@pytest.fixture
def save_dynamic(tmp_path: Path) -> SaveModel:
    """Saves a model of any input size with (h / 8) (w / 8) cells, all grey, and no instance."""

    def save(classes: int, metadata: dict[str, str], coefficients: int = 32) -> Path:
        rows = 4 + classes + coefficients
        constants = {
            "flat": np.array([1, 1, -1], np.int64),
            "rows": np.array([1, rows, 1], np.int64),
            "planes": np.array([1, coefficients, 1, 1], np.int64),
            "nothing": np.zeros((), np.float32),
        }
        pool = {"AveragePool": 8, "MaxPool": 4}
        nodes = [
            helper.make_node("ReduceMean", ["images"], ["grey"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["grey", "nothing"], ["black"]),
            *[
                helper.make_node(op, ["black"], [op], kernel_shape=[side] * 2, strides=[side] * 2)
                for op, side in pool.items()
            ],
            helper.make_node("Reshape", ["AveragePool", "flat"], ["cells"]),
            helper.make_node("Tile", ["cells", "rows"], ["output0"]),
            helper.make_node("Tile", ["MaxPool", "planes"], ["output1"]),
        ]
        picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "h", "w"])
        outputs = [
            helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, rows, "a"]),
            helper.make_tensor_value_info(
                "output1", TensorProto.FLOAT, [1, coefficients, "ph", "pw"]
            ),
        ]
        return _save(tmp_path / "any.onnx", nodes, [picture], outputs, constants, metadata)

    return save
