"""Plain words for what is wrong in a config: `expected X, got Y`, and the likely cure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edge.config.delivery import LISTEN, SINKS, URL
from edge.config.section import Section
from edge.config.sections import Config

Key = tuple[str | int, ...]

_EXPECTED = {
    "multiple_of": "a multiple of {multiple_of}",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "a name of letters, digits, '_', '-', '.' or space, at most 64 long",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:.15g}",
    "literal_error": "{expected}",
    "too_short": "at least {min_length} entries",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}

_SECRET = {"password", "secret", "token", "url", "headers"}
_PATTERNS = {
    URL: "an address with http:// or https://",
    LISTEN: "ADDRESS:PORT, such as 127.0.0.1:8080",
}


def problems_of(error: ValidationError, root: type[Section] = Config) -> list[tuple[Key, str]]:
    """Each problem that pydantic found: the key, whose line it is on, and the message."""
    return [_problem(details, root) for details in error.errors(include_url=False)]


def message(key: Key, text: str) -> str:
    """`cameras.gate.source: text`, and the text alone for the whole file."""
    return f"{dotted(key)}: {text}" if key else text


def dotted(key: Iterable[str | int]) -> str:
    """A key as it is read in messages.

    >>> dotted(("cameras", "gate", "zones", "door", "polygon", 2))
    'cameras.gate.zones.door.polygon[2]'
    """
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def shown(value: object) -> str:
    """A value as it is written in messages: short, YAML-like, passwords in addresses masked.

    >>> shown(True), shown(None), shown([1.3, 0.2]), shown("rtsp://me:secret@door/1")
    ('true', 'nothing', '[1.3, 0.2]', "'rtsp://***@door/1'")
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, tuple):
        value = list(value)
    try:
        written = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return "a number of thousands of digits"
    text = re.sub(r"://[^\s'\"]*@", "://***@", written)
    return text if len(text) <= 60 else text[:57] + "..."


def suggestion(word: str, known: Sequence[str]) -> str:
    """`did you mean 'x'?` for the nearest known word, otherwise the list of them.

    >>> suggestion("sorce", ["source", "lines"])
    "did you mean 'source'?"
    >>> suggestion("colour", ["source", "lines"])
    'expected source or lines'
    """
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return "expected " + " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))


def _problem(details: ErrorDetails, root: type[Section]) -> tuple[Key, str]:
    key: Key = tuple(part for part in details["loc"] if part != "[key]")
    sink = SINKS.get(str(key[2])) if len(key) > 2 and key[0] == "sinks" else None
    if sink is not None:  # pydantic names the kind of sink here, the YAML does not
        key = (*key[:2], *key[3:])
    kind, value = details["type"], details["input"]
    if value not in (None, "") and _is_secret(key):
        value = _Hidden()
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "problem":
        key = (*key, *context["at"])
        return key, message(key, context["text"])
    if kind == "extra_forbidden":
        names = _keys(sink, key[2:-1]) if sink is not None else _keys(root, key[:-1])
        known = suggestion(str(key[-1]), names)
        return key, message(key[:-1], f"unknown key '{key[-1]}', {known}")
    if kind == "missing":
        return key, message(key[:-1], f"missing key '{key[-1]}'")
    if kind == "union_tag_not_found":
        return key, message(key, f"missing key 'type', one of {', '.join(SINKS)}")
    if kind == "union_tag_invalid":
        known = suggestion(str(context["tag"]), list(SINKS))
        return key, message((*key, "type"), f"unknown sink {shown(context['tag'])}, {known}")
    return key, message(key, _expected_and_got(kind, value, context, details["msg"]))


class _Hidden:
    """Stands for a value that no message may hold."""

    def __repr__(self) -> str:
        return "***"


def _is_secret(key: Key) -> bool:
    """Whether a value that is wrong may be a secret, perhaps from the environment."""
    return key[:1] in (("sinks",), ("web",)) and not _SECRET.isdisjoint(key[1:])


def _expected_and_got(kind: str, value: object, context: dict[str, Any], fallback: str) -> str:
    if kind == "expected":
        return f"expected {context['text']}, got {shown(value)}"
    if kind == "too_short":
        value = context["actual_length"]
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return f"expected {_PATTERNS[context['pattern']]}, got {shown(value)}"
    if kind not in _EXPECTED:  # a check that this table does not know yet: pydantic's own words
        return f"{fallback}, got {shown(value)}"
    return f"expected {_EXPECTED[kind].format(**context)}, got {shown(value)}{_cure(kind, value)}"


def _cure(kind: str, value: object) -> str:
    """What to type instead, where a YAML reader could not know that text or number was meant."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        return f" which is text; write {number:.15g} without quotes"
    return ""


def _keys(section: type[Section], key: Key) -> list[str]:
    """The keys that the section at `key` knows, as written in YAML."""
    is_name = False  # whether this part of the key is a name that the user chose
    for part in key:
        if is_name:
            is_name = False
            continue
        fields = section.model_fields.items()
        annotation = next(field.annotation for name, field in fields if name == part)
        is_name = bool(get_args(annotation))  # dict[Name, Camera]
        section = cast(type[Section], get_args(annotation)[-1] if is_name else annotation)
    return [field.alias or name for name, field in section.model_fields.items()]
