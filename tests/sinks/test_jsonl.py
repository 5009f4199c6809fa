import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.errors import SinkError
from edge.sinks.jsonl import JsonLinesSink


def test_each_line_is_in_the_file_when_send_returns(tmp_path):
    path = tmp_path / "events.jsonl"
    with JsonLinesSink(path) as sink:
        sink.send('{"seq":1}')
        assert path.read_bytes() == b'{"seq":1}\n'
        sink.send('{"name":"Tür"}')
        assert path.read_bytes() == '{"seq":1}\n{"name":"Tür"}\n'.encode()


def test_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("old\n")
    JsonLinesSink(path).close()
    assert path.read_text() == ""


def test_a_stream_is_written_through_and_left_open():
    class Stream(io.StringIO):
        flushed = 0

        def flush(self):
            self.flushed += 1

    stream = Stream()
    with JsonLinesSink(stream) as sink:
        sink.send("a")
        assert stream.flushed == 1
    assert stream.getvalue() == "a\n"
    assert not stream.closed


def test_a_file_that_cannot_be_made_is_named(tmp_path):
    path = tmp_path / "none" / "events.jsonl"
    with pytest.raises(SinkError) as caught:
        JsonLinesSink(path)
    assert str(caught.value) == (
        f"{path}: expected to write events, got: no such file or directory"
    )
    with pytest.raises(SinkError, match=r"got: is a directory$"):
        JsonLinesSink(tmp_path)


def test_a_full_disk():
    with JsonLinesSink(Path("/dev/full")) as sink:
        for _ in range(2):  # it stays usable: there may be room again
            with pytest.raises(
                SinkError,
                match=r"^/dev/full: expected to write events, got: no space left on device$",
            ):
                sink.send("{}")


FILL = """
import resource, sys
from pathlib import Path
from edge.errors import SinkError
from edge.sinks.jsonl import JsonLinesSink

resource.setrlimit(resource.RLIMIT_FSIZE, (25, 100))  # room for two lines and a half
with JsonLinesSink(Path(sys.argv[1])) as sink:
    sink.send("a" * 9)
    sink.send("b" * 9)
    try:
        sink.send("c" * 9)
    except SinkError as error:
        print(error)
    sink.send("d" * 4)
"""


def test_a_line_that_does_not_fit_leaves_no_trace(tmp_path):
    path = tmp_path / "events.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{path}: expected to write events, got: file too large\n", done.stderr
    assert path.read_text() == "aaaaaaaaa\nbbbbbbbbb\ndddd\n"


def test_a_reader_that_goes_away():
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    sink = JsonLinesSink(stream)
    with pytest.raises(SinkError, match=r"^standard output: expected a reader, got none"):
        sink.send("a")
    sink.close()  # what cannot be written is given up, so this is quiet
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_named_pipe_works(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_text()))
    reader.start()
    with JsonLinesSink(path) as sink:
        sink.send("a")
        sink.send("b")
    reader.join(10)
    assert got == ["a\nb\n"]


@pytest.mark.parametrize("target", ["file", "stream"])
def test_nothing_can_be_sent_after_close(target, tmp_path):
    sink = JsonLinesSink(tmp_path / "a" if target == "file" else io.StringIO())
    sink.close()
    sink.close()
    with pytest.raises(SinkError, match="got one closed before"):
        sink.send("a")
