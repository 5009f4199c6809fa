"""Writes the page and the pictures of a report. Imports its own folder and `edge.errors`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import edge
from edge.errors import SinkError
from edge.report import charts
from edge.report.heatmap import heatmap
from edge.report.page import page
from edge.report.raster import encoded, raster
from edge.report.summary import Source, Summary
from edge.types import U8


def write_report(summary: Summary, path: Path, backgrounds: Mapping[str, U8] | None = None) -> None:
    """Write the report as one HTML file; an older one stays whole until the new one is.

    Args:
        summary: what it says.
        path: of the file.
        backgrounds: pictures of the view under the heatmaps, BGR uint8 (H, W, 3), by source id.

    Raises:
        SinkError: it cannot be written.
    """
    text = page(summary, edge.__version__, backgrounds)
    _write(path, text.encode("utf-8", "replace"))


def write_pictures(
    summary: Summary, folder: Path, backgrounds: Mapping[str, U8] | None = None
) -> list[Path]:
    """Write each chart and heatmap as a PNG file; which.

    Raises:
        SinkError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"{folder}: expected a folder for pictures, got: {error.strerror}"
        ) from error
    written: list[Path] = []
    for source in summary.sources:
        for name, image in _pictures(source, (backgrounds or {}).get(source.id)):
            stem = re.sub(r"[^\w-]+", "_", f"{source.label}-{name}", flags=re.ASCII)[:100]
            path = folder / f"{stem}.png"
            for number in range(2, len(written) + 3):
                if path not in written:
                    break
                path = folder / f"{stem}-{number}.png"
            _write(path, encoded(image, ".png"))
            written.append(path)
    return written


def _pictures(source: Source, background: U8 | None) -> Iterator[tuple[str, U8]]:
    titles = {rule.id: rule.title for rule in source.rules}
    for rule in source.rules:
        if rule.is_current:
            yield f"passages-{rule.id}", raster(charts.passages(source, rule))
    for zone in source.zones:
        title = titles.get(zone.id, zone.id)
        yield f"occupancy-{zone.id}", raster(charts.occupancy(source, zone, title))
        if len(zone.dwells_s):
            yield f"dwell-{zone.id}", raster(charts.dwell(zone, title))
    if source.is_live:
        yield "seen", raster(charts.coverage(source))
    if source.feet is not None and source.feet.size:
        yield "feet", heatmap(source.feet, background)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise SinkError(f"{path}: expected to write a report, got: {error.strerror}") from error
