from __future__ import annotations

import hashlib
import json
import re
import signal
import time
from pathlib import Path

import pytest
from fileserver import FileServer

from edge.segment import Session, catalog
from edge.segment import download as downloading
from edge.segment.catalog import FOLDERS, entries
from edge.segment.catalog_file import KEYS
from edge.segment.families import FAMILIES

MODELS = Path(__file__).parents[2] / "models"
LICENCES = ("Apache-2.0", "MIT", "BSD-3-Clause", "CC0-1.0")


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The user's folder, which is not there yet."""
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "own"


@pytest.fixture
def server(square_model, monkeypatch):
    monkeypatch.setattr(downloading, "PAUSE_S", 0.01)
    with FileServer(square_model.read_bytes()).running() as its:
        yield its


def words(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def test_the_catalogue_is_true():
    """Each file is there and as the catalogue says, or its script is; each licence permits."""
    found = entries()
    assert [e.name for e in found if e.is_default] == ["person-vehicle-seg-nano"]
    for entry in found:
        assert entry.licence in LICENCES
        assert entry.class_names
        if entry.sha256 is None:
            script, *options = (entry.export or "").split()
            text = (MODELS.parent / script).read_text()
            assert all(f'"{option}"' in text for option in options), entry.export
            assert entry.homepage
            continue
        assert entry.path.parent == MODELS
        assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
        assert entry.path.stat().st_size == entry.size_bytes <= 6_000_000
        assert Session(entry.path, "cpu", 1).file.names() == entry.class_names


def test_list(edge):
    result = edge("models", "list")
    assert (result.code, result.err) == (0, "")
    assert "person-vehicle-seg-nano (default)" in result.out
    assert "not yet made" in result.out
    assert "missing" not in result.out
    first, *others = json.loads(edge("models", "list", "--json").out)
    assert (first["name"], first["state"], first["default"]) == (
        "person-vehicle-seg-nano",
        "there",
        True,
    )
    assert first["class_names"][0] == "person"
    assert {other["state"] for other in others} == {"not yet made"}


def test_a_default_of_ones_own_is_what_runs_and_configs_take(edge, own, square_model, scene):
    assert edge("models", "add", square_model, "--name", "yard", "--licence", "MIT").code == 0
    catalog = own / "catalog.yaml"
    catalog.write_text("default: yard\n" + catalog.read_text())
    result = edge("run", scene(), "--line", "gate=0.5,0,0.5,1", "--max-frames", "2")
    assert (result.code, result.err.startswith("model yard-")) == (0, True)


def test_list_says_when_a_file_is_missing(edge, own):
    own.mkdir()
    (own / "catalog.yaml").write_text(
        f"models:\n  a: {{file: a.onnx, licence: MIT, description: A., sha256: '{'0' * 64}'}}\n"
    )
    result = edge("models", "list")
    assert result.code == 0
    assert re.search(r"a +│.*MIT.*│ missing", result.out)


def test_show_the_default(edge):
    result = edge("models", "show")
    assert (result.code, result.err) == (0, "")
    text = words(result.out)
    assert "read as yolo: cells " in text
    assert "licence Apache-2.0" in text
    assert "classes person, bicycle, car, motorcycle, bus, truck" in text
    assert re.search(r"longest side \d+ px", text)
    facts = json.loads(edge("models", "show", "--json").out)
    assert facts["input"] == {
        "name": "images",
        "shape": [None, 3, None, None],
        "dtype": "float32",
    }
    assert (facts["family"], facts["takes_batches"]) == ("yolo", True)
    assert facts["metadata"]["stride"] == "32"


def test_show_a_file(edge, square_model, tmp_path):
    text = words(edge("models", "show", square_model).out)
    assert "input images (1, 3, 48, 64)" in text
    assert "output output0 (1, 6, 425)" in text
    assert "longest side 64 px" in text
    assert "classes person" in text
    assert "licence" not in text
    names = tmp_path / "names.txt"
    names.write_text("box\n")
    asked = ("--family", "yolo", "--class-names", names)
    assert "classes box" in words(edge("models", "show", square_model, *asked).out)
    wrong = edge("models", "show", square_model, "--family", "rfdetr")
    assert wrong.code == 4
    assert "expected outputs dets (1, Q, 4)" in wrong.err


def test_show_what_is_not_yet_made(edge):
    result = edge("models", "show", "rf-detr-seg-nano")
    assert result.code == 0
    assert "scripts/export_rfdetr.py --size nano" in words(result.out)
    used = edge("run", MODELS.parent / "tests/data/people.mp4", "--model", "rf-detr-seg-nano")
    assert used.code == 4
    assert "(not yet made); make it with `scripts/export_rfdetr.py --size nano`, then" in used.err


def test_without_a_catalogue(edge, monkeypatch, own):
    monkeypatch.setattr(catalog, "FOLDERS", (own / "nowhere",))
    for arguments in (["list"], ["show"], ["verify"]):
        result = edge("models", *arguments)
        assert (result.code, result.out) == (4, "")
        assert "expected the model catalogue, got no such file; install edgecount" in result.err
    own.mkdir()
    (own / "catalog.yaml").write_text("models: 3\n")
    assert edge("models", "list").code == 4


def test_show_what_is_no_model(edge, tmp_path):
    (tmp_path / "a.onnx").write_text("hello")
    result = edge("models", "show", tmp_path / "a.onnx")
    assert result.code == 4
    assert "a.onnx: expected an ONNX model" in result.err
    assert edge("models", "show", "nano").code == 4


def test_a_model_that_was_added_counts(edge, square_model, scene, tmp_path, own):
    names = tmp_path / "names.txt"
    names.write_text("forklift\n\n")
    result = edge(
        *("models", "add", square_model, "--name", "yard", "--class-names", names),
        *("--licence", "MIT"),
    )
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("added yard: yolo, 1 classes, input 48 x 64, MIT\nfile ")
    assert "yard" in edge("models", "list").out
    run = edge("run", scene("walk.mp4"), "--model", "yard", "--line", "middle=.5,0,.5,1", "--quiet")
    assert run.code == 0
    crossed = [json.loads(x) for x in run.out.splitlines() if '"line_crossed"' in x]
    assert {event["object"]["class"] for event in crossed} == {"forklift"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["MODEL"], 2, "--name: expected a name for the model, got none"),
        (["MODEL", "--name", "a", "--sha256", "12"], 2, "--sha256: expected 64 hexadecimal digits"),
        (["MODEL", "--name", "a", "--sha256", "0" * 64], 4, f"expected sha256 {'0' * 64}, got "),
        (["MODEL", "--name", "person-vehicle-seg-nano"], 4, "expected a name that is free"),
        (
            ["MODEL", "--name", "a", "--class-names", "NAMES"],
            2,
            "names.txt:2: expected a class name",
        ),
        (["MODEL", "--name", "a", "--class-names", "/no"], 2, "/no: expected class names, one a"),
        (["nothing.onnx", "--name", "a"], 4, "nothing.onnx: expected a file, an address https://"),
        (["rtmdet-ins-s"], 4, "can be downloaded, got one that is not yet made; make it with"),
        (["http://127.0.0.1:1/a.onnx", "--name", "a"], 4, "expected https://, or --sha256"),
        (["ftp://example.org/a.onnx", "--name", "a"], 4, "expected a file, an address https://"),
    ],
)
def test_what_cannot_be_added(edge, square_model, tmp_path, own, arguments, code, message):
    names = tmp_path / "names.txt"
    names.write_text("a\n\nb\n")
    given = {"MODEL": square_model, "NAMES": names}
    result = edge("models", "add", *[given.get(a, a) for a in arguments])
    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert not own.exists() or not list(own.glob("*.onnx"))


