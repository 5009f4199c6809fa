"""The program that quantises a model, on a network of four convolutions."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.segment import Limits, Segmenter, Session

NAMES = "{0: 'person', 1: 'car'}"
PICTURES = 4
CLIP = Path(__file__).parents[1] / "data" / "people.mp4"


@pytest.fixture(scope="session")
def program():
    return importlib.import_module("quantize_default_model")


@pytest.fixture
def quantise(program, pictures, network, tmp_path):
    """Runs the program on `network` and gives the model that it wrote."""

    def run(*options, source=pictures):
        out = tmp_path / "made" / "int8.onnx"
        given = [source, "--model", network, "--out", out, "--input-size", 64, *options]
        program.main([str(g) for g in given])
        assert [p.name for p in out.parent.iterdir()] == ["int8.onnx"]
        return out

    return run


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(PICTURES):
        noise = np.random.default_rng(k).integers(0, 256, (30 + 10 * k, 50, 3), np.uint8)
        cv2.imwrite(str(folder / f"{k}.png"), noise)
    return folder


@pytest.fixture
def network(tmp_path):
    """Two layers, one of them depthwise, then rows of boxes, scores, coefficients; prototypes."""
    rng = np.random.default_rng(0)
    shapes = {
        "stem": (8, 3, 4, 4),
        "deep": (8, 1, 3, 3),
        "rows": (38, 8, 2, 2),
        "out": (32, 8, 1, 1),
    }
    constants = {
        f"{name}.weight": (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype("f4")
        for name, shape in shapes.items()
    }
    constants["flat"] = np.array([0, 38, -1], np.int64)

    def convolution(name, x, stride, **more):
        size = shapes[name][2]
        pads = [size // 2 if stride == 1 else 0] * 4
        more |= {"strides": [stride] * 2, "pads": pads, "kernel_shape": [size] * 2}
        return helper.make_node("Conv", [x, f"{name}.weight"], [name], f"/{name}/Conv", **more)

    nodes = [
        convolution("stem", "images", 4),
        helper.make_node("Sigmoid", ["stem"], ["gate"], "/stem/Sigmoid"),
        helper.make_node("Mul", ["stem", "gate"], ["act"], "/stem/Mul"),
        convolution("deep", "act", 1, group=8),
        convolution("rows", "deep", 2),
        helper.make_node("Reshape", ["rows", "flat"], ["cells"], "/Reshape"),
        helper.make_node("Sigmoid", ["cells"], ["output0"], "/Sigmoid"),
        convolution("out", "deep", 1),
        helper.make_node("Identity", ["out"], ["output1"], "/Identity"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "network",
        [value("images", TensorProto.FLOAT, (1, 3, "h", "w"))],
        [
            value("output0", TensorProto.FLOAT, (1, 38, "cells")),
            value("output1", TensorProto.FLOAT, (1, 32, "mask_h", "mask_w")),
        ],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": NAMES, "license": "Apache-2.0"})
    path = tmp_path / "network.onnx"
    onnx.save(model, path)
    return path


def in_int8(path):
    """Names of the convolutions whose weights and input are quantised."""
    graph = onnx.load(path).graph
    made = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    convolutions = [n for n in graph.node if n.op_type == "Conv"]
    return [n.name for n in convolutions if made.issuperset(n.input)]


def metadata(path):
    return {p.key: p.value for p in onnx.load(path).metadata_props}


def test_the_last_convolutions_and_what_follows_stay_in_float(quantise, network, capsys):
    made = quantise("--float", "")
    assert in_int8(made) == ["/stem/Conv", "/deep/Conv"]
    said = capsys.readouterr().out.splitlines()[-1]
    assert f"{made}: int8 u8, percentile, {PICTURES} pictures, 2 of 4 convolutions" in said
    writers = {n.output[0]: n.op_type for n in onnx.load(made).graph.node}
    assert (writers["output0"], writers["output1"]) == ("Sigmoid", "Identity")


@pytest.mark.parametrize("activations", ["u8", "s8"])
@pytest.mark.parametrize("how", ["percentile", "entropy", "minmax"])
def test_it_answers_nearly_as_before(quantise, network, how, activations):
    made = quantise("--range", how, "--activations", activations, "--float", "")
    x = np.random.default_rng(9).random((1, 3, 64, 64), np.float32)
    for wanted, got in zip(Session(network).run(x), Session(made).run(x), strict=True):
        assert 0 < np.abs(got - wanted).max() < 0.1 * np.ptp(wanted)


def test_it_is_the_same_model_but_for_a_note(quantise, network):
    made = quantise("--float", "", "--count", 2)
    note = {"quantization": "int8 u8, percentile, 2 pictures"}
    assert metadata(made) == metadata(network) | note
    before, after = (Segmenter(Session(p), Limits()) for p in (network, made))
    assert after.reading.family == before.reading.family == "yolo"
    assert after.class_names == before.class_names == ("person", "car")


def test_weights_are_int8_with_a_scale_a_channel(quantise):
    made = quantise("--float", "", "--reduce-range")
    arrays = {i.name: numpy_helper.to_array(i) for i in onnx.load(made).graph.initializer}
    [weight] = [v for k, v in arrays.items() if re.match(r"stem.*quantized", k) and v.ndim == 4]
    [scale] = [v for k, v in arrays.items() if re.match(r"stem\.weight.*scale", k)]
    assert weight.dtype == np.int8
    assert np.abs(weight).max() <= 64  # 7 bits
    assert scale.shape == (8,)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (("--float", "^/stem/"), ["/deep/Conv"]),
        (("--float", "", "--operators", "convolutions"), ["/stem/Conv", "/deep/Conv"]),
    ],
)
def test_more_stays_in_float_on_demand(quantise, options, left):
    assert in_int8(quantise(*options)) == left


def test_pictures_come_from_coco_and_only_those_that_are_labelled_fully(program, pictures):
    listed = [{"file_name": f"{k}.png", "exhaustive": k > 1} for k in range(PICTURES)]
    coco = pictures / "train.json"
    coco.write_text(json.dumps({"images": listed}))
    heights = {i.shape[0] for i in program.images(coco, 99)}
    assert heights == {50, 60}


def test_frames_are_spread_over_a_clip(program):
    few = list(program.images(CLIP, 3))
    assert len(few) == 3
    assert not np.array_equal(few[0], few[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--float", "^/trunk/"), r"--float \^/trunk/: expected names of nodes, got no match"),
        (("--model", "none.onnx"), r"none\.onnx: expected"),
    ],
)
def test_it_says_what_is_wrong_and_writes_nothing(quantise, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        quantise(*options)
    assert not list(tmp_path.glob("made/*"))


def test_a_folder_without_pictures_is_refused(quantise, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SystemExit, match="empty: expected pictures, got none"):
        quantise("--float", "", source=empty)
