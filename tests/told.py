"""Events as the encoder makes them, as far as the page looks."""

from __future__ import annotations

from typing import Any


def event(
    kind: str = "line_crossed",
    way: str = "in",
    delta: int = 1,
    total: tuple[int, int] = (1, 0),
    media_s: float = 1.0,
    **more: Any,
) -> dict[str, Any]:
    """One event of a rule `gate`."""
    line = {"id": "gate", "kind": "zone" if "zone" in kind else "line", "direction": way}
    return {
        "event_id": f"{kind}{media_s}",
        "type": kind,
        "time": {"media_s": media_s, "decided_media_s": media_s + 0.1},
        "rule": line,
        "object": {"class": "person", "track_id": 3, "bbox": [0, 0, 1, 1]},
        "count": {
            "delta": delta,
            "in": total[0],
            "out": total[1],
            "by_class": {"person": {"in": total[0], "out": total[1]}},
            "since_media_s": 0.0,
        },
        "device": {"id": "box", "model_sha256": "0" * 64},
        **more,
    }
