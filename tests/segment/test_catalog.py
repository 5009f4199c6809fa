from __future__ import annotations

import hashlib
import os

import pytest

from edge.errors import ModelError
from edge.segment import catalog
from edge.segment.catalog import entries, find_model, sha256_of, user_folder, verified
from edge.segment.coco import COCO_80, COCO_91

A = "a" * 64
BROUGHT = f"""
default: small
models:
  large: {{file: large.onnx, licence: Apache-2.0, description: "slow", sha256: {A}}}
  small:
    file: sub/small.onnx
    family: yolo
    licence: MIT
    description: >
      fast and
      small
    classes: [person, car]
    input: [320, 640]
    sha256: '{hashlib.sha256(b"small").hexdigest()}'
    bytes: 5
  made: {{file: made.onnx, licence: MIT, description: "by you", export: make it, classes: coco-91}}
  got:
    {{file: got.onnx, licence: MIT, description: "from afar", url: "https://example.org/got.onnx",
     sha256: {A}, homepage: "https://example.org"}}
"""


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """The folder of the package, with one file."""
    folder = tmp_path / "brought"
    (folder / "sub").mkdir(parents=True)
    (folder / "catalog.yaml").write_text(BROUGHT)
    (folder / "sub" / "small.onnx").write_bytes(b"small")
    monkeypatch.setattr(catalog, "FOLDERS", (tmp_path / "nowhere", folder))
    return folder


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's folder, empty."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("EDGECOUNT_MODELS", str(folder))
    return folder


def test_the_catalogue_in_its_order(brought, own):
    large, small, made, got = entries()
    assert (large.name, large.path, large.state) == ("large", brought / "large.onnx", "missing")
    assert (small.licence, small.description, small.size_bytes) == ("MIT", "fast and small", 5)
    assert (small.family, small.class_names, small.input_hw) == (
        "yolo",
        ("person", "car"),
        (320, 640),
    )
    assert (small.state, small.is_default, large.is_default) == ("there", True, False)
    # What the package does not bring is looked for with the user's.
    assert (made.path, made.state, made.class_names) == (own / "made.onnx", "not yet made", COCO_91)
    assert (got.path, got.state, got.homepage) == (
        own / "got.onnx",
        "not downloaded",
        "https://example.org",
    )
    (own / "made.onnx").write_bytes(b"m")
    assert entries()[2].state == "there"


def test_names_paths_and_the_default(brought, own, tmp_path):
    small = find_model(None)
    assert (small.path, small.family) == (brought / "sub" / "small.onnx", "yolo")
    assert small.class_names == ("person", "car")
    assert find_model("small") == small
    file = tmp_path / "small.onnx"
    file.write_bytes(b"x")
    found = find_model(str(file))
    assert (found.path, found.family, found.class_names) == (file, None, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("large", r"large\.onnx, got no such file \(missing\); put it back"),
        ("made", r"\(not yet made\); make it with `make it`, then `edge models add FILE --name m"),
        ("got", r"\(not downloaded\); `edge models add got` downloads it"),
    ],
)
def test_a_model_that_is_not_there_says_how_to_get_it(brought, own, name, message):
    with pytest.raises(ModelError, match=message):
        find_model(name)


@pytest.mark.parametrize(
    "name", ["huge", "missing.onnx", "/nowhere/model.onnx", "", ".", "x" * 5000, "a\0b"]
)
def test_an_unknown_name_is_told_with_those_that_are_known(brought, own, name):
    with pytest.raises(ModelError, match=r"expected a file or one of large, small, made, got$"):
        find_model(name)


def test_the_users_catalogue_goes_first(brought, own):
    (own / "catalog.yaml").write_text(
        "default: mine\nmodels:\n"
        f"  small: {{file: s.onnx, licence: X, description: d, sha256: {A}}}\n"
        f"  mine: {{file: m.onnx, licence: X, description: d, sha256: {A}, classes: coco-80}}\n"
    )
    (own / "m.onnx").write_bytes(b"m")
    known = {entry.name: entry for entry in entries()}
    assert list(known) == ["large", "small", "made", "got", "mine"]
    assert known["small"].path == own / "s.onnx"
    assert [e.name for e in known.values() if e.is_own] == ["small", "mine"]
    assert find_model(None) == find_model("mine")
    assert find_model("mine").class_names == COCO_80


