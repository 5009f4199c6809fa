"""The page's own files: a fixed list, read once."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent / "static"
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "login.html": "text/html; charset=utf-8",
    "edit.html": "text/html; charset=utf-8",
    "edit.css": "text/css; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "theme.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "camera.js": "text/javascript; charset=utf-8",
    "rules.js": "text/javascript; charset=utf-8",
    "chart.js": "text/javascript; charset=utf-8",
    "happenings.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
    "edit.js": "text/javascript; charset=utf-8",
    "draft.js": "text/javascript; charset=utf-8",
    "stage.js": "text/javascript; charset=utf-8",
    "handles.js": "text/javascript; charset=utf-8",
    "shapes.js": "text/javascript; charset=utf-8",
    "form.js": "text/javascript; charset=utf-8",
    "list.js": "text/javascript; charset=utf-8",
    "asking.js": "text/javascript; charset=utf-8",
    "watching.js": "text/javascript; charset=utf-8",
    "themes.js": "text/javascript; charset=utf-8",
}
PAGES = ("index.html", "login.html", "edit.html")  # not below /static/


@cache
def content(name: str) -> tuple[bytes, str]:
    """One of the files and its ETag.

    >>> content("style.css")[1].startswith('"')
    True
    """
    data = (FOLDER / name).read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:20]}"'


def answered(request: Request, name: str) -> Response:
    """A file, or that the browser's copy is still good; 404 for what is not in the list."""
    if name not in TYPES:
        return PlainTextResponse("not found\n", 404)
    data, etag = content(name)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}  # asked again each time, for one line
    shown = request.headers.get("if-none-match", "")
    if etag in [each.strip().removeprefix("W/") for each in shown.split(",")]:
        return Response(None, 304, headers)
    return Response(data, 200, headers, TYPES[name])
