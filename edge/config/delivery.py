"""Journal, sinks, evidence, live page and log: where counts go. Imports pydantic only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge.config.section import Section
from edge.config.values import Text, problem

WEEK_S = 604_800.0
URL = r"^https?://"
LISTEN = r"^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$"


class Journal(Section):
    """The file in which every event is kept before it goes anywhere."""

    path: Text | None = Field(
        default=None,
        description="SQLite file of the journal; left out: in the state folder of the service or "
        "user for live sources, none for recordings.",
    )
    keep_days: float = Field(
        default=90.0, gt=0, description="Days for which delivered events are kept."
    )
    max_mb: float = Field(
        default=1000.0,
        ge=1,
        description="Largest size, megabytes; above it the oldest events go, delivered ones first.",
    )


class FileSink(Section):
    """Events as JSON Lines in a file that is rotated."""

    type: Literal["file"] = Field(description="file, stdout, mqtt or webhook.")
    path: Text = Field(description="File of JSON Lines.")
    max_mb: float = Field(default=100.0, gt=0, description="Size at which a new file is begun.")
    daily: bool = Field(default=False, description="Begin a new file each day, UTC.")
    keep: int = Field(default=10, ge=0, le=1_000_000, description="How many older files are kept.")


class StdoutSink(Section):
    """Events as JSON Lines on standard output."""

    type: Literal["stdout"] = Field(description="file, stdout, mqtt or webhook.")


class MqttSink(Section):
    """Events to an MQTT broker, QoS 1, and retained totals."""

    type: Literal["mqtt"] = Field(description="file, stdout, mqtt or webhook.")
    host: Text = Field(description="Name or address of the broker.")
    port: int | None = Field(
        default=None, ge=1, le=65_535, description="Its port; left out: 1883, or 8883 with TLS."
    )
    version: Literal["3.1.1", "5"] = Field(
        default="3.1.1", description="MQTT version, in quotes: 3.1.1 or 5."
    )
    user: Text | None = Field(default=None, description="User name; left out: none.")
    password: Text | None = Field(
        default=None, repr=False, description="Password, as ${NAME} or ${file:PATH}."
    )
    tls: bool = Field(default=False, description="Encrypt, and check the broker's certificate.")
    ca_file: Text | None = Field(
        default=None, description="Certificates to trust; left out: those of the system."
    )
    cert_file: Text | None = Field(
        default=None, description="Our own certificate, if one is asked."
    )
    key_file: Text | None = Field(default=None, description="Its key.")
    prefix: Text = Field(default="edgecount", description="First part of all topics.")
    profile: Literal["compact", "full"] = Field(
        default="compact", description="compact leaves out mask and velocity; full sends all."
    )
    home_assistant: bool = Field(
        default=False, description="Announce counts and cameras to Home Assistant."
    )
    timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Seconds to wait for the receiver."
    )
    dead_letter_s: float = Field(
        default=WEEK_S,
        gt=0,
        description="Age, seconds, at which an event that cannot be delivered is set aside.",
    )
    refused_s: float = Field(
        default=900.0,
        gt=0,
        description="Seconds for which one event that the receiver refuses for what it says (HTTP "
        "400, 413, 422; MQTT 5 likewise) holds up the others, before it is set aside.",
    )

    @model_validator(mode="after")
    def _check_tls(self) -> MqttSink:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(self, key) and not self.tls:
                raise problem(f"expected 'tls: true' with '{key}', got no TLS", key)
        if (self.cert_file is None) != (self.key_file is None):
            raise problem("expected 'cert_file' and 'key_file' together, got one of them")
        return self


class WebhookSink(Section):
    """Events in batches by HTTP POST."""

    type: Literal["webhook"] = Field(description="file, stdout, mqtt or webhook.")
    url: Text = Field(
        repr=False,
        pattern=URL,
        description="Where events are posted, http:// or https://.",
    )
    secret: Text | None = Field(
        default=None, repr=False, description="Shared secret that signs each batch, as ${NAME}."
    )
    token: Text | None = Field(
        default=None, repr=False, description="Bearer token of the receiver, as ${NAME}."
    )
    headers: dict[Text, Text] = Field(
        default_factory=dict, repr=False, description="Further headers by name."
    )
    batch: int = Field(default=100, ge=1, le=10_000, description="Most events in one request.")
    profile: Literal["compact", "full"] = Field(
        default="full", description="compact leaves out mask and velocity; full sends all."
    )
    timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Seconds to wait for the receiver."
    )
    dead_letter_s: float = Field(
        default=WEEK_S,
        gt=0,
        description="Age, seconds, at which an event that cannot be delivered is set aside.",
    )
    refused_s: float = Field(
        default=900.0,
        gt=0,
        description="Seconds for which one event that the receiver refuses for what it says (HTTP "
        "400, 413, 422; MQTT 5 likewise) holds up the others, before it is set aside.",
    )


Sink = Annotated[
    FileSink | StdoutSink | MqttSink | WebhookSink,
    Field(discriminator="type"),
]
SINKS: dict[str, type[Section]] = {
    "file": FileSink,
    "stdout": StdoutSink,
    "mqtt": MqttSink,
    "webhook": WebhookSink,
}


class Evidence(Section):
    """Pictures of what was counted; none unless a folder is given."""

    folder: Text | None = Field(
        default=None, description="Folder for a picture of each passage; left out: no pictures."
    )
    blur: bool = Field(default=True, description="Make people unrecognisable by their masks.")
    keep_days: float = Field(default=7.0, gt=0, description="Days for which pictures are kept.")
    max_mb: float = Field(
        default=500.0, ge=1, description="Largest size of the folder, megabytes; the oldest go."
    )


class Web(Section):
    """Live page, health and metrics over HTTP; nothing listens unless an address is given."""

    listen: Annotated[str, Field(pattern=LISTEN)] | None = Field(
        default=None,
        description="Address and port, such as 127.0.0.1:8090; left out: nothing listens.",
    )
    token: Text | None = Field(
        default=None,
        repr=False,
        description="What the page asks for and scripts send as a bearer token, as ${NAME}; needed "
        "for other addresses than loopback.",
    )

    @model_validator(mode="after")
    def _check_token(self) -> Web:
        if self.listen is not None and self.token is None and not is_loopback(self.host):
            raise problem(
                f"expected 'token' for an address that others can reach, got none with "
                f"{self.listen}; write token: ${{NAME}} below web: in the config, or give "
                "--web-token '${NAME}' to edge run, with NAME in the environment",
                "listen",
            )
        return self

    @property
    def host(self) -> str:
        """The address alone."""
        return (self.listen or "").rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port alone."""
        return int((self.listen or ":0").rpartition(":")[2])


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    >>> [is_loopback(h) for h in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "127.example.org")]
    [True, True, True, False, False]
    """
    parts = host.split(".")
    is_v4 = len(parts) == 4 and all(part.isdigit() for part in parts)
    return host in ("localhost", "::1") or (is_v4 and parts[0] == "127")


class Log(Section):
    """What is said on standard error while cameras are watched."""

    format: Literal["human", "json"] = Field(
        default="human", description="human: a line each; json: one JSON object each."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is said: debug, info, warning or error."
    )
