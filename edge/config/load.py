"""Read a config file and report everything that is wrong with it, each with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from edge.config.document import Document, parse
from edge.config.messages import Key, message, problems_of
from edge.config.rules import check_rule_names
from edge.config.secrets import Secrets
from edge.config.secrets import problems as secret_problems
from edge.config.sections import Config
from edge.errors import ConfigError


@dataclass(frozen=True)
class Located:
    """A config, where its keys stand, and the secrets that it was given."""

    config: Config
    document: Document
    secrets: frozenset[str]


def load(path: Path) -> Config:
    """The config in a YAML file, checked completely; no camera, model or folder is opened.

    `${NAME}` in a key that may hold a secret is replaced by that environment variable, and
    `${file:PATH}` by what the file holds. This happens after the YAML is read, so a password
    may hold any character.

    Raises:
        ConfigError: The file cannot be read, or has mistakes: one line for each, in the order
            of the file, `configs/site.yaml:41: cameras.gate.lines.in.b: expected X, got Y`.
    """
    return load_located(path).config


def load_located(path: Path) -> Located:
    """As `load`, with the document that knows the line of every key, and the secrets.

    Raises:
        ConfigError: as `load`.
    """
    document = parse(_text(path), str(path))
    secrets = Secrets()
    config, found = None, list(secret_problems(document.data))
    try:
        config = Config.model_validate(secrets.substituted(document.data))
    except ValidationError as error:
        found += problems_of(error)
    found += _name_clashes(document.data)
    problems = document.problems + [(document.line_of(key), text) for key, text in found]
    if config is None or problems:
        in_order = sorted(dict.fromkeys(problems), key=lambda problem: problem[0])
        raise ConfigError("\n".join(f"{path}:{line}: {text}" for line, text in in_order))
    return Located(config, document, frozenset(secrets.found))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected a text file in UTF-8, got other bytes") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: expected a config file, got: {reason}") from error


def _name_clashes(data: object) -> Iterator[tuple[Key, str]]:
    """Rule names used twice in a camera, found even where the camera has other mistakes."""
    cameras = _mapping(_mapping(data).get("cameras"))
    for camera, section in cameras.items():
        rules = _mapping(section)
        try:
            check_rule_names(_mapping(rules.get("lines")), _mapping(rules.get("zones")))
        except PydanticCustomError as error:
            context = error.context or {}
            key = ("cameras", camera, *context["at"])
            yield key, message(key, context["text"])


def _mapping(data: object) -> Mapping[str, object]:
    return data if isinstance(data, dict) else {}
