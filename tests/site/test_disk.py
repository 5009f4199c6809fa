"""The journal's disk is full for a while: counting goes on, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from live import RtspServer
from running import LINE, Running

from edge.events.journal import Journal

ZONE = {"all": {"polygon": [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]]}}


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.rtsp
@pytest.mark.tmpfs
@pytest.mark.timeout(180)
def test_a_disk_that_is_full_for_a_while(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        with RtspServer() as server:
            cameras = {"gate": {"source": server.url, "lines": LINE, "zones": ZONE}}
            journal = {"path": str(disk / "journal.db")}
            with Running(tmp_path, cameras, journal=journal) as run:
                run.journal = disk / "journal.db"
                run.start()
                run.wait_for_frames("gate", 20)
                filler = disk / "filler"
                fill(filler)
                failing = "edgecount_journal_failing_seconds"
                run.wait(lambda: run.numbers().get(failing, 0) > 0, "a full disk", 90)
                frames = run.frames("gate")
                run.wait_for_frames("gate", 30)
                numbers = run.numbers()
                assert numbers["edgecount_journal_waiting_events"] > 0
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(f"http://127.0.0.1:{run.port}/readyz", timeout=5)
                assert json.loads(refused.value.read())["journal"]["ok"] is False
                assert "no space" in run.log.read_text() or "full" in run.log.read_text()
                filler.unlink()
                run.wait(lambda: run.numbers().get(failing) == 0.0, "the disk's return")
                assert run.frames("gate") > frames
                run.wait_for_frames("gate", 10)
                assert run.stop() == 130
                events = run.events()
                with Journal.reading(run.journal) as kept:
                    assert kept.audit().is_balanced
    finally:
        subprocess.run(["umount", disk], check=True)
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    assert [e["event_id"] for e in run.received()] == [e["event_id"] for e in events]
