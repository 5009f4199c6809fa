"""The page's routes over a real server: what they answer, and what they refuse."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from live import wait_for
from told import event

from edge.web import files
from edge.web.board import Board, Rule
from edge.web.guard import HEADERS
from edge.web.metrics import Metrics
from edge.web.page import MOST_STREAMS, MOST_VIEWERS, Page
from edge.web.pictures import Pictures
from edge.web.server import WebServer
from edge.web.session import Sessions
from edge.web.state import About, Progress, Told
from edge.web.status import CameraStatus, Status

TOKEN = "t0ken-of-the-test"
RULES = {
    "gate": [Rule("gate", "line", ((0.5, 0.0), (0.5, 1.0)), ("person",), "Into <b>", None)],
    "clip": [Rule("hall", "zone", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))],
}
RULES["gate.jpg"] = []  # a name as good as any
CAMERAS = [
    CameraStatus("gate", "connected", 3, 1000, 900, 90, 10, 2, 7.4),
    CameraStatus("clip", "connected", 1, 5, 5, 0, 0, 0, None),
]
HTML = {"Accept": "text/html,application/xhtml+xml"}
EVIDENCE = {("2026-11-23", "ab" * 16 + ".jpg"): b"\xff\xd8 a picture"}


class Served:
    """A page that is served, and a client of it."""

    def __init__(self, client: httpx.Client, board: Board, pictures: Pictures) -> None:
        self.client, self.board, self.pictures = client, board, pictures
        self.port = client.base_url.port


@contextmanager
def serving(token: str | None = None, host: str = "127.0.0.1", **client: Any):
    board = Board()
    pictures = Pictures(lambda camera, scene: b"\xff\xd8" + str(scene).encode())
    told = Told(lambda: CAMERAS, lambda: RULES, lambda: {"clip": Progress("running", 5, 10, 0.5)})
    about = About("box", "1.2.3", "nano", "cpu", True)
    page = Page(about, told, board, pictures, lambda *key: EVIDENCE.get(key), failed_login_s=0.0)

    def status() -> Status:
        return Status("1.2.3", "cpu", "nano", True, CAMERAS, [], None)

    server = WebServer(host, 0, token, status, Metrics(status), lambda: 0.0, page=page)
    server.begin()
    try:
        address = f"http://127.0.0.1:{server.port}"
        with httpx.Client(base_url=address, trust_env=False, timeout=20, **client) as web:
            yield Served(web, board, pictures)
    finally:
        server.close(5.0)
    names = {t.name for t in threading.enumerate()}
    assert not names & {"edge-web", "edge-pictures"}


def events_of(response: httpx.Response):
    """Server-sent events as (event, id, data), comments left out."""
    found: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif found:
            if "data" in found:
                yield found.get("event", ""), found.get("id", ""), json.loads(found["data"])
            found = {}


def test_every_file_of_the_page_is_served_with_its_type_and_nothing_else():
    with serving() as served:
        listed = {p.name for p in files.FOLDER.iterdir()}
        assert listed == set(files.TYPES)
        for name, kind in files.TYPES.items():
            pages = {"index.html": "/", "login.html": "", "edit.html": ""}
            path = pages.get(name, f"/static/{name}")
            if not path:
                continue
            answer = served.client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind), path
            again = served.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert served.client.head(path).status_code == 200
        for path in (
            *("/static/", "/static/none.js", "/static/index.html", "/static/login.html"),
            *("/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py"),
            *("/index.html", "/static/style.css/", "//static/style.css", "/etc/passwd"),
        ):
            answer = served.client.get(path)
            assert answer.status_code in (404, 307), path
            assert "import" not in answer.text


def test_the_page_weighs_less_than_200_kb_and_names_no_other_host():
    assert sum(p.stat().st_size for p in files.FOLDER.iterdir()) < 200_000
    for name in files.TYPES:
        text = (files.FOLDER / name).read_text()
        hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", text))
        assert hosts <= {"www.w3.org"}, name  # the name space of drawings
        assert "innerHTML" not in text
        assert "eval(" not in text


def test_every_file_that_a_page_asks_for_is_there():
    class Links(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.found += [v for k, v in attrs if k in ("src", "href") and "/static/" in str(v)]
            assert not [k for k, _ in attrs if k.startswith("on") or k == "style"]

    for page in files.PAGES:
        links = Links()
        links.feed((files.FOLDER / page).read_text())
        assert {link.removeprefix("/static/") for link in links.found} <= set(files.TYPES)
    for name in (n for n in files.TYPES if n.endswith(".js")):
        imported = re.findall(r'from "\./([\w.]+)"', (files.FOLDER / name).read_text())
        assert set(imported) <= set(files.TYPES)


def test_the_state_has_cameras_rules_and_totals():
    with serving() as served:
        served.board.take("gate", event(total=(4, 2)))
        body = served.client.get("/api/state").json()
    assert (body["device"], body["version"], body["model"]) == ("box", "1.2.3", "nano")
    gate, clip = body["cameras"]
    assert gate["state"] == "connected"
    assert (gate["dropped"], gate["reconnects"], gate["age_s"]) == (90, 2, 7)
    [rule] = gate["rules"]
    assert rule["points"] == [[0.5, 0.0], [0.5, 1.0]]
    assert rule["totals"]["by_class"] == {"person": {"in": 4, "out": 2}}
    assert (clip["kind"], clip["state"]) == ("recording", "running")
    assert clip["progress"] == {"frames": 5, "total": 10, "media_s": 0.5}
    assert clip["rules"][0]["occupancy"] == 0
    assert [e["type"] for e in body["events"]] == ["line_crossed"]
    assert body["last_id"].endswith("-1")


def test_the_chart_of_a_rule():
    with serving() as served:
        served.board.take("gate", event())
        get = served.client.get
        answer = get("/api/chart", params={"camera": "gate", "rule": "gate", "by": "minute"})
        assert (answer.json()["in"], answer.headers["cache-control"]) == ([1], "no-store")
        for camera, rule, by, status in (
            ("gate", "gate", "year", 400),
            ("gate", "hall", "hour", 404),
            ("none", "gate", "hour", 404),
        ):
            asked = {"camera": camera, "rule": rule, "by": by}
            assert get("/api/chart", params=asked).status_code == status
        assert get("/api/chart").status_code == 404


def test_events_come_as_they_happen_and_who_comes_back_misses_none():
    with serving() as served:
        served.board.take("gate", event(total=(1, 0)))
        with served.client.stream("GET", "/api/stream") as first:
            assert first.headers["content-type"].startswith("text/event-stream")
            told = events_of(first)
            kind, last_id, data = next(told)
            assert (kind, data["totals"]["in"]) == ("count", 1)
            assert next(told)[0] == "state"
            served.board.take("gate", event(total=(2, 0), media_s=2.0))
            while kind != "count" or data["totals"]["in"] != 2:
                kind, last_id, data = next(told)
        for k in range(3, 6):
            served.board.take("gate", event(total=(k, 0), media_s=k))
        with served.client.stream("GET", "/api/stream", headers={"Last-Event-ID": last_id}) as back:
            told = events_of(back)
            missed = [next(told) for _ in range(3)]
        assert [data["totals"]["in"] for _, _, data in missed] == [3, 4, 5]
        with served.client.stream("GET", "/api/stream", params={"after": missed[0][1]}) as back:
            assert next(events_of(back))[2]["totals"]["in"] == 4
        with served.client.stream("GET", "/api/stream", params={"after": "other-9"}) as back:
            assert next(events_of(back))[2]["totals"]["in"] == 1


def test_live_pictures_are_parts_that_replace_each_other():
    with serving() as served:
        served.pictures.offer("gate", 1)
        served.pictures.offer("gate.jpg", "another")
        for camera, shown in (("gate", b"\xff\xd81"), ("gate.jpg", b"\xff\xd8another")):
            still = served.client.get(f"/live/{camera}/still.jpg")
            assert (still.content, still.headers["content-type"]) == (shown, "image/jpeg")
            with served.client.stream("GET", f"/live/{camera}") as answer:
                assert answer.headers["content-type"].startswith("multipart/")
        with served.client.stream("GET", "/live/gate") as answer:
            kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
            assert kind == "multipart/x-mixed-replace"
            parts = answer.iter_bytes()
            got = b""
            for k in range(2, 5):
                served.pictures.offer("gate", k)
                while f"\xff\xd8{k}".encode("latin-1") not in got:
                    got += next(parts)
        # Chromium shows a part once it has read the head of the next one, which comes along.
        head = f"--{boundary}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        pieces = got.split(head)
        assert (pieces[0], pieces[-1]) == (b"", b"")
        assert len(pieces) >= 5
        assert [p for p in pieces[1:-1] if not re.fullmatch(rb"\xff\xd8\d\r\n", p)] == []
        wait_for(lambda: served.pictures.viewers == 0)
        assert served.client.get("/live/none").status_code == 404
        assert served.client.get("/live/none/still.jpg").status_code == 404
        assert served.client.head("/live/gate").status_code == 200
        assert served.pictures.viewers == 0


def test_viewers_and_pages_are_bounded_and_leave_their_places():
    with serving() as served:
        served.pictures.offer("gate", 1)
        for path, most in (("/live/gate", MOST_VIEWERS), ("/api/stream", MOST_STREAMS)):
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            taken = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(most)]
            try:
                for each in taken:
                    each.settimeout(20)
                    each.sendall(request)
                    assert b"200 OK" in each.recv(200)
                answer = served.client.get(path)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
                if "live" in path:
                    assert served.client.get("/live/gate/still.jpg").status_code == 503
            finally:
                for each in taken:
                    each.close()
            wait_for(lambda path=path: served.client.head(path).status_code == 200)
        wait_for(lambda: served.pictures.viewers == 0)


def test_a_viewer_who_reads_nothing_does_not_hold_up_the_others():
    with serving() as served, socket.create_connection(("127.0.0.1", served.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /live/gate HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for k in range(20):
            served.pictures.offer("gate", f"{k}" * 200_000)
            time.sleep(0.01)
        served.pictures.offer("gate", "seen")
        wait_for(lambda: served.client.get("/live/gate/still.jpg").content == b"\xff\xd8seen")


def test_who_is_looking_is_not_cut_off_for_others():
    with serving() as served, served.client.stream("GET", "/live/gate") as answer:
        others = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(70)]
        try:
            wait_for(lambda: served.client.get("/healthz").status_code == 200)
            served.pictures.offer("gate", "still there")
            got = b""
            for part in answer.iter_bytes():
                got += part
                if b"still there" in got:
                    break
        finally:
            for each in others:
                each.close()
    assert b"still there" in got


def test_pictures_of_events_are_those_of_the_folder_alone():
    with serving() as served:
        [(day, name)] = EVIDENCE
        answer = served.client.get(f"/evidence/{day}/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.headers["cache-control"].startswith("private")
        for path in (
            *("/evidence/", f"/evidence/{day}", f"/evidence/{day}/other.jpg"),
            *(f"/evidence/{day}/../{day}/{name}x", "/evidence/../../etc/passwd"),
            *("/evidence/..%2f..%2fetc/passwd", "/evidence/%2e%2e/passwd"),
        ):
            assert served.client.get(path).status_code == 404, path


def test_a_picture_that_is_being_written_is_waited_for():
    late = ("2026-11-23", "cd" * 16 + ".jpg")
    with serving() as served:
        served.board.take("gate", event(evidence={"snapshot": "/".join(late)}))
        timer = threading.Timer(0.5, EVIDENCE.__setitem__, (late, b"\xff\xd8 late"))
        timer.start()
        try:
            assert served.client.get("/evidence/" + "/".join(late)).status_code == 200
        finally:
            timer.join()
            EVIDENCE.pop(late, None)


def test_every_answer_tells_browsers_what_they_may_not_do():
    with serving() as served:
        for path in ("/", "/healthz", "/api/state", "/nothing", "/static/style.css", "/metrics"):
            answer = served.client.get(path)
            for name, value in HEADERS.items():
                assert answer.headers.get_list(name) == [value], path
        policy = HEADERS["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "name", ["evil.example", "localhost.evil.example", "192.0.2.1:80", "", "[::2]", "127.0.0.1.x"]
)
def test_a_name_that_is_not_this_machine_s_is_refused(name):
    """A site may let its own name lead to 127.0.0.1 and have its visitors' browsers ask."""
    with serving() as served:
        for path in ("/", "/api/state", "/live/gate", "/metrics", "/static/app.js"):
            answer = served.client.get(path, headers={"Host": name})
            assert answer.status_code == 421, path
        assert served.client.get("/healthz", headers={"Host": name}).status_code == 200


