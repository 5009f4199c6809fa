"""The editor's routes over a real server, with the real rules behind them: attacks are tried."""

from __future__ import annotations

import json
import math
import socket
import threading
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from edge.cli.desk import Desk
from edge.cli.editing import Editable
from edge.config.draft import MOST_POINTS, MOST_RULES
from edge.web import files
from edge.web.board import Board
from edge.web.editor import MOST_BYTES, Editor
from edge.web.metrics import Metrics
from edge.web.page import Page
from edge.web.pictures import PLAIN, Pictures
from edge.web.server import WebServer
from edge.web.state import About, Told
from edge.web.status import Status

TOKEN = "t0ken-of-the-test"
TEXT = """\
cameras:
  gate: {source: a.mp4, lines: {door: {a: [0.5, 0.0], b: [0.5, 1.0]}}}
  yard: {source: b.mp4}
"""
RULE = {"kind": "lines", "name": "door", "was": "door", "points": [[0.5, 0.0], [0.5, 1.0]]}
POSTS = ("check", "try", "save")


class Served:
    """A page with an editor that is served, its config, and a client."""

    def __init__(self, client: httpx.Client, file: Any, pictures: Pictures) -> None:
        self.client, self.file, self.pictures = client, file, pictures

    @property
    def csrf(self) -> dict[str, str]:
        return {"X-CSRF-Token": self.client.get("/api/session").json()["csrf"]}

    def post(self, what: str, body: Any, camera: str = "gate", **headers: str) -> httpx.Response:
        params = {"camera": camera}
        return self.client.post(
            f"/api/edit/{what}", params=params, json=body, headers=self.csrf | headers
        )

    def is_untouched(self) -> bool:
        return self.file.read_text() == TEXT and [p.name for p in self.file.parent.iterdir()] == [
            self.file.name
        ]


@pytest.fixture
def serving(tmp_path):
    folder = tmp_path / "configs"
    folder.mkdir()
    file = folder / "site.yaml"
    file.write_text(TEXT)

    @contextmanager
    def served(token=None, host="127.0.0.1", rules=None, front=None, is_linked=True):
        told = Told(list, lambda: {"gate": (), "yard": ()})
        pictures = Pictures(lambda view, scene: f"\xff\xd8{view}".encode("latin-1"))
        its = rules or Desk(Editable(file), ("person",), {})
        editor = Editor(its, lambda: told.rules().keys(), front, is_linked)
        about = About("box", "1", "nano", "cpu")
        page = Page(about, told, Board(), pictures, failed_login_s=0.0, editor=editor)

        def status() -> Status:
            return Status("1", "cpu", "nano", True, [], [], None)

        server = WebServer(host, 0, token, status, Metrics(status), lambda: 0.0, page=page)
        server.begin()
        try:
            address = f"http://127.0.0.1:{server.port}"
            with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
                yield Served(client, file, pictures)
        finally:
            server.close(5.0)

    return served


def test_rules_are_opened_checked_and_saved(serving):
    with serving() as served:
        page = served.client.get("/edit?camera=gate")
        assert (page.status_code, page.text) == (200, (files.FOLDER / "edit.html").read_text())
        assert served.client.get("/api/state").json()["has_editor"] is True
        facts = served.client.get("/api/edit?camera=gate").json()
        assert facts["rules"][0]["name"] == "door"
        moved = RULE | {"points": [[0.5, 0.0], [0.25, 1.0]]}
        assert served.post("check", {"rules": [moved]}).json() == {"findings": []}
        body = {"rules": [moved], "revision": facts["revision"]}
        answer = served.post("save", body)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "[0.25, 1.0]" in served.file.read_text()
        assert "yard: {source: b.mp4}" in served.file.read_text()
        again = served.post("save", body)
        assert (again.status_code, again.json()["conflict"]) == (409, True)


def test_pictures_to_draw_on_are_those_without_rules(serving):
    with serving() as served:
        served.pictures.offer("gate", 1)
        served.pictures.offer("gate" + PLAIN, 1)
        for path, view in (("gate/still.jpg", b"gate"), ("gate/plain.jpg", b"gate/plain")):
            assert served.client.get(f"/live/{path}").content == b"\xff\xd8" + view
        for path in ("none/plain", "none/plain.jpg", "gate/other.jpg", "gate/plain/plain"):
            assert served.client.get(f"/live/{path}").status_code == 404, path


def test_without_counting_the_first_page_is_the_editor(serving):
    with serving(front="gate") as served:
        answer = served.client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/edit?camera=gate")
    with serving() as served:
        assert served.client.get("/").status_code == 200


def test_the_counts_do_not_lead_to_an_editor_that_is_of_no_use(serving):
    with serving(rules=Desk(Editable(None, "none"), (), {}), is_linked=False) as served:
        assert served.client.get("/api/state").json()["has_editor"] is False
        assert served.client.get("/edit?camera=gate").status_code == 200
        assert served.client.get("/api/edit?camera=gate").json()["reason"] == "none"


