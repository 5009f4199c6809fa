from __future__ import annotations

import logging
import math
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.errors import ConfigError
from edge.web.metrics import Metrics
from edge.web.server import WebServer

TOKEN = "t0ken-of-the-test"


class Site:
    """What the server is told, for tests to change."""

    def __init__(self, status, turned_s_ago=0.0):
        self.now, self.turned_s_ago = status, turned_s_ago

    def status(self):
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


@contextmanager
def serving(site, token=None, host="127.0.0.1"):
    server = WebServer(
        host, 0, token, site.status, Metrics(site.status), lambda: site.turned_s_ago, stale_s=30.0
    )
    server.begin()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            yield client
    finally:
        server.close(5.0)
    assert not [t for t in threading.enumerate() if t.name == "edge-web"]


def test_health_follows_the_main_loop(status):
    site = Site(status)
    with serving(site) as client:
        assert client.get("/healthz").status_code == 200
        site.turned_s_ago = 30.001
        answer = client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json() == {"alive": False, "turned_s_ago": 30.001}
        site.turned_s_ago = math.inf  # it has not turned yet
        assert client.get("/healthz").json() == {"alive": False, "turned_s_ago": None}
        assert client.get("/readyz").status_code == 503


def test_ready_names_the_state_of_each_part(status):
    with serving(Site(status)) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "ready": True,
        "model": {"ok": True, "name": "nano", "provider": "cpu"},
        "main_loop": {"ok": True, "turned_s_ago": 0.0},
        "cameras": {
            "ok": True,
            "lost": ["yard"],
            "each": {
                "gate": {"state": "connected", "session": 3, "last_frame_age_s": 0.04},
                "yard": {
                    "state": "lost",
                    "session": 0,
                    "last_frame_age_s": None,
                    "reason": "no answer in 10 s",
                },
            },
        },
        "journal": {"ok": True, "waiting": 4, "failing_s": None, "lost": 0},
        "sinks": {
            "office": {
                "lag_events": 12,
                "oldest_waiting_s": 34.5,
                "dead_letters": 1,
                "last_error": "connection refused",
            }
        },
    }


@pytest.mark.parametrize("part", ["model", "main_loop", "cameras", "journal"])
def test_each_part_alone_makes_it_unready(status, part):
    site = Site(status)
    if part == "model":
        site.now = replace(status, is_model_loaded=False)
    elif part == "main_loop":
        site.turned_s_ago = 31.0
    elif part == "cameras":
        site.now = replace(status, cameras=[replace(c, state="lost") for c in status.cameras])
    else:
        site.now = replace(status, journal=replace(status.journal, failing_s=2.0))
    with serving(site) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()
    assert parts.pop("ready") is False
    parts.pop("sinks")
    assert [name for name, state in parts.items() if not state["ok"]] == [part]


def test_without_cameras_and_journal_it_can_be_ready(status):
    with serving(Site(replace(status, cameras=[], journal=None))) as client:
        assert client.get("/readyz").status_code == 200


def test_metrics_can_be_scraped(status):
    with serving(Site(status)) as client:
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"edgecount_frames", "edgecount_build_info", "process_open_fds"} <= names


