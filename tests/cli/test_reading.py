"""A config that is read again: what counts, and what was refused."""

from __future__ import annotations

import logging

import pytest

from edge.cli.reading import Reading
from edge.config import Config, load
from edge.config.revision import file_rev
from edge.errors import SinkError
from edge.web.status import Taken


@pytest.fixture
def reading(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text("device_id: one\n")
    return Reading(lambda: load(file), file, {"hush-hush"}, Taken(file_rev(file)))


def test_what_is_taken_counts_and_what_is_refused_does_not(reading, caplog):
    caplog.set_level(logging.INFO)
    applied: list[Config] = []
    reading.file.write_text("device_id: two\n")
    second = file_rev(reading.file)
    reading.again(applied.append)
    assert reading.taken == Taken(second)
    reading.file.write_text("device_id: [hush-hush]\n")
    reading.again(applied.append)
    assert [config.device_id for config in applied] == ["two"]
    assert (reading.taken.revision, reading.taken.refused) == (second, file_rev(reading.file))
    assert reading.taken.why.startswith("site.yaml:1: device_id: expected ")
    assert "hush" not in reading.taken.why
    assert [r.levelname for r in caplog.records] == ["INFO", "ERROR"]
    reading.file.unlink()
    reading.again(applied.append)
    assert (reading.taken.revision, reading.taken.refused) == (second, "")
    assert "expected a config file" in reading.taken.why


def test_what_cannot_be_applied_is_refused_too(reading):
    def apply(config: Config) -> None:
        raise SinkError(f"{reading.file.parent}/x: expected a folder, got hush-hush")

    began = reading.taken.revision
    reading.file.write_text("device_id: two\n")
    reading.again(apply)
    assert (reading.taken.revision, reading.taken.refused) == (began, file_rev(reading.file))
    assert reading.taken.why.endswith("expected a folder, got ***")


def test_without_a_file_there_is_no_revision():
    reading = Reading(Config, None, (), Taken())
    reading.again(lambda config: None)
    assert reading.taken == Taken()