def test_the_largest_draft_fits(serving):
    """Every rule and point that there may be, with all their digits."""
    around = [math.tau * k / MOST_POINTS for k in range(MOST_POINTS)]
    circle = [[0.5 + math.cos(a) / 3, 0.5 + math.sin(a) / 3] for a in around]
    names = {"in": "ä" * 60, "out": "ö" * 60, "classes": ["person"]}
    rules = [
        RULE | {"name": f"{k:064}", "was": None, "kind": "zones", "points": circle, **names}
        for k in range(MOST_RULES)
    ]
    with serving() as served:
        assert len(json.dumps({"rules": rules})) > 64 * 1024
        answer = served.post("check", {"rules": rules})
        assert (answer.status_code, answer.json()["findings"]) == (200, [])


@pytest.mark.parametrize(
    ("following", "place"),
    [
        ("/edit?camera=north%20gate", "/edit?camera=north%20gate"),
        ("/", "/"),
        *((other, "/") for other in ("", "//evil.example", "https://evil.example/", "edit")),
        *((other, "/") for other in ("/\\evil.example", "/logout", "/edit/../x", "/edit#x")),
        *((other, "/") for other in ("/edit?a=\r\nb: c", "/edit?" + "x" * 401, "/edit?ä")),
    ],
)
def test_after_the_login_comes_the_page_that_was_asked_for(serving, following, place):
    with serving(TOKEN) as served:
        html = {"Accept": "text/html"}
        asked = served.client.get("/edit?camera=gate&x=%22%3E<b>", headers=html)
        assert asked.status_code == 401
        assert 'name="next" value="/edit?camera=gate&amp;x=%22%3E' in asked.text
        assert "<b>" not in asked.text
        form = {"field": asked.text.partition('name="field" value="')[2][:64], "next": following}
        wrong = served.client.post("/login", data=form | {"token": "wrong"})
        assert f'name="next" value="{place}"' in wrong.text
        form["field"] = wrong.text.partition('name="field" value="')[2][:64]
        answer = served.client.post("/login", data=form | {"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, place)


def test_each_request_that_changes_or_asks_needs_the_number_of_the_session(serving):
    with serving() as served:
        for what in POSTS:
            for shown in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}):
                answer = served.client.post(
                    f"/api/edit/{what}?camera=gate", json={"rules": []}, headers=shown
                )
                assert answer.status_code == 403, (what, shown)
            for method in ("GET", "PUT", "PATCH", "DELETE"):
                answer = served.client.request(
                    method, f"/api/edit/{what}?camera=gate", headers=served.csrf
                )
                assert answer.status_code == 405, (what, method)
        for site in ("cross-site", "same-site"):
            made = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors"}
            assert served.post("save", {"rules": []}, **made).status_code == 403
        assert served.post("save", {"rules": []}, Host="evil.example").status_code == 421
        assert served.is_untouched()


def test_with_a_token_nothing_is_read_or_written_without_it(serving):
    with serving(TOKEN, "0.0.0.0") as served:
        client = served.client
        assert client.get("/api/edit?camera=gate").status_code == 401
        for what in POSTS:
            answer = client.post(f"/api/edit/{what}?camera=gate", json={"rules": []})
            assert answer.status_code == 401
        asked = client.get("/edit?camera=gate", headers={"Accept": "text/html"})
        assert (asked.status_code, "<form" in asked.text, "door" in asked.text) == (
            401,
            True,
            False,
        )
        assert client.get("/live/gate/plain.jpg").status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/edit?camera=gate", headers=bearer).status_code == 200
        assert served.is_untouched()


def test_the_number_of_one_session_is_no_use_in_another(serving):
    with serving(TOKEN) as served:
        field = served.client.get("/login").text.partition('name="field" value="')[2][:64]
        served.client.post("/login", data={"field": field, "token": TOKEN})
        mine = served.csrf
        with serving(TOKEN) as other:
            field = other.client.get("/login").text.partition('name="field" value="')[2][:64]
            other.client.post("/login", data={"field": field, "token": TOKEN})
            path = "/api/edit/save?camera=gate"
            assert other.client.post(path, json={"rules": []}, headers=mine).status_code == 403
        assert served.is_untouched()


def test_who_leaves_in_the_midst_of_a_rule_is_no_error(serving, caplog):
    with serving() as served:
        number = served.csrf["X-CSRF-Token"]
        head = (
            f"POST /api/edit/check?camera=gate HTTP/1.1\r\nHost: localhost\r\n"
            f"X-CSRF-Token: {number}\r\nContent-Type: application/json\r\n"
            'Content-Length: 100\r\n\r\n{"ru'
        )
        with socket.create_connection(("127.0.0.1", served.client.base_url.port)) as leaves:
            leaves.sendall(head.encode())
        assert served.client.get("/api/edit?camera=gate").status_code == 200
    assert caplog.text == ""


@pytest.mark.parametrize(
    "camera", ["", "none", "../gate", "gate/../yard", "/etc/passwd", "gate\x00", "GATE", "gate "]
)
def test_no_other_camera_and_no_file_can_be_named(serving, camera):
    with serving() as served:
        assert served.client.get("/api/edit", params={"camera": camera}).status_code == 404
        for what in POSTS:
            assert served.post(what, {"rules": []}, camera).status_code == 404
        assert served.is_untouched()


