"""The page in a real browser, of a real `edge run` that watches a real camera."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from browser import CONTRASTS, Browser
from live import RtspServer
from running import Running

from edge.web.files import FOLDER

pytestmark = [pytest.mark.browser, pytest.mark.rtsp]
TOKEN = "t0ken-of-the-test"
# What a page may get that is not its own: nothing. Texts from a config must stay texts.
NASTY = "<img src=x onerror=document.title='broken'>"
RULES = {
    "lines": {
        "right": {"a": [0.651, 0.0], "b": [0.651, 1.0], "in": NASTY, "out": "Into the street"},
        "left": {"a": [0.3, 0.0], "b": [0.3, 1.0]},
    },
    "zones": {"hall": {"polygon": [[0, 0.3], [1, 0.3], [1, 1], [0, 1]], "dwell_s": 5.0}},
}
TOTAL = "Number(document.querySelector('[data-rule=right] .in').textContent)"
PIXELS = """(() => {
  const image = document.querySelector('[data-camera=gate] img.live');
  if (!image.naturalWidth) return '';
  const canvas = document.createElement('canvas');
  canvas.width = 64; canvas.height = 48;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0, 64, 48);
  return context.getImageData(0, 0, 64, 48).data.join();
})()"""


@pytest.fixture(scope="module")
def camera():
    with RtspServer(fps=10) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


def shots(tmp_path: Path) -> Path:
    """Where screenshots go: EDGECOUNT_SCREENSHOTS, or the test's folder."""
    return Path(os.environ.get("EDGECOUNT_SCREENSHOTS", tmp_path))


def counter(folder: Path, camera: RtspServer, **sections) -> Running:
    """`edge run` on the camera; `start` starts it."""
    gate = {"source": camera.url, **RULES}
    run = Running(folder, {"gate": gate}, evidence={"folder": str(folder / "seen")}, **sections)
    run.config["model"] = {**run.config["model"], "input_size": 320}
    return run


