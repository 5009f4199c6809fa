"""A webhook's receiver for tests: a small HTTP server on loopback that misbehaves when told to.

with Receiver(secret="s") as receiver:
    receiver.fail(3, 503, {"Retry-After": "1"})
    ...
    assert receiver.first_ids() == [...]
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")  # a proxy cannot reach our loopback


@dataclass(frozen=True)
class Request:
    """One POST: names of `headers` are in lower case; `status` is the answer, 0 for none."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the batch."""
        return json.loads(self.body)["events"]


@dataclass(frozen=True)
class Answer:
    """What the receiver does to one request; status 0: it closes the connection unanswered."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    late_s: float = 0.0
    hangs: bool = False  # until `release` or the end


class Receiver:
    """Answers 200 and records; what it is told to do otherwise comes first, in order.

    `rule`, if set, decides on every request that no told answer is left for: it gets the events
    and gives an Answer. With `secret`, a request whose signature is wrong is answered 401.
    """

    def __init__(self, secret: str | None = None) -> None:
        """Bind a free port; `secret` is what signatures are checked with."""
        self.requests: list[Request] = []
        self.rule: Callable[[list[dict[str, Any]]], Answer] | None = None
        self._secret = secret
        self._told: deque[Answer] = deque()
        self._default = Answer()
        self._release = threading.Event()
        self._lock = threading.Lock()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._port}/events"

    def start(self) -> None:
        """Listen, on the same port after `stop`."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self._port), _handler(self))
            self._port = self._server.server_address[1]
            threading.Thread(
                target=self._server.serve_forever, args=(0.05,), name="receiver", daemon=True
            ).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def fail(self, times: int, status: int, headers: dict[str, str] | None = None) -> None:
        """Answer the next `times` requests with `status`; 0: close the connection."""
        self._told.extend([Answer(status, tuple((headers or {}).items()))] * times)

    def answer(self, answer: Answer) -> None:
        """Treat the next request so."""
        self._told.append(answer)

    def hang(self, hangs: bool = True) -> None:
        """Leave all requests unanswered from now on, or no longer."""
        self._default = Answer(hangs=hangs)
        if not hangs:
            self.release()

    def release(self) -> None:
        """Close the connections of hanging requests."""
        release, self._release = self._release, threading.Event()
        release.set()

    def accepted(self) -> list[dict[str, Any]]:
        """All events of requests answered 2xx, in order, repeats included."""
        return [e for r in list(self.requests) if 200 <= r.status < 300 for e in r.events]

    def first_ids(self) -> list[str]:
        """event_id of each accepted event, in the order of first arrivals."""
        return list(dict.fromkeys(event["event_id"] for event in self.accepted()))

    def wait(self, is_done: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until it is so.

        Raises:
            AssertionError: it is not, after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not is_done():
            statuses = [r.status for r in self.requests[-10:]]
            assert time.monotonic() < deadline, f"not so after {timeout_s} s: {statuses}"
            time.sleep(0.02)

    def _treat(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        with self._lock:
            if self._told:
                answer = self._told.popleft()
            elif self.rule is not None:
                answer = self.rule(json.loads(body)["events"])
            else:
                answer = self._default
            if self._secret is not None and not signature_is_right(headers, body, self._secret):
                answer = Answer(401, body=b"wrong signature")
            status = 0 if answer.hangs else answer.status
            self.requests.append(Request(path, headers, body, status))
        if answer.hangs:
            self._release.wait()
        time.sleep(answer.late_s)
        return answer

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.stop()


def signature_is_right(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Whether X-Edgecount-Signature is that of the body and not older than 5 minutes."""
    parts = dict(part.partition("=")[::2] for part in headers["x-edgecount-signature"].split(","))
    signed = parts["t"].encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts["sha256"]) and abs(time.time() - int(parts["t"])) < 300


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no failure of the test."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if receiver._server is None:  # a connection kept from before `stop`
                self.close_connection = True
                return
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender died
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver._treat(self.path, headers, body)
            if answer.hangs or not answer.status:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