def test_keys_that_name_files_or_sources_are_refused(serving, tmp_path):
    other = tmp_path / "other.yaml"
    with serving() as served:
        revision = served.client.get("/api/edit?camera=gate").json()["revision"]
        good = {"rules": [RULE], "revision": revision}
        for more in (
            *({"file": str(other)}, {"path": "../other.yaml"}, {"camera": "yard"}),
            *({"config": str(other)}, {"cameras": {}}, {"sinks": {}}),
        ):
            assert served.post("save", good | more).status_code == 400, more
        for more in ({"source": "/etc/passwd"}, {"points": "x"}, {"kind": "sinks"}, {"in": 3}):
            answer = served.post("save", good | {"rules": [RULE | more]})
            assert answer.status_code == 400, more
        for name in ("../../x", "a: {b}", "a\nb", "<script>", "${DESK_TOKEN}", "&a", "x" * 65):
            answer = served.post("save", good | {"rules": [RULE | {"name": name}]})
            assert answer.status_code in (400, 422), name
        assert served.is_untouched()
    assert not other.exists()


def test_texts_stay_texts_in_the_config(serving):
    nasty = "x\n  y: {source: /etc/passwd} # ${HOME} '\" <b> \t &a *b !!python/object"
    with serving() as served:
        revision = served.client.get("/api/edit?camera=gate").json()["revision"]
        body = {"rules": [RULE | {"in": nasty}], "revision": revision}
        answer = served.post("save", body)
        # A variable works in no such key, so this is refused; without it, it is only a text.
        assert (answer.status_code, served.is_untouched()) == (422, True)
        body["rules"][0]["in"] = nasty.replace("${HOME}", "")
        answer = served.post("save", body)
        assert answer.status_code == 200, answer.text
        facts = served.client.get("/api/edit?camera=gate").json()
        assert facts["rules"][0]["in"] == body["rules"][0]["in"]
        assert served.client.get("/api/edit?camera=yard").json()["rules"] == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"rules": NaN}', "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"rules": [], "revision": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"null", "application/json", 400),
        (b'"rules"', "application/json", 400),
        (b'{"rules": [], "revision": "\\ud800"}', "application/json", 409),
        (b'{"rules": [{"kind": "\\ud800"}]}', "application/json", 400),
        (b'{"rules": [], "\\ud800": 1}', "application/json", 400),
        (b"[" + b" " * MOST_BYTES + b"]", "application/json", 413),
        (b"rules=", "application/x-www-form-urlencoded", 415),
        (b'{"rules": []}', "text/plain", 415),
        (b'{"rules": []}', "", 415),
    ],
)
def test_bodies_that_no_page_sends(serving, body, kind, status):
    with serving() as served:
        headers = served.csrf | {"Content-Type": kind}
        answer = served.client.post("/api/edit/save?camera=gate", content=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert "Traceback" not in answer.text
        assert served.is_untouched()


def test_a_body_without_end_is_cut_off(serving):
    def endless():
        yield b"["
        for _ in range(1000):
            yield b" " * 1024

    with serving() as served:
        headers = served.csrf | {"Content-Type": "application/json"}
        path = "/api/edit/check?camera=gate"
        try:
            answer = served.client.post(path, content=endless(), headers=headers)
            assert answer.status_code == 413
        except httpx.TransportError:
            pass  # it hung up on us
        assert served.client.get("/healthz").status_code == 200


class Slow:
    """Rules that take as long as they are let."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked = threading.Semaphore(0)
        self.at_once = 0

    def opened(self, camera: str):
        self.at_once += 1
        assert self.at_once == 1
        self.asked.release()
        self.go.wait(20)
        self.at_once -= 1
        return 200, {"camera": camera}

    def checked(self, camera: str, body: Any):
        raise RuntimeError("secret words")

    tried = saved = checked


def test_one_is_answered_at_a_time_and_few_may_wait(serving):
    slow = Slow()
    with serving(rules=slow) as served:
        statuses: list[int] = []
        path = f"{served.client.base_url}/api/edit?camera=gate"
        asking = [
            threading.Thread(
                target=lambda: statuses.append(httpx.get(path, timeout=20).status_code)
            )
            for _ in range(7)
        ]
        for each in asking:
            each.start()
        assert slow.asked.acquire(timeout=20)
        while len(statuses) < 3:  # those that found too many waiting
            assert served.client.get("/healthz").status_code == 200, "others are answered meanwhile"
        slow.go.set()
        for each in asking:
            each.join(20)
        assert sorted(statuses) == [200] * 4 + [503] * 3


def test_an_error_of_ours_tells_nothing(serving):
    with serving(rules=Slow()) as served:
        answer = served.post("check", {"rules": []})
        assert answer.status_code == 500
        assert "secret words" not in answer.text
        assert json.loads(answer.text)["text"]
