"""Time what a new user does first, on a bare Debian: the demo, a line of one's own, a camera.

scripts/time_newcomer shots

Needs root, debootstrap, chromium and GStreamer's RTSP server (scripts/install_servers). The bare
machine is a folder that debootstrap makes; everything runs in it but the browser and the camera,
which are other machines. Times are the machine's: what a person reads and types comes on top.
Exit code 1 if a way took more than five minutes, or a page more than a second to its first paint.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "tests"))

from browser import Browser, Page  # noqa: E402
from live import RtspServer  # noqa: E402

HOME = "/root/edgecount"
PASSED_ON = ("PIP_CERT", "SSL_CERT_FILE", "http_proxy", "https_proxy")  # of this machine's network
READY_S = 120.0
MOST_WAY_S = 300.0
MOST_PAINT_S = 1.0
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
Paints = dict[str, float]  # seconds to the first paint, by page


class Machine:
    """A bare Debian in a folder, with git and nothing else."""

    def __init__(self, root: Path, suite: str) -> None:
        """Make it in an empty folder."""
        self.root = root
        run("debootstrap", "--variant=minbase", suite, str(root))
        shutil.copy("/etc/resolv.conf", root / "etc")
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            **{k: v for k, v in os.environ.items() if k.startswith(PASSED_ON)},
        }
        with self.mounted():
            self.does("cd / && apt-get update -qq && apt-get install -qqy git >/dev/null 2>&1")
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs")

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """With what a machine has besides files."""
        with ExitStack() as mounts:
            for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")):
                run("mount", "-t", kind, kind, str(self.root / place))
                mounts.callback(run, "umount", "-l", str(self.root / place))
            yield

    def command(self, line: str) -> list[str]:
        """A line of shell, as it is typed on the machine."""
        return ["chroot", str(self.root), "sh", "-c", f"cd {HOME} 2>/dev/null; {line}"]

    def does(self, line: str, typed: str = "") -> str:
        """Run a line; what it printed."""
        print(f"  $ {line}", flush=True)
        done = subprocess.run(
            self.command(line),
            env=self.environment,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{line}: exit code {done.returncode}\n{done.stdout[-3000:]}")
        return done.stdout

    @contextmanager
    def serving(self, line: str, port: int) -> Iterator[None]:
        """Run a line that serves a page until the block ends."""
        print(f"  $ {line}", flush=True)
        process = subprocess.Popen(
            self.command(f"exec {line}"),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await_page(process, port)
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def bare_machine(suite: str) -> Iterator[Machine]:
    """A machine that is gone afterwards, whatever happens."""
    root = Path(tempfile.mkdtemp(prefix="newcomer-"))
    try:
        machine = Machine(root, suite)
        with machine.mounted():
            yield machine
    finally:  # this machine's devices stay, should one still be mounted there
        run("rm", "-rf", "--one-file-system", str(root))


def demo(machine: Machine, shots: Path) -> Paints:
    """A clone, and what the README begins with."""
    run("git", "clone", "-q", str(HERE), str(machine.root / HOME[1:]))
    print(machine.does("scripts/demo")[-1500:])
    with Browser() as browser:
        page = browser.page(1000, 1400)
        page.open((machine.root / HOME[1:] / "out/report.html").as_uri())
        page.screenshot(shots / "1-report.png", whole=False)
        return {"report": painted_s(page)}


def line_of_ones_own(machine: Machine, shots: Path) -> Paints:
    """A line by mouse across the way, tried, saved and counted with."""
    edge, port = ".venv/bin/edge", free_port()
    machine.does("cp tests/data/people.mp4 street.mp4; rm -f street.yaml")
    with (
        machine.serving(
            f"{edge} draw street.mp4 --config street.yaml --web 127.0.0.1:{port}", port
        ),
        Browser() as browser,
    ):
        page = browser.page(1280, 860)
        page.open(f"http://127.0.0.1:{port}/")
        page.wait("document.querySelector('#picture').naturalWidth > 0", READY_S)
        paints = {"editor": painted_s(page)}
        page.click("#draw-line")
        page.drag(*(page.place("#stage", 0.5, y) for y in (0.05, 0.5, 0.95)))
        page.wait("document.querySelector('#list [data-name=line-1]') !== null")
        tried = "document.querySelector('#list .tried')?.textContent ?? ''"
        has_counted = f"/[1-9]\\d* (in|out)/.test({tried})"
        page.wait(f"(document.querySelector('#try').click(), {has_counted})", READY_S)
        page.screenshot(shots / "2-line.png", whole=False)
        page.click("#save")
        page.wait("/^Saved in street.yaml/.test(document.querySelector('#outcome').textContent)")
    machine.does(f"{edge} check street.yaml")
    print(machine.does(f"{edge} run --config street.yaml --events events.jsonl")[-1200:])
    return paints


def camera_of_ones_own(machine: Machine, shots: Path) -> Paints:
    """A config by three questions, checked, and its live page."""
    edge, port = ".venv/bin/edge", free_port()
    paints = {}
    with RtspServer(user="counter", password="one-of-many") as server:
        address = server.url_for(server.port, "${CAMERA_PASSWORD}")
        machine.environment["CAMERA_PASSWORD"] = "one-of-many"
        print(machine.does(f"{edge} init camera.yaml --force", f"{address}\nperson\nfile\n"))
        machine.does(f"{edge} check camera.yaml")
        print(machine.does(f"{edge} doctor camera.yaml")[-2500:])
        with (
            machine.serving(f"{edge} run --config camera.yaml --web 127.0.0.1:{port}", port),
            Browser() as browser,
        ):
            for name, *size in (("3-page", 1280, 860), ("3-phone", 390, 844)):
                page = browser.page(*size)
                page.open(f"http://127.0.0.1:{port}/")
                counted(page)
                paints[name.partition("-")[2]] = painted_s(page)
                page.screenshot(shots / f"{name}.png", whole=False)
                page.close()  # a browser opens six connections to a host, over all tabs
    return paints


def counted(page: Page) -> None:
    """Wait until there is a picture and somebody was counted."""
    page.wait("document.querySelector('[data-camera] img').naturalWidth > 0", READY_S)
    page.wait("/[1-9]/.test(document.querySelector('[data-rule] dd').textContent)", READY_S)


def painted_s(page: Page) -> float:
    """Seconds from asking for a page to its first paint."""
    return float(page.wait(PAINT, READY_S)) / 1e3


def verdict(ways: Mapping[str, float], paints: Paints) -> tuple[list[str], bool]:
    """A line for each time, and whether all are within their limits.

    >>> verdict({"A clone": 75.0}, {"report": 1.2})
    (['  75.0 s  A clone', '   1.2 s  to the first paint of: report (limit: 1 s)'], False)
    """
    lines, is_fine = [], True
    named = [(name, s, MOST_WAY_S) for name, s in ways.items()]
    named += [(f"to the first paint of: {name}", s, MOST_PAINT_S) for name, s in paints.items()]
    for what, spent_s, most_s in named:
        is_late = spent_s > most_s
        is_fine = is_fine and not is_late
        lines.append(f"{spent_s:6.1f} s  {what}" + f" (limit: {most_s:g} s)" * is_late)
    return lines, is_fine


def await_page(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until somebody listens."""
    deadline_s = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline_s:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"no page on port {port}; exit code {process.returncode}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def run(*command: str) -> None:
    """Run a command of this machine, quietly.

    Raises:
        SystemExit: it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = re.sub(r"\s+", " ", done.stderr or done.stdout)[-500:]
        raise SystemExit(f"{' '.join(command)}: {said}")


def main() -> None:
    """Take the three ways, and say how long each took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shots", type=Path, help="folder for the screenshots")
    parser.add_argument("--suite", default="bookworm", help="of Debian; default: bookworm")
    given = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("expected root, for chroot and mount")
    given.shots.mkdir(parents=True, exist_ok=True)
    ways: dict[str, float] = {}
    paints: Paints = {}
    with bare_machine(given.suite) as machine:
        for way in (demo, line_of_ones_own, camera_of_ones_own):
            print(way.__name__, flush=True)
            began_s = time.monotonic()
            paints |= way(machine, given.shots)
            ways[str(way.__doc__)] = time.monotonic() - began_s
    lines, is_fine = verdict(ways, paints)
    print(*lines, sep="\n")
    sys.exit(not is_fine)


if __name__ == "__main__":
    main()
