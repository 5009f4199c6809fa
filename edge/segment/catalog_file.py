"""The form of a file `catalog.yaml`: read with every mistake named, written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from edge.errors import ModelError
from edge.segment.coco import COCO_80, COCO_91
from edge.segment.families import FAMILIES

CLASS_LISTS = {"coco-80": COCO_80, "coco-91": COCO_91}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
HEADER = "# Written by `edge models add`; comments of yours are lost when it is used again.\n"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_classes(value: Any) -> bool:
    if isinstance(value, str):
        return value in CLASS_LISTS
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_size(value: Any) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
    return pair or value == "any"


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


# What each key of an entry has to be, in words and as a test.
KEYS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "file": ("the name of an ONNX file", _is_text),
    "family": (f"one of {', '.join(FAMILIES)}", lambda v: isinstance(v, str) and v in FAMILIES),
    "licence": ("a licence such as Apache-2.0", _is_text),
    "description": ("a sentence", _is_text),
    "classes": (f"a list of names, {' or '.join(CLASS_LISTS)}", _are_classes),
    "input": ("any, or [height, width] in pixels", _is_size),
    "sha256": ("64 small hexadecimal digits in quotes", _matches("[0-9a-f]{64}")),
    "bytes": ("a whole number above 0", _is_number),
    "url": ("an address https://...", _matches(r"https?://[^\s/]+/\S*")),
    "homepage": ("an address https://...", _matches(r"https?://\S+")),
    "export": ("the command that makes the file", _is_text),
}
REQUIRED = ("file", "licence", "description")


def read_catalog(path: Path) -> dict[str, Any]:
    """A catalogue's content as it is written: `models` by name, and perhaps `default`.

    Raises:
        ModelError: it cannot be read, or has not the form; says file, key, expected and got.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: expected the model catalogue, got {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        got = " ".join(str(error).split())
        raise ModelError(f"{path}: expected YAML, got {got}") from error
    if not isinstance(content, dict):
        raise _wrong(path, "models", "entries by name", content)
    for key, value in content.items():
        if key not in ("models", "default"):
            raise _wrong(path, str(key), "default or models", value)
    if not isinstance(content.get("models"), dict):
        raise _wrong(path, "models", "entries by name", content.get("models"))
    if "default" in content and not _is_text(content["default"]):
        raise _wrong(path, "default", "the name of an entry", content["default"])
    for name, model in content["models"].items():
        _check_entry(path, name, model)
    return content


def _check_entry(path: Path, name: object, model: object) -> None:
    where = f"models.{name}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _wrong(path, where, "a name of letters, digits and . _ -", name)
    if not isinstance(model, dict):
        raise _wrong(path, where, f"keys {', '.join(KEYS)}", model)
    for key, value in model.items():
        if key not in KEYS:
            raise _wrong(path, f"{where}.{key}", f"one of {', '.join(KEYS)}", value)
        wanted, fits = KEYS[key]
        if not fits(value):
            raise _wrong(path, f"{where}.{key}", wanted, value)
    # Downloads are checked; and without either nobody could tell where a file comes from.
    hashed = ("sha256",) if "url" in model or "export" not in model else ()
    for key in (*REQUIRED, *hashed):
        if key not in model:
            raise _wrong(path, f"{where}.{key}", KEYS[key][0], None)


def write_catalog(path: Path, content: dict[str, Any]) -> None:
    """Replace a catalogue; whoever reads meanwhile gets the old or the new one.

    Raises:
        ModelError: it cannot be written; the old one stays.
    """
    partial = path.with_name(path.name + ".partial")
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(HEADER + text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ModelError(f"{path}: expected to write it, got {error.strerror}") from error


def _wrong(path: Path, key: str, wanted: str, got: object) -> ModelError:
    shown = "nothing" if got is None else repr(got) if isinstance(got, str) else str(got)
    return ModelError(f"{path}: {key}: expected {wanted}, got {' '.join(shown[:100].split())}")