@pytest.mark.timeout(600)
def test_counts_and_pictures_come_by_themselves(camera, browser, tmp_path, record_property):
    with counter(tmp_path, camera) as run:
        run.start()
        run.wait_for_frames("gate", 5)
        page = browser.page()
        page.open(f"http://127.0.0.1:{run.port}/")
        page.wait("document.querySelector('#touch').textContent === 'live'")
        first = page.wait(PIXELS)
        page.wait(f"{PIXELS} !== {first!r}")
        before = page.wait(f"{TOTAL} > 0 && {TOTAL}", 120)
        page.wait(f"{TOTAL} > {before}", 120)
        page.wait("document.querySelectorAll('.plot rect.in').length > 0")
        page.wait("document.querySelectorAll('#happenings li').length > 3")
        page.wait("[...document.querySelectorAll('#happenings img')].some(i => i.naturalWidth)")
        assert page.value("document.querySelector('[data-rule=hall] .inside').textContent") != ""
        # What comes from the config is text.
        assert page.value("document.querySelector('[data-rule=right] dt').textContent") == NASTY
        assert page.value("document.title") == "box: edgecount"
        requests = page.requests()
        own = f"http://127.0.0.1:{run.port}/"
        assert [url for url in requests if not url.startswith(own)] == []
        assert page.complaints() == []
        record_property(
            "first_paint_ms",
            page.value("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
        )
        files = {url for url in requests if "/static/" in url or url == own}
        assert len(files) >= 9
        assert sum(p.stat().st_size for p in FOLDER.iterdir()) < 200_000
        sent = page.value(
            "performance.getEntriesByType('resource').concat("
            "performance.getEntriesByType('navigation')).filter(e => !/live|evidence|api/"
            ".test(e.name)).reduce((sum, e) => sum + e.transferSize, 0)"
        )
        record_property("page_bytes", sent)
        assert 0 < sent < 200_000
        folder = shots(tmp_path)
        page.screenshot(folder / "page-light.png")
        phone = browser.page(360, 740, prefers_color_scheme="dark")
        phone.open(own)
        phone.wait("document.querySelector('#touch').textContent === 'live'")
        phone.wait(PIXELS)
        assert phone.value("document.documentElement.scrollWidth") == 360
        phone.screenshot(folder / "page-dark-phone.png")
        assert phone.complaints() == []
        assert (folder / "page-light.png").stat().st_size > 20_000
        page.ask("Page.bringToFront")  # a page that nobody sees lets go
        page.wait("!document.hidden && document.querySelector('#touch').textContent === 'live'")
        assert run.stop() == 130
        page.wait("/^out of touch since/.test(document.querySelector('#touch').textContent)")
        seen = page.value(TOTAL)
        assert seen >= before, "the last totals stay"
        run.start()  # it comes back by itself, and has lost nothing
        page.wait("document.querySelector('#touch').textContent === 'live'", 60)
        assert page.wait(f"{TOTAL} >= {seen} && {TOTAL}", 60) >= seen
        page.wait(PIXELS)
        assert run.stop() == 130


@pytest.mark.timeout(300)
def test_with_a_token_the_page_asks_for_it_once(camera, browser, tmp_path):
    with counter(tmp_path, camera) as run:
        web = {"listen": f"127.0.0.1:{run.port}", "token": "${WEB_TOKEN}"}
        run.config["web"] = web
        run.numbers = lambda: {"up": 1.0} if answers(run.port) else {}
        run.start(WEB_TOKEN=TOKEN)
        page = browser.page()
        page.open(f"http://127.0.0.1:{run.port}/")
        page.wait("document.activeElement.id === 'token'")
        page.ask("Input.insertText", text="wrong")
        page.press("Enter")
        page.wait("/not the token/.test(document.body.textContent)")
        page.ask("Input.insertText", text=TOKEN)
        page.press("Enter")
        page.wait("document.querySelector('#touch')?.textContent === 'live'")
        page.open(f"http://127.0.0.1:{run.port}/")
        page.wait("document.querySelector('#touch')?.textContent === 'live'")
        page.wait(PIXELS, 60)
        assert page.value("document.cookie") == "", "scripts cannot read it"
        page.wait("!document.querySelector('#leave').hidden")
        page.value("document.querySelector('#leave').click()")
        page.wait("document.querySelector('#token') !== null")
        expected = re.compile(r"status of 401")  # the form itself comes with it
        assert page.complaints(lambda text: bool(expected.search(text))) == []


@pytest.mark.timeout(300)
def test_keyboard_and_colours(camera, browser, tmp_path):
    with counter(tmp_path, camera) as run:
        run.start()
        page = browser.page(prefers_color_scheme="light")
        page.open(f"http://127.0.0.1:{run.port}/")
        page.wait("document.querySelectorAll('[data-rule]').length === 3")
        reached = []
        for _ in range(6):
            page.press("Tab")
            reached.append(
                page.value("document.activeElement.id || document.activeElement.tagName")
            )
            assert page.value(
                "document.activeElement.matches(':focus-visible') && "
                "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
            ), reached
        assert reached[1] == "theme"
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.value(ground)
        for theme in ("light", "dark"):
            page.value("document.querySelector('#theme').click()")
            assert page.value("document.documentElement.dataset.theme") == theme
            assert (page.value(ground) == light) is (theme == "light")
            assert page.value(CONTRASTS) == []
        page.open(f"http://127.0.0.1:{run.port}/")
        assert page.value("document.documentElement.dataset.theme") == "dark"
        tree = page.ask("Accessibility.getFullAXTree")["nodes"]
        named = {
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree
            if not node.get("ignored")
        }
        assert {role for role, _ in named} >= {"banner", "main", "contentinfo", "region"}
        for role in ("button", "link", "image", "combobox", "region"):
            assert ("", role) not in {(name, role) for role, name in named}, role
        live = page.value("document.querySelectorAll('[aria-live=polite], [role=status]').length")
        assert live == 2


def answers(port: int) -> bool:
    """Whether somebody is there, whom one does not have to know."""
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
