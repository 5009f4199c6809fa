"""`edge run` as a service of its own for tests: its config, its numbers, its journal, its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from broker import free_port

from edge.events.journal import Journal

MODEL = {"name": "person-vehicle-seg-nano", "input_size": 160, "threads": 1}
LINE = {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}}
WHERE = {"all": {"polygon": [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]}}


class Running:
    """A process `edge run --config FILE`, with the numbers of its /metrics."""

    def __init__(self, folder: Path, cameras: dict[str, Any], **sections: Any) -> None:
        """Write the config; `start` starts.

        Args:
            folder: for config, journal, events and log.
            cameras: the section `cameras`.
            sections: further sections of the config.
        """
        self.folder = folder
        self.journal = folder / "journal.db"
        self.events_file = folder / "events.jsonl"
        self.log = folder / "log.txt"
        self.port = free_port()
        self.token = ""  # of its page, if it asks for one
        self.config: dict[str, Any] = {
            "device_id": "box",
            "cameras": cameras,
            "model": MODEL,
            "journal": {"path": str(self.journal)},
            "sinks": {"file": {"type": "file", "path": str(self.events_file)}},
            "web": {"listen": f"127.0.0.1:{self.port}"},
            **sections,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def path(self) -> Path:
        """Of the config."""
        return self.folder / "site.yaml"

    def write(self) -> None:
        """Write the config as it is in `config` now."""
        self.path.write_text(yaml.safe_dump(self.config))

    def start(self, *arguments: str, **environment: str) -> None:
        """Start and wait until it answers."""
        self.write()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run", "--config", str(self.path), *arguments],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **environment},
            )
        self.wait(lambda: self.numbers() != {}, "an answer of /metrics")

    def numbers(self) -> dict[str, float]:
        """Every number of /metrics, by name and labels; empty if nobody answers."""
        try:
            text = self.page("metrics").decode()
        except OSError:
            return {}
        rows = re.findall(r"(?m)^(\w+(?:\{.*\})?) ([-+.\deNaIf]+)$", text)
        return {name: float(value) for name, value in rows}

    def page(self, path: str) -> bytes:
        """What is answered at a path; it need not be 200.

        Raises:
            OSError: nobody answers.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as refusal:
            return bytes(refusal.read())

    def frames(self, camera: str) -> float:
        """Frames of a camera that were counted so far."""
        return self.numbers().get(f'edgecount_frames_total{{camera="{camera}"}}', 0.0)

    def wait_for_frames(self, camera: str, more: int = 5, timeout_s: float = 60.0) -> float:
        """Wait for some more frames of a camera; how long it took, seconds."""
        began_s, before = time.monotonic(), self.frames(camera)
        self.wait(lambda: self.frames(camera) >= before + more, f"frames of {camera}", timeout_s)
        return time.monotonic() - began_s

    def wait(self, is_so: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
        """Wait until it is so.

        Raises:
            AssertionError: it is not in time, or the process has ended.
        """
        deadline = time.monotonic() + timeout_s
        while not is_so():
            ended = self.process is None or self.process.poll() is not None
            assert not ended, f"ended while waiting for {what}: {self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, (
                f"{what} did not come: {self.log.read_text()[-3000:]}"
            )
            time.sleep(0.1)

    def events(self, *types: str) -> list[dict[str, Any]]:
        """Events in the journal, of these types or all, in order."""
        with Journal.reading(self.journal) as journal:
            found = [json.loads(row.line) for row in journal.all_after(0)]
        return [event for event in found if not types or event["type"] in types]

    def received(self) -> list[dict[str, Any]]:
        """Events in the file."""
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]

    def count(self, kind: str) -> float:
        """Events of a type so far, of all cameras."""
        numbers = self.numbers().items()
        found = f'type="{kind}"'
        return sum(
            n for name, n in numbers if name.startswith("edgecount_events_total") and found in name
        )

    def used(self) -> tuple[int, int]:
        """Threads and open descriptors of the process."""
        assert self.process is not None
        of_process = Path(f"/proc/{self.process.pid}")
        return len(list((of_process / "task").iterdir())), len(list((of_process / "fd").iterdir()))

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Have it end; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.process.kill()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
