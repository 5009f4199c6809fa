"""What is said on standard error while cameras are watched: a line each, without secrets."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TextIO

from edge.cli.redact import Redactor
from edge.errors import ConfigError

Form = Literal["human", "json"]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_WINDOW_S = 1.0
_MOST_OPEN = 1000  # messages whose repeats are counted at a time
_OWN = {"color_message", "message", "asctime", "taskName"} | set(vars(logging.makeLogRecord({})))
_NAMED = ("camera", "sink")  # extra fields that stand before the message
_FIXED = {"time", "level", "logger", "message", "repeats", "error", "exception"}
_BREAK = re.compile(r"\s*[\n\r\x0b\x0c\x85\u2028\u2029]\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_log = logging.getLogger("edge.run")


def start_logging(
    form: Form, level: str, secrets: Collection[str], stream: TextIO | None = None
) -> LogHandler:
    """Say what `edge` logs from `level` on, and what other libraries warn of.

    Exceptions that nobody caught, in whatever thread, are said in the same way, so that their text
    goes through the same filters. Called again, the new settings replace the earlier ones.

    Args:
        form: A line to read, or one JSON object each.
        level: debug, info, warning or error.
        secrets: Texts that are never written; `***` stands in their place.
        stream: Where lines go; None: standard error, whatever that is at the time, so that lines
            come out above a progress bar and do not break it.

    Returns:
        The handler. `close` says what repeated last; at exit that happens by itself.

    Raises:
        ConfigError: `level` is none of the four.
    """
    if level not in LEVELS:
        raise ConfigError(f"log.level: expected {', '.join(LEVELS)}, got {level!r}")
    root = logging.getLogger()
    handler = LogHandler(form, secrets, stream)
    for earlier in [h for h in root.handlers if isinstance(h, LogHandler)]:
        root.removeHandler(earlier)
        earlier.close()
    root.addHandler(handler)
    root.setLevel(max(LEVELS[level], logging.WARNING))  # uvicorn, httpx, paho, warnings
    logging.getLogger("edge").setLevel(LEVELS[level])
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return handler


class LogHandler(logging.Handler):
    """Writes records as lines; one that repeats once a second, with how often."""

    def __init__(
        self,
        form: Form,
        secrets: Collection[str] = (),
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.lost = 0  # lines that the stream did not take
        self._form = form
        self._redacted = Redactor(secrets)
        self._stream = stream
        self._clock = clock
        self._repeats = Repeats()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, or count it. Never raises: there is nobody left to tell."""
        self._say_due()
        if self._repeats.passes(record, self._clock()):
            self._write(record, 0)
        elif self._timer is None:
            self._wake_later()

    def flush(self) -> None:
        """Nothing waits but repeats, which have their time."""

    def close(self) -> None:
        """Say what repeated last, now."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for record, count in self._repeats.due(math.inf):
                self._write(record, count)
        finally:
            self.release()
        super().close()

    def line(self, record: logging.LogRecord, repeats: int = 0) -> str:
        """`record` as it is written, without the last newline; several lines for an exception."""
        message, extra = _message(record), _extra(record)
        if self._form == "json":
            fields = self._redacted.value(_fields(message, extra, record, repeats))
            return json.dumps(_time_and_place(record, 3) | fields, default=str)
        named = [str(extra.pop(name)) for name in _NAMED if name in extra]
        for name in named:  # said once is enough
            message = message.removeprefix(f"{name}: ")
        part = record.name.removeprefix("edge.")
        is_said = not named and message.startswith((f"{part} ", f"{part}: "))
        where = "" if is_said else " ".join([part, *named]) + ": "
        message += "".join(f" {key}={value}" for key, value in extra.items())
        if repeats:
            error = _error(record)
            message += f": {error}" if error else ""
            message += f" ({repeats} {'time' if repeats == 1 else 'times'} more)"
        time_, level = _time_and_place(record, 0)["time"], record.levelname
        first = _one_line(self._redacted.text(where + message))
        trace = "" if repeats else self._redacted.text(_trace(record))
        return f"{time_} {level} {first}" + (f"\n{trace}" if trace else "")

    def _say_due(self) -> None:
        for record, count in self._repeats.due(self._clock()):
            self._write(record, count)

    def _wake_later(self) -> None:
        self._timer = threading.Timer(_WINDOW_S, self._wake)
        self._timer.name = "edge-log"
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # the interpreter ends: `close` says the rest
            self._timer = None

    def _wake(self) -> None:
        self.acquire()
        try:
            if self._timer is not threading.current_thread():
                return  # closed meanwhile
            self._timer = None
            self._say_due()
            if self._repeats.waiting:
                self._wake_later()
        finally:
            self.release()

    def _write(self, record: logging.LogRecord, repeats: int) -> None:
        stream = self._stream or sys.stderr
        try:
            stream.write(self.line(record, repeats) + "\n")
            stream.flush()
        except Exception:  # a closed stream, a full disk, an object that cannot be shown
            self.lost += 1


class Repeats:
    """Lets a message pass once in a while and counts how often it came meanwhile.

    A message is the same if logger, level, format, textual arguments, camera, sink and kind of
    exception are: `"%d frames lost at %s"` is one message for each place, whatever the number.
    """

    def __init__(self, window_s: float = _WINDOW_S) -> None:
        self._window_s = window_s
        self._open: dict[Hashable, _Window] = {}

    def passes(self, record: logging.LogRecord, now_s: float) -> bool:
        """Whether `record` is to be written now; otherwise it has been counted."""
        key = _identity(record)
        window = self._open.get(key)
        if window is not None:
            window.count, window.last = window.count + 1, record
            return False
        if len(self._open) < _MOST_OPEN:
            self._open[key] = _Window(now_s + self._window_s)
        return True

    def due(self, now_s: float) -> Iterator[tuple[logging.LogRecord, int]]:
        """Messages whose time is up: the last of each, and how often it came without being said."""
        for key, window in list(self._open.items()):
            if now_s < window.until_s:
                continue
            if window.last is None:
                del self._open[key]
            else:
                yield window.last, window.count
                self._open[key] = _Window(now_s + self._window_s)

    @property
    def waiting(self) -> int:
        """Repeats that are still to be said."""
        return sum(window.count for window in self._open.values())


@dataclass(slots=True)
class _Window:
    until_s: float
    count: int = 0
    last: logging.LogRecord | None = None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the format are a bug, but no reason to be silent
        return f"{record.msg} {record.args!r}"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _OWN}


def _fields(
    message: str, extra: dict[str, Any], record: logging.LogRecord, repeats: int
) -> dict[str, Any]:
    fields: dict[str, Any] = {"message": message}
    fields |= {key: value for key, value in extra.items() if key not in _FIXED}
    if repeats:
        fields["repeats"] = repeats
    if error := _error(record):
        fields["error"] = error
        if not repeats:
            fields["exception"] = _trace(record)
    return fields


def _time_and_place(record: logging.LogRecord, digits: int) -> dict[str, Any]:
    seconds = int(record.created)
    time_ = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    if digits:
        time_ += f".{int((record.created - seconds) * 1000):03d}"
    return {"time": f"{time_}Z", "level": record.levelname, "logger": record.name}


def _error(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return f"{type(error).__name__}: {error}" if error is not None else ""


def _trace(record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info and record.exc_info[1] is not None:
        parts.append(logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        parts.append(record.stack_info)
    return "\n".join(parts)


def _one_line(text: str) -> str:
    """No text from outside can begin a line of its own, or play with the terminal."""
    text = _BREAK.sub(" ", text.strip())
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _identity(record: logging.LogRecord) -> Hashable:
    args = record.args.values() if isinstance(record.args, dict) else record.args or ()
    return (
        record.name,
        record.levelno,
        str(record.msg),
        tuple(arg if isinstance(arg, str) else type(arg) for arg in args),
        tuple(str(getattr(record, name, "")) for name in _NAMED),
        record.exc_info[0] if record.exc_info else None,
    )


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("ended by an exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread else "unknown"
    exc_info = (args.exc_type, args.exc_value, args.exc_traceback)
    _log.critical("thread %s ended by an exception", name, exc_info=exc_info)
