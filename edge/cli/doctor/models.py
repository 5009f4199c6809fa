"""Models: whether the catalogue's files are what they should be, and the one in use opens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.cli.doctor.finding import Finding
from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.config import Config


def hashes(used: str | None) -> Iterator[Finding]:
    """The models whose files are there or should be; what was never downloaded is no finding.

    Args:
        used: name of the model that must be right, or a path; None: the default one.
    """
    from edge.segment.catalog import entries, verified

    for entry in entries():
        needed = entry.is_default if used is None else entry.name == used
        if entry.state not in ("there", "missing"):
            continue
        fine, text = verified(entry)
        what = f"model {entry.name}"
        if fine:
            same = f"sha256 {(entry.sha256 or '')[:16]}... as the catalogue says"
            yield Finding(what, same if entry.sha256 else text, needed=needed)
        elif entry.state == "missing":
            yield Finding(what, f"{entry.path}: missing", "problem", entry.remedy, needed)
        else:
            remedy = "put the right file back, or download it anew: `edge models add`"
            yield Finding(what, text, "problem", remedy, needed)


def opens(config: Config | None) -> Iterator[Finding]:
    """Whether the model opens, one of our families reads it, and it knows the config's classes.

    On the CPU, where it takes no time; whether its provider works is a finding of its own.

    Args:
        config: that names it; None: the default model.
    """
    from edge import build
    from edge.config import check_classes, with_model

    if config is None:
        segmenter = build.segmenter(provider="cpu", threads=1)
    else:
        here = {"provider": "cpu", "strict_provider": True, "threads": 1}
        segmenter = build.configured_segmenter(with_model(config, here))
    file, known = segmenter.session.file, segmenter.class_names
    names = ", ".join(known[:6]) + (", ..." if known[6:] else "")
    text = f"{file.path.name}: {segmenter.reading.family} with {names}"
    # Of a file that is no catalogue's, the hash stands nowhere else.
    if config is not None and os.path.isfile(config.model.name or ""):
        text += f"; sha256 {file.sha256}"
    yield Finding("model opens", text, needed=True)
    if config is not None:
        try:
            check_classes(config, known)
        except ConfigError as error:
            remedy = "name classes of the model, or another model"
            yield Finding("classes", str(error), "problem", remedy, needed=True)
