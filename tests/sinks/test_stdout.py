from __future__ import annotations

import io
import os
import threading

import pytest

from edge.errors import SinkError
from edge.sinks.stdout import StandardOutput


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w") as writer:
        yield reader, writer


def test_lines_are_there_when_send_returns(pipe):
    reader, writer = pipe
    sink = StandardOutput(writer)
    sink.send(["a", "b"])
    assert os.read(reader.fileno(), 100) == b"a\nb\n"
    sink.send([])
    sink.close()
    assert not writer.closed


def test_a_stream_without_a_descriptor():
    stream = io.StringIO()
    StandardOutput(stream).send(["a", "b"])
    assert stream.getvalue() == "a\nb\n"


def test_a_reader_that_is_gone(pipe):
    reader, writer = pipe
    reader.close()
    with pytest.raises(SinkError, match="expected a reader, got none: it closed the pipe"):
        StandardOutput(writer).send(["a"])


def test_a_slow_reader_gets_whole_lines(pipe):
    reader, writer = pipe
    os.set_blocking(writer.fileno(), False)
    sink = StandardOutput(writer, timeout_s=0.05)
    lines = [str(k) + 999 * "x" for k in range(100)]  # more than a pipe holds
    with pytest.raises(SinkError, match=r"no reader for 0\.05 s"):
        sink.send(lines)
    got = []
    thread = threading.Thread(target=lambda: got.extend(reader))
    thread.start()
    patient = StandardOutput(writer, timeout_s=20)
    patient._rest = sink._rest
    patient.send(lines)
    writer.close()
    thread.join(20)
    assert {x.decode().rstrip("\n") for x in got} == set(lines)
    assert got[-100:] == [f"{x}\n".encode() for x in lines]
