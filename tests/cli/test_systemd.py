from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import threading
from collections import defaultdict
from pathlib import Path

import pytest
import typer.main

from edge.cli.app import app
from edge.cli.systemd import notify, watchdog_interval_s

UNIT = Path(__file__).parents[2] / "configs" / "edgecount.service"


def settings(text: str) -> dict[str, dict[str, list[str]]]:
    """A unit file by section and key, as systemd.syntax(7) has it."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith(("#", ";")):
            key, separator, value = line.partition("=")
            assert separator, line
            assert key.isalnum(), line
            found[section][key].append(value)
    return found


@pytest.fixture(params=["file", "abstract"])
def supervisor(request, tmp_path, monkeypatch):
    """The receiving end that systemd has."""
    address = str(tmp_path / "notify")
    if request.param == "abstract":
        address = f"@edgecount-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        receiving.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield receiving


def test_states_arrive(supervisor):
    assert notify("READY=1")
    assert notify("WATCHDOG=1\nSTATUS=Südtor: ok")
    assert supervisor.recv(1000) == b"READY=1"
    assert supervisor.recv(1000) == "WATCHDOG=1\nSTATUS=Südtor: ok".encode()


def test_threads_and_descriptors_do_not_pile_up(supervisor):
    before = len(os.listdir("/proc/self/fd"))
    thread = threading.Thread(target=lambda: [notify("WATCHDOG=1") for _ in range(5)])
    thread.start()
    thread.join()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234", "relative", "/nowhere/at/all", "@"])
def test_nobody_listens(monkeypatch, address):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


def test_a_supervisor_that_does_not_read_stops_nobody(supervisor, monkeypatch):
    monkeypatch.setattr("edge.cli.systemd._SEND_S", 0.01)
    assert notify("WATCHDOG=1")
    assert not all(notify("WATCHDOG=1") for _ in range(100_000))  # the queue is full some time


@pytest.mark.parametrize(
    ("limit_us", "pid", "interval_s"),
    [
        ("60000000", None, 30.0),
        ("60000000", "own", 30.0),
        ("60000000", "1", None),
        ("0", None, None),
        ("", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_watchdog_interval(monkeypatch, limit_us, pid, interval_s):
    for name, value in (("WATCHDOG_USEC", limit_us), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value if value != "own" else str(os.getpid()))
    assert watchdog_interval_s() == interval_s


def test_the_unit_says_what_the_program_does():
    unit = settings(UNIT.read_text())
    assert set(unit) == {"Unit", "Service", "Install"}
    service = {key: values[-1] for key, values in unit["Service"].items()}
    wanted = {
        "Type": "notify",
        "WatchdogSec": "60",
        "Restart": "always",
        "StateDirectory": "edgecount",
        "ExecReload": "/bin/kill -HUP $MAINPID",
        "TimeoutStopSec": "10",
        "SuccessExitStatus": "130",
    }
    assert {key: service[key] for key in wanted} == wanted
    program, command, option, config = shlex.split(service["ExecStart"])
    assert program.endswith("/.venv/bin/edge")
    run = typer.main.get_command(app).commands[command]
    assert option in {name for parameter in run.params for name in parameter.opts}
    assert config == "/etc/edgecount/site.yaml"
    # These would keep cameras or accelerators away.
    assert not {"PrivateDevices", "ProtectClock", "MemoryDenyWriteExecute"} & set(unit["Service"])


def test_systemd_accepts_the_unit(tmp_path):
    """With a command and a page that exist here; where there is no systemd it says nothing."""
    text = UNIT.read_text().replace("/opt/edgecount/.venv/bin/edge", "/bin/true")
    text = text.replace("file:/opt/edgecount/docs/operations.md", "file:/etc/hosts")
    (tmp_path / "edgecount.service").write_text(text)
    if verify := shutil.which("systemd-analyze"):
        done = subprocess.run(
            [verify, "verify", str(tmp_path / "edgecount.service")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "edgecount" not in done.stderr
