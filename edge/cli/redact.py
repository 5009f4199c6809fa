"""Keeps secrets out of what is written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, quote_plus

from edge.errors import EdgeError

HIDDEN = "***"
# A login in an address, however badly its password is written; values of an address's query.
_LOGIN = re.compile(r"://[^\s\"'<>]*@")
_ADDRESS = re.compile(r"://[^\s\"'<>]+")
_QUERY = re.compile(r"([?&][^=&\s]+=)[^&#]+")
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")


class Redactor:
    """Puts `***` in the place of secrets, also where they are quoted or percent-encoded.

    >>> redactor = Redactor(["pass word", "ab"])
    >>> redactor.text("pass word, pass%20word, 'ab' but not cable, rtsp://me:x@10.0.0.5/1")
    "***, ***, '***' but not cable, rtsp://***@10.0.0.5/1"
    """

    def __init__(self, secrets: Collection[str]) -> None:
        forms = {form for secret in secrets for form in _written_forms(secret)}
        # Very short ones only where they stand alone, or no word of a line would be left.
        found = [
            re.escape(form) if len(form) > 3 else rf"(?<!\w){re.escape(form)}(?!\w)"
            for form in sorted(forms - {""}, key=len, reverse=True)
        ]
        self._secret = re.compile("|".join(found)) if found else None

    def text(self, text: str) -> str:
        """A text without secrets, logins in addresses, and tokens."""
        if self._secret is not None:
            text = self._secret.sub(HIDDEN, text)
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


def _written_forms(secret: str) -> set[str]:
    encoded = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]} | encoded
