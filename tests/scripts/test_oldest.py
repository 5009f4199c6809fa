"""scripts/oldest.txt is what pyproject.toml promises to work with."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bounds(text: str) -> dict[str, str]:
    """Lower bound of each package."""
    return dict(re.findall(r'"([\w.-]+)>=([\d.]+)', text))


def test_every_lower_bound_is_tried():
    lines = (ROOT / "scripts" / "oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = (ROOT / "pyproject.toml").read_text()
    [needed] = re.findall(r"^dependencies = \[(.*?)^\]", project, re.M | re.S)
    [cpu] = re.findall(r"^cpu = \[.*\]", project, re.M)
    promised = bounds(needed) | bounds(cpu)
    assert promised.keys() == set(re.findall(r'"([\w.-]+)', needed + cpu))
    for name, bound in promised.items():
        # 2.6 is tried as 2.6.0; a fourth number is the packager's own.
        assert re.fullmatch(rf"{re.escape(bound)}(\.0)?(\.\d+)?", oldest[name]), name


def test_it_is_installed_as_it_stands():
    script = (ROOT / "scripts" / "test_oldest").read_text()
    assert "EDGECOUNT_CONSTRAINTS=scripts/oldest.txt" in script
    paths = re.findall(r"\btests/[\w./]+", script)
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
