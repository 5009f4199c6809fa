"""A real MQTT broker for tests: mosquitto on a free loopback port, and a subscriber that records.

    with Broker(tmp_path) as broker, Subscriber(broker) as seen:
        ...
        seen.wait(lambda: len(seen.on("+/+/+/events")) == 3)

Tests that use it carry the marker `mqtt`.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import random
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

HOST = "127.0.0.1"


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Certificates:
    """Files in a folder: our authority and one nobody knows, a server's and a client's pair."""

    ca: Path
    other_ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @classmethod
    def made(cls, folder: Path) -> Certificates:
        """Make them with openssl; the server's certificate is for 127.0.0.1 and localhost."""

        def openssl(*arguments: str) -> None:
            subprocess.run(
                ["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60
            )

        def authority(name: str) -> None:
            key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
            out = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2")
            usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
            openssl("req", "-x509", *key, *out, "-subj", f"/CN=Test {name}", *usage)

        def signed(name: str) -> None:
            key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
            openssl(
                "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
            )
            (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext")
            openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2", *ca)

        folder.mkdir(parents=True, exist_ok=True)
        authority("ca")
        authority("other_ca")
        signed("server")
        signed("client")
        names = ("ca.pem", "other_ca.pem", "server.pem", "server.key", "client.pem", "client.key")
        return cls(*(folder / name for name in names))


class Broker:
    """Starts mosquitto on entering, ends it on leaving. The port stays through restarts.

    Without `persistence` a stop or kill loses retained messages and sessions. With it, `stop`
    keeps them; `kill` may lose what was acknowledged since the last start.
    """

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        user: str | None = None,
        password: str | None = None,
        certificates: Certificates | None = None,
        require_client_certificate: bool = False,
        persistence: bool = False,
        options: str = "",
    ) -> None:
        """Write the config file into `folder`; `options` are further lines of it."""
        self.port = free_port()
        self.user, self.password, self.certificates = user, password, certificates
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._client_certificate = require_client_certificate
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(self._lines(persistence)) + f"\n{options}\n")

    def _lines(self, persistence: bool) -> Iterator[str]:
        yield f"listener {self.port} {HOST}"
        yield f"user {getpass.getuser()}"  # else root becomes somebody who cannot read tmp_path
        yield "max_queued_messages 0"  # no limit: the broker shall lose nothing on its own
        yield f"persistence {str(persistence).lower()}"
        if persistence:
            yield f"persistence_location {self._folder}/"
        if self.certificates is not None:
            yield f"cafile {self.certificates.ca}"
            yield f"certfile {self.certificates.server}"
            yield f"keyfile {self.certificates.server_key}"
            yield f"require_certificate {str(self._client_certificate).lower()}"
        yield f"allow_anonymous {str(self.user is None).lower()}"
        if self.user is not None:
            passwords = self._folder / "passwords"
            subprocess.run(
                ["mosquitto_passwd", "-b", "-c", str(passwords), self.user, self.password or ""],
                check=True,
                capture_output=True,
                timeout=60,
            )
            yield f"password_file {passwords}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        if self._process is not None:
            return
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self._config)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"mosquitto does not start: {self.log[-500:]}")

    def stop(self) -> None:
        """SIGTERM: it says goodbye to nobody, but keeps its state if `persistence`."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def flapping(self, up_s: float = 0.5, down_s: float = 0.5, hard: bool = False) -> Iterator[int]:
        """Down and up again in a thread until the block ends; it is up afterwards."""
        over = threading.Event()

        def flap() -> None:
            while not over.wait(up_s):
                self._end(signal.SIGKILL if hard else signal.SIGTERM)
                over.wait(down_s)
                self.start()

        thread = threading.Thread(target=flap, name="flapping")
        thread.start()
        try:
            yield self.port
        finally:
            over.set()
            thread.join()

    @property
    def log(self) -> str:
        """What mosquitto has said."""
        return (self._folder / "mosquitto.log").read_text(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(20)

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Cutter:
    """A way to a port that breaks each connection after some of what is sent, `cuts` times so far.

    How many bytes, is drawn from a seed; what came later is lost, in the middle of a message too.
    """

    host = HOST

    def __init__(self, port: int, seed: int = 1, most_bytes: int = 16_000) -> None:
        """Listen on a free port; `port` is where it leads."""
        self.cuts = 0
        self._to = port
        self._random = random.Random(seed)
        self._most_bytes = most_bytes
        self._server = socket.create_server((HOST, 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="cutter", daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
                broker = socket.create_connection((HOST, self._to), 20)
            except OSError:
                return
            with client, broker:
                self._forward(client, broker, self._random.randrange(300, self._most_bytes))

    def _forward(self, client: socket.socket, broker: socket.socket, left: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                for ready in select.select([client, broker], [], [])[0]:
                    data = ready.recv(65_536)
                    if not data:
                        return
                    if ready is broker:
                        client.sendall(data)
                        continue
                    broker.sendall(data[:left])
                    left -= len(data)
                    if left <= 0:
                        self.cuts += 1
                        return

    def __enter__(self) -> Cutter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@dataclass(frozen=True)
class Message:
    """What a subscriber got; `was_retained`: it was there before the subscription."""

    topic: str
    payload: str
    was_retained: bool

    @property
    def json(self) -> Any:
        """The payload as JSON."""
        return json.loads(self.payload)


class Subscriber:
    """Records all messages of `topics` with QoS 1 and a session that outlives interruptions."""

    def __init__(self, broker: Broker, topics: str = "#", client_id: str = "subscriber") -> None:
        """Connect and wait for the subscription."""
        self.messages: list[Message] = []
        self._ready = threading.Event()
        self._topics = topics
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        client.reconnect_delay_set(1, 1)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.certificates is not None:
            files = broker.certificates
            client.tls_set(str(files.ca), str(files.client), str(files.client_key))
        client.on_connect = lambda c, *_: c.subscribe(self._topics, 1)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        client.connect(broker.host, broker.port, 30)
        client.loop_start()
        self._client = client
        if not self._ready.wait(20):
            raise RuntimeError("no subscription within 20 s")

    def _on_message(self, _client: mqtt.Client, _userdata: object, got: mqtt.MQTTMessage) -> None:
        self.messages.append(Message(got.topic, got.payload.decode(), got.retain))

    def on(self, topics: str) -> list[Message]:
        """Messages whose topic matches, with + and #."""
        return [m for m in list(self.messages) if mqtt.topic_matches_sub(topics, m.topic)]

    def last(self, topic: str) -> str | None:
        """Payload of the newest message on a topic."""
        found = self.on(topic)
        return found[-1].payload if found else None

    def first_ids(self, topics: str = "+/+/+/events") -> list[str]:
        """event_id of each event, in the order of first arrivals."""
        return list(dict.fromkeys(m.json["event_id"] for m in self.on(topics)))

    def wait(self, is_done: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until it is so.

        Raises:
            AssertionError: it is not, after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not is_done():
            assert time.monotonic() < deadline, f"not so after {timeout_s} s: {self.messages[-5:]}"
            time.sleep(0.02)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
