"""What times the first steps: its limits, and that nothing of its machine is left behind."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture(scope="session")
def program():
    return importlib.import_module("time_newcomer")


def test_each_limit_alone_fails(program):
    assert program.verdict({"A clone": 300.0}, {"report": 1.0}) == (
        [" 300.0 s  A clone", "   1.0 s  to the first paint of: report"],
        True,
    )
    lines, is_fine = program.verdict({"A clone": 300.5}, {"report": 0.2})
    assert (lines[0], is_fine) == (" 300.5 s  A clone (limit: 300 s)", False)
    lines, is_fine = program.verdict({"A clone": 5.0}, {"report": 1.3, "editor": 0.2})
    assert lines[1].endswith("paint of: report (limit: 1 s)")
    assert not lines[2].endswith("s)")
    assert not is_fine


@pytest.mark.parametrize("fails", ["debootstrap", "sysfs", "within"])
def test_a_machine_is_gone_whatever_fails(program, monkeypatch, tmp_path, fails):
    monkeypatch.setattr(program.tempfile, "tempdir", str(tmp_path))
    asked, real = [], program.run

    def run(*command):
        if fails in command:
            raise SystemExit(fails)
        asked.append(command[0])
        if command[0] == "rm":
            real(*command)

    def use():
        with program.bare_machine("bookworm") as machine:
            (machine.root / "file").touch()
            raise SystemExit("within")

    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program.shutil, "copy", lambda *given: None)
    monkeypatch.setattr(program.Machine, "does", lambda *given: "")
    with pytest.raises(SystemExit, match=fails):
        use()
    assert asked[-1] == "rm"
    assert asked.count("mount") == asked.count("umount")
    assert list(tmp_path.iterdir()) == []
