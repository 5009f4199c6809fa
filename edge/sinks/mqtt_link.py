"""A connection to an MQTT broker that knows what the broker has. The only place that knows paho.

It is used from one thread. paho's own thread reads and writes the socket and reports here.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.sinks.failure import Cause, NotDelivered
from edge.sinks.mqtt_address import BrokerAddress, tls_context

KEEPALIVE_S = 30  # a broker that says nothing for 1.5 times as long is taken for dead
MOST_AHEAD = 20  # messages before an acknowledgement; fewer if an MQTT 5 broker says so
GOODBYE_S = 1.0
QUIET_S = 0.5  # after the last retained message, and after the broker took our wish for them
LOGIN_REFUSED = (128, 132, 133, 134, 135, 138, 140)  # reason codes of CONNACK, MQTT 5, 3.2.2.2
UNWANTED = (144, 149, 153)  # topic name, size, format of a message; not who may send it
BUSY = (136, 137, 151, 159)  # unavailable, busy, quota exceeded, connection rate exceeded


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be published, with QoS 1."""

    topic: str
    payload: str
    retain: bool = False


class MqttLink:
    """One connection after another, each with a clean session.

    Nothing that paho had queued outlives its connection: what the broker has not acknowledged
    is the caller's to send again, so the order is the caller's as well.
    """

    def __init__(self, address: BrokerAddress, client_id: str, will: Message) -> None:
        """Prepare; nothing is connected yet.

        Args:
            address: Where to connect.
            client_id: Our name at the broker. A second client of the same name ends this one.
            will: What the broker publishes when we are gone without a word.

        Raises:
            SinkError: A certificate file cannot be used.
        """
        self._address, self._client_id, self._will = address, client_id, will
        self._tls = None if address.tls is None else tls_context(address, address.tls)
        self._client: mqtt.Client | None = None
        self._changed = threading.Condition()
        self._is_up = False
        self._reason = ""  # why it is not up
        self._code = 0
        self._ahead = MOST_AHEAD
        self._answers: dict[int, int] = {}  # message id -> reason code, from PUBACK
        self._kept: dict[str, str] = {}  # retained payloads by topic, while they are asked for
        self._news_s: float | None = None  # when the last of them came, or our wish was taken

    @property
    def is_up(self) -> bool:
        """Whether the broker has accepted us and the connection has not ended since."""
        return self._is_up

    def connect(self) -> None:
        """Connect anew and wait until the broker accepts.

        Raises:
            NotDelivered: It does not, or not in time.
        """
        self.drop()
        address = self._address
        client = self._client = self._new_client()
        self._reason, self._code, self._answers = "", 0, {}
        port = address.port or (1883 if address.tls is None else 8883)
        try:
            client.connect(address.host, port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            self._client = None
            raise self._unreachable(error) from error
        client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._is_up or self._reason, address.timeout_s)
            if self._is_up:
                return
            reason, code = self._reason, self._code
        self.drop()
        if code in LOGIN_REFUSED:
            raise self._failure("to be let in", reason, "refused")
        raise self._failure("an answer", reason or f"none in {address.timeout_s:g} s", "away")

    def publish(self, messages: Sequence[Message]) -> None:
        """Send messages in order and wait until the broker has acknowledged all of them.

        Raises:
            NotDelivered: It has not; `sent` says how many of the first it has.
        """
        for start in range(0, len(messages), self._ahead):
            try:
                self._publish(messages[start : start + self._ahead])
            except NotDelivered as error:
                error.sent += start
                raise

    def retained(self, topics: Sequence[str]) -> dict[str, str]:
        """What the broker keeps of these topics, by topic; nothing if it does not let us ask.

        It does not say when that was all: what comes within QUIET_S after the last counts.
        """
        client = self._client
        if client is None:
            return {}
        self._kept, self._news_s = {}, None
        client.on_message, client.on_subscribe = self._on_message, self._on_subscribe
        client.subscribe([(topic, 0) for topic in topics])
        by_s = time.monotonic() + self._address.timeout_s
        with self._changed:
            while (left_s := self._quiet_in_s(by_s)) > 0:
                self._changed.wait(left_s)
        client.unsubscribe(list(topics))
        client.on_message = client.on_subscribe = None
        return self._kept

    def close(self) -> None:
        """Say goodbye, so that the will stays unspoken, and disconnect."""
        client = self._client
        if client is not None and self._is_up:
            with contextlib.suppress(OSError, ValueError):
                client.disconnect()
            with self._changed:
                self._changed.wait_for(lambda: not self._is_up, GOODBYE_S)
        self.drop()

    def drop(self) -> None:
        """End the connection, if there is one, without a word."""
        client, self._client = self._client, None
        self._is_up = False
        if client is not None:
            # Callbacks that are under way belong to a client that is no longer ours.
            client.on_connect = client.on_disconnect = client.on_publish = None
            sock = client.socket()
            if isinstance(sock, socket.socket):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)  # else paho waits for acknowledgements
            client.loop_stop()

    def _publish(self, messages: Sequence[Message]) -> None:
        client, ids = self._client, list[int]()
        if client is None or not self._is_up:
            raise self._failure("a connection", self._reason or "none", "away")
        for message in messages:
            try:
                info = client.publish(message.topic, message.payload, 1, message.retain)
            except ValueError as error:  # longer than MQTT allows
                self._wait(ids)
                failure = self._failure("a message", str(error), "content", len(ids))
                failure.is_final = True
                raise failure from error
            ids.append(info.mid)
        self._wait(ids)

    def _wait(self, ids: list[int]) -> None:
        """Wait for the acknowledgements, as long as there is progress."""
        timeout_s = self._address.timeout_s
        with self._changed:
            while self._is_up and (known := len(self._answers)) < len(ids):
                if not self._changed.wait_for(partial(self._has_news, known), timeout_s):
                    break
            answers, self._answers = self._answers, {}
            is_up, reason = self._is_up, self._reason
        codes = [answers.get(mid) for mid in ids]
        sent = next((k for k, code in enumerate(codes) if code is None or code >= 128), len(ids))
        if sent == len(ids):
            return
        code = codes[sent]
        if code is not None:
            cause: Cause = "away" if code in BUSY else "content"
            failure = self._failure("a message to be taken", f"reason code {code}", cause, sent)
            failure.is_final = code in UNWANTED
            raise failure
        if is_up:
            self.drop()  # late acknowledgements must not count for other messages
            reason = f"none in {timeout_s:g} s"
        raise self._failure("an acknowledgement", reason, "content", sent)

    def _has_news(self, known: int) -> bool:
        return not self._is_up or len(self._answers) > known

    def _new_client(self) -> mqtt.Client:
        address, is_5 = self._address, self._address.version == "5"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=None if is_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = address.timeout_s
        client.will_set(self._will.topic, self._will.payload, 1, self._will.retain)
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, _c: mqtt.Client, _data: Any, _flags: Any, code: Any, more: Any) -> None:
        with self._changed:
            self._ahead = min(MOST_AHEAD, getattr(more, "ReceiveMaximum", MOST_AHEAD))
            self._is_up = not code.is_failure
            self._reason, self._code = str(code), code.value
            self._changed.notify_all()

    def _on_disconnect(self, _c: mqtt.Client, _data: Any, _flags: Any, code: Any, _p: Any) -> None:
        with self._changed:
            if self._is_up or not self._reason:
                self._reason = f"the connection ended: {code}"
                if code.value == 142:
                    self._reason += f"; is there another client {self._client_id!r}?"
            self._is_up = False
            self._changed.notify_all()

    def _on_publish(self, _c: mqtt.Client, _data: Any, mid: int, code: Any, _more: Any) -> None:
        with self._changed:
            self._answers[mid] = code.value
            self._changed.notify_all()

    def _quiet_in_s(self, by_s: float) -> float:
        """For how long to wait yet for what the broker keeps, until `by_s` at most."""
        if not self._is_up:
            return 0.0
        end_s = by_s if self._news_s is None else min(by_s, self._news_s + QUIET_S)
        return end_s - time.monotonic()

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._news_s = time.monotonic()
            self._changed.notify_all()

    def _on_message(self, _c: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            if message.retain and message.payload:
                self._kept[message.topic] = message.payload.decode("utf-8", "replace")
                self._news_s = time.monotonic()
                self._changed.notify_all()

    def _unreachable(self, error: OSError | ValueError) -> NotDelivered:
        if isinstance(error, ssl.SSLCertVerificationError):
            files = self._address.tls and self._address.tls.ca_file
            by = files or "the system's authorities"
            got = error.verify_message.rstrip(".")
            return self._failure(f"a certificate that {by} vouches for", got, "refused")
        if isinstance(error, TimeoutError):
            return self._failure("an answer", f"none in {self._address.timeout_s:g} s", "away")
        got = (getattr(error, "strerror", None) or str(error)).lower()
        return self._failure("a connection", got, "away")

    def _failure(self, wanted: str, got: str, cause: Cause, sent: int = 0) -> NotDelivered:
        return NotDelivered(f"{self._address}: expected {wanted}, got {got}", cause, sent)
