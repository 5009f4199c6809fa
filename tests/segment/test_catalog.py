from __future__ import annotations

import pytest

from edge.errors import ModelError
from edge.segment.catalog import entries, find_model

CATALOG = """
default: small
models:
  large: {file: large.onnx, licence: Apache-2.0, description: "slow", sha256: "ab"}
  small: {file: sub/small.onnx, licence: MIT, description: "fast", sha256: "cd"}
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "catalog.yaml").write_text(CATALOG)
    monkeypatch.setenv("EDGECOUNT_MODELS", str(folder))
    return folder


def test_the_catalogue_in_its_order(models):
    large, small = entries()
    assert (large.name, large.path, large.is_default) == ("large", models / "large.onnx", False)
    assert (small.licence, small.sha256, small.description) == ("MIT", "cd", "fast")
    assert small.is_default


def test_names_paths_and_the_default(models, tmp_path):
    assert find_model(None) == models / "sub" / "small.onnx"
    assert find_model("large") == models / "large.onnx"
    own = tmp_path / "own.onnx"
    own.write_bytes(b"x")
    assert find_model(str(own)) == own


@pytest.mark.parametrize("name", ["huge", "missing.onnx", "/nowhere/model.onnx", "", "."])
def test_an_unknown_name_is_told_with_those_that_are_known(models, name):
    with pytest.raises(ModelError, match=r"expected a file or one of large, small$"):
        find_model(name)


def test_a_path_needs_no_catalogue(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "nowhere"))
    own = tmp_path / "own.onnx"
    own.write_bytes(b"x")
    assert find_model(str(own)) == own
    with pytest.raises(
        ModelError, match=r"expected the model catalogue, got No such file.*EDGECOUNT_MODELS"
    ):
        find_model("small")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "models: {}", "models: [a]\ndefault: a", "default: a\nmodels: {a: {file: x}}",
     "default: a\nmodels: {a: 3}", "a: [", "3", b"\xff\xfe\x00a"],
)  # fmt: skip
def test_a_broken_catalogue_is_told(models, text):
    path = models / "catalog.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError, match=r"catalog\.yaml: expected") as told:
        find_model(None)
    assert "\n" not in str(told.value)
