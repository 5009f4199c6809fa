"""Hypothesis profile, fixtures for every test module, and logging as each test found it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# The models of whoever runs the tests are none of their business.
os.environ["EDGECOUNT_MODELS"] = str(Path(__file__).parent / "none")

# A shell that starts the tests in the background lets them, and what they start, ignore it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every run and machine; slow machines are no failures.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

pytest_plugins = ["scenes"]
collect_ignore = ["rtsp_server.py"]  # it runs with the system's Python


@pytest.fixture(autouse=True)
def same_logging() -> Iterator[None]:
    """Commands that run within the tests' process set up logging; the next test is to find none."""
    loggers = [logging.getLogger(name) for name in ("", "edge")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    hooks = sys.excepthook, threading.excepthook
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    logging.disable(logging.NOTSET)
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks
