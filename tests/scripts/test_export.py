"""The programs that export models: they start without the packages that they need, and say which.

That their files are read is tried by hand with `--weights none`: the packages are too large here.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.segment.catalog import CATALOG, FOLDERS
from edge.segment.catalog_file import read_catalog

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "scripts").glob("export_*.py"))
MODELS = read_catalog(FOLDERS[0] / CATALOG)["models"]
TO_MAKE = {name: model["export"] for name, model in MODELS.items() if "export" in model}

each_script = pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])


def helped(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command), "--help"], capture_output=True, text=True, check=True
    )
    return done.stdout


@each_script
def test_help_needs_no_package_and_says_what_to_install(script):
    text = helped(script)
    assert re.search(r"pip install .*==", text)
    assert f"bin/python scripts/{script.name}" in text
    assert "--weights none" in text
    assert re.search(r"Apache-2\.0|BSD-3-Clause", text)


@each_script
def test_one_page_and_an_opset_that_every_provider_knows(script):
    text = script.read_text()
    assert len(text.splitlines()) <= 130
    values = {
        node.targets[0].id: node.value.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    assert 11 <= values["OPSET"] <= 18


@pytest.mark.parametrize(("name", "command"), TO_MAKE.items(), ids=TO_MAKE)
def test_the_catalogue_names_a_command_that_its_script_takes(name, command):
    script, *options = command.split()
    assert ROOT / script in SCRIPTS
    helped(ROOT / script, *options)
    family = re.sub(r"-(nano|small|tiny|s)$", "", name)
    assert family in (ROOT / script).read_text()
