from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from edge import __version__, build
from edge.config import Config, Tracker, config_rev, geometry_hash
from edge.count.line import LineCounter
from edge.count.zone import ZoneCounter
from edge.errors import ConfigError, ModelError
from edge.segment.providers import (
    CpuSettings,
    CudaSettings,
    OpenVinoSettings,
    ProviderSettings,
    TensorRTSettings,
)
from edge.sources import open_source
from edge.track.settings import TrackerSettings
from edge.types import Stamp

NAMES = ("person", "car", "truck")


def config(**camera) -> Config:
    lines = {"door": {"a": [0.25, 0.5], "b": [0.75, 0.5], "in": "Hall", "classes": ["person"]}}
    zones = {"hall": {"polygon": [[0, 0], [1, 0], [1, 0.5]], "dwell_s": 9}}
    given = {"source": "a.mp4", "lines": lines, "zones": zones, **camera}
    return Config.model_validate({"device_id": "box-7", "cameras": {"gate": given}})


def test_a_segmenter_runs_the_model_it_is_given(square_model):
    segmenter = build.segmenter(model=str(square_model), provider="cpu", threads=1)
    assert segmenter.class_names == ("person",)
    image = np.zeros((48, 64, 3), np.uint8)
    image[20:36, 10:26] = 255
    instances = segmenter.segment(image)
    assert instances.boxes.tolist() == [[10, 20, 26, 36]]
    assert len(segmenter.segment(np.zeros((48, 64, 3), np.uint8))) == 0


def test_the_config_chooses_the_model_and_its_settings(square_model):
    model = {"name": str(square_model), "provider": "cpu", "threads": 1, "min_score": 0.95}
    segmenter = build.configured_segmenter(Config.model_validate({"model": model}))
    assert segmenter.session.file.path == square_model
    assert (segmenter.session.provider, segmenter.limits.min_score) == ("cpu", 0.95)
    model["name"] = "no-such-model"
    with pytest.raises(ModelError, match="no-such-model: expected a file or one of "):
        build.configured_segmenter(Config.model_validate({"model": model}))
    model |= {"name": str(square_model), "input_size": 640}
    with pytest.raises(ModelError, match="expected its fixed input size 64, got 640"):
        build.configured_segmenter(Config.model_validate({"model": model}))


@pytest.mark.parametrize("names", [["cat"], "names.txt"])
def test_class_names_of_the_config_win(square_model, tmp_path, names):
    if isinstance(names, str):
        (tmp_path / names).write_text("cat\n")
        names = str(tmp_path / names)
    model = {"name": str(square_model), "provider": "cpu", "threads": 1, "class_names": names}
    segmenter = build.configured_segmenter(Config.model_validate({"model": model}))
    assert segmenter.class_names == ("cat",)


def test_every_option_of_a_provider_reaches_it():
    given = {
        "gpu": 1,
        "batch": 4,
        "input_size": 320,
        "cpu": {
            "at_once": 2,
            "arena": False,
            "memory_pattern": True,
            "spinning": True,
            "graph_optimization": "basic",
            "options": {"session.g": "h"},
        },
        "cuda": {"memory_mb": 64, "conv_search": "default", "options": {"a": "b"}},
        "tensorrt": {
            "fp16": False,
            "workspace_mb": 32,
            "optimization_level": 1,
            "cache": "engines",
            "min_size": [64, 96],
            "best_size": [96, 128],
            "max_size": [128, 160],
            "options": {"c": "d"},
        },
        "openvino": {"device": "GPU", "options": {"e": "f"}},
    }
    settings = build.provider_settings(Config.model_validate({"model": given}))
    assert settings == ProviderSettings(
        gpu=1,
        cpu=CpuSettings(False, True, True, 2, "basic", {"session.g": "h"}),
        cuda=CudaSettings(64, "default", {"a": "b"}),
        tensorrt=TensorRTSettings(
            False, 32, 1, "engines", (64, 96), (96, 128), (128, 160), {"c": "d"}
        ),
        openvino=OpenVinoSettings("GPU", {"e": "f"}),
        longest_px=320,
        batch=4,
    )


def test_every_tracker_setting_of_the_config_reaches_the_tracker():
    defaults, known = Tracker().model_dump(), asdict(TrackerSettings())
    assert defaults.items() <= known.items()


def test_unknown_classes_are_refused():
    build.tracker(config(classes=["person", "car"]), "gate", NAMES)
    with pytest.raises(ConfigError, match="expected a class of the model, got 'persn'"):
        build.tracker(config(classes=["person", "persn"]), "gate", NAMES)


@pytest.mark.parametrize(
    ("names", "wanted", "groups"),
    [
        ((), None, []),
        (("person", "car", "bus", "truck"), None, [0, 1, 1, 1]),
        (("motorcycle", "person", "bicycle"), None, [0, 1, 0]),
        (("person", "car", "truck"), ["truck"], [-1, -1, 1]),
        (("cat", "dog"), None, [0, 1]),
    ],
)
def test_class_groups(names, wanted, groups):
    assert build.class_groups(names, wanted) == groups


def test_counters_in_pixels_lines_first():
    door, hall = build.counters(config(), "gate", NAMES, 200, 100)
    assert isinstance(door, LineCounter)
    assert isinstance(hall, ZoneCounter)
    assert (door.rule_id, door.line.tolist()) == ("door", [[50, 50], [150, 50]])
    assert (hall.rule_id, hall.polygon.tolist()) == ("hall", [[0, 0], [200, 0], [200, 50]])


def test_the_encoder_names_device_source_and_rules():
    provenance = {
        "source_id": "gate",
        "source_key": "abc",
        "width": 64,
        "height": 48,
        "class_names": NAMES,
        "model_sha256": "12ab",
        "provider": "cpu",
    }
    event = build.encoder(config(), "gate", provenance).started(Stamp(0, 0.0))
    assert event["device"] == {
        "id": "box-7",
        "app": __version__,
        "model_sha256": "12ab",
        "provider": "cpu",
    }
    assert event["source"] == {
        "id": "gate",
        "kind": "file",
        "session": 1,
        "width": 64,
        "height": 48,
    }
    rev = config_rev(config(), "gate")
    assert event["rules"] == [
        {"id": "door", "kind": "line", "in_name": "Hall", "config_rev": rev},
        {"id": "hall", "kind": "zone", "config_rev": rev},
    ]


def test_event_ids_follow_the_geometry_of_a_rule():
    def started_id(cfg):
        provenance = {"width": 64, "height": 48, "class_names": NAMES}
        return build.encoder(cfg, "gate", provenance).started(Stamp(0, 0.0))["event_id"]

    moved = config(lines={"door": {"a": [0.25, 0.4], "b": [0.75, 0.5]}})
    assert geometry_hash(moved.cameras["gate"].lines["door"]) != geometry_hash(
        config().cameras["gate"].lines["door"]
    )
    assert started_id(config()) == started_id(config(source="b.mp4"))
    assert started_id(config()) != started_id(moved)


def test_provenance_of_a_run(scene, square_model):
    segmenter = build.segmenter(model=str(square_model), provider="cpu", threads=1)
    with open_source(str(scene(frames=3))) as source:
        found = build.provenance("gate", source, segmenter)
        assert found == {
            "source_id": "gate",
            "kind": "file",
            "source_key": source.content_key,
            "width": 64,
            "height": 48,
            "class_names": ["person"],
            "model_sha256": segmenter.session.file.sha256,
            "provider": "cpu",
        }
