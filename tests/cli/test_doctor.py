from __future__ import annotations

import hashlib
import shutil

import pytest

from edge import __version__
from edge.segment import catalog


@pytest.fixture
def catalogue(tmp_path, monkeypatch, square_model):
    """A catalogue of one model; call it with the hash to write."""

    def write(sha256: str | None = None):
        shutil.copy(square_model, tmp_path / "square.onnx")
        true = hashlib.sha256(square_model.read_bytes()).hexdigest()
        (tmp_path / "catalog.yaml").write_text(
            "default: square\nmodels:\n  square:\n    file: square.onnx\n    licence: MIT\n"
            f"    description: Squares.\n    sha256: '{sha256 or true}'\n"
        )

    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path))
    return write


def rows(text: str) -> dict[str, tuple[str, str]]:
    """What was found and the verdict, by what was looked at; wrapped cells joined."""
    found: dict[str, tuple[str, str]] = {}
    last = ""
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip("│").split("│")]
        if len(cells) == 3:
            if cells[0] and cells[2]:
                last = cells[0]
                found[last] = (cells[1], cells[2])
            elif last:
                found[last] = (f"{found[last][0]} {cells[1]}", found[last][1])
    return found


def test_a_machine_on_which_all_works(edge, catalogue):
    catalogue()
    result = edge("doctor")
    assert f"edgecount {__version__}" in result.out
    found = rows(result.out)
    assert {verdict for _, verdict in found.values()} == {"ok"}
    assert (result.code, result.err) == (0, "")
    assert found["provider cpu"][0] == "works"
    assert "h264" in found["decoders"][0]
    assert found["model square"][0].startswith("sha256 ")
    assert {"python", "numpy", "av", "opencv-python", "onnxruntime", "disk free here"} <= set(found)


def test_a_model_that_is_not_what_the_catalogue_says(edge, catalogue):
    catalogue("0" * 64)
    result = edge("doctor")
    assert result.code == 1
    text, verdict = rows(result.out)["model square"]
    assert verdict == "problem"
    assert "expected sha256 0000000000000000" in text


def test_without_models_it_still_reports(edge, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path))
    (tmp_path / "catalog.yaml").write_text(
        "default: a\nmodels:\n  a: {file: a.onnx, licence: MIT, description: A., sha256: '0'}\n"
    )
    result = edge("doctor")
    assert (result.code, result.err) == (1, "")
    assert rows(result.out)["providers"][1] == "problem"
    assert rows(result.out)["numpy"][1] == "ok"


def test_without_a_catalogue_it_still_reports(edge, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "FOLDERS", (tmp_path / "none",))
    result = edge("doctor")
    assert (result.code, result.err) == (1, "")
    assert rows(result.out)["models"][1] == "problem"
