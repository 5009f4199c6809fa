from __future__ import annotations

import fcntl
import hashlib
import socket
import subprocess
import sys

import pytest
from fileserver import FileServer

from edge.errors import ModelError
from edge.segment import download as module
from edge.segment.download import download

CONTENT = bytes(range(256)) * 4000  # 1 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FileServer(CONTENT).running() as its:
        yield its


@pytest.fixture
def part(tmp_path):
    return tmp_path / "models" / "tiny.part"


def fetch(url, part, sha256=SHA256):
    seen = []
    download(url, part, sha256, lambda done, whole: seen.append((done, whole)))
    return seen


def test_a_file_comes_whole_and_its_progress_is_told(server, part):
    seen = fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert server.ranges == [None]


def test_a_broken_connection_is_opened_again_where_it_stopped(server, part):
    server.breaks_after = [300_000, 200_000]
    seen = fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=500000-"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_what_came_stays_for_the_next_call(server, part):
    server.breaks_after = [400_000, 0]
    with pytest.raises(ModelError, match=r"expected the whole file, got: .*; 400000 bytes are"):
        fetch(server.url, part)
    assert part.stat().st_size == 400_000
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=400000-"


def test_a_server_without_ranges_begins_anew(server, part):
    server.has_ranges = False
    server.breaks_after = [400_000]
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=400000-"]


def test_a_server_that_never_gives_more_than_a_part_is_given_up(server, part):
    server.has_ranges = False
    server.breaks_after = [400_000] * 9
    with pytest.raises(ModelError, match="expected the whole file"):
        fetch(server.url, part)
    assert len(server.ranges) == 2


def test_an_answer_of_unknown_length(server, part):
    server.names_length = False
    assert fetch(server.url, part)[-1] == (len(CONTENT), None)
    assert part.read_bytes() == CONTENT


def test_all_was_there_already(server, part):
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    fetch(server.url, part)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("left_over", [b"x" * 10, b"x" * (len(CONTENT) + 10)])
def test_a_wrong_start_is_found_and_removed(server, part, left_over):
    part.parent.mkdir()
    part.write_bytes(left_over)
    if len(left_over) > len(CONTENT):  # longer than the file: nothing can be added, so anew
        fetch(server.url, part)
    else:
        with pytest.raises(ModelError, match=f"expected sha256 {SHA256}, got .*removed what came"):
            fetch(server.url, part)
        assert not part.exists()
        fetch(server.url, part)
    assert part.read_bytes() == CONTENT


def test_wrong_bytes_are_removed_and_told(server, part):
    server.content = CONTENT[:-1] + b"?"
    found = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(ModelError) as told:
        fetch(server.url, part)
    assert str(told.value) == (
        f"{server.url}: expected sha256 {SHA256}, got {found}; removed what came"
    )
    assert list(part.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "content_type", "message"),
    [
        (404, "text/plain", "expected a file, got status 404 Not Found"),
        (503, "text/plain", "expected a file, got status 503 Service Unavailable"),
        (200, "text/html; charset=utf-8", "expected a file, got a web page"),
    ],
)
def test_what_is_no_file_is_told(server, part, status, content_type, message):
    server.status, server.content_type = status, content_type
    with pytest.raises(ModelError, match=message) as told:
        fetch(f"{server.url}?token=secret", part)
    assert "secret" not in str(told.value)


def test_without_a_network(part):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    with pytest.raises(ModelError, match=rf"127\.0\.0\.1:{port}/a: expected the whole file, got"):
        fetch(f"http://me:secret@127.0.0.1:{port}/a", part)
    with pytest.raises(ModelError, match="address: expected https://"):
        fetch("http://[::1/a", part)


def test_without_a_hash_only_https_is_trusted(server, part):
    with pytest.raises(ModelError, match="expected https://, or --sha256"):
        fetch(server.url, part, None)
    assert server.ranges == []


def test_redirects_are_followed(server, part):
    server.redirect = server.url.replace("tiny", "moved/other")
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT
    server.redirect = server.url
    with pytest.raises(
        ModelError, match="expected a file, got: Exceeded maximum allowed redirects"
    ):
        fetch(server.url, part)


def test_one_download_at_a_time(server, part):
    part.parent.mkdir()
    with part.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="expected one download at a time"):
            fetch(server.url, part)
    fetch(server.url, part)


def test_a_folder_that_cannot_be(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"expected to write it, got .*EDGECOUNT_MODELS"):
        fetch(server.url, tmp_path / "file" / "tiny.part")


@pytest.mark.tmpfs
def test_a_full_disk_is_told(server, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        with pytest.raises(
            ModelError, match=r"tiny\.part: expected to write it, got No space left"
        ):
            fetch(server.url, disk / "tiny.part")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_interrupted_it_keeps_what_came(server, part):
    class Stop(KeyboardInterrupt):
        pass

    def stop(done: int, whole: int | None) -> None:
        if done > 100_000:
            raise Stop

    with pytest.raises(Stop):
        download(server.url, part, SHA256, stop)
    assert 100_000 < part.stat().st_size < len(CONTENT)
    fetch(server.url, part)
    assert part.read_bytes() == CONTENT


def test_the_network_is_left_alone_by_those_who_download_nothing():
    """The import takes long; and no command but `models add URL` has a use for it."""
    code = "import sys, edge.cli.app; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
