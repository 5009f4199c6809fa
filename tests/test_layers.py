"""The layers of the package, read off its imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "edge"

LAYERS: dict[str, int] = {
    "errors": 0,
    "installing": 0,
    "types": 1,
    **dict.fromkeys(("boxes", "geometry", "masks", "mosaic", "rle", "stats"), 2),
    **dict.fromkeys(("config", "sources", "segment", "track", "count", "events", "sinks"), 3),
    **dict.fromkeys(("draw", "evaluate", "report", "web", "testing"), 3),
    **dict.fromkeys(
        ("outputs", "build", "pipeline", "lane", "recent", "watch", "site", "ledger"), 4
    ),
    **dict.fromkeys(("journal_writer", "delivery", "receivers", "view", "api"), 4),
    **dict.fromkeys(("patience", "openings", "statuses"), 4),
    **dict.fromkeys(("cli", "__main__"), 5),
}
SIDEWAYS = {2, 4, 5}  # modules of these layers may use each other; those of layer 3 never
LIBRARIES = {0: set(), 1: {"numpy"}, 2: {"numpy", "cv2"}}  # of the lowest layers
OWNERS = {  # who alone may import a library
    "onnxruntime": ("edge.segment.runtime",),
    "av": ("edge.sources", "edge.sinks.video", "edge.cli.doctor"),
    "pydantic": ("edge.config", "edge.events.schema"),
    "pydantic_core": ("edge.config", "edge.events.schema"),
    "paho": ("edge.sinks.mqtt_link",),
    "httpx": ("edge.sinks.webhook", "edge.segment.download"),
    "starlette": ("edge.web",),
    "uvicorn": ("edge.web",),
    "prometheus_client": ("edge.web",),
    "typer": ("edge.cli",),
    "rich": ("edge.cli",),
}


def problems(package: Path) -> list[str]:
    """Every breach of the layers under a package folder named `edge`: `file:line: what`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            found += [
                f"{'/'.join(parts)}.py:{getattr(node, 'lineno', 0)}: {problem}"
                for problem in (*_import_problems(module, parts, node), *_calls(module, node))
            ]
    return found


def _import_problems(module: str, parts: tuple[str, ...], node: ast.AST) -> Iterator[str]:
    for imported in _imported(parts, node):
        root, *inner = imported.split(".")
        own = _part(module)
        if root in OWNERS and not any(_within(module, owner) for owner in OWNERS[root]):
            yield f"{root} belongs to {' and '.join(OWNERS[root])}"
        if own not in LAYERS and own:
            yield f"{own} is in no layer"
        elif root != "edge":
            allowed = LIBRARIES.get(LAYERS.get(own, 0))
            if allowed is not None and root not in allowed | sys.stdlib_module_names:
                yield f"{module} may not import {root}"
        elif inner:  # plain `import edge`, for the version, is for all
            yield from _layer_problem(own, inner[0])


def _layer_problem(own: str, other: str) -> Iterator[str]:
    if other not in LAYERS:
        yield f"{other} is in no layer"
    elif not own:
        if other != "api":  # whose names it offers, and imports when they are used
            yield f"edge/__init__.py may not import {other}"
    elif own != other:
        mine, theirs = LAYERS[own], LAYERS[other]
        if theirs > mine or (theirs == mine and mine not in SIDEWAYS):
            yield f"{own} (layer {mine}) may not import {other} (layer {theirs})"


def _calls(module: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "print" and _part(module) != "cli":
            yield "print is for the command line"
        if node.func.id in ("__import__", "import_module") and not _names_a_library(node):
            yield "no loading of modules by name"


def _names_a_library(call: ast.Call) -> bool:
    """Whether the name starts with a fixed package that is not ours, as an optional one may."""
    text = ast.unparse(call.args[0]).lstrip("f").strip("'\"")
    return bool(text) and not text.startswith(("edge", "{")) and text[0].isalpha()


def _imported(parts: tuple[str, ...], node: ast.AST) -> list[str]:
    """Full names of what a statement imports; `from edge import build` is edge.build."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = [] if not node.level else list(parts[: -node.level])
    source = ".".join([*base, *([node.module] if node.module else [])])
    return [f"{source}.{a.name}" for a in node.names] if source == "edge" else [source]


def _part(module: str) -> str:
    """Top-level part of the package: `edge.track.motion` -> `track`, `edge` -> ``."""
    return module.partition(".")[2].partition(".")[0]


def _within(module: str, owner: str) -> bool:
    return module == owner or module.startswith(owner + ".")


def test_the_package_keeps_its_layers():
    assert problems(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("errors.py", "import numpy\n", "edge.errors may not import numpy"),
        ("types.py", "import cv2\n", "edge.types may not import cv2"),
        ("boxes.py", "import scipy.optimize\n", "edge.boxes may not import scipy"),
        ("masks.py", "from edge.track import motion\n", "masks (layer 2) may not import track"),
        ("track/a.py", "from edge.count.line import X\n", "track (layer 3) may not import count"),
        ("track/a.py", "from edge import config\n", "track (layer 3) may not import config"),
        ("track/a.py", "import edge.config.load\n", "track (layer 3) may not import config"),
        ("track/a.py", "from ..config import load\n", "track (layer 3) may not import config"),
        ("sinks/a.py", "def f():\n    import edge.build\n", "sinks (layer 3) may not import build"),
        ("pipeline.py", "from edge.cli import run\n", "pipeline (layer 4) may not import cli"),
        ("__init__.py", "from edge import types\n", "edge/__init__.py may not import types"),
        ("track/a.py", "import onnxruntime as ort\n", "onnxruntime belongs to edge.segment.runt"),
        ("segment/yolo.py", "import onnxruntime\n", "onnxruntime belongs to"),
        ("sinks/jsonl.py", "from av.error import X\n", "av belongs to"),
        ("events/encode.py", "import pydantic\n", "pydantic belongs to"),
        ("build.py", "import rich.console\n", "rich belongs to edge.cli"),
        ("pipeline.py", "import typer\n", "typer belongs to edge.cli"),
        ("track/a.py", "print('here')\n", "print is for the command line"),
        ("track/a.py", "__import__('edge.build')\n", "no loading of modules by name"),
        ("build.py", "__import__(f'{name}.tracker')\n", "no loading of modules by name"),
        ("plugins.py", "import os\n", "plugins is in no layer"),
    ],
)
def test_a_breach_is_found(file, text, problem, tmp_path):
    path = tmp_path / "edge" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    [found] = problems(tmp_path / "edge")
    assert found.startswith(f"edge/{file}:")
    assert problem in found


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("segment/runtime.py", "import onnxruntime\nfrom edge.types import F32\n"),
        ("segment/segmenter.py", "from .session import Session\nfrom edge import masks, boxes\n"),
        ("sinks/video.py", "import av\nimport edge\nfrom edge.errors import SinkError\n"),
        ("build.py", "from edge.outputs import Counter\nfrom edge.segment import Segmenter\n"),
        ("cli/run.py", "import rich\nfrom edge import build, pipeline\nprint()\n"),
        ("evaluate/a.py", "__import__('pycocotools.mask')\n"),
        ("rle.py", "import numpy as np\nfrom edge import masks\n"),
        ("__init__.py", "__version__ = '1'\n"),
        ("__init__.py", "def __getattr__(name):\n    from edge import api\n"),
    ],
)
def test_what_the_layers_allow(file, text, tmp_path):
    path = tmp_path / "edge" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert problems(tmp_path / "edge") == []
