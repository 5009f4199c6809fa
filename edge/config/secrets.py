"""Secrets come from the environment or from files, never written out in a config.

`${NAME}` is that environment variable, `${file:PATH}` what the file holds, without its last
newline. Only some keys know them; what they held is remembered, so that logs can leave it out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from edge.config.messages import Key, message, shown

VARIABLE = re.compile(r"\$\{([^}]*)\}")
_FILE = "file:"
_SINK_KEYS = {"host", "user", "password", "url", "secret", "token"}
_SECRET_KEYS = {"password", "secret", "token"}
# A password in an address: after the user's name, or as a value of the query.
# (What looks like a port and a path is none.) Or as a property of a GStreamer element.
_USER = re.compile(r"://[^:/@\s]*:(?!\d{1,5}/)(?P<password>.*)@", re.DOTALL)
_QUERY = re.compile(
    r"[?&](?:pass|passwd|password|pwd|token|secret|key|apikey|api_key|auth)=(?P<password>[^&#]*)",
    re.IGNORECASE,
)
_PROPERTY = re.compile(r"\b(?:user-pw|proxy-pw|password)=(?P<password>\S*)")
_SECRET_HEADER = re.compile(r"authorization|token|secret|key|cookie|password", re.IGNORECASE)
_SCHEME = re.compile(r"^(?:bearer|basic|token)\s+", re.IGNORECASE)


class Secrets:
    """Replaces variables, and remembers what they held."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def substituted(self, data: object, key: Key = ()) -> object:
        """A copy of the data in which the keys that know variables have them replaced.

        A variable that cannot be had is left as it is: `problems` reports it.
        """
        if isinstance(data, dict):
            return {name: self.substituted(value, (*key, name)) for name, value in data.items()}
        if isinstance(data, list):
            return [self.substituted(value, (*key, index)) for index, value in enumerate(data)]
        if isinstance(data, str) and knows_variables(key):
            return self.text(data)
        return data

    def text(self, text: str) -> str:
        """A text with its variables replaced; a part of an address's login is percent-encoded.

        >>> os.environ["CAMERA_PASSWORD"] = "a/b@c"
        >>> Secrets().text("rtsp://me:${CAMERA_PASSWORD}@10.0.0.5/1")
        'rtsp://me:a%2Fb%40c@10.0.0.5/1'
        """
        login_end = text.rfind("@") if "://" in text else -1

        def value(match: re.Match[str]) -> str:
            held = _held(match[1])
            if held is None:
                return match[0]
            is_login = "://" in text[: match.start()] and match.start() < login_end
            written = quote(held, safe=":") if is_login else held
            self.found |= {held, written} - {""}
            return written

        return VARIABLE.sub(value, text)


def problems(data: object, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """Variables that cannot be had, or stand where none works; passwords written out."""
    for inner, text in _texts(data, key):
        known = knows_variables(inner)
        for name in VARIABLE.findall(text):
            if not known:
                what = f"expected text, got {shown(text)}; only 'source' and keys of sinks and "
                yield inner, message(inner, what + "web that hold secrets know variables")
            elif (trouble := _trouble(name)) is not None:
                yield inner, message(inner, trouble)
        if known and (trouble := _written_out_at(inner, text)) is not None:
            yield inner, message(inner, trouble)


def written_out(text: str, key: str = "source") -> str | None:
    """What is wrong with a text that holds a password as it is; None: nothing.

    >>> written_out("rtsp://me:secret@door/1")
    'expected the password as ${NAME} or ${file:PATH}, got it written out'
    >>> written_out("rtsp://me:${DOOR}@door/1"), written_out("clip.mp4")
    (None, None)
    """
    found = [_USER.search(text), _QUERY.search(text)]
    if text.startswith("gst:"):
        found.append(_PROPERTY.search(text))
    parts = [m["password"] for m in found if m]
    if key in _SECRET_KEYS:
        parts.append(text)
    if any(VARIABLE.sub("", part) for part in parts):
        return "expected the password as ${NAME} or ${file:PATH}, got it written out"
    return None


def _written_out_at(key: Key, text: str) -> str | None:
    if len(key) == 4 and _SECRET_HEADER.search(str(key[3])):
        return written_out(_SCHEME.sub("", text), "secret")
    return written_out(text, str(key[-1]))


def knows_variables(key: Key) -> bool:
    """Whether a key of the config may hold variables."""
    if len(key) == 3 and key[0] == "cameras":
        return key[2] == "source"
    if len(key) == 3 and key[0] == "sinks":
        return key[2] in _SINK_KEYS
    if len(key) == 4 and key[0] == "sinks":
        return key[2] == "headers"
    return key == ("web", "token")


def _held(name: str) -> str | None:
    try:
        if not name.startswith(_FILE):
            return os.environ.get(name)
        text = Path(name[len(_FILE) :]).read_text(encoding="utf-8")
    except (OSError, ValueError):  # ValueError: no UTF-8, or a name that nothing can have
        return None
    return text.rstrip("\r\n")


def _trouble(name: str) -> str | None:
    if name.startswith(_FILE):
        path = name[len(_FILE) :]
        if _held(name) is None:
            return f"expected a readable text file {path} with the secret, got none"
    elif _held(name) is None:
        return f"expected the environment variable {name} to be set, got nothing"
    return None


def _texts(data: object, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(data, str):
        yield key, data
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from _texts(value, (*key, name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*key, index))
