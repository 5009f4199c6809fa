"""The documents: commands are run, or parsed where they cannot be; links, configs, events hold."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import jsonschema
import numpy as np
import pytest
import typer

from edge.cli.app import app
from edge.config import load
from edge.events import json_schema

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
PAPERS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
PAPERS += sorted((ROOT / "models").glob("*.md"))
FRAMES = 12  # of the clip that the commands get
SECRETS = ["CAMERA_PASSWORD", "GATE_PASSWORD", "YARD_PASSWORD", "ENTRANCE_PASSWORD"]
SECRETS += ["MQTT_PASSWORD", "WEBHOOK_SECRET", "EDGE_TOKEN"]

# Commands that are parsed but not run: what each contains, and why.
NOT_RUN = {
    "rtsp://": "needs a camera",
    "configs/cameras.yaml --watch": "needs cameras",
    "configs/mqtt-home-assistant.yaml": "needs a camera and a broker",
    "edge draw": "serves until Ctrl-C; tests/cli/test_draw.py runs it",
    "edge init camera.yaml": "asks; run with --yes here, with answers in tests/cli/test_init.py",
    "https://models.example.org": "needs the network",
    "rf-detr-seg-nano": "needs a model that users make",
    "scripts/demo": "makes .venv; its count is much like the first recipe",
    "scripts/install": "makes .venv",
    "scripts/quantize_default_model": "takes minutes; tests/scripts/test_quantize.py runs it",
    "scripts/time_model": "takes a minute; tests/scripts/test_time_model.py runs it",
    "scripts/bench_": "takes minutes",
    "edge bench": "takes a minute; tests/cli/test_bench.py runs it",
    "/etc/edgecount": "needs an installed service",
}
# Lines that show which options there are, not what to type.
SYNOPSIS = re.compile(r"\[-|\[[A-Z]|\b[A-Z]+\||\.\.\.|NAME=x1|\b(SOURCE|TRUTH|EVENTS|IMAGE|FILE)\b")


class Command(NamedTuple):
    """A command of a document."""

    paper: str
    text: str

    @property
    def words(self) -> list[str]:
        """What a shell makes of it."""
        return shlex.split(self.text, comments=True)


def blocks(paper: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each fenced block, and of indented ones."""
    text = paper.read_text()
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
    for found in fence.finditer(text):
        yield found[1], found[2]
    for found in re.finditer(r"(?:^    \S.*\n(?:^ {4,}.*\n)*)", fence.sub("", text), re.M):
        yield "indented", re.sub(r"\n    +", " \\\n", found[0].strip()) + "\n"


def commands(paper: Path) -> Iterator[Command]:
    """Every `edge ...` and `scripts/...` of the shell blocks of a document."""
    for language, text in blocks(paper):
        if language not in ("sh", "console", "indented"):
            continue
        for line in text.replace("\\\n", " ").splitlines():
            bare = re.sub(r"^(\$ |sudo |([A-Z_]+=\S* +)+|\S*/\.?venv/bin/|\.venv/bin/)+", "", line)
            bare = re.sub(r"^/opt/edgecount/", "", bare.strip())
            bare = re.sub(r"^\.venv/bin/", "", bare)
            if re.match(r"(edge|scripts/\w+)( |$)", bare):
                yield Command(paper.name, re.sub(r" +", " ", bare))


COMMANDS = list(dict.fromkeys(c for paper in PAPERS for c in commands(paper)))
TYPED = [c for c in COMMANDS if not SYNOPSIS.search(c.text.partition(" #")[0])]
INLINE = [
    Command(paper.name, found[1].replace(r"\|", "|"))
    for paper in PAPERS
    for found in re.finditer(r"`((?:edge|scripts/\w+) [^`\n]+)`", paper.read_text())
]


def reason(command: Command) -> str | None:
    """Why a command is not run."""
    return next((why for part, why in NOT_RUN.items() if part in command.text), None)


RUN = [c for c in TYPED if reason(c) is None]


def shown(command: Command) -> str:
    """Name of a test."""
    return f"{command.paper}: {command.text[:70]}"


EDGE = typer.main.get_command(app)


def subcommand(words: list[str]) -> tuple[Any, list[str]]:
    """The command that `edge WORDS` names, and its arguments."""
    found: Any = EDGE
    rest = words[1:]
    while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in found.commands, f"no command {rest[0]!r}"
        found, rest = found.commands[rest[0]], rest[1:]
    return found, rest


def options(command: Any) -> set[str]:
    """Names of all options of a command."""
    return {"--help", "-h"} | {o for p in command.params for o in (*p.opts, *p.secondary_opts)}


@pytest.mark.parametrize("command", [*COMMANDS, *INLINE], ids=shown)
def test_commands_and_options_exist(command):
    name = command.text.split()[0]
    if name != "edge":
        program = ROOT / name
        assert program.stat().st_mode & 0o111
        text = "".join(
            p.read_text() for p in program.parent.glob(f"{program.name}*") if p.is_file()
        )
        given = re.findall(r"(?<=[\s\[`])--[a-z][\w-]+", command.text)
        assert not [option for option in given if f'"{option}"' not in text and option != "--help"]
        return
    found, _ = subcommand(re.sub(r"[\[\]]", " ", command.text.replace("|", " ")).split())
    given = re.findall(r"(?<=[\s\[])--?[a-z][\w-]*", command.text.partition(" #")[0])
    assert not set(given) - options(found)


