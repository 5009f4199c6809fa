"""What Home Assistant must know to show counts: MQTT discovery messages. Pure.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from edge.sinks.topics import Topics

PREFIX = "homeassistant"  # Home Assistant's own default
_RECORDED = ("file", "folder")


def discovery(event: Mapping[str, Any], topics: Topics) -> dict[str, str]:
    """Retained messages that announce a source and its rules.

    Args:
        event: `started` or `config_changed`, which name all rules.
        topics: Where counts and states are published.

    Returns:
        Payload by topic: in, out, and net or occupancy of each rule, and whether pictures come.
    """
    source = event["source"]
    entities = [_connectivity(source["id"], topics)]
    for rule in event["rules"]:
        entities += _sensors(source, rule, topics)
    common = {
        "availability_topic": topics.status,
        "device": {
            "identifiers": [_unique(topics.device, source["id"])],
            "name": source.get("name") or source["id"],
            "manufacturer": "edgecount",
            "model": f"{source['kind']} source of {topics.device}",
            "sw_version": event["device"]["app"],
        },
        "origin": {"name": "edgecount", "sw_version": event["device"]["app"]},
    }
    found = {}
    for component, path, config in entities:
        name = f"{_unique(topics.device, *path)}"
        topic = f"{PREFIX}/{component}/{_slug(topics.device)}/{name}/config"
        found[topic] = json.dumps({"unique_id": name, **config, **common})
    return found


def announced(topics: Topics) -> str:
    """What to subscribe to for all that was announced of a device."""
    return f"{PREFIX}/+/{_slug(topics.device)}/+/config"


def is_about(payload: str, source: str, topics: Topics) -> bool:
    """Whether a discovery message announces something of a source, whoever wrote it."""
    try:
        found = json.loads(payload)["device"]["identifiers"]
        return bool(found == [_unique(topics.device, source)])
    except (ValueError, LookupError, TypeError):
        return False


Entity = tuple[str, tuple[str, ...], dict[str, Any]]


def _connectivity(source: str, topics: Topics) -> Entity:
    config = {
        "name": "Connection",
        "device_class": "connectivity",
        "state_topic": topics.source_status(source),
        "payload_on": "online",
        "payload_off": "offline",
    }
    return "binary_sensor", (source, "connection"), config


def _sensors(source: Mapping[str, Any], rule: Mapping[str, Any], topics: Topics) -> list[Entity]:
    name = rule.get("name") or rule["id"]
    state = {"state_topic": topics.counts(source["id"], rule["id"])}
    # `total`, not `total_increasing`: a correction may take a passage back.
    total: dict[str, Any] = {**state, "state_class": "total", "icon": "mdi:counter"}
    if source["kind"] not in _RECORDED:
        total["last_reset_value_template"] = "{{ value_json.since }}"
    entities: list[Entity] = []
    for way in ("in", "out"):
        config = {"name": f"{name}: {rule.get(f'{way}_name') or way}"}
        config |= {"value_template": f"{{{{ value_json['{way}'] }}}}"} | total
        entities.append(("sensor", (source["id"], rule["id"], way), config))
    key = "occupancy" if rule["kind"] == "zone" else "net"
    template = "{{ value_json.occupancy | default(value_json.net) }}"
    if key == "net":
        template = "{{ value_json.net }}"
    config = {"name": f"{name}: {key}", "value_template": template}
    config |= state | {"state_class": "measurement", "icon": "mdi:account-group"}
    entities.append(("sensor", (source["id"], rule["id"], key), config))
    return entities


def _unique(*names: str) -> str:
    """A readable id of letters, digits, _ and -, which differs whenever a name differs."""
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
    return f"{_slug('_'.join(names))}_{digest}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text)
