from __future__ import annotations

import os

import pytest

from edge.segment.runtime_messages import MOST, first_line, heard, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Load model from m.onnx failed", "Load model from m.onnx failed"),
        (
            "\x1b[1;31m2026-11-23 06:14:34 [E:onnxruntime:Default, p.cc:2251 F] "
            "/onnxruntime_src/p.cc:1844 onnxruntime::Provider& F() [ONNXRuntimeError] : 1 : FAIL : "
            "Failed to load library libcublasLt.so.12\x1b[m",
            "Failed to load library libcublasLt.so.12",
        ),
        ("[ERROR] [OpenVINO] Device GPU is missing", "Device GPU is missing"),
        ("x" * 1000, "x" * MOST),
        ("", ""),
    ],
)
def test_messages_are_made_readable(text, expected):
    assert plain(text) == expected


def test_an_error_is_one_line():
    assert first_line(RuntimeError("one\ntwo")) == "one"
    assert first_line(RuntimeError("")) == "RuntimeError"


def test_what_is_written_past_python_is_heard(capfd):
    with heard() as lines:
        os.write(2, b"from C\n")
    assert "from C" in lines
    assert capfd.readouterr().err == ""
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_an_error_gives_standard_error_back(capfd):
    with pytest.raises(RuntimeError), heard():
        raise RuntimeError
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
