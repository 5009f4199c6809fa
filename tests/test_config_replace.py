"""A config file is replaced whole, by one at a time, or stays as it was."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from edge.config import load, replace
from edge.config.replace import replace_checked, unwritable
from edge.errors import ConfigError

OLD, NEW = "device_id: old\n", "device_id: new\n"


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(OLD)
    path.chmod(0o640)
    return path


def names(file: Path) -> list[str]:
    return sorted(each.name for each in file.parent.iterdir())


def refusing(number: int):
    def refuse(*names: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def test_a_file_is_replaced_and_keeps_its_mode(file):
    was = file.stat()
    assert replace_checked(file, NEW, OLD.encode())
    assert (file.read_text(), names(file)) == (NEW, ["site.yaml"])
    about = file.stat()
    assert (about.st_mode, about.st_uid) == (was.st_mode, was.st_uid)
    assert about.st_ino != was.st_ino, "another file: who reads sees the old or the new one"


def test_a_file_that_is_not_there_is_made(tmp_path):
    assert replace_checked(tmp_path / "new.yaml", NEW)
    assert stat.S_IMODE((tmp_path / "new.yaml").stat().st_mode) == 0o644


def test_what_is_no_config_and_what_has_changed_leaves_it_as_it_was(file):
    with pytest.raises(ConfigError, match=r"^site\.yaml:1: unknown key 'nonsense'"):
        replace_checked(file, "nonsense: 1\n", OLD.encode())
    assert not replace_checked(file, NEW, b"device_id: other\n")
    assert (file.read_text(), names(file)) == (OLD, ["site.yaml"])


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES])
def test_a_file_that_cannot_be_replaced_is_written_where_it_is(file, monkeypatch, number):
    monkeypatch.setattr(os, "replace", refusing(number))
    was = file.stat()
    for text in (NEW, f"# a longer one\n{NEW}", "{}\n"):
        assert replace_checked(file, text)
        assert (file.read_text(), names(file)) == (text, ["site.yaml"])
    about = file.stat()
    assert (about.st_ino, about.st_mode) == (was.st_ino, was.st_mode)


def test_of_a_folder_that_cannot_be_written_a_file_may_be(file, monkeypatch, tmp_path):
    made = tempfile.mkstemp
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def elsewhere(suffix: str, prefix: str, folder: Path | None = None) -> tuple[int, str]:
        if folder is not None:
            raise PermissionError(errno.EACCES, "Permission denied")
        return made(suffix, prefix)

    monkeypatch.setattr(tempfile, "mkstemp", elsewhere)
    monkeypatch.setattr(os, "replace", refusing(errno.EXDEV))
    assert replace_checked(file, NEW)
    assert file.read_text() == NEW
    assert list((tmp_path / "tmp").iterdir()) == []
    monkeypatch.setattr(os, "access", lambda *a: False)
    with pytest.raises(PermissionError):
        replace_checked(file, OLD)
    assert file.read_text() == NEW


def test_a_disk_that_is_full_in_between_leaves_what_was_there(file, monkeypatch):
    monkeypatch.setattr(os, "replace", refusing(errno.EBUSY))
    write, failed = replace._write, []

    def full(path: Path, data: bytes) -> None:
        if path == file and not failed:
            failed.append(path)
            path.write_bytes(data[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(replace, "_write", full)
    with pytest.raises(OSError, match="No space"):
        replace_checked(file, NEW, OLD.encode())
    assert (file.read_text(), names(file)) == (OLD, ["site.yaml"])


def test_of_many_who_replace_at_a_time_none_overwrites_another(file, monkeypatch):
    """Each counts one up, from what it has read; the replacement takes a while."""
    file.write_text("device_id: n-0\n")
    moved = os.replace
    pause = threading.Event()

    def slowly(*paths: Path) -> None:
        pause.wait(0.01)
        moved(*paths)

    monkeypatch.setattr(os, "replace", slowly)
    done = []

    def count() -> None:
        for _ in range(5):
            is_done = False
            while not is_done:
                before = file.read_bytes()
                number = int(before.decode().strip().rpartition("-")[2]) + 1
                is_done = replace_checked(file, f"device_id: n-{number}\n", before)
            done.append(number)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(done) == list(range(1, 21))
    assert load(file).device_id == "n-20"


def test_why_a_file_cannot_be_written_is_told_before(file, monkeypatch):
    assert unwritable(file) == ""
    monkeypatch.setattr(os, "access", lambda path, mode: path == file.parent)
    assert unwritable(file) == "", "it can be replaced"
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    owner = file.stat().st_uid
    assert unwritable(file) == f"it belongs to user {owner}, and this is user 10001"


@pytest.mark.tmpfs
@pytest.mark.parametrize("is_writable", [True, False])
def test_a_file_that_is_mounted_alone(tmp_path, is_writable):
    outside, inside = tmp_path / "host.yaml", tmp_path / "folder" / "site.yaml"
    outside.write_text(OLD)
    inside.parent.mkdir()
    inside.touch()
    subprocess.run(["mount", "--bind", str(outside), str(inside)], check=True)
    try:
        if is_writable:
            assert unwritable(inside) == ""
            assert replace_checked(inside, NEW, OLD.encode())
            assert (outside.read_text(), inside.read_text()) == (NEW, NEW)
        else:
            subprocess.run(["mount", "-o", "remount,ro,bind", str(inside)], check=True)
            assert unwritable(inside) == "it lies on a read-only file system"
            with pytest.raises(OSError, match="busy"):
                replace_checked(inside, NEW)
            assert outside.read_text() == OLD
        assert names(inside) == ["site.yaml"]
    finally:
        subprocess.run(["umount", str(inside)], check=True)
