"""The programs in scripts/ start from anywhere, with the Python of .venv."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Those with packages of their own run in an environment of their own.
ELSEWHERE = {*SCRIPTS.glob("export_*.py"), *SCRIPTS.glob("*_reference.py")}
PROGRAMS = sorted(p.with_suffix("") for p in SCRIPTS.glob("*.py") if p not in ELSEWHERE)


def said(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(c) for c in command], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path):
    """A checkout of one program that prints its arguments."""
    scripts = tmp_path / "a checkout" / "scripts"
    scripts.mkdir(parents=True)
    shutil.copy(PROGRAMS[0], scripts / "program")
    (scripts / "beside.py").write_text("words = 'said by'\n")
    (scripts / "program.py").write_text("import sys, beside\nprint(beside.words, sys.argv[1:])\n")
    return scripts / "program"


def test_screenshots_of_all_tests_are_kept_where_git_does_not_look():
    assert "${EDGECOUNT_SCREENSHOTS:-$PWD/out/screenshots}" in (SCRIPTS / "test").read_text()
    assert "out/" in (SCRIPTS.parent / ".gitignore").read_text().splitlines()


def test_all_are_alike_and_may_be_run():
    assert {p.name for p in PROGRAMS} >= {"bench_tracking", "golden", "make_sample", "time_model"}
    assert len({p.read_text() for p in PROGRAMS}) == 1
    assert all(p.stat().st_mode & 0o111 for p in PROGRAMS)


def test_arguments_reach_the_program_as_they_are(copy, tmp_path):
    python = copy.parent.parent / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for program, cwd in ((copy, tmp_path), ("./program", copy.parent)):
        assert said(program, "a b", "--c", cwd=cwd).stdout == "said by ['a b', '--c']\n"


def test_without_venv_they_say_what_to_do(copy, tmp_path):
    done = said(copy, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{copy}: expected .venv, got none; run scripts/install first\n"
