"""How everything is, as JSON for the page. Standard library and its own folder only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge.web.board import Board, Rule
from edge.web.pictures import Pictures
from edge.web.status import CameraStatus, Taken


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while it runs."""

    device: str
    version: str
    model: str
    provider: str
    has_evidence: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording is."""

    state: str  # waiting, running or finished
    frames: int
    total: int | None  # frames; None: unknown
    media_s: float


@dataclass(frozen=True, slots=True)
class Told:
    """What is asked for when somebody looks; called in the server's thread, must not block.

    Attributes:
        cameras: how each one is.
        rules: of each camera, as they are now.
        progress: of those cameras that are recordings.
        taken: what of the config counts.
    """

    cameras: Callable[[], Sequence[CameraStatus]]
    rules: Callable[[], Mapping[str, Sequence[Rule]]]
    progress: Callable[[], Mapping[str, Progress]] = dict
    taken: Callable[[], Taken] = Taken


def state(about: About, told: Told, board: Board, pictures: Pictures) -> dict[str, Any]:
    """All cameras with their rules and totals, and what runs here."""
    rules, progress = told.rules(), told.progress()
    return {
        "device": about.device,
        "version": about.version,
        "model": about.model,
        "provider": about.provider,
        "has_evidence": about.has_evidence,
        "run": board.bulletin.run,
        "config": asdict(told.taken()),
        "cameras": [
            {
                **_camera(camera, progress.get(camera.name), pictures.fps(camera.name)),
                "rules": [board.rule_facts(camera.name, rule) for rule in rules[camera.name]],
            }
            for camera in told.cameras()
            if camera.name in rules
        ],
    }


def _camera(camera: CameraStatus, progress: Progress | None, fps: float) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": camera.name,
        "kind": "live" if progress is None else "recording",
        "state": camera.state if progress is None else progress.state,
        "fps": round(fps, 1),
        "frames": camera.processed,
        "dropped": camera.dropped,
        "reconnects": camera.reconnects,
        "reason": camera.reason,
    }
    if progress is not None:
        facts["progress"] = {
            "frames": progress.frames,
            "total": progress.total,
            "media_s": round(progress.media_s, 1),
        }
    elif camera.last_frame_age_s is not None:
        facts["age_s"] = int(camera.last_frame_age_s)  # of interest when it is large
    return facts
