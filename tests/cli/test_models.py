from __future__ import annotations

import hashlib
import re
from pathlib import Path

from edge.segment.catalog import entries

MODELS = Path(__file__).parents[2] / "models"


def test_the_catalogue_is_true():
    """Each file is there, is what the catalogue says, and has a licence that permits."""
    found = entries()
    assert [e.name for e in found if e.is_default] == ["person-vehicle-seg-nano"]
    for entry in found:
        assert entry.path.parent == MODELS
        assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
        assert entry.licence in ("Apache-2.0", "MIT", "BSD-3-Clause", "CC0-1.0")
        assert entry.path.stat().st_size <= 6_000_000


def test_list(edge):
    result = edge("models", "list")
    assert (result.code, result.err) == (0, "")
    assert "person-vehicle-seg-nano (default)" in result.out
    assert "Apache-2.0" in result.out
    assert "missing" not in result.out


def test_list_says_when_a_file_is_missing(edge, monkeypatch, tmp_path):
    (tmp_path / "catalog.yaml").write_text(
        "default: a\nmodels:\n  a: {file: a.onnx, licence: MIT, description: A., sha256: '0'}\n"
    )
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path))
    result = edge("models", "list")
    assert result.code == 0
    assert "a.onnx (missing)" in result.out
    assert "a (default)" in result.out


def test_show_the_default(edge):
    result = edge("models", "show")
    assert (result.code, result.err) == (0, "")
    words = " ".join(result.out.replace("│", " ").split())
    assert "read as YOLO-seg raw: cells and prototypes" in words
    assert "classes person, bicycle, car, motorcycle, bus, truck" in words
    assert re.search(r"longest side \d+ px", words)


def test_show_a_file(edge, square_model):
    result = edge("models", "show", square_model)
    words = " ".join(result.out.replace("│", " ").split())
    assert "input images (1, 3, 48, 64)" in words
    assert "output output0 (1, 6, 425)" in words
    assert "longest side 64 px" in words
    assert "classes person" in words


def test_without_a_catalogue(edge, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "none"))
    for arguments in (["list"], ["show"]):
        result = edge("models", *arguments)
        assert (result.code, result.out) == (4, "")
        assert "expected the model catalogue, got No such file or directory; set EDGE" in result.err
    (tmp_path / "catalog.yaml").write_text("models: 3\n")
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path))
    assert edge("models", "list").code == 4


def test_show_what_is_no_model(edge, tmp_path):
    (tmp_path / "a.onnx").write_text("hello")
    result = edge("models", "show", tmp_path / "a.onnx")
    assert result.code == 4
    assert "a.onnx: expected an ONNX model" in result.err
    assert edge("models", "show", "nano").code == 4
