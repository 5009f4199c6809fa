"""What stands before every answer: who asks, from where, and what browsers may do with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.web.session import Sessions

OPEN_TO_ALL = "/healthz"
LOGIN = "/login"
PAGES = ("/", "/edit")  # for which browsers that are unknown get the login form
_MOST_QUERY = 400  # characters
STATIC = "/static/"  # the program of the page, which is public anyhow
OWN_NAMES = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """Refuses what may not be answered, and says to browsers what they may do with the rest.

    Without a token, only this machine can connect; still a web site in its browser could, under a
    name of its own that leads here, so the name must be one of this machine. With a token, every
    path but health, the login form and its style asks for `Authorization: Bearer` or a session.
    """

    def __init__(
        self,
        inner: ASGIApp,
        sessions: Sessions,
        host: str,
        cookie: str,
        form: Callable[[Request], Response] | None = None,
    ) -> None:
        """Stand before an application.

        Args:
            inner: The application.
            sessions: Knows the token.
            host: Address or name that the server listens on.
            cookie: Name of the session's cookie.
            form: Login form for browsers; None: they get the same refusal as others.
        """
        self._inner = inner
        self._sessions = sessions
        self._names = {*OWN_NAMES, host.lower()}
        self._cookie = cookie
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse; `scope`, `receive` and `send` as ASGI has them."""
        if scope["type"] != "http":
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        answer: ASGIApp = self._refusal(Request(scope)) or self._inner
        with suppress(ClientDisconnect):  # in the midst of a request: nobody is left to answer
            await answer(scope, receive, sent)

    def _refusal(self, request: Request) -> Response | None:
        path = request.scope["path"]
        if path == OPEN_TO_ALL:
            return None
        if not self._sessions.has_token and _name(request) not in self._names:
            names = ", ".join(sorted(self._names - {""}))
            return _refused(421, f"expected one of the names {names} in the address")
        if _is_from_another_site(request):
            return _refused(403, "expected a request of the page itself, got another site's")
        is_bearer = self._sessions.has_token and self._is_bearer(request)
        session = request.cookies.get(self._cookie, "")
        is_open = not self._sessions.has_token or path == LOGIN or path.startswith(STATIC)
        if not (is_open or is_bearer or self._sessions.is_valid(session)):
            return self._unknown(request)
        if request.method in ("GET", "HEAD") or is_bearer or path == LOGIN:
            return None  # a login form carries a number of its own
        shown = request.headers.get("x-csrf-token", "")
        if not self._sessions.is_csrf(shown, session if self._sessions.has_token else ""):
            return _refused(403, "expected the header X-CSRF-Token that /api/session gives")
        return None

    def _is_bearer(self, request: Request) -> bool:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        # Headers are read as latin-1; back to the bytes that came.
        is_token = self._sessions.is_token(shown.strip().encode("latin-1"))
        return is_token and scheme.lower() == "bearer"

    def _unknown(self, request: Request) -> Response:
        is_page = request.method == "GET" and request.scope["path"] in PAGES
        if self._form is not None and is_page and "text/html" in request.headers.get("accept", ""):
            return self._form(request)
        text = "expected Authorization: Bearer TOKEN\n"
        return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})


def asked_page(request: Request) -> str:
    """The page that a browser asked for, with its query; the first one if it asked for none."""
    return own_page(f"{request.url.path}?{request.url.query}".rstrip("?"))


def own_page(address: str) -> str:
    """An address if it is a page of this very site, and surely of no other; else the first page.

    >>> own_page("/edit?camera=a%20b"), own_page("//evil.example/edit"), own_page("/logout")
    ('/edit?camera=a%20b', '/', '/')
    """
    path, _, query = address.partition("?")
    is_sane = len(query) <= _MOST_QUERY and query.isascii() and query.isprintable()
    return address if path in PAGES and is_sane else "/"


def _name(request: Request) -> str:
    """The host that the client asked for, without its port, in lower case."""
    host = request.headers.get("host", "").strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_from_another_site(request: Request) -> bool:
    """Whether another site's page makes this request; following a link from there is no harm."""
    site = request.headers.get("sec-fetch-site", "none")
    is_link = request.headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
    return site not in ("none", "same-origin") and not is_link


def _refused(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)
