"""Damaged configs: refused with sentences that name file and line, or taken and usable."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from random import Random

from edge import build
from edge.config import Config, config_rev, decided_by, load
from edge.errors import ConfigError
from edge.events import dumps
from edge.types import Stamp
from fuzzing import require
from fuzzing.mutations import mutated, text_mutations

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
NAMES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
VARIABLES = re.compile(r"\$\{(\w+)\}")
WORDS = (
    *(
        b"&a",
        b"*a",
        b"&a [*a, *a]",
        b"<<: *a",
        b"!!binary x",
        b"!!int x",
        b"!!float x",
        b"!!bool x",
    ),
    *(
        b"!!timestamp x",
        b"!!python/none",
        b"!!set {a}",
        b"!!omap [a]",
        b"!!null x",
        b"!x",
        b"!!str",
    ),
    *(
        b'"\\UFFFFFFFF"',
        b'"\\x00"',
        b"'",
        b'"',
        b"|",
        b">",
        b"- ",
        b"? ",
        b": ",
        b"---",
        b"...",
        b"%",
    ),
    *(b"%YAML 9.9", b"%TAG ! a", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59"),
    *(b"${NO}", b"${}", b"${file:}", b"${file:/}", b'"${file:\\0}"', b'"${\\0}"', b'"${\\ud800}"'),
    *(b"rtsp://", b"rtsp://a:b@c", b"rtsp://[::1", b"http://a:99999999/", b"gst:", b"127.0.0.1:0"),
    *(b"source", b"lines", b"zones", b"[0.5, 0.5]", b"[0, 0], [0, 0], [0, 0]", b"mqtt", b"webhook"),
)


class Configs:
    """Each call is a case."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "site.yaml"
        self._mutations = text_mutations(WORDS)
        texts = [path.read_text() for path in sorted(CONFIGS.glob("*.yaml"))]
        reference = (CONFIGS / "reference.yaml").read_text()
        # Its example, as its head describes.
        texts.append(re.sub(r"(?m)^#( *[a-z_]+:)", r"\1", reference).replace(": {}\n", ":\n"))
        for name in VARIABLES.findall("".join(texts)):
            os.environ.setdefault(name, "secret")
        self._texts = [_bare(text).encode() for text in texts]
        self._weights = [10] * len(texts)
        self._texts.append(_bomb().encode())
        self._weights.append(1)

    def __call__(self, chance: Random) -> str:
        [text] = chance.choices(self._texts, self._weights)
        text = mutated(text, chance, self._mutations)
        self._path.write_bytes(text)
        try:
            config = load(self._path)
        except ConfigError as error:
            lines = str(error).splitlines()
            require(bool(lines), "a refusal without a word")
            require(lines[0].startswith(f"{self._path}:"), f"a refusal that names no line: {lines}")
            return "refused"
        try:
            used(config)
        except ConfigError:
            return "refused when used"
        return "taken"


def used(config: Config) -> None:
    """Make of a config what a run makes of it, without cameras and model.

    Raises:
        ConfigError: a class that the model does not know.
    """
    for camera in config.cameras:
        build.tracker(config, camera, NAMES)
        build.counters(config, camera, NAMES, 768, 576)
        build.geometry(config, camera)
        config_rev(config, camera)
        decided_by(config, camera, "0" * 64)
        about = {"width": 768, "height": 576, "class_names": NAMES}
        line = dumps(build.encoder(config, camera, about).started(Stamp(0, 0.0)))
        json.loads(line.encode())


def _bare(text: str) -> str:
    """A YAML text without its comments: they are not what is to be damaged."""
    return re.sub(r"(?m)^ *#.*\n", "", text)


def _bomb() -> str:
    """Text that means ten to the ninth values."""
    rows = ["a0: &a0 [x, x]"]
    rows += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    return "\n".join(rows) + "\n"
