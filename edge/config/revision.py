"""Fingerprints of configs and of what decides a count, for event ids and `rule.config_rev`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
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
            "classes": _sorted(chosen.classes),
            "rules": {name: _rule(rule) for name, rule in chosen.rules.items()},
            "tracker": config.tracker.model_dump(),
            "counting": config.counting.model_dump(),
        }
    )


def decided_by(config: Config, camera: str, model_sha256: str) -> dict[str, str]:
    """Fingerprints of all that decides the events of a recording, by what they are of.

    A rule that is moved is another one, with events of its own; the same rule with other classes
    or times would give other events the same ids.

    Args:
        config: The config.
        camera: A key of `config.cameras`.
        model_sha256: Hash of the model's file.

    Returns:
        16 hexadecimal digits for "model and tracker" and, with the hash of its geometry, each rule.
    """
    chosen, model = config.cameras[camera], config.model
    seen_by = {
        "classes": _sorted(chosen.classes),
        "moves": chosen.moves,
        "tracker": config.tracker.model_dump(),
        "counting": config.counting.model_dump(),
        "model": [model_sha256, model.input_size, model.min_score, model.nms_iou],
        "reading": [model.family, model.class_names],
    }
    rules = {
        f"rule {name} ({geometry_hash(rule)})": _digest(_settings(rule))
        for name, rule in chosen.rules.items()
    }
    return {"model and tracker": _digest(seen_by), **rules}


def text_rev(data: bytes) -> str:
    """20 hexadecimal digits that change with any byte of a config file."""
    return hashlib.sha256(data).hexdigest()[:20]


def file_rev(file: Path | None) -> str:
    """`text_rev` of a file as it is now; empty if there is none."""
    try:
        return "" if file is None else text_rev(file.read_bytes())
    except OSError:
        return ""


def geometry_hash(rule: Line | Zone) -> str:
    """16 hexadecimal digits that change when the line or polygon is moved, and only then."""
    return _digest(_geometry(rule))


def _rule(rule: Line | Zone) -> dict[str, Any]:
    dwell_s = rule.dwell_s if isinstance(rule, Zone) else None
    return {**_geometry(rule), "classes": _sorted(rule.classes), "dwell_s": dwell_s}


def _geometry(rule: Line | Zone) -> dict[str, Any]:
    if isinstance(rule, Line):
        return {"line": rule.path}
    return {"zone": rule.polygon}


def _settings(rule: Line | Zone) -> dict[str, Any]:
    """All but the shape and the names."""
    shape = {"a", "b", "points", "polygon", "in_name", "out_name"}
    return {**rule.model_dump(exclude=shape), "classes": _sorted(rule.classes)}


def _sorted(classes: tuple[str, ...] | None) -> list[str] | None:
    return None if classes is None else sorted(classes)


def _digest(value: object) -> str:
    # json writes the shortest decimal that reads back as the same double: the same everywhere.
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
