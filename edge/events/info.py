"""What the encoder is told about a run: device, source, rules, and windows of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What makes the events: name of the device, version of edgecount, model and provider."""

    id: str
    app: str
    model_sha256: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where the pictures come from.

    `source_key` goes into the event ids: the content hash of a file, so that a copy under
    another name gives the same ids; anything that names one recording for other sources.
    """

    id: str
    kind: str
    session: int
    width: int
    height: int
    source_key: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A span of media time, end excluded, and the share of it that was really seen."""

    start_s: float
    end_s: float
    coverage: float


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A line or zone as events name it; `geometry_hash` goes into the event ids."""

    id: str
    kind: Literal["line", "zone"]
    geometry_hash: str
    name: str | None = None
    in_name: str | None = None
    out_name: str | None = None
