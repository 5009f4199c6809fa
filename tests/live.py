"""A camera for tests that can be killed, frozen and changed, and a cable that spoils its bytes.

with RtspServer(codec="h265", size=(384, 288)) as server:
    ... server.url ...
    server.kill()
    server.start(codec="h264")  # on the same port

Tests that use it carry the marker `rtsp`.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.types import Notice

HERE = Path(__file__).parent
CLIP = HERE / "data" / "people.mp4"
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/bin") or "/usr/bin/python3"
READY_S = 60.0  # H.265 is encoded slowly on small machines, once


class RtspServer:
    """gst-rtsp-server with the sample clip in a loop, on a port that stays the same.

    Options, given here or to `start`, which keeps those that it is not given: `codec` ("h264",
    "h265"), `size` (width, height), `fps`, `gop` (frames from key frame to key frame), `kbps`,
    `frames` (of the clip that make the loop), `picture` ("clip", "still": its first frame for
    ever, "black"), `user` and `password`.
    """

    def __init__(self, clip: Path = CLIP, **options: Any) -> None:
        """Only remember the options."""
        self.clip = clip
        self.port = 0
        self.options = options
        self._process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where the stream is, without credentials."""
        return f"rtsp://127.0.0.1:{self.port}/clip"

    @property
    def url(self) -> str:
        """Where the stream is, with its credentials if it asks for some."""
        return self.url_for(self.port)

    def url_for(self, port: int, password: str | None = None) -> str:
        """The same by way of another port, or with another password."""
        user, own = self.options.get("user"), self.options.get("password")
        who = f"{user}:{own if password is None else password}@" if user else ""
        return f"rtsp://{who}127.0.0.1:{port}/clip"

    def start(self, **options: Any) -> None:
        """Start, with other options if given, and wait until clients may come."""
        self.kill()
        self.options = {**self.options, **options}
        command = [SYSTEM_PYTHON, str(HERE / "rtsp_server.py"), str(self.clip)]
        for name, value in {**self.options, "port": self.port}.items():
            if value is not None:
                values = value if isinstance(value, tuple | list) else (value,)
                command += [f"--{name}", *map(str, values)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], READY_S)
        said = self._process.stdout.readline() if ready else ""
        if not said.startswith("ready "):
            self.kill()
            raise RuntimeError(f"the RTSP server did not start: {command}")
        self.port = int(said.split()[1])

    def kill(self) -> None:
        """SIGKILL: connections break at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(20)
            if process.stdout is not None:
                process.stdout.close()

    def stop(self) -> None:
        """SIGSTOP: connections stay open, nothing is sent any more."""
        self._signal(signal.SIGSTOP)

    def cont(self) -> None:
        """Go on after `stop`, with what is current then."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)

    def __enter__(self) -> RtspServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Cable:
    """A TCP proxy to a port on loopback, which `spoil`s what the server sends while told to.

    With the default, one interleaved RTP packet in `one_in` loses some bytes of its payload; its
    framing stays right, as with a bad radio link behind a good switch. Seeded.
    """

    def __init__(self, target_port: int, seed: int = 1, one_in: int = 20) -> None:
        """Listen on a free port."""
        self.is_spoiling = False
        self.spoiled = 0
        self._target_port = target_port
        self._random = random.Random(seed)
        self._one_in = one_in
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, name="cable", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target_port))
                except OSError:
                    client.close()
                    continue
                self._open += [client, server]
                self._start(self._copy_up, client, server)
                self._start(self._copy_down, server, client)

    def _copy_up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        _shut(client, server)

    def _copy_down(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError), server.makefile("rb") as stream:
            while first := stream.read(1):
                if first != b"$":  # a line of an RTSP answer
                    client.sendall(first + stream.readline())
                    continue
                head = stream.read(3)
                packet = bytearray(stream.read(int.from_bytes(head[1:], "big")))
                if self.is_spoiling and self._random.randrange(self._one_in) == 0:
                    self._spoil(packet)
                client.sendall(first + head + packet)
        _shut(client, server)

    def _spoil(self, packet: bytearray) -> None:
        self.spoiled += 1
        for _ in range(8):
            packet[self._random.randrange(min(12, len(packet) - 1), len(packet))] = (
                self._random.randrange(256)
            )

    def close(self) -> None:
        """Break all connections."""
        _shut(self._listener, *self._open)
        for thread in self._threads:
            thread.join(5)
        for one in (self._listener, *self._open):
            one.close()

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shut(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def items(source: Any) -> list[Any]:
    """What a live source has now."""
    got = []
    while (item := source.poll()) is not None:
        got.append(item)
    return got


def until(source: Any, is_done: Callable[[list[Any]], object], timeout_s: float = 30) -> list[Any]:
    """All that a live source gives until it is so.

    Raises:
        AssertionError: it is not, after `timeout_s`.
    """
    got: list[Any] = []

    def look() -> object:
        got.extend(items(source))
        return is_done(got)

    wait_for(look, timeout_s, lambda: f"{[_short(item) for item in got[-8:]]} {source.stats}")
    return got


def frames_of(count: int) -> Callable[[list[Any]], bool]:
    """Whether so many frames have come since the last notice."""

    def is_done(got: list[Any]) -> bool:
        last = got[-count:]
        return len(last) == count and not any(isinstance(item, Notice) for item in last)

    return is_done


def wait_for(
    is_done: Callable[[], object], timeout_s: float = 30, say: Callable[[], str] = lambda: ""
) -> None:
    """Wait until it is so.

    Raises:
        AssertionError: it is not, after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while not is_done():
        assert time.monotonic() < deadline_s, f"not so after {timeout_s} s: {say()}"
        time.sleep(0.005)


def _short(item: Any) -> Any:
    return item if isinstance(item, Notice) else item.stamp
