"""The Dockerfiles: what can be said of them without building them."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("Dockerfile*"))


def instructions(text: str) -> list[tuple[str, str]]:
    """(instruction, rest) of each; comments left out, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(first.upper(), rest) for first, rest in re.findall(r"^(\w+)\s+(.+)$", joined, re.M)]


def rules_of(root: Path) -> list[str]:
    path = root / ".dockerignore"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def ignored(path: str, rules: list[str]) -> bool:
    """Whether .dockerignore keeps a path out: the last rule that fits it, or what holds it."""
    parts = path.split("/")
    above = ["/".join(parts[: k + 1]) for k in range(len(parts))]
    out = False
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        names = parts if "**/" in rule else above
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            out = not rule.startswith("!")
    return out


def problems(text: str, root: Path) -> list[str]:
    """What is wrong with a Dockerfile."""
    steps = instructions(text)
    found = [*wrong_bases(steps), *undeclared(steps), *wrong_ends(steps)]
    for instruction, rest in steps:
        if instruction == "RUN":
            found += wrong_installs(rest)
        elif instruction in ("COPY", "ADD"):
            found += wrong_sources(rest, root)
    return found


def wrong_bases(steps):
    defaults = dict(rest.split("=", 1) for name, rest in steps if name == "ARG" and "=" in rest)
    for rest in (rest for name, rest in steps if name == "FROM"):
        image = re.sub(r"\$\{?(\w+)\}?", lambda m: defaults.get(m[1], ""), rest.split()[0])
        if not re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", image):
            yield f"FROM {image}: no version"


def undeclared(steps):
    declared: set[str] = set()
    for name, rest in steps:
        if name == "FROM":
            declared = set()
        elif name == "ARG":
            declared.add(rest.partition("=")[0])
        elif name == "RUN":
            used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", rest))
            loops = set(re.findall(r"\bfor (\w+) in", rest))
            yield from (f"${one}: no ARG" for one in sorted(used - declared - loops))


def wrong_installs(command):
    if "apt-get install" in command and not command.endswith("&& rm -rf /var/lib/apt/lists/*"):
        yield "apt-get install: its lists stay"
    if re.search(r"apt-get install (?!-y --no-install-recommends)", command):
        yield "apt-get install: expected -y --no-install-recommends"
    if re.search(r"pip install (?!--no-cache-dir)", command):
        yield "pip install: its cache stays"


def wrong_sources(rest, root):
    if rest.startswith("--from="):
        return
    for source in rest.split()[:-1]:
        # A wheel of one's own may be there or not.
        if "*" not in source and not (root / source).exists():
            yield f"COPY {source}: no such path"
        elif ignored(source, rules_of(root)):
            yield f"COPY {source}: .dockerignore keeps it out"


def wrong_ends(steps):
    last = dict(steps)
    if last.get("USER", "root") in ("root", "0"):
        yield "USER: root"
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        if not re.search(r"\[(\".+\")?\]$", last.get(name, "")):
            yield f"{name}: expected words in brackets"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_wrong(path):
    assert problems(path.read_text(), ROOT) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_both_promise(path):
    text = path.read_text()
    steps = instructions(text)
    assert ("ENTRYPOINT", '["/opt/edgecount/bin/edge"]') in steps
    [(_, volumes)] = [step for step in steps if step[0] == "VOLUME"]
    environment = " ".join(rest for instruction, rest in steps if instruction == "ENV")
    for name in ("STATE_DIRECTORY", "CACHE_DIRECTORY"):
        [folder] = re.findall(rf"\b{name}=(\S+)", environment)
        assert folder in json.loads(volumes)
    assert "/healthz" in environment


def test_there_is_one_for_a_pc_and_one_for_a_jetson():
    assert [path.name for path in FILES] == ["Dockerfile", "Dockerfile.jetson"]


def test_the_context_is_what_is_needed():
    rules = rules_of(ROOT)
    for path in (".git/config", ".venv/bin/python", "out/events.jsonl", "tests/conftest.py",
                 "edge/__pycache__/a.pyc", "models/own.onnx.partial", "secrets.env"):  # fmt: skip
        assert ignored(path, rules), path
    for path in ("edge/cli/app.py", "models/catalog.yaml", "onnxruntime_gpu-1.23.0-cp310.whl"):
        assert not ignored(path, rules), path


def test_what_is_left_out_is_not_imported():
    gone = re.findall(r"pip uninstall -y ([\w -]+)", (ROOT / "Dockerfile").read_text())
    names = {"opencv-python": "no module", "fonttools": "fontTools", "pillow": "PIL"}
    modules = [names.get(name, name) for name in " ".join(gone).split()]
    assert {"scipy", "matplotlib", "PIL"} <= set(modules)
    used = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(modules)}|filterpy)\b", re.M)
    assert [p for p in (ROOT / "edge").rglob("*.py") if used.search(p.read_text())] == []


GOOD = """
FROM debian:12.11-slim
ARG WHAT=pip
RUN apt-get install -y --no-install-recommends $WHAT && rm -rf /var/lib/apt/lists/*
COPY edge edge
USER 10001
HEALTHCHECK CMD ["true"]
ENTRYPOINT ["edge"]
CMD ["--help"]
"""


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("debian:12.11-slim", "debian:latest", "FROM debian:latest: no version"),
        ("debian:12.11-slim", "debian", "FROM debian: no version"),
        ("ARG WHAT=pip\n", "", "$WHAT: no ARG"),
        (" && rm -rf /var/lib/apt/lists/*", "", "apt-get install: its lists stay"),
        (" -y", "", "apt-get install: expected -y --no-install-recommends"),
        ("RUN ", "RUN pip install . && ", "pip install: its cache stays"),
        ("COPY edge edge", "COPY edgy edge", "COPY edgy: no such path"),
        ("COPY edge edge", "COPY out edge", "COPY out: .dockerignore keeps it out"),
        ("USER 10001\n", "", "USER: root"),
        ("USER 10001", "USER root", "USER: root"),
        ('["edge"]', "edge", "ENTRYPOINT: expected words in brackets"),
        ('HEALTHCHECK CMD ["true"]\n', "", "HEALTHCHECK: expected words in brackets"),
    ],
)
def test_what_is_wrong_is_told(good, bad, problem, tmp_path):
    (tmp_path / "edge").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / ".dockerignore").write_text("out\n")
    assert problems(GOOD, tmp_path) == []
    assert good in GOOD
    assert problems(GOOD.replace(good, bad), tmp_path) == [problem]
