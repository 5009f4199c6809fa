from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli import logs
from edge.cli.logs import LogHandler, Repeats, start_logging
from edge.cli.redact import Redactor
from edge.errors import ConfigError

SECRET = "s3cret pass/word"
NOON = 1_795_000_000.25  # 2026-11-18T11:06:40.250Z


class Clock:
    """Monotonic seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def record(message="%s", *args, name="edge.source", level=logging.WARNING, error=None, **extra):
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord(name, level, "", 0, message, args, info)
    made.created = NOON
    vars(made).update(extra)
    return made


def caught(error: Exception) -> Exception:
    try:
        raise error
    except Exception as raised:
        return raised


@pytest.fixture
def _restored():
    root, edge = logging.getLogger(), logging.getLogger("edge")
    before = root.level, edge.level, sys.excepthook, threading.excepthook
    yield
    for handler in [h for h in root.handlers if isinstance(h, LogHandler)]:
        root.removeHandler(handler)
        handler.close()
    logging.captureWarnings(False)
    root.setLevel(before[0])
    edge.setLevel(before[1])
    sys.excepthook, threading.excepthook = before[2:]


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (record("lost: %s", "stalled", camera="gate"), "WARNING source gate: lost: stalled"),
        (record("gate: lost", name="edge.camera", camera="gate"), "WARNING camera gate: lost"),
        (record("%d waiting", 7, name="edge.sink", sink="mq"), "WARNING sink mq: 7 waiting"),
        (record("a", frames=3, code="h265"), "WARNING source: a frames=3 code=h265"),
        (record("sink %s: away", "mq", name="edge.sink"), "WARNING sink mq: away"),
        (record("web: busy", name="edge.web"), "WARNING web: busy"),
        (record("slow", name="uvicorn.error"), "WARNING uvicorn.error: slow"),
        (record("two\n  2026 ERROR forged\r\n"), "WARNING source: two 2026 ERROR forged"),
        (record("red \x1b[31m bell\x07"), "WARNING source: red \\x1b[31m bell\\x07"),
        (record("%d of", "many"), "WARNING source: %d of ('many',)"),
    ],
)
def test_human_lines(made, line):
    assert LogHandler("human").line(made) == f"2026-11-18T11:06:40Z {line}"


def test_json_lines_hold_extra_fields():
    made = record("lost: %s", "x", camera="gate", gap_s=float("nan"), sizes=(1, 2), level_="a")
    assert json.loads(LogHandler("json").line(made)) == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "WARNING",
        "logger": "edge.source",
        "message": "lost: x",
        "camera": "gate",
        "gap_s": "nan",
        "sizes": [1, 2],
        "level_": "a",
    }


def test_json_is_one_line_whatever_is_said():
    made = record("a\nb", error=caught(ValueError("c\nd")), thing={"k": object()})
    line = LogHandler("json").line(made)
    assert "\n" not in line
    assert json.loads(line)["error"] == "ValueError: c\nd"
    assert "Traceback" in json.loads(line)["exception"]


def test_exceptions_follow_in_human_form():
    first, *rest = (
        LogHandler("human").line(record("broke", error=caught(OSError(5, "no")))).split("\n")
    )
    assert first.endswith("WARNING source: broke")
    assert rest[0].startswith("Traceback")
    assert rest[-1] == "OSError: [Errno 5] no"


@pytest.mark.parametrize("form", ["human", "json"])
def test_secrets_are_nowhere(form):
    cause = caught(ValueError(f"cannot log in with {SECRET}"))
    error = RuntimeError("rtsp://me:other@10.0.0.5/1 refused")
    error.__cause__ = cause
    made = record(
        "%s and %r and %s",
        SECRET,
        {"password": SECRET},
        "http://h/?token=zzz9&x=1",
        error=caught(error),
        url=f"rtsp://u:{SECRET}@host/1",
        headers=["Authorization: Bearer abcdef123456", "s3cret%20pass%2Fword"],
    )
    line = LogHandler(form, [SECRET, "other"]).line(made)
    for leaked in ("s3cret", "me:", "other", "zzz9", "abcdef123456"):
        assert leaked not in line
    assert "***" in line


@given(
    st.text(min_size=4).filter(lambda s: s.strip() and not set(s) <= set("*:/@ ")),
    st.text(),
    st.text(),
)
def test_a_known_secret_never_passes(secret, before, after):
    redacted = Redactor([secret]).text(f"{before}{secret}{after}")
    assert secret not in redacted or secret in f"{before}***{after}"


@given(st.text(alphabet="ab:/@?&=% x", max_size=40))
def test_logins_in_addresses_never_pass(password):
    password = password.replace(" ", "").replace('"', "")
    redacted = Redactor([]).text(f"cannot open rtsp://admin:{password}QQQ@10.0.0.5/1: refused")
    assert "QQQ" not in redacted
    assert redacted.endswith(": refused")


def test_short_secrets_do_not_shred_lines():
    line = "a camera at 12 fps, 1200 a"
    assert Redactor(["a", "", "12"]).text(line) == line


def test_a_longer_secret_goes_before_one_inside_it():
    assert Redactor(["word", "password!"]).text("password! word") == "*** ***"


def test_repeats_are_counted_not_lost():
    stream, clock = io.StringIO(), Clock()
    handler = LogHandler("human", stream=stream, clock=clock)
    for k in range(100):
        clock.now_s = 100.0 + k * 0.03125
        handler.handle(record("%d packets lost at %s", k, "gate"))
        handler.handle(record("%d packets lost at %s", k, "yard"))
    handler.close()
    lines = [line.partition(": ")[2] for line in stream.getvalue().splitlines()]
    gate = [line for line in lines if "gate" in line]
    assert gate == [
        "0 packets lost at gate",
        "31 packets lost at gate (31 times more)",
        "63 packets lost at gate (32 times more)",
        "95 packets lost at gate (32 times more)",
        "99 packets lost at gate (4 times more)",
    ]
    assert 1 + 31 + 32 + 32 + 4 == 100
    assert len(lines) == 2 * len(gate)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 3)), max_size=60))
def test_every_message_is_said_or_counted(steps):
    repeats, now_s, told = Repeats(), 0.0, [0] * 4
    for k, wait_s in steps:
        now_s += wait_s
        for last, count in repeats.due(now_s):
            told[int(last.args[0])] += count
        told[k] += repeats.passes(record("%s", str(k)), now_s)
    for last, count in repeats.due(float("inf")):
        told[int(last.args[0])] += count
    assert told == [sum(k == j for k, _ in steps) for j in range(4)]
    assert repeats.waiting == 0


def test_repeats_of_an_exception_come_without_its_traceback():
    handler = LogHandler("human")
    line = handler.line(record("broke", error=caught(KeyError("x"))), repeats=1)
    assert line.endswith("source: broke: KeyError: 'x' (1 time more)")
    line = LogHandler("json").line(record("broke", error=caught(KeyError("x"))), repeats=2)
    fields = json.loads(line)
    assert (fields["repeats"], fields["error"], "exception" in fields) == (
        2,
        "KeyError: 'x'",
        False,
    )


def test_what_repeats_is_said_though_nothing_follows(monkeypatch):
    """The timer alone says it; the test only makes it impatient."""
    monkeypatch.setattr(logs, "_WINDOW_S", 0.01)
    stream, said = io.StringIO(), threading.Event()

    class Stream(io.StringIO):
        def write(self, text):
            stream.write(text)
            if "more" in text:
                said.set()
            return len(text)

    handler = LogHandler("human", stream=Stream())
    handler._repeats = Repeats(0.01)
    for _ in range(3):
        handler.handle(record("same"))
    assert said.wait(10)
    handler.close()
    lines = stream.getvalue().splitlines()  # one, and "(2 times more)", unless the machine dozed
    more = [int(m[1]) for m in re.finditer(r"\((\d+) times? more\)", stream.getvalue())]
    assert more
    assert len(lines) - len(more) + sum(more) == 3


def test_how_many_messages_are_watched_is_bounded():
    repeats = Repeats()
    assert all(repeats.passes(record("%s", str(k)), 0.0) for k in range(5000))
    assert len(repeats._open) == 1000
    assert list(repeats.due(10.0)) == []
    assert not repeats._open


def test_a_stream_that_fails_stops_nobody():
    stream = io.StringIO()
    handler = LogHandler("human", stream=stream)
    stream.close()
    handler.handle(record("unheard"))
    assert handler.lost == 1


@pytest.mark.usefixtures("_restored")
def test_edge_speaks_from_its_level_on_others_when_they_warn():
    stream = io.StringIO()
    start_logging("human", "debug", [], stream)
    logging.getLogger("edge.source").debug("details")
    logging.getLogger("httpx").info("HTTP Request: POST http://x")
    logging.getLogger("paho").warning("away")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)  # pytest put its own hook in between
        warnings.warn("careful", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    start_logging("human", "error", [], stream)
    logging.getLogger("edge.source").warning("unheard")
    logging.getLogger("paho").warning("unheard too")
    said = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert said[:2] == ["DEBUG source: details", "WARNING paho: away"]
    assert "UserWarning: careful" in said[2]
    assert len(said) == 3


@pytest.mark.usefixtures("_restored")
def test_settings_replace_earlier_ones():
    first, second = io.StringIO(), io.StringIO()
    start_logging("human", "info", [], first)
    start_logging("json", "info", [], second)
    logging.getLogger("edge.run").info("once")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["message"] == "once"


@pytest.mark.usefixtures("_restored")
def test_standard_error_is_looked_up_when_it_is_needed(monkeypatch):
    start_logging("human", "info", [])
    above_the_bar = io.StringIO()
    monkeypatch.setattr(sys, "stderr", above_the_bar)
    logging.getLogger("edge.run").info("hello")
    assert above_the_bar.getvalue().endswith("INFO run: hello\n")


@pytest.mark.usefixtures("_restored")
def test_what_nobody_caught_is_said_without_secrets():
    stream = io.StringIO()
    start_logging("human", "info", [SECRET], stream)

    def fails() -> None:
        raise ValueError(f"bad {SECRET}")

    thread = threading.Thread(target=fails, name="edge-x")
    thread.start()
    thread.join()
    error = caught(RuntimeError(SECRET))
    sys.excepthook(type(error), error, error.__traceback__)
    assert "CRITICAL run: thread edge-x ended by an exception" in stream.getvalue()
    assert "ValueError: bad ***" in stream.getvalue()
    assert "RuntimeError: ***" in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.usefixtures("_restored")
def test_level_must_be_known():
    with pytest.raises(ConfigError, match=r"log\.level: expected debug, info, warning, error"):
        start_logging("human", "loud", [])
