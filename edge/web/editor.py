"""The editor's routes: rules of a camera looked at, checked, tried and saved.

What they mean is decided by whoever is asked (`Rules`); here it is read, bounded and answered.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection
from typing import Any, NoReturn, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.web import files

EDITOR = "/edit"
MOST_BYTES = 512 * 1024  # 100 rules of 64 points with all their digits, and names
_MOST_WAITING = 4  # of requests that take time; the others are told to come again

Answer = tuple[int, dict[str, Any]]  # HTTP status and JSON
log = logging.getLogger("edge.web")


class Rules(Protocol):
    """What the editor asks. Each may take a second; they are called one at a time, on a thread.

    A body is JSON as a browser sent it: anything. An answer has a sentence `text` if it is none
    of 200.
    """

    def opened(self, camera: str) -> Answer:
        """The rules as they are saved, and what can be done with them."""

    def checked(self, camera: str, body: Any) -> Answer:
        """What is to be said of other ones."""

    def tried(self, camera: str, body: Any) -> Answer:
        """What other ones would have counted of late."""

    def saved(self, camera: str, body: Any) -> Answer:
        """Save other ones."""


class Editor:
    """Answers what the editor's page asks.

    Attributes:
        front: The camera whose editor is the first page; None: the counts are.
        is_linked: Whether the counts lead to it: not where it could only say why it is of no use.
    """

    def __init__(
        self,
        rules: Rules,
        cameras: Callable[[], Collection[str]],
        front: str | None = None,
        is_linked: bool = True,
    ) -> None:
        """Keep who is asked.

        Args:
            rules: Knows what the rules are.
            cameras: Names of those there are.
            front: As the attribute.
            is_linked: As the attribute.
        """
        self.front = front
        self.is_linked = is_linked
        self._rules = rules
        self._cameras = cameras
        self._turn = asyncio.Lock()
        self._waiting = 0

    def routes(self) -> list[Route]:
        """All routes."""
        return [
            Route(EDITOR, self._page),
            Route("/api/edit", self._opened),
            Route("/api/edit/check", self._answering(self._rules.checked), methods=["POST"]),
            Route("/api/edit/try", self._answering(self._rules.tried), methods=["POST"]),
            Route("/api/edit/save", self._answering(self._rules.saved), methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        return files.answered(request, "edit.html")

    async def _opened(self, request: Request) -> Response:
        return await self._asked(request, self._rules.opened)

    def _answering(self, ask: Callable[[str, Any], Answer]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                return _refused(415, "expected application/json")
            data = b""
            async for part in request.stream():
                data += part
                if len(data) > MOST_BYTES:
                    return _refused(413, f"expected at most {MOST_BYTES} bytes")
            try:
                body = json.loads(data, parse_constant=_no_number)
            except (ValueError, RecursionError):
                return _refused(400, "expected JSON")
            return await self._asked(request, ask, body)

        return endpoint

    async def _asked(self, request: Request, ask: Callable[..., Answer], *body: Any) -> Response:
        camera = request.query_params.get("camera", "")
        if camera not in self._cameras():
            return _refused(404, "expected a camera of this page")
        if self._waiting >= _MOST_WAITING:
            return _refused(503, "busy with others: try again")
        self._waiting += 1
        try:
            async with self._turn:
                status, answer = await asyncio.to_thread(ask, camera, *body)
            return JSONResponse(answer, status, {"Cache-Control": "no-store"})
        except Exception:  # a bug: said here, and no more of it to the browser
            log.exception("web: %s: expected an answer, got an error", request.scope["path"])
            return _refused(500, "internal error: the log says more")
        finally:
            self._waiting -= 1


def _refused(status: int, text: str) -> Response:
    again = {"Retry-After": "1"} if status == 503 else {}
    return JSONResponse({"text": text}, status, {"Cache-Control": "no-store", **again})


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
