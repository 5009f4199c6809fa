"""Read a config file and report everything that is wrong with it, each with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from edge.config.document import Document, parse
from edge.config.messages import Key, message, problems_of, shown
from edge.config.sections import Config, check_rule_names
from edge.errors import ConfigError

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def load(path: Path) -> Config:
    """The config in a YAML file, checked completely; no camera, model or folder is opened.

    `${NAME}` in a camera's `source` is replaced by that environment variable. This happens
    after the YAML is read, so a password may hold any character.

    Raises:
        ConfigError: The file cannot be read, or has mistakes: one line for each, in the order
            of the file, `configs/site.yaml:41: cameras.gate.lines.in.b: expected X, got Y`.
    """
    return load_located(path)[0]


def load_located(path: Path) -> tuple[Config, Document]:
    """As `load`, with the document that knows the line of every key.

    Raises:
        ConfigError: as `load`.
    """
    document = parse(_text(path), str(path))
    config, found = None, list(_unknown_variables(document.data, ()))
    try:
        config = Config.model_validate(_substituted(document.data, ()))
    except ValidationError as error:
        found += problems_of(error)
    found += _name_clashes(document.data)
    problems = document.problems + [(document.line_of(key), text) for key, text in found]
    if config is None or problems:
        in_order = sorted(dict.fromkeys(problems), key=lambda problem: problem[0])
        raise ConfigError("\n".join(f"{path}:{line}: {text}" for line, text in in_order))
    return config, document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected a text file in UTF-8, got other bytes") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: expected a config file, got: {reason}") from error


def _is_source(key: Key) -> bool:
    return len(key) == 3 and key[0] == "cameras" and key[2] == "source"


def _unknown_variables(data: object, key: Key) -> Iterator[tuple[Key, str]]:
    for inner, text in _texts(data, key):
        for name in _VARIABLE.findall(text):
            if not _is_source(inner):
                problem = f"expected text, got {shown(text)}; only 'source' knows variables"
                yield inner, message(inner, problem)
            elif name not in os.environ:
                problem = f"expected the environment variable {name} to be set, got nothing"
                yield inner, message(inner, problem)


def _texts(data: object, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(data, str):
        yield key, data
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from _texts(value, (*key, name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*key, index))


def _substituted(data: object, key: Key) -> object:
    """A copy of the data in which sources have their variables replaced."""
    if isinstance(data, dict):
        return {name: _substituted(value, (*key, name)) for name, value in data.items()}
    if isinstance(data, str) and _is_source(key):
        # An unknown variable is reported elsewhere; left as it is, it causes no second error.
        return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), data)
    return data


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
