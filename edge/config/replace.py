"""A config file replaced by another one: at once and good, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from edge.config.load import load_located
from edge.errors import ConfigError


def replace_checked(file: Path, text: str) -> None:
    """Put a config in the place of another at once, or not at all; mode and owner stay.

    Raises:
        ConfigError: the text is no good config; the file is as it was.
        OSError: the folder cannot be written.
    """
    handle, name = tempfile.mkstemp(".yaml", f".{file.stem}-", file.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        try:
            load_located(fresh)
        except ConfigError as error:
            raise ConfigError(str(error).replace(name, file.name)) from error
        if file.exists():
            about = file.stat()
            os.chmod(fresh, about.st_mode & 0o7777)
            if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(fresh, about.st_uid, about.st_gid)
        else:
            os.chmod(fresh, 0o644)
        os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)
