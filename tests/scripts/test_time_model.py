"""The program that times models: they take turns, so that other work slows all of them alike."""

from __future__ import annotations

import importlib

import pytest


@pytest.fixture(scope="session")
def program():
    return importlib.import_module("time_model")


class Noting:
    """A session that notes when it runs, and on what."""

    def __init__(self, name, notes):
        self.name, self.notes = name, notes

    def run(self, x):
        self.notes.append((self.name, x.shape))


def test_models_take_turns_after_one_run_each(program):
    notes = []
    times = program.times_ms([Noting("a", notes), Noting("b", notes)], 64, 96, runs=3)
    assert notes == [("a", (1, 3, 64, 96)), ("b", (1, 3, 64, 96))] * 4
    assert [len(its) for its in times] == [3, 3]
    assert min(min(its) for its in times) >= 0
