"""From config to what takes events: sinks, and the folder for pictures of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.config import Config, FileSink, MqttSink, StdoutSink, people
from edge.delivery import Sink
from edge.sinks.evidence import EvidenceFolder
from edge.sinks.rotating import RotatingFile
from edge.sinks.stdout import StandardOutput
from edge.types import Step

WITH_EVIDENCE = ("line_crossed", "zone_entered", "zone_dwell")
DAY_S = 86_400.0
Evidence = Callable[[Mapping[str, Any], Step], str | None]


def sink(config: Config, name: str) -> tuple[Sink, int, float | None]:
    """A receiver of events, how many it takes at once, and when refused ones are set aside.

    Raises:
        SinkError: it cannot be made; a receiver that is only away is no error.
    """
    # The libraries of receivers take long to import: only where there are such receivers.
    section = config.sinks[name]
    if isinstance(section, FileSink):
        max_bytes = round(section.max_mb * 1e6)
        file = RotatingFile(Path(section.path), max_bytes, section.daily, section.keep)
        return file, 1000, None
    if isinstance(section, StdoutSink):
        return StandardOutput(sys.stdout), 100, None
    if isinstance(section, MqttSink):
        from edge.sinks.mqtt import MqttSink as ToBroker
        from edge.sinks.mqtt_link import BrokerAddress, Tls

        tls = Tls(section.ca_file, section.cert_file, section.key_file) if section.tls else None
        address = BrokerAddress(
            section.host,
            section.port,
            section.version,
            section.user,
            section.password,
            tls,
            section.timeout_s,
        )
        broker = ToBroker(
            address,
            config.device_id,
            section.prefix,
            section.profile,
            section.home_assistant,
            # Two sinks may go to one broker; it knows clients by their names.
            f"edgecount-{config.device_id}-{name}",
        )
        return broker, 100, section.dead_letter_s
    from edge.sinks.webhook import Endpoint
    from edge.sinks.webhook import WebhookSink as ToWebhook

    endpoint = Endpoint(
        section.url,
        section.secret,
        section.token,
        section.headers,
        timeout_s=section.timeout_s,
    )
    return ToWebhook(endpoint, section.profile), section.batch, section.dead_letter_s


def evidence(config: Config, class_names: Sequence[str]) -> tuple[EvidenceFolder, Evidence] | None:
    """The folder for pictures of events and what keeps one; None: the config wants none.

    Raises:
        SinkError: the folder cannot be written.
    """
    section = config.evidence
    if section.folder is None:
        return None
    folder = EvidenceFolder(
        Path(section.folder), section.keep_days * DAY_S, round(section.max_mb * 1e6), section.blur
    )
    hidden = people(class_names, config.blur_people)

    def keep(event: Mapping[str, Any], step: Step) -> str | None:
        if event["type"] not in WITH_EVIDENCE or step.image is None:
            return None
        day = str(event["time"].get("utc", "recorded"))[:10]
        x1, y1, x2, y2 = event["object"]["bbox"]
        return folder.save(
            event["event_id"], day, step.image, (x1, y1, x2, y2), step.instances, hidden
        )

    return folder, keep
