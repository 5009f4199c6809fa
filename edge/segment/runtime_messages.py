"""What onnxruntime says, in its exceptions and on standard error, made readable."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

MOST = 300  # characters of one message


def first_line(error: Exception) -> str:
    """An error without the place in the sources, in one line."""
    lines = str(error).strip().splitlines()
    return plain(lines[0]) if lines else type(error).__name__


def plain(text: str) -> str:
    """A message without colours, time, and the place in the sources that it begins with.

    >>> plain("2026-11-23 06:14:34.58 [E:onnxruntime:Default, a.cc:10 Create] /onnxruntime/b.cc:141"
    ...       " std::string onnxruntime::f(const int&) [ERROR] [OpenVINO] Device GPU is missing")
    'Device GPU is missing'
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"^.*?\[[EWF]:onnxruntime:[^\]]*\] ", "", text)
    text = re.sub(r"^/\S+:\d+ .*\) (?=\S)", "", text)
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", text)
    return re.sub(r"^(\[ERROR\] )?(\[[A-Za-z]+\] )?", "", text).strip()[:MOST]


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Turn the process's standard error into a list of lines, complete when the block is left.

    Libraries in C++ write there past Python. For short blocks: other threads are not heard either.
    """
    lines: list[str] = []
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield lines
            finally:
                os.dup2(saved, 2)
                file.seek(0)
                lines += file.read().decode(errors="replace").splitlines()
    finally:
        os.close(saved)