def test_other_paths_and_methods_are_refused(status):
    with serving(Site(status)) as client:
        assert client.get("/").status_code == 404
        assert client.get("/healthz/").status_code in (307, 404)
        assert client.post("/metrics").status_code == 403
        assert client.head("/healthz").status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
)
def test_a_wrong_token_is_refused(status, header, caplog):
    headers = {} if header is None else {"Authorization": header}
    with caplog.at_level(logging.DEBUG), serving(Site(status), TOKEN, "0.0.0.0") as client:
        for path in ("/metrics", "/readyz", "/", "/healthz/", "//healthz"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text
        assert client.get("/healthz", headers=headers).status_code == 200
    assert TOKEN not in caplog.text


def test_the_token_opens(status, caplog):
    with caplog.at_level(logging.DEBUG, "uvicorn"), serving(Site(status), TOKEN) as client:
        for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
            assert client.get("/metrics", headers={"Authorization": header}).status_code == 200
    assert TOKEN not in caplog.text


def test_a_token_of_any_letters_works(status):
    with serving(Site(status), "schlüssel✓") as client:
        headers = {"Authorization": "Bearer schlüssel✓".encode()}
        assert client.get("/readyz", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_are_let_in_with_a_token_only(status, host):
    site = Site(status)
    with pytest.raises(ConfigError, match=r"^web\.listen: expected a token .* got none with"):
        WebServer(host, 0, None, site.status, Metrics(site.status), lambda: 0.0)


@pytest.mark.parametrize(
    ("host", "port", "token", "said"),
    [
        ("127.0.0.1", 0, "", r"^web\.token: expected a text, got an empty one"),
        ("", 0, TOKEN, r"^web\.listen: expected an address .*, got :0: "),
        ("no such host", 0, TOKEN, r"^web\.listen: expected an address .*, got no such host:0: "),
        ("203.0.113.1", 0, TOKEN, r"^web\.listen: expected an address .* 203\.0\.113\.1:0: "),
        ("127.0.0.1", 70_000, None, r"^web\.listen: expected a port of 0 to 65535"),
    ],
)
def test_addresses_that_cannot_be_had(status, host, port, token, said):
    site = Site(status)
    with pytest.raises(ConfigError, match=said) as raised:
        WebServer(host, port, token, site.status, Metrics(site.status), lambda: 0.0)
    assert TOKEN not in str(raised.value)


def test_a_port_that_is_taken(status):
    site = Site(status)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"got 127.0.0.1:{port}: Address already in use"):
            WebServer("127.0.0.1", port, None, site.status, Metrics(site.status), lambda: 0.0)


def test_a_bug_in_the_status_is_answered_and_logged(status, caplog):
    site = Site(ValueError("broken"))
    with serving(site) as client:
        assert client.get("/readyz").status_code == 500
        assert client.get("/metrics").status_code == 500
        site.now = status
        assert client.get("/readyz").status_code == 200
    assert "broken" in caplog.text


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
SLOW = {
    "silent": b"",
    "half a head": HEALTH[:-2],
    "half a body": b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
}


def answered(client: socket.socket) -> bytes:
    client.settimeout(20)
    try:
        client.sendall(HEALTH)
        return client.recv(100)
    except ConnectionError:
        return b""


def is_cut_off(client: socket.socket) -> bool:
    """Whether the server ends it before it has a whole request."""
    client.settimeout(20)
    try:
        while client.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_health_is_told_while_others_hold_all_connections(status, sent):
    with serving(Site(status)) as client, ExitStack() as stack:
        address = "127.0.0.1", client.base_url.port
        slow = []
        for _ in range(70):
            slow.append(stack.enter_context(socket.create_connection(address)))
            slow[-1].sendall(sent)
        assert client.get("/healthz").status_code == 200
        assert is_cut_off(slow[0]), "the oldest makes room"
        if sent == b"":
            assert answered(slow[-1]), "the newest may still ask"


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_a_request_that_does_not_come_as_a_whole_is_not_waited_for(status, sent, monkeypatch):
    monkeypatch.setattr("edge.web.server._REQUEST_S", 0.3)
    with serving(Site(status)) as client:
        with socket.create_connection(("127.0.0.1", client.base_url.port)) as slow:
            slow.sendall(sent)
            assert is_cut_off(slow)
        drips = socket.create_connection(("127.0.0.1", client.base_url.port))
        with drips, suppress(ConnectionError):
            for k in range(200):  # a byte now and then is no request either
                drips.sendall((sent or HEALTH)[k : k + 1] or b"x")
                time.sleep(0.05)
            pytest.fail("it was waited for")


def test_who_comes_before_it_begins_waits(status):
    site = Site(ValueError("not built yet"))
    server = WebServer("127.0.0.1", 0, None, site.status, Metrics(site.status), lambda: 0.0)
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as early:
            early.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            early.settimeout(0.2)
            with pytest.raises(TimeoutError):
                early.recv(100)
            site.now = status
            server.begin()
            early.settimeout(10)
            assert early.recv(100).startswith(b"HTTP/1.1 200")
    finally:
        server.close(5.0)


def test_closing_what_never_began(status):
    site = Site(status)
    server = WebServer("127.0.0.1", 0, None, site.status, Metrics(site.status), lambda: 0.0)
    server.close(0.0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_closing_twice_and_with_a_client_that_waits(status):
    site = Site(status)
    server = WebServer("127.0.0.1", 0, None, site.status, Metrics(site.status), lambda: 0.0)
    server.begin()
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        server.close(10.0)
    server.close(0.0)
    assert not [t for t in threading.enumerate() if t.name == "edge-web"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
