"""What Lighthouse would look at, of the live page, the editor and a report, in a real browser.

The figures go to EDGECOUNT_SCREENSHOTS, or the test's folder, as `quality-PAGE.json`.
"""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from browser import CONTRASTS, Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
TESTS = Path(__file__).parents[1]
MOST_BYTES = 200_000  # of a page of ours, without its pictures
NARROW_PX = 360
LEAST_TARGET_PX = 24  # WCAG 2.2, 2.5.8
MOST_SHIFT = 0.25  # of the layout; from here on it is called poor (web.dev/cls)
READY = {
    "live": "document.querySelector('#touch').textContent === 'live'"
    " && document.querySelectorAll('[data-rule]').length === 2"
    " && document.querySelector('img.live').naturalWidth",
    "editor": "document.querySelectorAll('#list > li').length === 2"
    " && document.querySelector('#picture').naturalWidth",
    "report": "document.readyState === 'complete'",
}
# Roles of elements that one uses, and of pictures; each needs a name for those who hear the page.
NAMED = {
    *("button", "link", "checkbox", "radio", "textbox", "searchbox", "combobox", "listbox"),
    *("slider", "spinbutton", "switch", "tab", "menuitem", "DisclosureTriangle", "image", "img"),
}
CONTROLS = """(() => [...document.querySelectorAll(
  'a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex="-1"])')]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }))
  .filter((e) => !e.disabled && e.tabIndex >= 0))()"""