def test_names_of_this_machine_are_let_in_on_any_port():
    with serving() as served:
        for name in ("localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8080"):
            assert served.client.get("/", headers={"Host": name}).status_code == 200, name


def test_requests_that_another_site_s_page_makes_are_refused():
    with serving() as served:
        for site in ("cross-site", "same-site"):
            made = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
            for path in ("/live/gate", "/api/state", "/", "/evidence/a/b.jpg"):
                assert served.client.get(path, headers=made).status_code == 403
            link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
            assert served.client.get("/", headers=link).status_code == 200
            assert served.client.post("/logout", headers=link).status_code == 403
        own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        assert served.client.get("/api/state", headers=own).status_code == 200


def test_whatever_changes_something_needs_the_number_of_the_session():
    with serving() as served:
        csrf = served.client.get("/api/session").json()["csrf"]
        for shown in (None, "", "x", csrf + "0", csrf[:-1]):
            headers = {} if shown is None else {"X-CSRF-Token": shown}
            assert served.client.post("/logout", headers=headers).status_code == 403
            assert served.client.put("/api/state", headers=headers).status_code == 403
        good = {"X-CSRF-Token": csrf}
        assert served.client.post("/logout", headers=good).status_code == 204
        assert served.client.post("/api/state", headers=good).status_code == 405
        assert served.client.delete("/static/app.js", headers=good).status_code == 405


