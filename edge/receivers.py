"""From config to what takes events: sinks, and the folder for pictures of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.config import Config, FileSink, MqttSink, StdoutSink, people
from edge.config import Sink as SinkSection
from edge.delivery import Sink
from edge.errors import EdgeError, SinkError
from edge.patience import Limits
from edge.sinks.evidence import EvidenceFolder
from edge.sinks.rotating import RotatingFile
from edge.sinks.stdout import StandardOutput
from edge.types import Step

WITH_EVIDENCE = ("line_crossed", "zone_entered", "zone_dwell")
DAY_S = 86_400.0
Evidence = Callable[[Mapping[str, Any], Step], str | None]


@dataclass(frozen=True, slots=True)
class Made:
    """A sink that a config asks for, and to which nothing is delivered yet."""

    name: str
    sink: Sink | Callable[[], Sink]
    batch_size: int
    limits: Limits


def made(config: Config, name: str, before: SinkSection | None = None) -> Made:
    """A sink, how many events it takes at once, and when those that it does not are set aside.

    A file that the sink `before` of this name may still be writing is opened by its delivery.

    Raises:
        SinkError: it cannot be made; a receiver that is only away is no error.
    """
    batch_size, its_limits = limits(config, name)
    section = config.sinks[name]
    if (
        isinstance(section, FileSink)
        and isinstance(before, FileSink)
        and section.path == before.path
    ):
        return Made(name, lambda: sink(config, name), batch_size, its_limits)
    try:
        return Made(name, sink(config, name), batch_size, its_limits)
    except EdgeError as error:
        raise SinkError(f"sinks.{name}: {error}") from error


def limits(config: Config, name: str) -> tuple[int, Limits]:
    """How many events a receiver takes at once, and when those that it does not are set aside."""
    section = config.sinks[name]
    if isinstance(section, FileSink):
        return 1000, Limits()
    if isinstance(section, StdoutSink):
        return 100, Limits()
    batch = 100 if isinstance(section, MqttSink) else section.batch
    return batch, Limits(section.dead_letter_s, section.refused_s)


def sink(config: Config, name: str) -> Sink:
    """A receiver of events.

    Raises:
        SinkError: it cannot be made; a receiver that is only away is no error.
    """
    # The libraries of receivers take long to import: only where there are such receivers.
    section = config.sinks[name]
    if isinstance(section, FileSink):
        max_bytes = round(section.max_mb * 1e6)
        return RotatingFile(Path(section.path), max_bytes, section.daily, section.keep)
    if isinstance(section, StdoutSink):
        return StandardOutput(sys.stdout)
    if isinstance(section, MqttSink):
        from edge.sinks.mqtt import MqttSink as ToBroker
        from edge.sinks.mqtt_address import BrokerAddress, Tls

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
        return ToBroker(
            address,
            config.device_id,
            section.prefix,
            section.profile,
            section.home_assistant,
            # Two sinks may go to one broker; it knows clients by their names.
            f"edgecount-{config.device_id}-{name}",
        )
    from edge.sinks.webhook import Endpoint
    from edge.sinks.webhook import WebhookSink as ToWebhook

    endpoint = Endpoint(
        section.url,
        section.secret,
        section.token,
        section.headers,
        timeout_s=section.timeout_s,
    )
    return ToWebhook(endpoint, section.profile)


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
