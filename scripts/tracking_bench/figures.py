"""The ratchet: figures of ours that were reached once and may not fall again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edge.errors import ConfigError
from tracking_bench.table import OURS, Row

TOLERANCE = 0.1  # points: other machines round differently
HIGHER_IS_BETTER = {"hota": True, "idf1": True, "count_error": False}
Figures = dict[str, dict[str, dict[str, float]]]  # stream -> class -> name -> points


def figures(rows: Sequence[Row]) -> Figures:
    """HOTA, IDF1 and count error of ours, in points to one decimal."""
    found: Figures = {}
    for r in rows:
        if r.tracker != OURS:
            continue
        its = {"hota": r.quality.hota, "idf1": r.quality.idf1}
        if r.count_error is not None:
            its["count_error"] = r.count_error
        points = {name: round(100 * value, 1) for name, value in its.items()}
        found.setdefault(r.stream, {})[r.class_name] = points
    return found


def record(path: Path, scope: str, found: Figures) -> None:
    """Keep figures under the name of their sequences, beside what is there."""
    kept = _read(path) if path.exists() else {}
    kept[scope] = kept.get(scope, {}) | found
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def falls(path: Path, scope: str, found: Figures) -> list[str]:
    """One sentence for each figure that is worse than the kept one.

    Raises:
        ConfigError: no figures are kept for these sequences and streams.
    """
    kept = _read(path).get(scope, {})
    sentences = []
    for stream, classes in found.items():
        for class_name, its in classes.items():
            for name, value in its.items():
                where = f"{scope}: {stream}, {class_name}: {name}"
                before = kept.get(stream, {}).get(class_name, {}).get(name)
                if before is None:
                    raise ConfigError(f"{path}: expected {where}, got none; --record adds it")
                worse = before - value if HIGHER_IS_BETTER[name] else value - before
                if worse > TOLERANCE + 1e-9:
                    sentences.append(f"{where}: expected {before:.1f}, got {value:.1f}")
    return sentences


def _read(path: Path) -> dict[str, Figures]:
    try:
        kept: dict[str, Figures] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected figures as JSON, got {error}") from error
    return kept
