"""Whom videos, reports and pictures of events hide, from the config to the file."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from edge import receivers
from edge.config import Config
from edge.sources import VideoFile

LINE = {"middle": {"a": [0.5, 0.0], "b": [0.5, 1.0]}}


@pytest.fixture
def counted(edge, scene, square_model, tmp_path):
    """Count a white square that the model calls a driver; the last picture of the video."""
    clip = scene()

    def run(blur, *options):
        config, video = tmp_path / "site.yaml", tmp_path / "out.mp4"
        model = {"name": str(square_model), "provider": "cpu", "class_names": ["driver"]}
        cameras = {"gate": {"source": str(clip), "lines": LINE}}
        config.write_text(yaml.safe_dump({"blur_people": blur, "cameras": cameras, "model": model}))
        common = ("--max-frames", 20, "-q", "--events", tmp_path / "e.jsonl")
        done = edge("run", "--config", config, "--save-video", video, *common, *options)
        if done.code or not video.exists():
            return done, None
        with VideoFile(video) as annotated:
            return done, [frame.image for frame in annotated][-1].astype(int)

    return run


def test_the_classes_that_the_config_lists_are_hidden(counted):
    _, plain = counted(False)
    _, again = counted(False)
    _, hidden = counted(["driver"])
    _, both = counted(["driver"], "--blur-people")  # which does not forget the list
    assert np.array_equal(plain, again)
    assert np.array_equal(hidden, both)
    changed = np.abs(plain - hidden).max(-1) > 8
    assert 20 < np.count_nonzero(changed) < changed.size / 4


@pytest.mark.parametrize(("blur", "options"), [(True, ()), (False, ("--blur-people",))])
def test_people_that_the_model_does_not_know_are_no_reason_to_hide_nobody(counted, blur, options):
    done, video = counted(blur, *options)
    assert done.code == 2
    assert video is None
    assert "blur_people: expected a class of people in the model, got driver; list" in done.err
    done, video = counted(["drivr"])
    assert (done.code, video) == (2, None)
    assert "got 'drivr', did you mean 'driver'?" in done.err


@pytest.mark.parametrize(("blur", "expected"), [(True, {1}), (False, {1}), (["car"], {0})])
def test_pictures_of_events_hide_the_same_classes(tmp_path, blur, expected, monkeypatch):
    config = Config.model_validate(
        {"blur_people": blur, "evidence": {"folder": str(tmp_path / "seen")}}
    )
    folder, keep = receivers.evidence(config, ["car", "person"])
    asked = []
    monkeypatch.setattr(type(folder), "save", lambda self, *given: asked.append(given[-1]))

    class Step:
        image = np.zeros((4, 4, 3), np.uint8)
        instances = None

    event = {"type": "line_crossed", "event_id": "a", "time": {}, "object": {"bbox": [0, 0, 2, 2]}}
    keep(event, Step())
    folder.close()
    assert asked == [expected]


@pytest.mark.parametrize(("blur", "options"), [(True, ()), (False, ("--blur-people",))])
def test_drawing_does_not_show_people_for_lack_of_a_model(edge, scene, tmp_path, blur, options):
    config = tmp_path / "site.yaml"
    given = {"cameras": {"gate": {"source": str(scene())}}, "model": {"name": "none.onnx"}}
    config.write_text(yaml.safe_dump({"blur_people": blur, **given}))
    done = edge("draw", "gate", "--config", config, "--web", "127.0.0.1:0", *options)
    assert done.code == 4
    assert "none.onnx" in done.err
