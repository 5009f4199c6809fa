"""Class names from a text file."""

from __future__ import annotations

from pathlib import Path

from edge.errors import ConfigError


def class_names_in(path: Path) -> tuple[str, ...]:
    """The class names in a text file, one a line.

    Raises:
        ConfigError: it cannot be read, or a line is empty.
    """
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        got = getattr(error, "strerror", None) or "other bytes than UTF-8 text"
        raise ConfigError(f"{path}: expected class names, one a line, got {got}") from error
    names = tuple(line.strip() for line in lines)
    for number, name in enumerate(names, 1):
        if not name:
            raise ConfigError(f"{path}:{number}: expected a class name, got an empty line")
    if not names:
        raise ConfigError(f"{path}: expected class names, one a line, got none")
    return names