def test_a_download_is_checked_resumed_and_added(edge, server, own):
    server.breaks_after = [1000, 0, 500]
    sha256 = hashlib.sha256(server.content).hexdigest()
    add = ("models", "add", server.url, "--name", "far", "--sha256", sha256.upper())
    broken = edge(*add)
    assert broken.code == 4
    assert "; 1000 bytes are kept, the same command goes on" in broken.err
    result = edge(*add)
    assert (result.code, server.ranges) == (0, [None, *[f"bytes={n}-" for n in (1000, 1000, 1500)]])
    assert result.err == "warning: its licence is unknown; --licence states it\n"
    assert sorted(p.suffix for p in own.iterdir() if p.name != ".lock") == [".onnx", ".yaml"]
    [entry] = [e for e in entries() if e.is_own]
    assert (entry.sha256, entry.url) == (sha256, server.url)
    # Once it is known, its name is enough to get it again.
    entry.path.unlink()
    gone = edge("models", "show", "far", "--json")
    assert json.loads(gone.out)["remedy"] == "`edge models add far` downloads it"
    assert edge("models", "add", "far").code == 0
    assert edge("models", "verify", "far").code == 0


def test_a_wrong_download_leaves_nothing(edge, server, own):
    result = edge("models", "add", server.url, "--name", "far", "--sha256", "0" * 64)
    assert result.code == 4
    assert "removed what came" in result.err
    server.content = b"no model"
    sha256 = hashlib.sha256(b"no model").hexdigest()
    result = edge("models", "add", server.url, "--name", "far", "--sha256", sha256)
    assert result.code == 4
    assert "expected an ONNX model" in result.err
    assert [p.name for p in own.iterdir()] == []


