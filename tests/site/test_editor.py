"""The editor in a real browser: drawn by mouse, keys and finger while `edge run` counts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from browser import CONTRASTS, Browser, Page
from live import RtspServer
from running import Running

from edge.config import load
from edge.web.files import FOLDER

pytestmark = [pytest.mark.browser, pytest.mark.rtsp, pytest.mark.timeout(600)]
LIVE = "document.querySelector('#touch')?.textContent === 'live'"
PICTURE = "document.querySelector('#picture')?.naturalWidth > 0"
OUTCOME = "document.querySelector('#outcome').textContent"
COMMENT = "  # seen from the north door"
SMALL = """[...document.querySelectorAll('button, input, a.button')]
  .filter((e) => e.checkVisibility() && !e.closest('.top') && e.type !== 'checkbox')
  .filter((e) => { const b = e.getBoundingClientRect(); return b.height < 43.5 || b.width < 43.5; })
  .map((e) => e.id || e.outerHTML)"""


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


class Commented(Running):
    """A run whose config has comments."""

    def write(self) -> None:
        text = yaml.safe_dump(self.config, sort_keys=False)
        self.path.write_text(text.replace("  gate:\n", f"  gate:{COMMENT}\n"))


@pytest.fixture
def run(tmp_path, camera):
    rules = {"zones": {"yard": {"polygon": [[0.02, 0.3], [0.3, 0.3], [0.3, 0.9]], "dwell_s": 5.0}}}
    cameras = {"gate": {"source": camera.url, "classes": ["person"], **rules}}
    with Commented(tmp_path, cameras) as made:
        made.config["model"] = {**made.config["model"], "input_size": 320}
        made.start()
        made.wait_for_frames("gate", 5)
        yield made


def opened(browser: Browser, run: Running, *size: int, **media: str) -> Page:
    page = browser.page(*size, **media)
    page.open(f"http://127.0.0.1:{run.port}/edit?camera=gate")
    page.wait(LIVE)
    page.wait(PICTURE)
    return page


def rules(run: Running) -> dict:
    return load(run.path).cameras["gate"].rules


def test_a_line_drawn_by_mouse_counts(browser, run, tmp_path, record_property):
    own = f"http://127.0.0.1:{run.port}/"
    page = browser.page(1280, 860)
    open_by_link(page, own, record_property)
    # Too short a line is doubtful; then it is drawn as meant.
    page.click("#draw-line")
    page.drag(*(page.place("#stage", 0.65, y) for y in (0.5, 0.51, 0.53)))
    page.wait(
        "/^Doubtful: .*px long/.test(document.querySelector('#list .findings li').textContent)"
    )
    page.press("z", modifiers=2)
    page.wait("!document.querySelector('#list [data-name=line-1]')")
    page.click("#draw-line")
    page.drag(*(page.place("#stage", 0.65, y) for y in (0.03, 0.4, 0.97)))
    page.wait("document.querySelector('#list [data-name=line-1][data-chosen]') !== null")
    page.wait("document.querySelector('#list [data-name=line-1] .findings').hidden")
    assert page.value("document.querySelectorAll('#drawing .chosen .arrow').length") == 2
    for key, text in (("name", "door"), ("in", "Into the shop"), ("out", "Into the street")):
        page.click(f"#form [data-key={key}]")
        page.value("document.activeElement.select()")
        page.ask("Input.insertText", text=text)
    said = "[...document.querySelectorAll('#drawing text')].map((t) => t.textContent)"
    page.wait(f"['door', 'Into the shop', 'Into the street'].every((t) => {said}.includes(t))")
    arrow = "document.querySelector('#drawing .chosen .arrow').getAttribute('d')"
    before = page.value(arrow)
    page.click("#reverse")
    page.wait(f"{arrow} !== {before!r}")

    page.click("#draw-zone")
    for x, y in ((0.7, 0.5), (0.95, 0.5), (0.9, 0.9)):
        page.drag(page.place("#stage", x, y))
    page.press("Enter")
    page.wait("document.querySelectorAll('.handle:not(.add)').length === 3")
    page.click("#delete")
    page.wait("document.querySelectorAll('#list > li').length === 2")
    page.click("#list [data-name=door] button")
    trial_then_save(page, run, tmp_path)
    reload_then_conflict(page, run, own)
    refused = "status of 409"  # a browser tells the conflict in its console too
    assert page.complaints(lambda text: refused in text) == []
    assert [url for url in page.requests() if not url.startswith(own)] == []
    page.open(own)
    page.wait("document.querySelector('[data-rule=door] dt').textContent === 'Into the shop'")


def open_by_link(page: Page, own: str, record_property) -> None:
    page.open(own)
    page.wait("document.querySelector('[data-camera=gate] a.button') !== null")
    page.click("[data-camera=gate] a.button")
    page.wait("location.pathname === '/edit'")
    page.wait(f"{LIVE} && {PICTURE}")
    record_property(
        "first_paint_ms",
        page.value("performance.getEntriesByName('first-contentful-paint')[0].startTime"),
    )
    sent = page.value(
        "performance.getEntriesByType('resource').concat("
        "performance.getEntriesByType('navigation')).filter(e => !/live|api/"
        ".test(e.name)).reduce((sum, e) => sum + e.decodedBodySize, 0)"
    )
    record_property("page_bytes", sent)
    assert 20_000 < sent < 200_000
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) < 200_000


def trial_then_save(page: Page, run: Running, tmp_path: Path) -> None:
    tried = "document.querySelector('#list [data-name=door] .tried').textContent"
    page.wait(f"(document.querySelector('#try').click(), / [1-9]\\d* Into/.test({tried}))", 120)
    assert not rules(run).get("door")
    page.screenshot(shots(tmp_path) / "editor.png", whole=False)
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    text = run.path.read_text()
    assert COMMENT in text
    line = rules(run)["door"]
    assert (line.in_name, line.out_name) == ("Into the shop", "Into the street")
    assert [x for x, _ in line.path] == [pytest.approx(0.65, abs=0.01)] * 2
    assert line.path[0][1] > line.path[1][1], "reversed"
    counted = "document.querySelector('#list [data-name=door] p').textContent"
    page.wait(f"/counted so far: .*[1-9]/.test({counted})", 120)
    crossings = run.events("line_crossed")
    assert {event["rule"]["id"] for event in crossings} == {"door"}


def reload_then_conflict(page: Page, run: Running, own: str) -> None:
    page.open(f"{own}edit?camera=gate")
    page.wait("document.querySelectorAll('#list li[data-name=door]').length === 1")
    assert page.value("document.querySelector('#save').disabled")
    page.wait(PICTURE)

    # A point is dragged; somebody else changes the file meanwhile.
    page.click("#list [data-name=door] button")
    page.drag(page.place("#handles .handle.first"), page.place("#stage", 0.5, 0.9))
    page.wait("!document.querySelector('#save').disabled")
    others = run.path.read_text().replace(COMMENT, "  # another comment")
    run.path.write_text(others)
    page.click("#save")
    page.wait(f"/changed by somebody else/.test({OUTCOME})")
    assert run.path.read_text() == others
    page.click("#reload")
    page.wait("document.querySelector('#reload').hidden")
    page.click("#undo")
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert rules(run)["door"].path[0][0] == pytest.approx(0.5, abs=0.01)
    assert "# another comment" in run.path.read_text()


def test_a_zone_tells_of_long_stays_and_crowds(browser, run, tmp_path):
    page = opened(browser, run)
    page.wait(PICTURE)
    page.click("#list [data-name=yard] button")
    stay, crowd = ("#form [data-key=dwell_s]", "#form [data-key=overcrowded]")
    page.wait(f"document.querySelector({stay!r}).value === '5'")
    for selector, text in ((stay, "2.5"), (crowd, "1.5")):
        page.click(selector)
        page.value("document.activeElement.select()")
        page.ask("Input.insertText", text=text)
    doubt = "document.querySelector('#list [data-name=yard] .findings li').textContent"
    page.wait(f"/overcrowded/.test({doubt})")
    page.click(crowd)
    page.value("document.activeElement.select()")
    page.ask("Input.insertText", text="4")
    page.wait("document.querySelector('#list [data-name=yard] .findings').hidden")
    page.screenshot(shots(tmp_path) / "editor-zone.png", whole=False)
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    zone = rules(run)["yard"]
    assert (zone.dwell_s, zone.overcrowded) == (2.5, 4)
    assert COMMENT in run.path.read_text()
    page.click("#list [data-name=yard] button")
    page.click(stay)
    page.value("document.activeElement.select()")
    page.press("Delete")
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert rules(run)["yard"].dwell_s is None


def test_all_can_be_done_by_keyboard(browser, run, tmp_path):
    page = opened(browser, run, prefers_color_scheme="light")
    focus = "document.activeElement.id || document.activeElement.className"

    def tab_to(wanted: str) -> None:
        for _ in range(60):
            page.press("Tab")
            visible = "document.activeElement.matches(':focus-visible')"
            assert page.value(visible), page.value(focus)
            if page.value(f"document.activeElement.matches({wanted!r})"):
                return
        raise AssertionError(f"{wanted}: not reached by Tab")

    tab_to("#draw-line")
    page.press("Enter")
    page.wait("document.activeElement.matches('.handle.first')")
    first = "document.activeElement.getAttribute('aria-label')"
    assert page.value(first) == "Point 1 of 2 of line line-1, 25 % from the left, 50 % from the top"
    page.press("ArrowRight", times=5)
    page.press("ArrowUp", times=3, modifiers=8)
    assert page.value(first).endswith("30 % from the left, 49.7 % from the top")
    assert "49.7 %" in page.value("document.querySelector('#hint').textContent")
    while "25 % from the left, 50 %" not in page.value(first):  # presses that follow are one step
        page.press("z", modifiers=2)
    tab_to(".handle.add")
    page.press("Enter")
    page.wait("document.querySelectorAll('.handle:not(.add)').length === 3")
    page.press("ArrowDown", times=4)
    page.press("Delete")
    page.wait("document.querySelectorAll('.handle:not(.add)').length === 2")
    tab_to("#save")
    page.press("Enter")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert [x for x, _ in rules(run)["line-1"].path] == [0.25, 0.75]
    assert page.value("document.querySelector('#save').disabled")
    page.press("z", modifiers=2)  # leads behind what is saved, too
    page.wait("document.querySelectorAll('.handle:not(.add)').length === 3")
    assert not page.value("document.querySelector('#save').disabled")
    page.press("z", modifiers=10)
    page.wait("document.querySelector('#save').disabled")
    assert page.value("document.getAnimations().length") == 0
    tree = page.ask("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node.get("ignored")
    }
    assert {role for role, _ in named} >= {"banner", "main", "region", "list", "group"}
    for role in ("button", "link", "image", "textbox", "checkbox", "region"):
        assert (role, "") not in named, role
    for theme in ("light", "dark"):
        page.value("document.querySelector('#theme').click()")
        assert page.value("document.documentElement.dataset.theme") == theme
        assert page.value(CONTRASTS) == []
    assert page.complaints() == []


def test_a_finger_draws_on_a_phone(browser, run, tmp_path):
    page = opened(browser, run, 360, 740, prefers_color_scheme="dark")
    page.ask("Emulation.setTouchEmulationEnabled", enabled=True)
    page.click("#draw-zone")
    corners = [(0.5, 0.4), (0.9, 0.4), (0.9, 0.9), (0.5, 0.9)]
    for x, y in corners:
        page.swipe(page.place("#stage", x, y))
    page.click("#finish")
    page.wait("document.querySelector('#list [data-name=zone-1][data-chosen]') !== null")
    first = page.place("#handles .handle")
    page.swipe(first, (first[0] + 10, first[1] - 8), (first[0] + 20, first[1] - 16))
    page.wait(
        "/^Point 1 of 4 of zone zone-1, 5[4-7]/.test("
        "document.querySelector('.handle').getAttribute('aria-label'))"
    )
    assert page.value(SMALL) == []
    assert page.value("document.documentElement.scrollWidth") == 360
    page.screenshot(shots(tmp_path) / "editor-phone.png")
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    polygon = rules(run)["zone-1"].polygon
    assert polygon[2] == (pytest.approx(0.9, abs=0.02), pytest.approx(0.9, abs=0.02))
    assert rules(run)["yard"].dwell_s == 5.0
    assert page.complaints() == []


TYPE = """((key, text) => {
  const field = document.querySelector(`#form [data-key=${key}]`);
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
})"""


def test_what_is_changed_while_it_is_saved_stays(browser, run):
    page = opened(browser, run)
    page.click("#list [data-name=yard] button")
    page.value(f"{TYPE}('name', 'court')")
    # The answer comes when this script is done.
    page.value(f"document.querySelector('#save').click(), {TYPE}('dwell_s', '7')")
    assert page.value("document.querySelector('#save').disabled"), "one save at a time"
    page.wait(
        f"{OUTCOME} === 'Saved in site.yaml and counting. What was changed since is not saved yet.'"
    )
    assert page.value("document.querySelector('#form [data-key=dwell_s]').value") == "7"
    assert rules(run)["court"].dwell_s == 5.0
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert rules(run)["court"].dwell_s == 7.0
    while not page.value("document.querySelector('#undo').disabled"):
        page.click("#undo")
    assert page.value("document.querySelector('#list > li').dataset.name") == "yard"
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert [(name, zone.dwell_s) for name, zone in rules(run).items()] == [("yard", 5.0)]
    assert page.complaints() == []


def test_keys_of_the_form_do_not_draw_and_texts_stay_texts(browser, run):
    page = opened(browser, run)
    page.click("#draw-line")
    page.drag(page.place("#stage", 0.6, 0.1), page.place("#stage", 0.6, 0.5))
    page.click("#draw-zone")
    for x, y in ((0.7, 0.5), (0.95, 0.5), (0.9, 0.9)):
        page.drag(page.place("#stage", x, y))
    corners = "document.querySelectorAll('#drawing .preview circle').length"
    assert page.value(corners) == 3
    for field in ("#form [data-key=in]", "#form [data-key=out]"):
        page.click(field)
        for key in ("Backspace", "Enter", "Escape"):
            page.press(key)
        assert page.value(corners) == 3, field
    page.value(f"{TYPE}('in', 'On'), {TYPE}('out', 'Off')")
    page.value("document.querySelector('#stage').focus()")
    page.press("Backspace")
    assert page.value(corners) == 2
    page.press("Escape")
    page.wait("document.querySelector('#drawing .preview') === null")
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert (rules(run)["line-1"].in_name, rules(run)["line-1"].out_name) == ("On", "Off")
    spoken = "document.querySelector('#spoken[aria-live=polite]').textContent"
    page.drag(page.place("#handles .handle.first"), page.place("#stage", 0.6, 0.48))
    page.wait(f"/^line-1: Doubtful: /.test({spoken})")


def test_the_picture_in_view_is_held(browser, run):
    page = opened(browser, run)

    def pictures() -> int:
        return len([url for url in page.requests() if "/live/" in url])

    before = pictures()
    page.click("#hold")
    page.wait("!document.querySelector('#still').hidden")
    assert page.value("document.querySelector('#picture').hidden")
    pixels = "document.querySelector('#still').toDataURL()"
    held = page.value(pixels)
    run.wait_for_frames("gate", 10)
    assert page.value(pixels) == held
    assert pictures() == before, "what was in view is kept; nothing else is fetched"
    page.click("#next")
    page.wait(f"{pixels} !== {held!r}")
    assert pictures() == before + 1
    page.click("#hold")
    page.wait(f"document.querySelector('#still').hidden && {PICTURE}")
    assert page.complaints() == []


def test_a_config_that_is_refused_is_told(browser, run):
    page = opened(browser, run)
    page.click("#list [data-name=yard] button")
    # A sink that the counter cannot open, though the file is a good config.
    sink = f"sinks:\n  broken: {{type: file, path: {run.folder}/none/x.jsonl}}\n"
    run.path.write_text(run.path.read_text().replace("sinks:\n", sink))
    page.open(f"http://127.0.0.1:{run.port}/edit?camera=gate")
    page.wait(f"{LIVE} && {PICTURE}")
    page.click("#list [data-name=yard] button")
    page.value(f"{TYPE}('dwell_s', '9')")
    page.click("#save")
    page.wait(f"/^Saved in site.yaml, but the counter refused it: .*none/.test({OUTCOME})")
    assert "goes on with the rules before" in page.value(
        "document.querySelector('#refused').textContent"
    )
    assert rules(run)["yard"].dwell_s == 9.0
    run.path.write_text(run.path.read_text().replace(sink, "sinks:\n"))
    page.open(f"http://127.0.0.1:{run.port}/edit?camera=gate")
    page.wait(f"{LIVE} && {PICTURE}")
    page.click("#list [data-name=yard] button")
    page.value(f"{TYPE}('dwell_s', '8')")
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert page.value("document.querySelector('#refused').hidden")


@pytest.mark.tmpfs
def test_a_config_that_cannot_be_written_is_said_at_once(browser, run):
    mounted = ["mount", "--bind", str(run.path), str(run.path)]
    subprocess.run(mounted, check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(run.path)], check=True)
        page = opened(browser, run)
        said = page.value("document.querySelector('#locked:not([hidden])').textContent")
        assert "can be drawn and tried here, but not saved. site.yaml cannot be written" in said
        page.click("#draw-line")
        page.drag(page.place("#stage", 0.6, 0.1), page.place("#stage", 0.6, 0.9))
        page.click("#save")
        page.wait(f"/^Not saved. site.yaml cannot be written: /.test({OUTCOME})")
    finally:
        subprocess.run(["umount", str(run.path)], check=True)
    page.click("#save")
    page.wait(f"{OUTCOME} === 'Saved in site.yaml and counting.'")
    assert page.value("document.querySelector('#locked').hidden")


def test_without_a_config_file_it_says_why_not(browser, run):
    run.stop()
    line = ("--line", "door=0.6,0,0.6,1")
    run.start(*line)
    page = browser.page(prefers_reduced_motion="reduce")
    page.open(f"http://127.0.0.1:{run.port}/")
    page.wait("document.querySelector('[data-rule=door]') !== null")
    changed = """(() => {
      const number = document.querySelector('[data-rule=door] dd');
      number.classList.add('changed');
      return getComputedStyle(number).animationName;
    })()"""
    assert page.value(changed) == "none", "nothing moves for those who want that"
    assert page.value("document.querySelector('[data-camera=gate] a.button')") is None
    page.open(f"http://127.0.0.1:{run.port}/edit?camera=gate")
    page.wait("!document.querySelector('#off').hidden")
    said = page.value("document.querySelector('#off').textContent")
    assert "Lines and zones were given on the command line" in said
    assert page.value("document.querySelector('#editor').hidden")
    assert not page.value("document.querySelector('#back').hidden")
    assert page.complaints() == []
