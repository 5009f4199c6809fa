"""Keeps secrets out of what is written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from edge.errors import EdgeError

HIDDEN = "***"
# A login in an address, however badly its password is written; values of an address's query.
_LOGIN = re.compile(r"://[^\s\"'<>]*@")
_ADDRESS = re.compile(r"://[^\s\"'<>]+")
_QUERY = re.compile(r"([?&][^=&\s]+=)[^&#]+")
# Shorter ones are words and figures of any sentence: they are hidden only where a value stands.
_LEAST_LONG = 4
_NAMED = r"(?i:\b(?:pass\w*|pwd|pw|token|secret|key|login|user\w*|auth\w*)[\"']?\s*[:=]\s*"
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")


class Redactor:
    """Puts `***` in the place of secrets, also where they are quoted or percent-encoded.

    One of up to three characters only where it stands as a value: within quotes, after `=` or the
    name of a secret, at the end of `x: ...` or `got ...`, in a login, alone, or as what a message
    is about.

    >>> redactor = Redactor(["pass word", "ab"])
    >>> redactor.text("pass word, pass%20word, 'ab' but not cable, rtsp://me:x@10.0.0.5/1")
    "***, ***, '***' but not cable, rtsp://***@10.0.0.5/1"
    >>> Redactor(["a", "1"]).text("a model 1.2 of a camera, level=1, password: a")
    'a model 1.2 of a camera, level=***, password: ***'
    """

    def __init__(self, secrets: Collection[str]) -> None:
        forms = {form for secret in secrets for form in _written_forms(secret)}
        self._long = _any_of(form for form in forms if len(form) >= _LEAST_LONG)
        short = _any_of(form for form in forms if 0 < len(form) < _LEAST_LONG)
        self._values = _as_values(short.pattern) if short else []

    def text(self, text: str) -> str:
        """A text without secrets, logins in addresses, and tokens."""
        if self._long is not None:
            text = self._long.sub(HIDDEN, text)
        for value in self._values:
            text = value.sub(rf"\g<before>{HIDDEN}", text)
        text = _LOGIN.sub(f"://{HIDDEN}@", text)
        text = _ADDRESS.sub(lambda match: _QUERY.sub(rf"\1{HIDDEN}", match[0]), text)
        return _HEADER.sub(rf"\1 {HIDDEN}", text)

    def value(self, value: Any) -> Any:
        """The same in whatever JSON can hold; of other things, their text."""
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, dict):
            return {self.text(str(k)): self.value(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(v) for v in value]
        return self.text(str(value))


@contextmanager
def hidden(secrets: Collection[str]) -> Iterator[None]:
    """Errors that leave its block hold none of these secrets.

    An address that is mistyped is taken for a file, say, and named in full.
    """
    try:
        yield
    except EdgeError as error:
        text = Redactor(secrets).text(str(error)) if secrets else str(error)
        if text == str(error):
            raise
        raise type(error)(text) from None


def _any_of(forms: Iterable[str]) -> re.Pattern[str] | None:
    """Any of some texts, the longest first."""
    found = [re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form))]
    return re.compile("|".join(found)) if found else None


def _as_values(short: str) -> list[re.Pattern[str]]:
    """Where a short secret stands as a value; what comes before it is the group `before`."""
    places = (
        ("[\"'`]", "\\\\?[\"'`]"),  # quoted
        ("=", r"[\s,;&()\[\]{}<>\"'`]|\Z"),
        (rf"{_NAMED}(?:(?:bearer|basic|token)\s+)?)", r"\W|\Z"),
        (r"(?::|\bgot)\s", r"[,;)]|\.?\s*$"),
        (r"(?::|\A|[\s\"'(])", "@"),  # a login without `://`
        (r"\A", r":|\Z"),
    )
    return [
        re.compile(rf"(?P<before>{before})(?:{short})(?={after})", re.MULTILINE)
        for before, after in places
    ]


def _written_forms(secret: str) -> set[str]:
    encoded = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]} | encoded
