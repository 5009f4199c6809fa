"""Fingerprints of what decides a count, for event ids and `rule.config_rev`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from edge.config.rules import Line, Zone
from edge.config.sections import Config


def config_rev(config: Config, camera: str) -> str:
    """Fingerprint of all that decides the counts of one camera, given its instances.

    It covers the camera's rules and classes, `tracker` and `counting`. It does not change with
    the order of keys, display names, the source or the model.

    Args:
        config: The config.
        camera: A key of `config.cameras`.

    Returns:
        `sha256:` and 16 hexadecimal digits.

    Example:
        >>> camera = {"source": "a.mp4", "lines": {"door": {"a": [0, 0.5], "b": [1, 0.5]}}}
        >>> config_rev(Config.model_validate({"cameras": {"gate": camera}}), "gate")[:7]
        'sha256:'
    """
    chosen = config.cameras[camera]
    return "sha256:" + _digest(
        {
            "classes": sorted(chosen.classes) if chosen.classes is not None else None,
            "rules": {name: _rule(rule) for name, rule in chosen.rules.items()},
            "tracker": config.tracker.model_dump(),
            "counting": config.counting.model_dump(),
        }
    )


def tracks_rev(config: Config, camera: str, model_sha256: str) -> str:
    """16 hexadecimal digits that change with all that decides a camera's tracks."""
    chosen, model = config.cameras[camera], config.model
    return _digest(
        {
            "classes": sorted(chosen.classes) if chosen.classes is not None else None,
            "moves": chosen.moves,
            "tracker": config.tracker.model_dump(),
            "counting": config.counting.model_dump(),
            "model": [model_sha256, model.input_size, model.min_score, model.nms_iou],
            "reading": [model.family, model.class_names],
        }
    )


def geometry_hash(rule: Line | Zone) -> str:
    """16 hexadecimal digits that change when the line or polygon is moved, and only then."""
    return _digest(_geometry(rule))


def _rule(rule: Line | Zone) -> dict[str, Any]:
    dwell_s = rule.dwell_s if isinstance(rule, Zone) else None
    classes = sorted(rule.classes) if rule.classes is not None else None
    return {**_geometry(rule), "classes": classes, "dwell_s": dwell_s}


def _geometry(rule: Line | Zone) -> dict[str, Any]:
    if isinstance(rule, Line):
        return {"line": rule.path}
    return {"zone": rule.polygon}


def _digest(value: object) -> str:
    # json writes the shortest decimal that reads back as the same double: the same everywhere.
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
