"""What is said while a model is opened, by each command that may have to build an engine."""

import json

import cv2
import numpy as np
import pytest

from edge.cli import drawing
from edge.config import Config
from edge.segment import opening
from edge.segment import session as session_module

WORD = "building the TensorRT engine, which takes minutes"


@pytest.fixture
def building(monkeypatch):
    """Every model takes long to open."""

    def opened(*arguments):
        *_, tell = arguments
        tell(WORD)
        return opening.opened(*arguments)

    monkeypatch.setattr(session_module, "opened", opened)


@pytest.fixture
def commands(scene, square_model, tmp_path):
    """The arguments of the commands that open a model where it is to run."""
    cv2.imwrite(str(tmp_path / "door.png"), np.zeros((48, 64, 3), np.uint8))
    truth = {
        "images": [{"id": 1, "file_name": "door.png", "height": 48, "width": 64}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [],
    }
    (tmp_path / "val.json").write_text(json.dumps(truth))
    model = ["--model", square_model, "--threads", 1]
    clip = scene(frames=12)
    return {
        "run": ["run", clip, *model],
        "journal": ["run", clip, *model, "--journal", tmp_path / "journal.db"],
        "bench": ["bench", clip, *model, "--frames", 10, "--json"],
        "eval": ["eval", "masks", "--truth", tmp_path / "val.json", *model],
        "inspect": ["inspect", tmp_path / "door.png", *model, "--out", tmp_path / "out"],
    }


@pytest.mark.parametrize("name", ["run", "journal", "bench", "eval", "inspect"])
def test_building_an_engine_is_said(name, edge, commands, building):
    result = edge(*commands[name])
    assert result.code == 0
    assert result.err.count(WORD) == 1
    assert WORD not in result.out


@pytest.mark.parametrize("name", ["run", "journal", "inspect"])
def test_whoever_wants_quiet_has_it(name, edge, commands, building):
    result = edge(*commands[name], "--quiet")
    assert (result.code, result.err) == (0, "")


def test_the_editor_says_it_too(building, square_model, capsys):
    model = {"name": str(square_model), "provider": "cpu", "threads": 1}
    assert drawing._segmenter(Config.model_validate({"model": model}), is_needed=True)
    assert capsys.readouterr().err.strip() == WORD
