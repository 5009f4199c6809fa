"""Events, totals and states to an MQTT broker.

<prefix>/<device>/status                  online or offline, retained, also the last will
<prefix>/<device>/<source>/events         one event a message
<prefix>/<device>/<source>/status         online or offline, retained
<prefix>/<device>/<source>/counts/<rule>  the newest totals, retained
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge.sinks.failure import NotDelivered
from edge.sinks.homeassistant import announced, discovery, is_about
from edge.sinks.mqtt_address import BrokerAddress
from edge.sinks.mqtt_link import Message, MqttLink
from edge.sinks.profile import Profile, profiled
from edge.sinks.topics import Topics

_STATES = {
    "started": "online",
    "source_restored": "online",
    "source_lost": "offline",
    "stopped": "offline",
}


class MqttSink:
    """Publishes with QoS 1; `send` returns when the broker has acknowledged all.

    Events come in order. After an interruption some may come again, and a receiver drops them by
    their event_id. Totals follow after the events of a batch, the newest only, so that they never
    go back. Totals and announcements of a rule that is no more are deleted, also of one that went
    while we were away: the broker is asked once what it keeps of us. An MQTT 3.1.1 broker that
    forbids a topic says nothing of it; one of MQTT 5 does.
    """

    def __init__(
        self,
        address: BrokerAddress,
        device_id: str,
        prefix: str = "edgecount",
        profile: Profile = "compact",
        home_assistant: bool = False,
        client_id: str | None = None,
    ) -> None:
        """Prepare; the first `send` connects.

        Args:
            address: The broker and the login.
            device_id: Name of this device, a level of all topics.
            prefix: First level or levels of all topics.
            profile: What of an event is sent.
            home_assistant: Announce sources and rules to Home Assistant.
            client_id: Our name at the broker, which no other client may have; None: made of
                `device_id`.

        Raises:
            SinkError: The prefix or a certificate file cannot be used.
        """
        self._topics = Topics(prefix, device_id)
        self._profile: Profile = profile
        self._home_assistant = home_assistant
        self._link = MqttLink(
            address,
            client_id or f"edgecount-{device_id}",
            Message(self._topics.status, "offline", retain=True),
        )
        self._retained: dict[str, str] = {}  # payload by topic; "" deletes it
        self._changed: dict[str, None] = {}  # topics of which the broker has not the newest
        self._announced: dict[str, set[str]] = {}  # topics of rules by source
        self._left: dict[str, str] | None = None  # retained of an earlier run; None: not asked yet

    def send(self, lines: Sequence[str]) -> None:
        """Publish events, then the totals and states that they change.

        Args:
            lines: Events as lines of JSON; none: only see to the connection.

        Raises:
            NotDelivered: The broker has not acknowledged all.
        """
        if not self._link.is_up:
            self._connect()
        events = [json.loads(line) for line in lines]
        sent = 0
        try:
            self._link.publish(
                [
                    Message(
                        self._topics.events(event["source"]["id"]), profiled(line, self._profile)
                    )
                    for event, line in zip(events, lines, strict=True)
                ]
            )
            sent = len(lines)
        except NotDelivered as error:
            sent = error.sent
            raise
        finally:
            for event in events[:sent]:
                self._note(event)
        try:
            self._publish_retained()
        except NotDelivered as error:
            error.sent = sent
            raise

    def close(self) -> None:
        """Say that we are offline and disconnect; waits no longer than the broker's time-out."""
        if self._link.is_up:
            try:
                self._link.publish([Message(self._topics.status, "offline", retain=True)])
            except NotDelivered:  # the last will says it
                self._link.drop()
        self._link.close()

    def _connect(self) -> None:
        self._link.connect()
        # A broker that was restarted may have forgotten everything.
        self._changed = dict.fromkeys(self._retained)
        self._link.publish([Message(self._topics.status, "online", retain=True)])
        if self._left is None:
            asked = [self._topics.all_counts]
            if self._home_assistant:
                asked.append(announced(self._topics))
            left = self._link.retained(asked)
            if self._link.is_up:
                self._left = left

    def _publish_retained(self) -> None:
        topics = list(self._changed)
        self._link.publish([Message(topic, self._retained[topic], True) for topic in topics])
        self._changed = {}
        self._retained = {topic: text for topic, text in self._retained.items() if text}

    def _note(self, event: Mapping[str, Any]) -> None:
        """Take over what an event that the broker has says of totals and states."""
        source = event["source"]["id"]
        if "rule" in event and "count" in event:
            topic = self._topics.counts(source, event["rule"]["id"])
            self._retain(topic, _counts(event, self._retained.get(topic)))
        if (state := _STATES.get(event["type"])) is not None:
            self._retain(self._topics.source_status(source), state)
        if event["type"] in ("started", "config_changed"):
            self._announce(event)

    def _announce(self, event: Mapping[str, Any]) -> None:
        """Take over which rules a source has; those that are no more leave the broker."""
        source = event["source"]["id"]
        found = discovery(event, self._topics) if self._home_assistant else {}
        rules = {self._topics.counts(source, rule["id"]) for rule in event["rules"]}
        for topic in self._of_before(source) - found.keys() - rules:
            self._retain(topic, "")
        self._announced[source] = found.keys() | rules
        for topic, payload in found.items():
            self._retain(topic, payload)

    def _of_before(self, source: str) -> set[str]:
        """Topics of a source's rules until now, of this run or, the first time, of earlier ones."""
        if source in self._announced:
            return self._announced[source]
        counts = self._topics.counts(source, "")
        return {
            topic
            for topic, payload in (self._left or {}).items()
            if topic.startswith(counts) or is_about(payload, source, self._topics)
        }

    def _retain(self, topic: str, payload: str) -> None:
        self._retained[topic] = payload
        self._changed[topic] = None


def _counts(event: Mapping[str, Any], before: str | None) -> str:
    """Totals of a rule as the retained message has them; `before` is the message until now.

    >>> count = {"delta": 1, "in": 2, "out": 0, "net": 2, "by_class": {}, "since_media_s": 0.0}
    >>> _counts({"seq": 9, "time": {"media_s": 4.5}, "count": count, "zone": {"occupancy": 2}}, "")
    '{"in":2,"out":0,"net":2,"by_class":{},"since_media_s":0.0,"occupancy":2,"seq":9,"media_s":4.5}'
    """
    payload = {key: value for key, value in event["count"].items() if key != "delta"}
    known = json.loads(before) if before else {}
    occupancy = event.get("zone", known).get("occupancy")
    if occupancy is not None:
        payload["occupancy"] = occupancy
    payload["seq"] = event["seq"]
    payload |= {key: event["time"][key] for key in ("utc", "media_s") if key in event["time"]}
    return json.dumps(payload, separators=(",", ":"))
