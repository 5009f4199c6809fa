"""Health, metrics and the page on an HTTP port, in a thread of its own."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.errors import ConfigError
from edge.web.guard import OPEN_TO_ALL, Guard
from edge.web.metrics import CONTENT_TYPE, Metrics
from edge.web.page import Page
from edge.web.session import Sessions
from edge.web.status import Status, readiness, rounded

STALE_S = 30.0
_MOST_CONNECTIONS = 64  # descriptors are needed for cameras
_REQUEST_S = 10.0  # within which a whole request must be there
_KEEP_ALIVE_S = 5
_START_S = 10.0

log = logging.getLogger("edge.web")


class WebServer:
    """Answers `/healthz`, `/readyz`, `/metrics` and the page from `begin` on.

    Who connects before that waits, so nobody is told of a site that is still being built.

    Example:
        >>> from edge.web.metrics import Metrics
        >>> status = lambda: Status("1", "cpu", "nano", True, [], [], None)
        >>> server = WebServer("127.0.0.1", 0, None, status, Metrics(status), lambda: 0.0)
        >>> server.port > 0
        True
        >>> server.begin()
        >>> server.close(5.0)
    """

    def __init__(  # noqa: PLR0913
        self,
        host: str,
        port: int,
        token: str | None,
        status: Callable[[], Status],
        metrics: Metrics,
        alive: Callable[[], float],
        stale_s: float = STALE_S,
        page: Page | None = None,
    ) -> None:
        """Bind and listen.

        Args:
            host: Address or name to listen on.
            port: 0 takes a free one.
            token: What others must show, as `Authorization: Bearer` or once in a form, on every
                path but /healthz; None: nothing, possible on loopback alone.
            status: Tells how everything is; called in the server's thread, must not block.
            metrics: What /metrics answers.
            alive: Seconds since the main loop last turned.
            stale_s: From how many of them on it counts as stuck.
            page: The page; None: there is none. It is closed with the server.

        Raises:
            ConfigError: the address cannot be had, or can be reached by others without a token.
        """
        listening = _listening(host, port, token)
        self.port: int = listening.getsockname()[1]
        config = uvicorn.Config(
            _guarded(app(status, metrics, alive, stale_s), host, self.port, token, page),
            http=_Bounded,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._socket = listening
        self._page = page
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(target=self._serve, name="edge-web", daemon=True)
        self._thread.start()
        self._server.began.wait(_START_S)

    def close(self, timeout_s: float) -> None:
        """Stop answering; what is being answered has up to a second. Again: does nothing."""
        self._server.should_exit = True
        if self._page is not None:
            self._page.close()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                self._server.force_exit = True
                log.warning("web: still busy %.1f s after it was to stop", timeout_s)
        self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except Exception:
            log.exception("web: expected to answer until the end, stopped by an error")
        finally:
            self._server.began.set()


def app(
    status: Callable[[], Status],
    metrics: Metrics,
    alive: Callable[[], float],
    stale_s: float,
) -> Starlette:
    """Health and metrics. Answers are made in the event loop's thread."""

    def healthz() -> Response:
        turned_s_ago = alive()
        is_alive = turned_s_ago <= stale_s
        return _json({"alive": is_alive, "turned_s_ago": rounded(turned_s_ago, 3)}, is_alive)

    def readyz() -> Response:
        is_ready, parts = readiness(status(), alive(), stale_s)
        return _json({"ready": is_ready, **parts}, is_ready)

    def numbers() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return Starlette(
        routes=[
            _route(OPEN_TO_ALL, healthz),
            _route("/readyz", readyz),
            _route("/metrics", numbers),
        ]
    )


def _guarded(
    answers: Starlette, host: str, port: int, token: str | None, page: Page | None
) -> ASGIApp:
    """The routes, with those of the page, and before them what refuses."""
    sessions = Sessions(token)
    cookie = f"edgecount_{port}"  # cookies are of a host, whatever the port
    if page is not None:
        answers.router.routes.extend(page.routes(sessions, cookie))
    return Guard(answers, sessions, host, cookie, None if page is None else page.form)


def _route(path: str, answer: Callable[[], Response]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return answer()
        except Exception:  # a bug: said here, or the server would drop the connection as well
            log.exception("web: %s: expected an answer, got an error", path)
            return PlainTextResponse("internal error\n", 500)

    return Route(path, endpoint)


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.began = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.began.set()


class _Bounded(H11Protocol):
    """Bounds connections, and how long one may go without a whole request.

    So nobody can use up the process's descriptors, and who is silent, or sends a request bit by
    bit, cannot keep others out: above the bound the one that has done so for longest is cut off.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > _MOST_CONNECTIONS:
            others = [c for c in self.connections if isinstance(c, _Bounded) and c is not self]
            waiting = (each for each in others if each.is_waiting)
            oldest = min(waiting, key=lambda each: each.since_s, default=self)
            self.connections.discard(oldest)  # at once: others may come before it is closed
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._deadline.cancel()
        self._await_request()
        super().on_response_complete()

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn: a request is not there, or not as a whole."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def _await_request(self) -> None:
        self.since_s = self.loop.time()
        self._deadline = self.loop.call_later(_REQUEST_S, self._late)

    def _late(self) -> None:
        if self.is_waiting and not self.transport.get_write_buffer_size():  # else it still reads
            self.transport.abort()


def _json(body: dict[str, Any], is_good: bool) -> Response:
    return JSONResponse(body, 200 if is_good else 503, {"Cache-Control": "no-store"})


def _listening(host: str, port: int, token: str | None) -> socket.socket:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if token == "":
        raise ConfigError("web.token: expected a text, got an empty one")
    if not 0 <= port <= 65_535:  # the resolver would take the rest of the division by 65,536
        raise ConfigError(f"web.listen: expected a port of 0 to 65535, got {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        if token is None and not ipaddress.ip_address(str(address[0])).is_loopback:
            raise ConfigError(
                f"web.listen: expected a token for an address that others can reach, got none with "
                f"{where}; set web.token, or listen on 127.0.0.1"
            )
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _unusable(where, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise _unusable(where, error) from error
    return listening


def _unusable(where: str, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return ConfigError(f"web.listen: expected an address to listen on, got {where}: {reason}")
