"""How `edge` and its groups show their commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperGroup


class Commands(TyperGroup):
    """Commands whose flags are shown as `--quiet`; typer shows `--quiet <bool>`, as if it took one.

    A part of typer's own, and of its commands': neither has an option for it.
    """

    def get_params(self, ctx: Any) -> Any:
        """The options of the group."""
        return _bare(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by its name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not isinstance(command, Commands):
            _bare(command.get_params(typer.Context(command, parent=ctx)))  # kept by the command
        return command


def _bare(params: Iterable[Any]) -> Iterable[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params
