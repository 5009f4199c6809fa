from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading

import pytest
import yaml

from edge.errors import ModelError
from edge.segment import adding, catalog, catalog_file
from edge.segment.adding import Addition, add
from edge.segment.catalog import entries, find_model, sha256_of
from edge.segment.segmenter import Segmenter

HASH_OF_OTHER = "0" * 64


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's folder, which is not there yet, beside a package that plans one model."""
    brought = tmp_path / "brought"
    brought.mkdir()
    (brought / "catalog.yaml").write_text(
        "models:\n  planned: {file: p.onnx, family: yolo, licence: BSD-3-Clause, "
        "description: Plan., export: make it, classes: [box], homepage: 'https://example.org'}\n"
        f"  pinned: {{file: q.onnx, licence: MIT, description: Q., sha256: '{HASH_OF_OTHER}'}}\n"
    )
    monkeypatch.setattr(catalog, "FOLDERS", (brought,))
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "data" / "models"))
    return tmp_path / "data" / "models"


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_model_is_tried_copied_and_known(own, square_model):
    entry = add(square_model, Addition("yard"))
    digest = sha256_of(square_model)
    assert (entry.name, entry.is_own, entry.state) == ("yard", True, "there")
    assert entry.path == own / f"yard-{digest[:8]}.onnx"
    assert (entry.sha256, entry.size_bytes) == (digest, square_model.stat().st_size)
    assert (entry.family, entry.class_names, entry.input_hw) == ("yolo", ("person",), (48, 64))
    assert (entry.licence, entry.description) == ("unknown", "Added from square.onnx.")
    assert files(own) == [".lock", "catalog.yaml", entry.path.name]
    assert find_model("yard").path == entry.path
    assert square_model.exists()


def test_what_is_said_wins_over_the_plan_and_the_plan_over_the_file(own, square_model):
    planned = add(square_model, Addition("planned"))
    assert (planned.licence, planned.class_names, planned.description) == (
        "BSD-3-Clause",
        ("box",),
        "Plan.",
    )
    assert planned.homepage == "https://example.org"
    wish = Addition("planned", "yolo", ["car"], "MIT", url="https://example.org/m", replaces=True)
    said = add(square_model, wish)
    assert (said.licence, said.class_names, said.url) == ("MIT", ("car",), "https://example.org/m")


