"""Downloading a model: resumed where it broke off, and only what has the right hash is kept."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import httpx

import edge
from edge.errors import ModelError
from edge.segment.catalog import sha256_of

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PAUSE_S = 0.5  # before a broken connection is opened again
Progress = Callable[[int, "int | None"], None]  # bytes so far, and of the whole if that is known

# At level info httpx writes every address in full, and that may hold a token.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def download(url: str, part: Path, sha256: str | None, progress: Progress) -> None:
    """Fetch `url` into the file `part`, going on where an earlier try stopped.

    With a hash to compare with, a connection that breaks is opened again as long as each one
    brings something, and what came stays for the next call. Without, every call begins anew, so
    that two versions are never mixed; only https is trusted then.

    Args:
        url: https://, or http:// with a hash.
        part: where to; its folder is made if it is not there.
        sha256: what it has to be; None: not known.
        progress: called as it comes.

    Raises:
        ModelError: not to be had, or not what it should be; a wrong file is removed.
    """
    shown = _shown(url)
    if sha256 is None and not url.startswith("https://"):
        raise ModelError(f"{shown}: expected https://, or --sha256 to check it by")
    with _claimed(part) as file:
        if sha256 is None:
            file.truncate(0)
        try:
            _fetch(url, shown, file, sha256 is not None, progress)
            os.fsync(file.fileno())
        except OSError as error:
            raise ModelError(f"{part}: expected to write it, got {error.strerror}") from error
        except (ModelError, KeyboardInterrupt):
            if sha256 is None:
                part.unlink(missing_ok=True)
            raise
        found = sha256_of(part)
        if sha256 is not None and found != sha256:
            part.unlink(missing_ok=True)
            raise ModelError(f"{shown}: expected sha256 {sha256}, got {found}; removed what came")


def _fetch(url: str, shown: str, file: FileIO, resumes: bool, progress: Progress) -> None:
    """Fetch until the whole is there."""
    headers = {"User-Agent": f"edgecount/{edge.__version__}", "Accept-Encoding": "identity"}
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers=headers) as client:
        while True:
            before = file.seek(0, os.SEEK_END)
            try:
                _receive(client, url, shown, file, resumes, progress)
                return
            except httpx.TransportError as error:
                now = file.seek(0, os.SEEK_END)
                if resumes and now > before:
                    time.sleep(PAUSE_S)
                    continue
                reason = str(error) or type(error).__name__
                kept = (
                    f"; {now} bytes are kept, the same command goes on" if resumes and now else ""
                )
                raise ModelError(
                    f"{shown}: expected the whole file, got: {reason}{kept}"
                ) from error
            except httpx.HTTPError as error:
                raise ModelError(f"{shown}: expected a file, got: {error}") from error


def _receive(
    client: httpx.Client, url: str, shown: str, file: FileIO, resumes: bool, progress: Progress
) -> None:
    """One request: the rest of the file, or all of it from a server that cannot give a rest."""
    have = file.seek(0, os.SEEK_END)
    with client.stream("GET", url, headers={"Range": f"bytes={have}-"} if have else {}) as answer:
        span = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+)", answer.headers.get("Content-Range", ""))
        if have and answer.status_code == 416 and span and int(span[2]) == have:
            return  # all was there already
        is_rest = answer.status_code == 206 and span is not None and span[1] == str(have)
        if have and answer.status_code in (206, 416) and not is_rest:
            file.truncate(0)
            return _receive(client, url, shown, file, resumes, progress)
        _check(answer, shown, resumes)
        if not is_rest:
            file.truncate(0)
            have = 0
        length = answer.headers.get("Content-Length", "")
        whole = have + int(length) if length.isdecimal() else None
        progress(have, whole)
        for chunk in answer.iter_raw():
            _write(file, chunk)
            have += len(chunk)
            progress(have, whole)


def _check(answer: httpx.Response, shown: str, is_checked: bool) -> None:
    """Raise unless an answer holds a file."""
    if answer.status_code not in (200, 206):
        said = f"{answer.status_code} {answer.reason_phrase}".strip()
        raise ModelError(f"{shown}: expected a file, got status {said}")
    if not is_checked and any(a.url.scheme != "https" for a in (*answer.history, answer)):
        raise ModelError(f"{shown}: expected https:// throughout, got a redirect to http://")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise ModelError(f"{shown}: expected a file, got a web page")


def _write(file: FileIO, chunk: bytes) -> None:
    while chunk:  # near a full disk only some of it is taken
        chunk = chunk[file.write(chunk) :]


@contextmanager
def _claimed(part: Path) -> Iterator[FileIO]:
    """The file, opened for this process alone."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("ab", buffering=0)
    except OSError as error:
        raise ModelError(
            f"{part}: expected to write it, got {error.strerror}; set EDGECOUNT_MODELS to a folder "
            "that can be written"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it until now may have moved it to its place.
            if os.path.samestat(os.fstat(file.fileno()), os.stat(part)):
                yield file
                return
        except (BlockingIOError, FileNotFoundError):
            pass
        raise ModelError(f"{part}: expected one download at a time, got another that writes it")


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ModelError("address: expected https://..., got one that cannot be read") from error
    return f"{parts.scheme}://{parts.host}{f':{parts.port}' if parts.port else ''}{parts.path}"
