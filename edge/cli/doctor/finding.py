"""What `edge doctor` finds, one by one. A check never fails: that it does is a finding too."""

from __future__ import annotations

import contextlib
import io
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from edge.errors import EdgeError

State = Literal["ok", "note", "problem"]
Check = Callable[[], Iterable["Finding"]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about this machine.

    Attributes:
        what: was looked at.
        found: there.
        state: ok; note: works, could be better or is worth knowing; problem: does not work.
        remedy: what to do, unless all is well.
        needed: by the given config, or by every run. Such a problem decides the exit code.
    """

    what: str
    found: str
    state: State = "ok"
    remedy: str = ""
    needed: bool = False

    @property
    def decides(self) -> bool:
        """Whether it makes the whole a failure."""
        return self.needed and self.state == "problem"


def findings_of(what: str, check: Check, needed: bool = False) -> list[Finding]:
    """What a check finds; if it breaks off, what it had found, and that.

    Args:
        what: name of the finding that it broke off.
        check: yields findings.
        needed: whether what the check refuses, with an error of ours, is needed.

    >>> findings_of("half", lambda: (Finding("a", str(1 // n)) for n in (1, 0)))[1].found
    'not checked: ZeroDivisionError: integer division or modulo by zero'
    """
    found: list[Finding] = []
    try:
        # What broken libraries write is said again by the finding.
        with contextlib.redirect_stderr(io.StringIO()):
            found.extend(check())  # keeps what came before an error
    except EdgeError as error:
        text, _, remedy = str(error).partition("; ")  # as messages of ours are made
        found.append(Finding(what, text, "problem", remedy, needed))
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}"
        found.append(Finding(what, f"not checked: {said}", "note"))
    return found


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return next(iter(str(error).strip().splitlines()), "")


def said(*command: str, timeout_s: float = 2.0) -> str | None:
    """What a program writes on standard output; None: not there, not in time, or it failed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None
