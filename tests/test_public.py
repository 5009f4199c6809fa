"""What every module of the package owes its reader."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "edge").rglob("*.py"))
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
MOST_LINES = 400
WINDOWS = {"imshow", "namedWindow", "waitKey", "selectROI", "destroyAllWindows"}

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=[str(p.relative_to(ROOT)) for p in MODULES]
)
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(tree: ast.Module) -> Iterator[tuple[str, Documented]]:
    """Public functions, classes and methods of a module."""
    for node in tree.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, Documented) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


@each_module
def test_docstrings_say_something(path):
    tree = ast.parse(path.read_text())
    assert (path.name == "__main__.py") or len(ast.get_docstring(tree) or "") >= 20
    for name, node in public(tree):
        text = ast.get_docstring(node) or ""
        words = [w for w in re.findall(r"[a-z]+", text.lower()) if w != node.name.lower()]
        assert words, f"{name}: {text!r}"
        assert text.splitlines()[0].rstrip().endswith((".", "?", ":")), f"{name}: {text!r}"


@each_module
def test_raised_errors_are_documented(path):
    """A public function that raises an error of ours says so under Raises, or its class does."""
    tree = ast.parse(path.read_text())
    if "cli" in path.parts:
        return  # each command's docstring is its help; the exit codes are in edge.errors
    for name, node in public(tree):
        if isinstance(node, ast.ClassDef):
            continue
        raised = {
            r.exc.func.id
            for r in ast.walk(node)
            if isinstance(r, ast.Raise)
            and isinstance(r.exc, ast.Call)
            and isinstance(r.exc.func, ast.Name)
            and r.exc.func.id.endswith("Error")
        }
        if name == "check" and path.name == "types.py":
            continue  # its one purpose: the first line says it
        if raised:
            assert "Raises:" in (ast.get_docstring(node) or ""), f"{name} raises {raised}"


@each_module
def test_modules_are_small_and_named_for_what_they_do(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES
    assert not {path.stem, *path.relative_to(ROOT).parent.parts} & VAGUE


@each_module
def test_nothing_needs_a_display(path):
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not {f.attr for f in calls if isinstance(f, ast.Attribute)} & WINDOWS


def test_every_public_name_is_used():
    """By a test, another module or its own: nothing is kept that nobody calls."""
    files = (*MODULES, *(ROOT / "tests").rglob("*.py"))
    uses = Counter(word for path in files for word in re.findall(r"\w+", path.read_text()))
    for path in MODULES:
        if "cli" in path.parts:
            continue  # typer calls commands by their decorators
        for name, _ in public(ast.parse(path.read_text())):
            assert uses[name.rpartition(".")[2]] >= 2, f"{path.relative_to(ROOT)}: {name}"
