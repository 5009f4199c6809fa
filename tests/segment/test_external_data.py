"""Weights in files beside the model, wherever onnx can put a tensor."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edge.errors import ModelError
from edge.segment import Session, find_model
from edge.segment.external_data import other_files

PICTURE = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])
RESULT = helper.make_tensor_value_info("location", TensorProto.FLOAT, [1, 3, 8, 8])


def outside(name: str, file: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones((1, 3, 8, 8), np.float32), name)
    onnx.external_data_helper.set_external_data(tensor, file)
    tensor.ClearField("raw_data")
    return tensor


def model(nodes, constants=(), **more) -> bytes:
    graph = helper.make_graph(nodes, "g", [PICTURE], [RESULT], list(constants))
    # Of the same form as an entry that names a file, but of something else.
    graph.value_info.append(RESULT)
    made = helper.make_model(graph, ir_version=8, **more)
    helper.set_model_props(made, {"location": "the yard"})
    return made.SerializeToString()


ADD = helper.make_node("Add", ["images", "w"], ["location"])


def test_a_file_that_is_whole():
    weights = numpy_helper.from_array(np.ones((1, 3, 8, 8), np.float32), "w")
    whole = model([ADD], [weights])
    assert b"\x0a\x08location" in whole
    assert other_files(whole) == []
    assert other_files(find_model(None).path.read_bytes()) == []


def test_weights():
    found = other_files(model([ADD], [outside("w", "a.bin"), outside("v", "b.bin")]))
    assert found == ["a.bin", "b.bin"]
    assert other_files(model([ADD], [outside("w", "a"), outside("v", "a")])) == ["a"]


def test_constants_and_those_in_branches():
    constant = helper.make_node("Constant", [], ["w"], value=outside("w", "c.bin"))
    assert other_files(model([constant, ADD])) == ["c.bin"]
    inner = helper.make_graph([], "inner", [], [RESULT], [outside("location", "d.bin")])
    condition = numpy_helper.from_array(np.array(True), "is")
    branch = helper.make_node("If", ["is"], ["location"], then_branch=inner, else_branch=inner)
    assert other_files(model([branch], [condition])) == ["d.bin"]


def test_functions():
    constant = helper.make_node("Constant", [], ["w"], value=outside("w", "f.bin"))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "F", ["images"], ["location"], [constant, ADD], opsets)
    node = helper.make_node("F", ["images"], ["location"], domain="own")
    assert other_files(model([node], functions=[function], opset_imports=opsets)) == ["f.bin"]


def test_sparse_weights():
    sparse = onnx.SparseTensorProto(values=outside("w", "s.bin"), dims=[1])
    made = onnx.load_model_from_string(model([ADD]))
    made.graph.sparse_initializer.append(sparse)
    assert other_files(made.SerializeToString()) == ["s.bin"]


@given(st.data())
def test_what_is_no_model_names_nothing(data):
    whole = model([ADD], [outside("w", "a.bin")])
    end = data.draw(st.integers(0, len(whole)))
    assert other_files(whole[:end]) in ([], ["a.bin"])
    noise = data.draw(st.binary(max_size=200))
    assert isinstance(other_files(noise + b"\x0a\x08location" + noise), list)


@pytest.fixture
def split(tmp_path, square_model):
    """A model that is fine, but for its weights, which lie beside it."""
    path = tmp_path / "split" / "split.onnx"
    path.parent.mkdir()
    made = onnx.load(square_model)
    onnx.save(made, path, save_as_external_data=True, location="split.weights", size_threshold=0)
    assert (path.parent / "split.weights").exists()
    return path


@pytest.mark.parametrize("is_beside", [False, True])
def test_it_is_refused_from_wherever_it_is_opened(split, monkeypatch, is_beside):
    monkeypatch.chdir(split.parent if is_beside else split.parents[1])
    with pytest.raises(ModelError) as told:
        Session(split, "cpu", 1)
    assert str(told.value).startswith(
        f"{split}: expected an ONNX model in one file, got one whose weights lie in others "
        "(split.weights); save it as one: `python -c "
    )


def test_the_remedy_mends_it(split, monkeypatch, tmp_path):
    with pytest.raises(ModelError) as told:
        Session(split, "cpu", 1)
    command = str(told.value).partition('`python -c "')[2].removesuffix('"`')
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", command], check=True)
    assert Session(tmp_path / "whole.onnx", "cpu", 1).file.input_shape == (1, 3, 48, 64)


def test_every_command_refuses_it(split, edge, scene, monkeypatch):
    monkeypatch.chdir(split.parent)
    for arguments in (
        ("run", scene(), "--model", split),
        ("models", "show", split),
        ("models", "add", split, "--name", "yard"),
    ):
        result = edge(*arguments)
        assert result.code == 4
        assert "whose weights lie in others (split.weights)" in result.err