def test_an_address_with_a_secret_is_not_written_down(edge, server, own):
    sha256 = hashlib.sha256(server.content).hexdigest()
    url = server.url.replace("//", "//me:secret@") + "?token=secret"
    assert edge("models", "add", url, "--name", "far", "--sha256", sha256).code == 0
    assert "secret" not in (own / "catalog.yaml").read_text()


def test_a_download_that_is_interrupted_goes_on(edge_process, edge, server, own):
    server.content += b"\xf2\x3f\x80\x80\x80\x04" + bytes(1 << 23)  # a field that nobody reads
    server.bytes_a_second = 2_000_000
    sha256 = hashlib.sha256(server.content).hexdigest()
    add = ("models", "add", server.url, "--name", "far", "--sha256", sha256)
    process = edge_process(*add)
    for _ in range(600):
        time.sleep(0.05)
        parts = list(own.glob("*.part"))
        if parts and parts[0].stat().st_size > 100_000:
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    [part] = own.glob("*.part")
    have = part.stat().st_size
    server.bytes_a_second = 0
    assert edge(*add).code == 0
    assert server.ranges[-1] == f"bytes={have}-"


def test_verify(edge, square_model, own):
    result = edge("models", "verify")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("ok    person-vehicle-seg-nano: sha256 ")
    assert "-     rtmdet-ins-s: not yet made; make it with" in result.out
    assert edge("models", "verify", "rtmdet-ins-s").code == 4
    unknown = edge("models", "verify", "nano")
    assert unknown.code == 4
    assert "nano: expected one of person-vehicle-seg-nano, " in unknown.err

    assert edge("models", "add", square_model, "--name", "yard").code == 0
    [file] = own.glob("*.onnx")
    file.write_bytes(file.read_bytes() + b"x")
    changed = edge("models", "verify", "yard", "person-vehicle-seg-nano")
    assert changed.code == 4
    assert "WRONG yard: expected sha256 " in changed.out
    assert changed.err == "edge: models: expected what the catalogue says, got another: yard\n"
    file.unlink()
    missing = json.loads(edge("models", "verify", "--json").out)
    assert [r["name"] for r in missing if r["verdict"] == "WRONG"] == ["yard"]


def test_the_package_has_its_catalogue():
    assert FOLDERS[0] == MODELS


def test_the_documentation_knows_every_model_family_and_key():
    text = (MODELS.parent / "docs" / "models.md").read_text()
    for word in (*FAMILIES, *KEYS, *(entry.name for entry in entries())):
        assert f"`{word}`" in text, word
    for script in re.findall(r"scripts/export_\w+\.py", text):
        assert (MODELS.parent / script).is_file()