@pytest.mark.parametrize("command", [c for c in TYPED if c.words[0] == "edge"], ids=shown)
def test_commands_parse(command, monkeypatch, folder):
    """Required arguments and values are as the command line wants them."""
    monkeypatch.chdir(folder)
    found, rest = subcommand(command.words)
    if "--help" not in rest:
        found.make_context("edge", [word for word in rest if word not in (">", "<")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands find: a short clip, events, detections, configs."""
    path = tmp_path_factory.mktemp("documents")
    shorten(ROOT / "tests" / "data" / "people.mp4", path / "street.mp4")
    shutil.copytree(ROOT / "configs", path / "configs")
    shutil.copy(GOLDEN / "people.jsonl.gz", path / "monday.jsonl.gz")
    for name in ("events.jsonl", "gate.jsonl"):
        shutil.copy(GOLDEN / "people.events.jsonl", path / name)
    packed = gzip.compress((path / "events.jsonl").read_bytes())
    (path / "yard.jsonl.gz").write_bytes(packed)
    (path / "truth.json").write_text('{"gate": {"in": 0, "out": 0}}')
    rules = (
        "cameras:\n  street:\n    source: street.mp4\n    lines: {gate: {a: [.5, 0], b: [.5, 1]}}\n"
    )
    (path / "street.yaml").write_text(rules)
    cv2.imwrite(str(path / "view.jpg"), np.full((576, 768, 3), 128, np.uint8))
    return path


def shorten(source: Path, target: Path) -> None:
    """Copy the first frames of a video."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if number < FRAMES and packet.dts is not None:
                packet.stream = stream
                made.mux(packet)


@pytest.fixture
def prepared(folder, tmp_path, monkeypatch, square_model):
    """A folder of its own for each document, in which its commands are run one after the other."""
    here = tmp_path / "here"
    shutil.copytree(folder, here)
    shutil.copy(square_model, here / "best.onnx")
    (here / "names.txt").write_text("person\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("EDGECOUNT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    for name in SECRETS:
        monkeypatch.setenv(name, "a-secret-of-at-least-32-characters")
    return here


@pytest.mark.parametrize("paper", sorted({c.paper for c in RUN}))
def test_commands_run(paper, prepared, edge):
    line = ["--line", "gate=.5,0,.5,1"]
    assert edge("run", "street.mp4", *line, "--journal", "journal.db", "--quiet").code == 0
    assert edge("init", "camera.yaml", "--yes").code == 0
    assert edge("track", "monday.jsonl.gz", "--out", "tracks.txt", "--quiet").code == 0
    for command in [c for c in RUN if c.paper == paper]:
        assert command.words[0] == "edge", f"{command.text}: run it here, or say why not"
        if "models add" in command.text:  # what an earlier recipe added is not there
            shutil.rmtree(os.environ["EDGECOUNT_MODELS"], ignore_errors=True)
        done = edge(*command.words[1:])
        assert done.code == 0, f"{command.text}\n{done.err}"


def test_what_is_not_run_is_still_there():
    stale = [part for part in NOT_RUN if not any(part in c.text for c in COMMANDS)]
    assert stale == []


def slugs(paper: Path) -> set[str]:
    """Anchors of the headings of a document, as code hosts make them."""
    heads = re.findall(r"^#+ (.+)$", paper.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: p.name)
def test_links_and_pictures_are_there(paper):
    text = re.sub(r"```.*?```", "", paper.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (paper.parent / file).resolve() if file else paper
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT)
        assert not anchor or anchor in slugs(linked), target
        assert linked.suffix not in (".jpg", ".png") or linked.stat().st_size < 500_000


def test_the_index_names_every_document():
    index = (ROOT / "docs" / "README.md").read_text()
    names = {paper.name for paper in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert not [name for name in names if f"({name})" not in index]


def of_language(language: str) -> list[Any]:
    """Each block of a language, named by its document."""
    return [
        pytest.param(text, id=f"{paper.name}-{number}")
        for paper in PAPERS
        for number, (name, text) in enumerate(blocks(paper))
        if name == language
    ]


@pytest.mark.parametrize("text", of_language("yaml"))
def test_yaml_is_a_config(text, tmp_path, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "a-secret-of-at-least-32-characters")
    path = tmp_path / "config.yaml"
    path.write_text(text if "cameras:" in text else f"{text}\ncameras: {{}}\n")
    load(path)


@pytest.mark.parametrize("text", of_language("json"))
def test_json_is_json_and_events_follow_the_schema(text):
    value = json.loads(text)
    if "schema" in value:
        jsonschema.validate(value, json_schema())


@pytest.mark.parametrize("text", of_language("python"))
def test_python_runs(text, prepared):
    compile(text, "example", "exec")
    bare = [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(bare, cwd=prepared, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_example_configs_are_right(path, edge, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "a-secret-of-at-least-32-characters")
    done = edge("check", path)
    assert done.code == 0, done.err
    assert path.name == "reference.yaml" or "warning" not in done.err + done.out