SHIFT = """new Promise((told) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => told(sum), 300);
})"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
BYTES = """['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
  .filter((e) => !/\\/(live|evidence|api)\\//.test(e.name))
  .reduce((sum, e) => sum + (e.decodedBodySize || e.encodedBodySize), 0)"""
IDS_TWICE = """[...document.querySelectorAll('[id]')].map((e) => e.id)
  .filter((id, k, all) => all.indexOf(id) !== k)"""
LEVELS = """[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
  .filter((e) => e.checkVisibility()).map((e) => Number(e.tagName[1]))"""
TARGETS = """[...document.querySelectorAll('button, input, select, a.button, summary')]
  .filter((e) => e.checkVisibility()).map((e) => (e.closest('label') ?? e).getBoundingClientRect())
  .map((b) => Math.min(b.width, b.height))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The three pages by name; `edge run` at a terminal keeps the first two after its clip."""
    folder = tmp_path_factory.mktemp("quality")
    config = folder / "site.yaml"
    gate = {
        "source": str(TESTS / "data" / "people.mp4"),
        "lines": {"right": {"a": [0.651, 0.0], "b": [0.651, 1.0], "in": "Into the shop"}},
        "zones": {"hall": {"polygon": [[0, 0.3], [1, 0.3], [1, 1]], "dwell_s": 5.0}},
    }
    config.write_text(yaml.safe_dump({"cameras": {"gate": gate}}))
    report, golden = folder / "report.html", TESTS / "golden" / "people.events.jsonl"
    edge = (sys.executable, "-m", "edge")
    subprocess.run([*edge, "report", golden, "--out", report, "-q"], check=True)
    terminal, other = pty.openpty()
    small = ("--input-size", "320", "--threads", "1", "--max-frames", "40")
    end = ("--events", str(folder / "e.jsonl"), "--web", "127.0.0.1:0")
    process = subprocess.Popen(
        [*edge, "run", "--config", str(config), *small, *end],
        stderr=other,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
    )
    os.close(other)
    try:
        said, deadline_s = "", time.monotonic() + 120
        while "stays until Ctrl-C" not in said:
            assert time.monotonic() < deadline_s, said
            said += os.read(terminal, 4096).decode()
        own = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert own, said
        pages = {"live": own[0], "editor": f"{own[0]}edit?camera=gate", "report": report.as_uri()}
        yield pages
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def is_own(url: str, address: str) -> bool:
    """Whether a request asks nobody but the page's own server, or for its own file."""
    if url.startswith(("data:", "blob:")):
        return True
    if address.startswith("file:"):
        return url == address
    return url.startswith("/".join(address.split("/")[:3]) + "/")


def unnamed(page: Page) -> list[str]:
    """Roles of what has no name, as a screen reader would find it."""
    tree = page.ask("Accessibility.getFullAXTree")["nodes"]
    nodes = [node for node in tree if not node.get("ignored")]
    roles = [(n["role"]["value"], n.get("name", {}).get("value", "").strip()) for n in nodes]
    return [role for role, name in roles if role in NAMED and not name]


def tab_stops(page: Page) -> list[int]:
    """Which control each press of Tab reaches, by its place in the document, once round."""
    count = page.value(f"(window.controls = {CONTROLS}).length")
    page.value("document.activeElement.blur(), getSelection().removeAllRanges(), scrollTo(0, 0)")
    reached: list[int] = []
    for _ in range(2 * count + 5):  # regions that scroll are stops, too
        page.press("Tab")
        at = page.value("controls.indexOf(document.activeElement)")
        if at >= 0 and at in reached:
            break
        reached += [at] if at >= 0 else []
        focus = "document.activeElement.outerHTML.slice(0, 120)"
        seen = (
            "document.activeElement === document.body || (document.activeElement.matches("
            "':focus-visible') && (s => s.outlineStyle !== 'none' || s.boxShadow !== 'none')("
            "getComputedStyle(document.activeElement)))"
        )
        assert page.value(seen), f"no sign of focus: {page.value(focus)}"
    missed = [
        page.value(f"controls[{k}].outerHTML.slice(0, 120)")
        for k in range(count)
        if k not in reached
    ]
    assert missed == []
    return reached


def coloured(page: Page, scheme: str) -> list[str]:
    """Texts that are hard to read in light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.ask("Emulation.setEmulatedMedia", features=features)
    page.wait(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    found: list[str] = page.value(CONTRASTS)
    return found


def weight(page: Page, address: str) -> int:
    """Bytes of the page with its styles and scripts, unpacked."""
    if address.startswith("file:"):
        return Path(address.removeprefix("file://")).stat().st_size
    found: int = page.value(BYTES)
    return found


def test_the_chart_of_a_zone_has_the_words_of_its_tile(addresses, browser):
    page = browser.page()
    page.ask("Page.bringToFront")
    page.open(addresses["live"])
    page.wait(READY["live"], 60)
    heads = "document.querySelectorAll('.legend span, .chart th[scope=col]')"
    told = f"[...{heads}].map((e) => e.textContent)"
    for rule, words in (("right", ["in", "out"]), ("hall", ["entered", "left"])):
        page.value(
            f"((e) => {{ e.value = '{rule}'; e.dispatchEvent(new Event('change')); }})"
            "(document.querySelector('.chart select'))"
        )
        page.wait(f"{told}.join() === {','.join([*words, 'from', *words])!r}")
        label = f"/^{rule} per minute: \\d+ {words[0]} and \\d+ {words[1]}/"
        said = "document.querySelector('.plot svg').getAttribute('aria-label')"
        page.wait(f"{label}.test({said})")
    assert page.complaints() == []
    page.close()


@pytest.mark.parametrize("name", ["live", "editor", "report"])
def test_what_lighthouse_looks_at(name, addresses, browser, tmp_path, record_property):
    address = addresses[name]
    page = browser.page()
    page.ask("Page.bringToFront")
    page.open(address)
    page.wait(READY[name], 60)
    figures: dict[str, Any] = {
        "title": page.value("document.title"),
        "lang": page.value("document.documentElement.lang"),
        "first_paint_ms": round(page.wait(PAINT)),
        "layout_shift": round(page.value(SHIFT), 3),
        "page_bytes": weight(page, address),
        "requests": len(page.requests()),
        "requests_outside": [url for url in page.requests() if not is_own(url, address)],
        "unnamed": unnamed(page),
        "poor_contrast": {scheme: coloured(page, scheme) for scheme in ("light", "dark")},
        "ids_twice": page.value(IDS_TWICE),
        "headings": page.value(LEVELS),
        "tab_stops": tab_stops(page),
    }
    phone = browser.page(NARROW_PX, 740)
    phone.ask("Page.bringToFront")
    phone.open(address)
    phone.wait(READY[name], 60)
    figures["width_of_360_px"] = phone.value("document.documentElement.scrollWidth")
    figures["tab_stops_of_360_px"] = tab_stops(phone)
    figures["least_target_px"] = round(min(phone.value(TARGETS), default=0), 1)
    figures["complaints"] = page.complaints() + phone.complaints()
    for each in (page, phone):  # their streams are among the six that a browser opens to a host
        each.close()

    folder = Path(os.environ.get("EDGECOUNT_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"quality-{name}.json").write_text(json.dumps(figures, indent=2) + "\n")
    for key, value in figures.items():
        record_property(key, value)

    assert figures["title"]
    assert figures["lang"] == "en"
    for fault in ("complaints", "requests_outside", "unnamed", "ids_twice"):
        assert figures[fault] == [], fault
    assert figures["poor_contrast"] == {"light": [], "dark": []}
    assert figures["width_of_360_px"] <= NARROW_PX
    assert figures["page_bytes"] < MOST_BYTES
    assert figures["layout_shift"] < MOST_SHIFT  # first paint is a time: scripts/time_newcomer
    levels = figures["headings"]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for stops in (figures["tab_stops"], figures["tab_stops_of_360_px"]):
        assert stops, "a page without anything to use"
        assert stops == sorted(stops), "the order of the keyboard is that of the document"
    assert figures["least_target_px"] == 0 or figures["least_target_px"] >= LEAST_TARGET_PX
