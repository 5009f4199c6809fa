"""Debian's chromium without a window, driven over a pipe in its own protocol (CDP).

with Browser() as browser:
    page = browser.page(width=360)
    page.open("http://127.0.0.1:8080/")
    page.value("document.title")

Tests that use it carry the marker `browser`.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or "chromium"
ANSWER_S = 60.0
# Chromium reads commands from descriptor 3 and answers on 4.
LAUNCH = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""

PLACE = """((selector, x, y) => {
  const element = document.querySelector(selector);
  const { top, bottom } = element.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) element.scrollIntoView({ block: "center" });
  const box = element.getBoundingClientRect();
  return [box.x + box.width * x, box.y + box.height * y];
})"""

# Every text on the page with less than 4.5 : 1 (3 : 1 if it is large) against its ground.
CONTRASTS = """(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const lightness = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) =>
      v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest('.unseen, .skip, noscript, .changed')) continue;
    const style = getComputedStyle(element);
    const ink = numbers(element.namespaceURI.endsWith('svg') ? style.fill : style.color);
    const [a, b] = [lightness(ink), lightness(ground(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5;
    if ((a + 0.05) / (b + 0.05) < least) poor.push(walker.currentNode.textContent);
  }
  return poor;
})()"""


class Browser:
    """One chromium with a profile of its own, which is gone with it."""

    def __init__(self) -> None:
        """Start it."""
        self._folder = tempfile.mkdtemp(prefix="chromium-")
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        options = (
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1"),
            *("--remote-debugging-pipe", f"--user-data-dir={self._folder}", "about:blank"),
        )
        launch = [sys.executable, "-c", LAUNCH, str(commands), str(answers), CHROMIUM, *options]
        self._process = subprocess.Popen(
            launch,
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._numbers = itertools.count(1)
        self._rest = b""
        self.told: list[dict[str, Any]] = []  # what it said without being asked

    def page(self, width: int = 1280, height: int = 800, **media: str) -> Page:
        """A new page of this size; `media` by feature, such as prefers_color_scheme="dark"."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, (width, height), media)

    def ask(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """The answer to a command.

        Raises:
            AssertionError: it is an error, or none comes.
        """
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": given}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + ANSWER_S
        while True:
            said = self.listen(max(0.0, deadline_s - time.monotonic()))
            assert said is not None, f"{method}: no answer in {ANSWER_S} s"
            if said.get("id") == number:
                assert "error" not in said, f"{method}: {said['error']}"
                result: dict[str, Any] = said["result"]
                return result

    def listen(self, timeout_s: float) -> dict[str, Any] | None:
        """The next thing that it says; what nobody asked for is kept in `told`."""
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], timeout_s)[0]:
                return None
            got = os.read(self._read, 1 << 20)
            assert got, "chromium has ended"
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\0")
        said: dict[str, Any] = json.loads(line)
        if "method" in said:
            self.told.append(said)
        return said

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._folder, ignore_errors=True)


class Page:
    """One tab."""

    def __init__(
        self, browser: Browser, session: str, size: tuple[int, int], media: dict[str, str]
    ) -> None:
        """Made by `Browser.page`."""
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        width, height = size
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        features = [{"name": k.replace("_", "-"), "value": v} for k, v in media.items()]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """The answer to a command for this page."""
        return self._browser.ask(method, self._session, **given)

    def open(self, address: str) -> None:
        """Go there and wait until the document is parsed."""
        self.ask("Page.navigate", url=address)
        self.wait("document.readyState !== 'loading' && location.href !== 'about:blank'")

    def value(self, script: str) -> Any:
        """What a script yields, as JSON."""
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, timeout_s: float = 30.0) -> Any:
        """Wait until a script yields something true; what it yields.

        Raises:
            AssertionError: it does not, in time.
        """
        deadline_s = time.monotonic() + timeout_s
        guarded = f"(() => {{ try {{ return {script} }} catch (e) {{ return null }} }})()"
        while not (found := self.value(guarded)):  # on its way to another page, much is missing
            body = "document.body && document.body.innerText.slice(0, 1500)"
            assert time.monotonic() < deadline_s, f"{script}: never; {str(self.value(body))[:400]}"
            time.sleep(0.1)
        return found

    def press(self, key: str, times: int = 1, modifiers: int = 0) -> None:
        """Press a key, such as Tab or Enter; `modifiers`: 2 is control, 8 is shift."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Backspace": 8, "Delete": 46, "z": 90}
        codes |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        for _ in range(times):
            for kind, more in (("keyDown", text), ("keyUp", {})):
                told = {"type": kind, "modifiers": modifiers, **common, **more}
                self.ask("Input.dispatchKeyEvent", **told)

    def place(self, selector: str, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
        """A point of an element, given as shares of its width and height; it is brought in view."""
        script = f"{PLACE}({json.dumps(selector)}, {x}, {y})"
        left, top = self.value(script)
        return left, top

    def drag(self, *places: tuple[float, float]) -> None:
        """Press the mouse's button at the first place, and let it go at the last."""
        kinds = ["mousePressed", *["mouseMoved"] * max(0, len(places) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, (*places, places[-1]), strict=True):
            told = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
            self.ask("Input.dispatchMouseEvent", type=kind, **told)

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        self.drag(self.place(selector))

    def swipe(self, *places: tuple[float, float]) -> None:
        """Put a finger on the first place, and lift it at the last."""
        kinds = ["touchStart", *["touchMove"] * (len(places) - 1), "touchEnd"]
        for kind, (x, y) in zip(kinds, (*places, places[-1]), strict=True):
            points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
            self.ask("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A picture of the page, as long as it is, or as far as it is in view."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Close the tab, and with it its connections."""
        self.ask("Page.close")

    def told(self, method: str) -> list[dict[str, Any]]:
        """What the page said of this kind so far."""
        self.value("0")  # all that came before this answer is read with it
        return [
            said["params"]
            for said in self._browser.told
            if said["method"] == method and said.get("sessionId") == self._session
        ]

    def requests(self) -> list[str]:
        """Every address that it asked for, in order."""
        return [told["request"]["url"] for told in self.told("Network.requestWillBeSent")]

    def complaints(self, allowed: Callable[[str], bool] = lambda text: False) -> list[str]:
        """Errors and warnings of the console, exceptions, and what the policy refused."""
        said = [
            " ".join(str(arg.get("value", arg.get("description"))) for arg in told["args"])
            for told in self.told("Runtime.consoleAPICalled")
            if told["type"] in ("error", "warning", "assert")
        ]
        said += [str(told["exceptionDetails"]) for told in self.told("Runtime.exceptionThrown")]
        said += [
            f"{told['entry']['text']} {told['entry'].get('url', '')}"
            for told in self.told("Log.entryAdded")
            if told["entry"]["level"] in ("error", "warning")
        ]
        return [text for text in said if not allowed(text)]
