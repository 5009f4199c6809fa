"""Whether the rules of a run may be edited, and where they stand. Light: every run imports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.cli.options import named_classes

Takes = Literal["now", "next", "never"]  # when a saved rule counts: in this run, the next, here not


@dataclass(frozen=True, slots=True)
class Editable:
    """Whether rules may be edited: the config file that holds them, or why there is none.

    `on_saved` is called after rules were saved, from any thread. `classes` are those that are
    tracked, if the command line names them.
    """

    file: Path | None
    reason: str = ""
    takes: Takes = "next"
    on_saved: Callable[[], None] = lambda: None
    classes: tuple[str, ...] | None = None


def editable(
    config_file: Path | None, sources: object, rules: object, classes: str | None = None
) -> Editable:
    """What a run's options let the editor do.

    Args:
        config_file: value of --config.
        sources: of the command line, if any.
        rules: lines and zones of the command line, if any.
        classes: value of --classes.

    >>> editable(None, ["a.mp4"], []).reason[:40]
    'This run has no config file: start it wi'
    >>> editable(Path("site.yaml"), [], []).reason
    ''
    >>> editable(Path("site.yaml"), [], [], "person,car").classes
    ('person', 'car')
    """
    if config_file is None:
        return Editable(
            None,
            "This run has no config file: start it with --config FILE to change rules here "
            "(edge draw SOURCE --config FILE makes one).",
        )
    if sources or rules:
        what = "Sources" if sources else "Lines and zones"
        return Editable(
            None,
            f"{what} were given on the command line, which come before those of {config_file}: "
            "start without them to change rules here.",
        )
    return Editable(config_file, classes=named_classes(classes))