def test_a_name_is_taken_once_unless_it_is_replaced(own, square_model, tmp_path):
    first = add(square_model, Addition("yard"))
    with pytest.raises(ModelError, match=r"yard: expected a name that is free.*add --replace"):
        add(square_model, Addition("yard"))
    other = tmp_path / "other.onnx"
    other.write_bytes(square_model.read_bytes() + b"\x72\x00")  # an empty field more
    second = add(other, Addition("yard", replaces=True))
    assert second.sha256 != first.sha256
    assert files(own) == [".lock", "catalog.yaml", second.path.name]
    assert add(other, Addition("yard", replaces=True)) == second
    second.path.unlink()
    assert add(other, Addition("yard")) == second


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x" * 101, "a b", "-a"])
def test_a_name_is_a_plain_word(own, square_model, name):
    with pytest.raises(ModelError, match="expected a name of letters, digits"):
        add(square_model, Addition(name))


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Addition("m", sha256=HASH_OF_OTHER), f"expected sha256 {HASH_OF_OTHER}, got "),
        (Addition("pinned"), f"expected sha256 {HASH_OF_OTHER}, got "),
        (Addition("m", family="rfdetr"), "expected outputs dets"),
        (Addition("m", family="nonsense"), "expected family yolo-end2end"),
        (Addition("m", class_names=["a", "b"]), "expected 1 class names given, got 2"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(own, square_model, wish, message):
    with pytest.raises(ModelError, match=message):
        add(square_model, wish)
    assert not own.exists()


def test_what_is_no_model_is_refused(own, tmp_path):
    file = tmp_path / "a.onnx"
    file.write_text("hello")
    with pytest.raises(ModelError, match="expected an ONNX model"):
        add(file, Addition("m"))
    with pytest.raises(ModelError, match="expected to read it, got No such file"):
        add(tmp_path / "b.onnx", Addition("m"))
    assert not own.exists()


def test_a_file_may_be_moved(own, square_model):
    own.mkdir(parents=True)
    part = own / "m.part"
    shutil.copy(square_model, part)
    entry = add(part, Addition("m"), moves=True)
    assert files(own) == [".lock", "catalog.yaml", entry.path.name]


def test_what_others_wrote_into_the_catalogue_stays(own, square_model):
    own.mkdir(parents=True)
    mine = {"file": "x.onnx", "licence": "MIT", "description": "Häuser: ‘A’", "sha256": "1" * 64}
    (own / "catalog.yaml").write_text(yaml.safe_dump({"default": "yard", "models": {"yard": mine}}))
    add(square_model, Addition("m"))
    assert [e.name for e in entries() if e.is_own] == ["yard", "m"]
    content = yaml.safe_load((own / "catalog.yaml").read_text(encoding="utf-8"))
    assert (content["default"], content["models"]["yard"]) == ("yard", mine)


def test_a_catalogue_that_cannot_be_read_is_never_replaced(own, square_model):
    own.mkdir(parents=True)
    (own / "catalog.yaml").write_text("models: {")
    with pytest.raises(ModelError, match="expected YAML"):
        add(square_model, Addition("m"))
    assert (own / "catalog.yaml").read_text() == "models: {"


@pytest.mark.parametrize("module", [adding, catalog_file])
@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failure_leaves_everything_as_it_was(own, square_model, monkeypatch, module, call, fault):
    add(square_model, Addition("first"))
    before = {name: (own / name).read_bytes() for name in files(own)}

    class Failing:
        """The module `os`, one of whose calls fails."""

        def __getattr__(self, name):
            def fail(*_):
                raise fault

            return fail if name == call else getattr(os, name)

    with monkeypatch.context() as patched:
        patched.setattr(module, "os", Failing())
        with pytest.raises((ModelError, KeyboardInterrupt)):
            add(square_model, Addition("second"))
    after = {name: (own / name).read_bytes() for name in files(own)}
    if isinstance(fault, KeyboardInterrupt):  # a copy that nobody knows does no harm
        after = {name: after[name] for name in before}
    assert after == before
    assert [e.name for e in entries() if e.is_own] == ["first"]
    assert add(square_model, Addition("second")).state == "there"


@pytest.mark.tmpfs
def test_a_full_disk_changes_nothing(own, square_model, tmp_path):
    own.mkdir(parents=True)
    big = tmp_path / "big.onnx"  # with an unknown field of 100,000 bytes
    big.write_bytes(square_model.read_bytes() + b"\xf2\x3f\xa0\x8d\x06" + bytes(100_000))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", own], check=True)
    try:
        with pytest.raises(ModelError, match="expected to write the model, got No space left"):
            add(big, Addition("m"))
        assert files(own) == [".lock"]
    finally:
        subprocess.run(["umount", own], check=True)


def test_a_folder_that_cannot_be_made(own, square_model):
    own.parent.write_text("a file")
    with pytest.raises(ModelError, match=r"expected a folder for models.*EDGECOUNT_MODELS"):
        add(square_model, Addition("m"))


def test_a_file_that_changes_while_it_is_added(own, square_model, tmp_path, monkeypatch):
    file = tmp_path / "growing.onnx"
    shutil.copy(square_model, file)
    real = Segmenter.__init__

    def meanwhile(*args, **more):
        file.write_bytes(b"something else")
        real(*args, **more)

    monkeypatch.setattr(Segmenter, "__init__", meanwhile)
    with pytest.raises(ModelError, match="expected a file that stays as it is"):
        add(file, Addition("m"))
    assert files(own) == [".lock"]


def test_two_processes_at_once_both_get_in(own, square_model):
    code = (
        "import sys; from pathlib import Path; from edge.segment.adding import Addition, add\n"
        "for k in range(5): add(Path(sys.argv[1]), Addition(f'{sys.argv[2]}{k}', licence='MIT'))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, square_model, name]) for name in ("a", "b")
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    assert sorted(e.name for e in entries() if e.is_own) == [
        f"{n}{k}" for n in "ab" for k in range(5)
    ]


def test_two_who_want_one_name_never_both_get_it(own, square_model):
    results = []

    def try_it():
        try:
            results.append(add(square_model, Addition("one")).name)
        except ModelError as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=try_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["ModelError", "ModelError", "one"]