def test_where_the_users_models_are(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGECOUNT_MODELS", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "edgecount" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(user_folder()) == "/home/someone/.local/share/edgecount/models"


def test_without_a_home_the_package_is_enough(brought, monkeypatch):
    monkeypatch.delenv("EDGECOUNT_MODELS", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(catalog.Path, "home", staticmethod(homeless))
    with pytest.raises(ModelError, match=r"expected a home folder.*EDGECOUNT_MODELS"):
        user_folder()
    assert find_model(None).path == brought / "sub" / "small.onnx"
    assert entries()[2].path == brought / "made.onnx"


def test_a_home_that_may_not_be_entered_holds_no_models(brought, monkeypatch, tmp_path):
    real = os.stat

    def refused(path, *args, **more):
        if str(path).startswith(str(tmp_path / "home")):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **more)

    monkeypatch.delenv("EDGECOUNT_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "stat", refused)
    assert find_model(None).path == brought / "sub" / "small.onnx"
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "home"))
    with pytest.raises(ModelError, match=r"expected a folder of models, got Permission denied"):
        find_model(None)


def test_a_path_needs_no_catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "FOLDERS", (tmp_path / "nowhere",))
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "neither"))
    file = tmp_path / "own.onnx"
    file.write_bytes(b"x")
    assert find_model(str(file)).path == file
    with pytest.raises(
        ModelError, match=r"expected the model catalogue, got no such file; install"
    ):
        find_model("small")


GOOD = {"file": "m.onnx", "licence": "MIT", "description": "d", "sha256": A}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": None}, "models.a.file: expected the name of an ONNX file, got nothing"),
        ({"file": 3}, "models.a.file: expected the name of an ONNX file, got 3"),
        ({"licence": ""}, "models.a.licence: expected a licence such as Apache-2.0, got ''"),
        ({"family": "yolo99"}, "models.a.family: expected one of yolo-end2end, "),
        (
            {"classes": "coco"},
            "models.a.classes: expected a list of names, coco-80 or coco-91, got",
        ),
        ({"classes": ["a", 3]}, "models.a.classes: expected a list of names"),
        ({"classes": []}, "models.a.classes: expected a list of names"),
        ({"input": 640}, "models.a.input: expected any, or [height, width] in pixels, got 640"),
        ({"input": [640, True]}, "models.a.input: expected any, or [height, width] in pixels"),
        ({"sha256": "ab"}, "models.a.sha256: expected 64 small hexadecimal digits in quotes, got"),
        ({"bytes": -1}, "models.a.bytes: expected a whole number above 0, got -1"),
        ({"url": "ftp://a/b"}, "models.a.url: expected an address https://..., got 'ftp://a/b'"),
        ({"colour": "red"}, "models.a.colour: expected one of file, family, "),
        ({"sha256": None}, "models.a.sha256: expected 64 small hexadecimal digits in quotes, got "),
    ],
)
def test_each_mistake_is_named(brought, own, change, message):
    entry = {k: v for k, v in (GOOD | change).items() if v is not None}
    path = own / "catalog.yaml"
    path.write_text(f"models: {{a: {entry!r}}}\n")
    with pytest.raises(ModelError) as told:
        entries()
    assert str(told.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "models: expected entries by name, got nothing"),
        ("[]", "models: expected entries by name, got []"),
        ("3", "models: expected entries by name, got 3"),
        ("default: a", "models: expected entries by name, got nothing"),
        ("models: [a]", "models: expected entries by name, got ['a']"),
        ("models: {}\nmodel: {}", "model: expected default or models, got {}"),
        ("models: {}\ndefault: [a]", "default: expected the name of an entry, got ['a']"),
        ("models: {}\ndefault: huge", "default: expected one of large, small, made, got, got huge"),
        ("models: {a: 3}", "models.a: expected keys file, family, licence"),
        (
            "models: {a/b: {}}",
            "models.a/b: expected a name of letters, digits and . _ -, got 'a/b'",
        ),
        ("models: {3: {}}", "models.3: expected a name of letters"),
        ("models: [", "expected YAML, got while parsing"),
        ("a: " + "[" * 5000, "expected YAML, got"),
        (b"\xff\xfe\x00a", "expected YAML, got"),
    ],
)
def test_a_broken_catalogue_is_told(brought, own, text, message):
    path = own / "catalog.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelError) as told:
        find_model(None)
    assert str(told.value).startswith(f"{path}: {message}")
    assert "\n" not in str(told.value)


def test_what_is_verified(brought, own):
    large, small, made, got = (verified(entry) for entry in entries())
    assert large == (False, "missing; put it back, or `edge models add FILE --name large`")
    assert small == (True, f"sha256 {sha256_of(brought / 'sub' / 'small.onnx')}")
    assert made[0]
    assert got[0]
    (brought / "sub" / "small.onnx").write_bytes(b"smell")
    (own / "made.onnx").write_bytes(b"made")
    _, small, made, _ = (verified(entry) for entry in entries())
    assert not small[0]
    assert small[1].startswith("expected sha256 ")
    assert made == (
        True,
        f"sha256 {sha256_of(own / 'made.onnx')}; the catalogue has none to compare it with",
    )


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelError, match=r"expected to read it, got Is a directory"):
        sha256_of(tmp_path)
