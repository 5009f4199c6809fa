"""The command as a whole: what it says, in which form, and how it ends."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge import __version__
from edge.cli.doctor import command, machine, packages, video
from edge.cli.doctor.finding import Finding, findings_of, said
from edge.errors import ModelError
from edge.segment import catalog

ROOT = Path(__file__).parents[2]


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


@pytest.fixture
def report(edge):
    """Findings by what was looked at, of `edge doctor ... --json`, and its exit code."""

    def run(*arguments):
        result = edge("doctor", *arguments, "--json")
        assert result.err == ""
        whole = json.loads(result.out)
        assert list(whole) == ["edgecount", "findings", "ok"]
        assert whole["edgecount"] == __version__
        assert whole["ok"] == (result.code == 0)
        found: dict[str, Finding] = {}
        for each in whole["findings"]:
            found.setdefault(each["what"], Finding(**each))
        return found, result.code

    return run


def test_a_machine_on_which_all_works(report, catalogue):
    catalogue()
    found, code = report()
    assert code == 0
    assert found["Python"].found.startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert found["provider cpu"].found == "creates a session and runs it"
    assert "h264" in found["PyAV"].found
    assert "FFmpeg yes" in found["OpenCV"].found
    assert found["model square"].found.endswith("as the catalogue says")
    assert found["model opens"].found == "square.onnx: yolo with person"
    every = ("Python", "edgecount", "packages", "OpenCV", "numpy", "PyAV", "onnxruntime")
    needed = {what for what, each in found.items() if each.needed}
    assert needed >= {*every, "provider cpu", "model square", "model opens"}
    assert {found[what].state for what in needed} == {"ok"}
    assert {"CPUs", "disk here", "clock", "hardware video"} <= set(found)


def test_what_is_not_ok_has_a_remedy(report, catalogue):
    catalogue("0" * 64)
    found, _ = report(ROOT / "configs" / "jetson.yaml")
    assert [each for each in found.values() if (each.state == "ok") == bool(each.remedy)] == []


def test_a_model_that_is_not_what_the_catalogue_says(report, catalogue):
    catalogue("0" * 64)
    found, code = report()
    assert code == 1
    assert found["model square"].decides
    assert "expected sha256 0000000000000000" in found["model square"].found


def test_without_its_model_it_still_reports(report, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path))
    (tmp_path / "catalog.yaml").write_text(
        "default: a\nmodels:\n  a: {file: a.onnx, licence: MIT, description: A., "
        f"sha256: '{'0' * 64}'}}\n"
    )
    found, code = report()
    assert code == 1
    assert found["model a"] == Finding(
        "model a",
        f"{tmp_path}/a.onnx: missing",
        "problem",
        "put it back, or `edge models add FILE --name a`",
        needed=True,
    )
    assert found["model opens"].decides
    assert found["numpy"].state == "ok"


def test_without_a_catalogue_it_still_reports(report, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "FOLDERS", (tmp_path / "none",))
    found, code = report()
    assert code == 1
    assert found["models"].decides
    assert found["models"].remedy == "install edgecount anew, or give --model a path"


def test_the_table_fits_80_columns_and_remedies_follow_it(edge, catalogue, monkeypatch):
    catalogue("0" * 64)
    monkeypatch.setenv("COLUMNS", "80")
    result = edge("doctor")
    lines = result.out.splitlines()
    assert result.code == 1
    assert lines[0] == f"edgecount {__version__}"
    assert max(map(len, lines)) <= 80
    assert lines.index("problem model square:") < len(lines) - 1
    assert lines[-1] == "problem: every run needs model square"


def test_brackets_are_shown_and_one_remedy_stands_once(edge, catalogue, monkeypatch):
    catalogue()
    found = [Finding(name, "[b]", "note", "pip install x[gpu]") for name in ("one", "two")]
    monkeypatch.setattr(command, "examined", lambda path: found)
    result = edge("doctor")
    assert result.out.count("[b]") == 2
    assert "note one, two:\n  pip install x[gpu]" in result.out
    assert result.out.endswith("\nok: all that every run needs is here\n")
    assert result.code == 0


def test_an_example_is_in_its_help(edge):
    assert "Example: edge doctor /etc/edgecount/site.yaml --json" in edge("doctor", "--help").out


def test_a_check_that_fails_is_a_finding(report, catalogue, monkeypatch):
    catalogue()

    def fail():
        sys.stderr.write("noise")
        raise OSError("no such thing\nnor that")

    for module, name in ((machine, "clock"), (video, "pyav"), (packages, "edgecount")):
        monkeypatch.setattr(module, name, fail)
    found, code = report()
    assert code == 0
    for what in ("clock", "PyAV", "edgecount"):
        assert found[what].found == "not checked: OSError: no such thing"
        assert found[what].state == "note"


def test_errors_of_ours_are_split_into_what_and_remedy():
    def check():
        yield Finding("a", "there")
        raise ModelError("m: expected a file, got none; put it there; or not")

    assert findings_of("b", check, needed=True) == [
        Finding("a", "there"),
        Finding("b", "m: expected a file, got none", "problem", "put it there; or not", True),
    ]


def test_programs_that_say_nothing():
    assert said("no-such-program-anywhere") is None
    assert said("false") is None
    assert said("sleep", "5", timeout_s=0.01) is None
    assert said("echo", "word") == "word\n"


@pytest.fixture
def broken(tmp_path):
    """Runs `edge` where importing a module fails as it says, ahead of the true one."""

    def run(module, statement, *arguments):
        (tmp_path / f"{module}.py").write_text(f"{statement}\n")
        found = subprocess.run(
            [sys.executable, "-m", "edge", *arguments],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return found.returncode, found.stdout, found.stderr

    return run


NUMPY = (
    "import sys; print('pages of numpy', file=sys.stderr)\n"
    "raise ImportError('numpy.core.multiarray failed to import')"
)


def test_doctor_works_where_opencv_is_broken(broken):
    code, out, err = broken("cv2", NUMPY, "doctor", "--json")
    found = {each["what"]: each for each in json.loads(out)["findings"]}
    assert (code, err) == (1, "")
    assert found["OpenCV"]["found"] == "ImportError: numpy.core.multiarray failed to import"
    assert "pip install 'numpy<2'" in found["OpenCV"]["remedy"]
    assert found["onnxruntime"]["found"] == "not checked, for lack of OpenCV"
    assert found["PyAV"]["state"] == "ok"


def test_other_commands_say_in_a_line_what_is_broken(broken):
    assert broken("cv2", NUMPY, "run", "clip.mp4") == (
        1,
        "",
        "edge: cannot start: numpy.core.multiarray failed to import; `edge doctor` says what to "
        "do\n",
    )


def test_doctor_works_where_onnxruntime_is_broken(broken):
    message = "raise ImportError('libcudart.so.12: cannot open shared object file')"
    code, out, _ = broken("onnxruntime", message, "doctor", "--json")
    found = {each["what"]: each for each in json.loads(out)["findings"]}
    assert code == 1
    assert found["onnxruntime"]["state"] == "problem"
    assert found["onnxruntime"]["remedy"] == "install the system package that has libcudart.so.12"
    assert found["OpenCV"]["state"] == "ok"
