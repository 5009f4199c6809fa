"""What the encoder is told about a run: device, source, rules, and windows of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """A span of time, end excluded, and the share of it that was really seen.

    Media seconds, or Unix seconds if `is_utc`.
    """

    start_s: float
    end_s: float
    coverage: float
    is_utc: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Totals of one rule by class name, and when they were 0."""

    count_in: int = 0
    count_out: int = 0
    by_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    since_utc_s: float | None = None  # None: at the beginning of the recording

    def plus(self, other: Mapping[str, tuple[int, int]]) -> Tally:
        """This tally and what was counted since, by class name.

        >>> Tally(1, 0, {"car": (1, 0)}).plus({"car": (1, 2)}).by_class
        {'car': (2, 2)}
        """
        by_class = dict(self.by_class)
        for name, (ins, outs) in other.items():
            before = by_class.get(name, (0, 0))
            by_class[name] = before[0] + ins, before[1] + outs
        ins, outs = (sum(pair[way] for pair in other.values()) for way in (0, 1))
        return Tally(self.count_in + ins, self.count_out + outs, by_class, self.since_utc_s)


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a source from before: totals by rule id, and its last event's number."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A line or zone as events name it; `geometry_hash` goes into the event ids."""

    id: str
    kind: Literal["line", "zone"]
    geometry_hash: str
    name: str | None = None
    in_name: str | None = None
    out_name: str | None = None
