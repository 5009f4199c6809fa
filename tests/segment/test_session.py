from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import TensorProto

from edge.errors import ModelError
from edge.segment import opening
from edge.segment import session as session_module
from edge.segment.model_file import ModelFile
from edge.segment.providers import CpuSettings, ProviderSettings
from edge.segment.session import Session

CELLS, PROTOTYPES = np.zeros((1, 8, 12)), np.zeros((1, 2, 16, 16))


def message(call) -> str:
    with pytest.raises(ModelError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_a_file_says_about_itself(save_fixed):
    path = save_fixed([CELLS, PROTOTYPES], metadata={"names": "{0: 'a'}", "stride": "32"})
    session = Session(path, "cpu")
    assert session.provider == "cpu"
    assert session.file.path == path
    assert session.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert session.file.metadata == {"names": "{0: 'a'}", "stride": "32"}
    assert session.file.names() == ("a",)
    assert session.file.input_name == "images"
    assert session.file.input_shape == (1, 3, 64, 64)
    assert session.file.outputs == (("output0", (1, 8, 12)), ("output1", (1, 2, 16, 16)))


def test_dynamic_sides_are_none(save_dynamic):
    file = Session(save_dynamic(2, {}), "cpu").file
    assert file.input_shape == (1, 3, None, None)
    assert file.outputs[0] == ("output0", (1, 38, None))


def test_running_gives_all_outputs(save_fixed):
    cells = np.random.default_rng(0).random((1, 8, 12), np.float32)
    session = Session(save_fixed([cells, PROTOTYPES]), "cpu", threads=1)
    one, two = session.run(np.ones((1, 3, 64, 64), np.float32))
    np.testing.assert_array_equal(one, cells)
    assert two.shape == (1, 2, 16, 16)


def test_an_input_of_the_wrong_size_is_a_model_error(save_fixed):
    session = Session(save_fixed([CELLS]), "cpu")
    told = message(lambda: session.run(np.ones((1, 3, 32, 32), np.float32)))
    assert "failed on input (1, 3, 32, 32)" in told


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("{0: 'person', 1: 'car'}", ("person", "car")),
        ("['person', 'car']", ("person", "car")),
        ("{1: 'car', 0: 'person'}", ("person", "car")),
        ("{0: 'it\\'s'}", ("it's",)),
        ("{1: 'car'}", ()),
        ("{}", ()),
        ("", ()),
        ("person, car", ()),
        ("__import__('os').getcwd()", ()),
        ("3", ()),
    ],
)
def test_class_names_in_metadata(names, expected):
    assert ModelFile(Path("m"), "", {"names": names}, "x", (), ()).names() == expected
    assert ModelFile(Path("m"), "", {}, "x", (), ()).names() == ()


# What is no model.


@pytest.fixture
def impostor(tmp_path, request) -> Path:
    path = tmp_path / "model.onnx"
    picture = np.zeros((8, 8, 3), np.uint8)
    match request.param:
        case "jpeg":
            path.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        case "png":
            path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        case "text":
            path.write_text("not a model\nat all\n")
        case "html":
            path.write_text("<!DOCTYPE html><html>404</html>")
        case "empty":
            path.write_bytes(b"")
        case "zeros":
            path.write_bytes(bytes(1000))
        case "directory":
            path.mkdir()
    return path


KINDS = ["jpeg", "png", "text", "html", "empty", "zeros", "directory", "missing"]


@pytest.mark.parametrize("impostor", KINDS, indirect=True)
def test_what_is_no_model_is_told_in_one_sentence(impostor):
    told = message(lambda: Session(impostor, "cpu"))
    assert told.startswith(f"{impostor}: expected an ONNX model")
    assert len(told) < len(str(impostor)) + 300


@pytest.mark.parametrize("impostor", ["jpeg", "png"], indirect=True)
def test_a_picture_is_recognised(impostor):
    assert message(lambda: Session(impostor, "cpu")).endswith("got a picture")


def test_half_a_model_is_told(save_fixed):
    path = save_fixed([CELLS, PROTOTYPES])
    path.write_bytes(path.read_bytes()[:-200])
    assert message(lambda: Session(path, "cpu")).startswith(f"{path}: expected an ONNX model")


@pytest.mark.parametrize(
    "options",
    [
        {"input_names": ("left", "right")},
        {"input_type": TensorProto.UINT8},
    ],
)
def test_inputs_that_are_no_picture_are_told(save_fixed, options):
    told = message(lambda: Session(save_fixed([CELLS], **options), "cpu"))
    assert "expected one picture of float32 or float16 as input, got" in told
    assert "tensor(" in told


# Where it runs.


def test_what_runs_it_is_said(save_fixed):
    path = save_fixed([CELLS])
    session = Session(path, "auto", threads=1)
    assert session.provider in ("tensorrt", "cuda", "openvino", "cpu")
    assert Session(path, "cpu", threads=1, strict=True).described == "cpu, 1 thread"
    assert Session(path, "cpu", threads=2).described == "cpu, 2 threads"


@pytest.mark.parametrize(
    ("provider", "placement", "expected"),
    [
        ("cuda", {"cuda": 600, "cpu": 16}, "cuda, 600 of 616 nodes, 16 on cpu"),
        ("tensorrt", {"tensorrt": 1}, "tensorrt"),
        ("openvino", {}, "openvino, 3 threads"),
    ],
)
def test_nodes_elsewhere_are_said(monkeypatch, save_fixed, provider, placement, expected):
    def pretended(content, wanted, threads, strict, settings, tell):
        found = opening.opened(content, "cpu", threads, strict, settings, tell)
        return replace(found, provider=provider, placement=placement)

    monkeypatch.setattr(session_module, "opened", pretended)
    assert Session(save_fixed([CELLS]), threads=3).described == expected


@pytest.mark.parametrize(
    ("threads", "asked", "at_once"), [(4, 1, 1), (4, None, 4), (3, 2, 2), (6, None, 4)]
)
def test_runs_at_once_give_the_same(save_fixed, threads, asked, at_once):
    cells = np.random.default_rng(0).random((1, 8, 12), np.float32)
    settings = ProviderSettings(cpu=CpuSettings(at_once=asked))
    session = Session(save_fixed([cells]), "cpu", threads, settings=settings)
    assert (session.threads, session.at_once) == (threads, at_once)
    x = np.ones((1, 3, 64, 64), np.float32)
    with ThreadPoolExecutor(at_once) as workers:
        for (found,) in workers.map(session.run, [x] * 20):
            np.testing.assert_array_equal(found, cells)
