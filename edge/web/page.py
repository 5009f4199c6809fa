"""The live page: its routes, beside health and metrics."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from edge.web import files
from edge.web.board import Board
from edge.web.chart import STEPS_S
from edge.web.editor import EDITOR, Editor
from edge.web.guard import LOGIN, asked_page, own_page
from edge.web.pictures import PLAIN, Pictures
from edge.web.session import KEPT_S, LOGIN_S, Sessions
from edge.web.state import About, Told, state
from edge.web.streams import EVENTS, MJPEG, Streamed, mjpeg, server_sent

MOST_STREAMS = 24
MOST_VIEWERS = 16  # of live pictures, of all cameras together
SHOWN_EVENTS = 24  # with which a page begins
_MOST_FORM_BYTES = 4096
_FAILED_LOGIN_S = 1.0
_MOST_LOGINS = 4  # at a time: the others are refused, so that guessing stays slow
_PICTURE_S = 5.0  # how long one may take to be written
_FRESH_S = 0.5  # for which one state serves all


class Page:
    """What the page is made of. Its routes answer in the server's event loop and never wait.

    Attributes:
        board: what was counted.
        pictures: what is to be seen.
    """

    def __init__(  # noqa: PLR0913
        self,
        about: About,
        told: Told,
        board: Board,
        pictures: Pictures,
        evidence: Callable[[str, str], bytes | None] | None = None,
        failed_login_s: float = _FAILED_LOGIN_S,
        editor: Editor | None = None,
    ) -> None:
        """Keep what is shown.

        Args:
            about: What runs here.
            told: How the cameras are.
            board: What was counted.
            pictures: What is to be seen.
            evidence: JPEG by day and name, None where there is none; it may read a disk.
            failed_login_s: How long the answer to a wrong token takes.
            editor: Changes rules; None: there is no editor.
        """
        self.board = board
        self.pictures = pictures
        self._about = about
        self._told = told
        self._evidence = evidence
        self._failed_login_s = failed_login_s
        self._editor = editor
        self._logins = 0
        self._streams = 0
        self._viewers = 0
        self._is_over = False
        self._text, self._text_s = "", float("-inf")

    def routes(self, sessions: Sessions, cookie: str) -> list[Route]:
        """All routes.

        Args:
            sessions: Knows the token.
            cookie: Name of the session's cookie.
        """
        self._sessions, self._cookie = sessions, cookie
        return [
            Route("/", self._index),
            Route("/static/{name}", self._file),
            Route("/api/state", self._state),
            Route("/api/session", self._session),
            Route("/api/stream", self._stream),
            Route("/api/chart", self._chart),
            Route("/live/{camera}", self._live),
            Route("/live/{camera}/still.jpg", self._still),
            Route("/live/{camera}/plain", self._live),
            Route("/live/{camera}/plain.jpg", self._still),
            Route("/evidence/{day}/{name}", self._picture),
            Route(LOGIN, self._login_form, methods=["GET"]),
            Route(LOGIN, self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            *(() if self._editor is None else self._editor.routes()),
        ]

    def close(self) -> None:
        """Let everybody go."""
        self._is_over = True
        self.board.bulletin.bell.ring()
        self.pictures.close()

    def form(
        self, request: Request, text: str = "", status: int = 401, following: str = ""
    ) -> Response:
        """The form that asks for the token, what was wrong with the last one, and what follows."""
        page, _ = files.content("login.html")
        value, field = self._sessions.form()
        html = page.decode().replace("{{field}}", field).replace("{{text}}", text)
        html = html.replace("{{next}}", escape(following or asked_page(request)))
        answer = HTMLResponse(html, status, {"Cache-Control": "no-store"})
        if status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        self._set_cookie(request, answer, f"{self._cookie}_form", value, LOGIN_S)
        return answer

    async def _index(self, request: Request) -> Response:
        if self._editor is not None and self._editor.front is not None:
            return RedirectResponse(f"{EDITOR}?{urlencode({'camera': self._editor.front})}", 303)
        return files.answered(request, "index.html")

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        return files.answered(request, "" if name in files.PAGES else name)

    async def _state(self, request: Request) -> Response:
        bulletin = self.board.bulletin
        last = bulletin.last
        posted = [each for each in bulletin.after(0) if each.number <= last][-SHOWN_EVENTS:]
        events = [json.loads(each.text) for each in posted]
        body = self._facts() | {"last_id": bulletin.id_of(last), "events": events}
        return _json(body)

    async def _session(self, request: Request) -> Response:
        """What the page must show when it changes something."""
        session = request.cookies.get(self._cookie, "") if self._sessions.has_token else ""
        return _json({"csrf": self._sessions.csrf(session), "can_leave": bool(session)})

    async def _stream(self, request: Request) -> Any:
        if self._streams >= MOST_STREAMS:
            return _busy("pages")
        given = request.headers.get("last-event-id") or request.query_params.get("after", "")
        bulletin = self.board.bulletin
        parts = server_sent(
            bulletin, self._state_text, bulletin.number_of(given), lambda: self._is_over
        )
        self._streams += 1
        return Streamed(parts, EVENTS, self._stream_ended)

    def _stream_ended(self) -> None:
        self._streams -= 1

    async def _chart(self, request: Request) -> Response:
        given = request.query_params
        camera, rule, by = (given.get(key, "") for key in ("camera", "rule", "by"))
        rules = self._told.rules().get(camera, ())
        if rule not in [each.id for each in rules]:
            return _refused(404, "expected a camera and one of its rules")
        if by not in STEPS_S:
            return _refused(400, f"by: expected {' or '.join(STEPS_S)}")
        return _json(self.board.history.series(camera, rule, by, time.time()))

    async def _live(self, request: Request) -> Any:
        camera = request.path_params["camera"]
        if (refusal := self._no_picture(camera)) is not None:
            return refusal
        self._viewers += 1
        return Streamed(mjpeg(self.pictures.newest(_view(request))), MJPEG, self._viewer_left)

    async def _still(self, request: Request) -> Response:
        camera = request.path_params["camera"]
        if (refusal := self._no_picture(camera)) is not None:
            return refusal
        self._viewers += 1
        try:
            jpeg = await self.pictures.still(_view(request))
        finally:
            self._viewer_left()
        if jpeg is None:
            return PlainTextResponse("no picture yet\n", 503, {"Retry-After": "2"})
        return Response(jpeg, 200, {"Cache-Control": "no-store"}, "image/jpeg")

    def _no_picture(self, camera: str) -> Response | None:
        if camera not in self._told.rules():
            return _refused(404, "no such camera")
        return _busy("viewers") if self._viewers >= MOST_VIEWERS else None

    def _viewer_left(self) -> None:
        self._viewers -= 1

    async def _picture(self, request: Request) -> Response:
        """A picture of an event; it is written a moment after the event is told."""
        day, name = request.path_params["day"], request.path_params["name"]
        if self._evidence is None:
            return _refused(404, "no pictures of events")
        until_s = time.monotonic() + _PICTURE_S * self.board.is_promised(f"{day}/{name}")
        found = await asyncio.to_thread(self._evidence, day, name)
        while found is None and time.monotonic() < until_s and not self._is_over:
            await asyncio.sleep(_PICTURE_S / 20)
            found = await asyncio.to_thread(self._evidence, day, name)
        if found is None:
            return _refused(404, "no such picture")
        return Response(found, 200, {"Cache-Control": "private, max-age=600"}, "image/jpeg")

    async def _login_form(self, request: Request) -> Response:
        session = request.cookies.get(self._cookie, "")
        if not self._sessions.has_token or self._sessions.is_valid(session):
            return RedirectResponse("/", 303)
        return self.form(request, status=200)

    async def _login(self, request: Request) -> Response:
        if not self._sessions.has_token:
            return RedirectResponse("/", 303)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                return _refused(413, "expected a token")
        if self._logins >= _MOST_LOGINS:  # of those that are all there: slow ones take no place
            return _busy("logins")
        self._logins += 1
        try:
            return await self._logged_in(request, body)
        finally:
            self._logins -= 1

    async def _logged_in(self, request: Request, body: bytes) -> Response:
        try:
            fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4)
        except ValueError:
            return _refused(400, "expected a form with a token")
        field, token, following = (fields.get(key, [""])[0] for key in ("field", "token", "next"))
        following = own_page(following)
        cookie = request.cookies.get(f"{self._cookie}_form", "")
        if not self._sessions.is_form(cookie, field):
            return self.form(request, "The form was too old. Please try again.", 403, following)
        if not self._sessions.is_token(token.encode()):
            await asyncio.sleep(self._failed_login_s)
            return self.form(request, "That is not the token.", following=following)
        answer = RedirectResponse(following, 303)
        self._set_cookie(request, answer, self._cookie, self._sessions.begun(), KEPT_S)
        answer.delete_cookie(f"{self._cookie}_form", httponly=True, samesite="strict")
        return answer

    async def _logout(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(self._cookie, ""))
        answer = Response(None, 204)
        answer.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return answer

    def _set_cookie(
        self, request: Request, answer: Response, name: str, value: str, age_s: int
    ) -> None:
        # A proxy in front may speak TLS for us; who lies about it locks out only himself.
        is_https = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
        answer.set_cookie(
            name, value, max_age=age_s, httponly=True, samesite="strict", secure=is_https
        )

    def _facts(self) -> dict[str, Any]:
        facts = state(self._about, self._told, self.board, self.pictures)
        return facts | {"has_editor": self._editor is not None and self._editor.is_linked}

    def _state_text(self) -> str:
        """The state in one line, made once for all who look at about the same time."""
        now_s = time.monotonic()
        if now_s - self._text_s >= _FRESH_S:
            self._text, self._text_s = json.dumps(self._facts(), separators=(",", ":")), now_s
        return self._text


def _view(request: Request) -> str:
    """Which pictures are asked for: a camera's, or those without rules."""
    camera: str = request.path_params["camera"]
    is_plain = request.scope["path"].removesuffix(".jpg").endswith(f"/{camera}{PLAIN}")
    return camera + PLAIN if is_plain else camera


def _json(body: dict[str, Any]) -> Response:
    return JSONResponse(body, 200, {"Cache-Control": "no-store"})


def _refused(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)


def _busy(what: str) -> Response:
    return PlainTextResponse(f"too many {what} at a time\n", 503, {"Retry-After": "5"})