def form_of(answer: httpx.Response) -> dict[str, str]:
    return {"field": re.search(r'name="field" value="([^"]+)"', answer.text)[1]}


def test_the_token_is_asked_for_once():
    with serving(TOKEN, "0.0.0.0") as served:
        client = served.client
        for path in ("/api/state", "/live/gate", "/api/stream", "/metrics", "/evidence/a/b.jpg"):
            assert client.get(path, headers=HTML).status_code == 401, path
        assert client.get("/").status_code == 401
        asked = client.get("/", headers=HTML)
        assert (asked.status_code, "<form" in asked.text) == (401, True)
        assert TOKEN not in asked.text
        assert client.get("/static/style.css").status_code == 200
        answer = client.post("/login", data=form_of(asked) | {"token": TOKEN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        [cookie] = [c for c in answer.headers.get_list("set-cookie") if "_form" not in c]
        assert TOKEN not in cookie
        for part in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert part in cookie
        assert "Secure" not in cookie
        assert client.get("/", headers=HTML).text == (files.FOLDER / "index.html").read_text()
        assert client.get("/api/state").status_code == 200
        assert client.get("/login").status_code == 303
        session = client.get("/api/session").json()
        assert session["can_leave"] is True
        assert client.post("/logout").status_code == 403
        left = client.post("/logout", headers={"X-CSRF-Token": session["csrf"]})
        assert left.status_code == 204
        assert client.get("/api/state").status_code == 401


def test_behind_a_proxy_that_speaks_tls_cookies_are_secure():
    with serving(TOKEN) as served:
        tls = {"X-Forwarded-Proto": "https", "Host": "counts.example.org"}
        asked = served.client.get("/login", headers=tls)
        assert "Secure" in asked.headers["set-cookie"]
        served.client.cookies.clear()
        name, _, rest = asked.headers["set-cookie"].partition("=")
        answer = served.client.post(
            "/login",
            data=form_of(asked) | {"token": TOKEN},
            headers=tls | {"Cookie": f"{name}={rest.partition(';')[0]}"},
        )
        assert answer.status_code == 303
        assert "Secure" in answer.headers.get_list("set-cookie")[0]


def test_forms_that_are_not_ours_and_wrong_tokens_open_nothing():
    with serving(TOKEN) as served:
        client = served.client
        asked = client.get("/login")
        form = form_of(asked)
        first = form["field"]
        for wrong, status in (
            ({"token": TOKEN}, 403),  # no number
            ({"token": TOKEN, "field": "0" * 64}, 403),
            ({"token": TOKEN[:-1], **form}, 401),
            ({"token": "", **form}, 401),
            (dict(form), 401),
            ({"token": TOKEN + "x" * 5000, **form}, 413),
        ):
            if wrong.get("field") == first:  # each form is good for its own cookie
                wrong["field"] = form["field"]
            answer = client.post("/login", data=wrong)
            assert answer.status_code == status, wrong
            assert client.get("/api/state").status_code == 401
            form = form_of(client.get("/login"))
        client.cookies.clear()  # as another site's form would come
        assert client.post("/login", data=form | {"token": TOKEN}).status_code == 403
        many = "&".join(f"a{k}=1" for k in range(100))
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/login", content=many, headers=kind).status_code == 400


def test_who_sends_a_form_slowly_keeps_nobody_else_out(caplog):
    head = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nto"
    with serving(TOKEN) as served:
        slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(8)]
        try:
            for each in slow:
                each.sendall(head.encode())
            wait_for(lambda: served.client.get("/healthz").status_code == 200)
            form = form_of(served.client.get("/login"))
            answer = served.client.post("/login", data=form | {"token": TOKEN})
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
        finally:
            for each in slow:
                each.close()
    assert caplog.text == "", "who leaves in the midst of it is no error"


def test_a_session_that_was_left_opens_nothing_any_more():
    with serving(TOKEN) as served:
        client = served.client
        client.post("/login", data=form_of(client.get("/login")) | {"token": TOKEN})
        copied = {"Cookie": f"edgecount_{served.port}={client.cookies[f'edgecount_{served.port}']}"}
        client.cookies.clear()
        client.post("/login", data=form_of(client.get("/login")) | {"token": TOKEN})
        csrf = client.get("/api/session", headers=copied).json()["csrf"]
        with httpx.Client(base_url=client.base_url, headers=copied, trust_env=False) as first:
            assert first.post("/logout", headers={"X-CSRF-Token": csrf}).status_code == 204
        assert client.get("/api/state", headers=copied).status_code == 401
        assert client.get("/api/state").status_code == 200, "another browser's goes on"


def test_scripts_show_the_token_itself():
    with serving(TOKEN) as served:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert served.client.get("/api/state", headers=bearer).status_code == 200
        assert served.client.post("/logout", headers=bearer).status_code == 204
        wrong = {"Authorization": "Bearer wrong"}
        assert served.client.get("/api/state", headers=wrong).status_code == 401
        assert served.client.post("/logout", headers=wrong).status_code == 401


def test_cookies_that_were_made_up_or_changed_open_nothing():
    sessions = Sessions(TOKEN)
    cookie = sessions.begun()
    expiry, number, signature = cookie.split(".")
    later = f"{int(expiry) + 1}.{number}.{signature}"
    with serving(TOKEN) as served:
        name = f"edgecount_{served.port}"
        for value, status in (
            (cookie, 200),  # of an earlier run with the same token
            (later, 401),
            (f"{expiry}.{number}.", 401),
            (Sessions("other").begun(), 401),
            ("", 401),
            ("..", 401),
            (f"{'9' * 30}.{number}.{signature}", 401),
        ):
            answer = served.client.get("/api/state", headers={"Cookie": f"{name}={value}"})
            assert answer.status_code == status, value


def test_a_session_ends():
    now = [1000.0]
    sessions = Sessions(TOKEN, lambda: now[0])
    cookie, (form, field) = sessions.begun(), sessions.form()
    left = sessions.begun()
    sessions.end(left)
    sessions.end("made up")
    assert not sessions.is_valid(left)
    assert sessions.is_valid(cookie)
    assert sessions.is_form(form, field)
    now[0] += 3601.0
    assert not sessions.is_form(form, field)
    assert sessions.is_valid(cookie)
    now[0] += 30 * 86_400
    assert not sessions.is_valid(cookie)
    assert not sessions.is_valid(left)
    assert not Sessions(None).is_valid(Sessions(None).begun())
    assert not Sessions(None).is_token(b"")


def test_the_server_ends_at_once_with_pages_open():
    with serving() as served:
        served.pictures.offer("gate", 1)
        open_ones = [served.client.stream("GET", path) for path in ("/live/gate", "/api/stream")]
        entered = [each.__enter__() for each in open_ones]
        assert [each.status_code for each in entered] == [200, 200]
        served.client.get("/healthz")
