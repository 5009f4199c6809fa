"""A config file replaced by another one: at once and good, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.config.load import load_located
from edge.errors import ConfigError

# What forbids to make or rename files where one is, though it may be that itself can be written:
# of a folder that belongs to somebody else, or if the file alone is mounted, as Docker does.
_FIXED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)


def replace_checked(file: Path, text: str, before: bytes | None = None) -> bool:
    """Put a config in the place of another at once, or not at all; mode and owner stay.

    A file that cannot be replaced is written where it is, if that can be done. Until it is, the
    new text lies beside it, or in the folder for temporary files: a loss of power in between leaves
    it there. Others who replace the same file with this function wait meanwhile; what another
    program writes between the last look and the replacement, a system call later, is lost.

    Args:
        file: may be missing.
        text: of the config.
        before: what the file must still hold, or nothing is done; None: anything.

    Returns:
        Whether it was replaced.

    Raises:
        ConfigError: the text is no good config; the file is as it was.
        OSError: it cannot be written; it is as it was.
    """
    fresh = _beside(file)
    try:
        _write(fresh, text.encode())
        try:
            load_located(fresh)
        except ConfigError as error:
            raise ConfigError(str(error).replace(str(fresh), file.name)) from error
        with _locked(file.parent):
            if before is not None and file.read_bytes() != before:
                return False
            _put(fresh, file)
        return True
    finally:
        fresh.unlink(missing_ok=True)


def unwritable(file: Path) -> str:
    """Why `replace_checked` cannot write a file that is there, as it seems; empty if it can."""
    if os.access(file, os.W_OK):
        return ""
    if os.statvfs(file).f_flag & os.ST_RDONLY:
        return "it lies on a read-only file system"
    owner = file.stat().st_uid
    if owner == os.geteuid() and os.access(file.parent, os.W_OK | os.X_OK):
        return ""
    return f"it belongs to user {owner}, and this is user {os.geteuid()}"


def _beside(file: Path) -> Path:
    """An empty file in the same folder; elsewhere if that cannot be, but the file be written."""
    try:
        handle, name = tempfile.mkstemp(".yaml", f".{file.stem}-", file.parent)
    except OSError as error:
        if error.errno not in _FIXED or not os.access(file, os.W_OK):
            raise
        handle, name = tempfile.mkstemp(".yaml", f".{file.stem}-")
    os.close(handle)
    return Path(name)


def _put(fresh: Path, file: Path) -> None:
    """Move a file in the place of another, or if that is refused write its text there."""
    if not file.exists():
        os.chmod(fresh, 0o644)
        os.replace(fresh, file)
        return
    about = file.stat()
    try:
        os.chmod(fresh, about.st_mode & 0o7777)
        if (about.st_uid, about.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(fresh, about.st_uid, about.st_gid)
        os.replace(fresh, file)
    except OSError as error:
        if error.errno not in _FIXED or not os.access(file, os.W_OK):
            raise
        _write_in_place(file, fresh.read_bytes())


def _write_in_place(file: Path, data: bytes) -> None:
    before = file.read_bytes()
    try:
        _write(file, data)
    except OSError:  # the disk is full, say: back to what it was
        _write(file, before)
        raise


def _write(file: Path, data: bytes) -> None:
    """Write a file that is there, down to the disk; its tail is cut last."""
    with file.open("r+b") as stream:
        stream.write(data)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among those who ask for the same; nobody is, where folders cannot be locked."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
