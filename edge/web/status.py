"""How a running counter is, as plain numbers and words: what health and metrics are made of.

Whoever runs the main loop fills these; texts come without secrets. Standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

CameraState = Literal["opening", "connected", "lost"]


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera since the process began. `received` is the sum of what became of its frames."""

    name: str
    state: CameraState
    session: int  # run of frames without interruption, from 1; 0 before the first
    received: int  # frames decoded
    processed: int  # frames counted in
    dropped: int  # frames that a newer one replaced before they were looked at
    left_out: int  # frames above the camera's max_fps
    reconnects: int  # source_restored so far
    last_frame_age_s: float | None  # since its newest frame; None before the first
    reason: str = ""  # lost: what was seen


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """One receiver of events."""

    name: str
    lag_events: int  # in the journal, not yet delivered
    oldest_waiting_s: float  # age of the oldest of them; 0 if there is none
    failures: int  # attempts that failed, since the process began
    dead_letters: int  # events set aside for good
    last_error: str = ""  # of the attempts since the last success; empty if all is well


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The journal and what waits before it."""

    waiting: int  # events in memory
    failing_s: float | None  # for how long writing has failed; None if it works
    lost: int  # events that memory could not hold either
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EvidenceStatus:
    """The folder of pictures."""

    saved: int
    dropped: int  # not written: too many at a time, or the folder failing
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Which text of the config counts."""

    revision: str = ""  # of the text; empty: there is none, or it is not known
    refused: str = ""  # of a later text that was refused; empty: none was
    why: str = ""  # it was refused


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at one moment. A part that the config leaves out is None or empty."""

    version: str
    provider: str  # where the model runs
    model: str
    is_model_loaded: bool
    cameras: Sequence[CameraStatus]
    sinks: Sequence[SinkStatus]
    journal: JournalStatus | None
    evidence: EvidenceStatus | None = None
    nodes: Mapping[str, int] = field(default_factory=dict)  # of the model, by provider, if known


def readiness(status: Status, turned_s_ago: float, stale_s: float) -> tuple[bool, dict[str, Any]]:
    """Whether counts can be relied on, and how each part is, as JSON knows it.

    Ready means: the model is loaded, the main loop has turned within `stale_s`, events reach the
    journal, and not every camera is lost. A camera that is lost is named, but others count on; a
    sink that lags is named, but the journal keeps its events.

    >>> ready, parts = readiness(Status("1", "cpu", "nano", True, [], [], None), 0.1, 30.0)
    >>> ready, parts["model"]
    (True, {'ok': True, 'name': 'nano', 'provider': 'cpu'})
    """
    lost = [camera.name for camera in status.cameras if camera.state == "lost"]
    parts: dict[str, Any] = {
        "model": {"ok": status.is_model_loaded, "name": status.model, "provider": status.provider},
        "main_loop": {"ok": turned_s_ago <= stale_s, "turned_s_ago": rounded(turned_s_ago, 3)},
        "cameras": {
            "ok": not lost or len(lost) < len(status.cameras),
            "lost": lost,
            "each": {camera.name: _camera(camera) for camera in status.cameras},
        },
    }
    if status.journal is not None:
        parts["journal"] = _journal(status.journal)
    is_ready = all(part["ok"] for part in parts.values())
    parts["sinks"] = {sink.name: _sink(sink) for sink in status.sinks}
    return is_ready, parts


def rounded(seconds: float | None, digits: int) -> float | None:
    """Seconds for JSON, which knows no infinity: None then, as for what is unknown."""
    return round(seconds, digits) if seconds is not None and math.isfinite(seconds) else None


def _camera(camera: CameraStatus) -> dict[str, Any]:
    return {
        "state": camera.state,
        "session": camera.session,
        "last_frame_age_s": rounded(camera.last_frame_age_s, 3),
        **({"reason": camera.reason} if camera.reason else {}),
    }


def _journal(journal: JournalStatus) -> dict[str, Any]:
    return {
        "ok": journal.failing_s is None,
        "waiting": journal.waiting,
        "failing_s": rounded(journal.failing_s, 1),
        "lost": journal.lost,
    }


def _sink(sink: SinkStatus) -> dict[str, Any]:
    return {
        "lag_events": sink.lag_events,
        "oldest_waiting_s": rounded(sink.oldest_waiting_s, 1),
        "dead_letters": sink.dead_letters,
        **({"last_error": sink.last_error} if sink.last_error else {}),
    }
