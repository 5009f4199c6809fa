"""`edge eval` from its arguments to its output."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edge import rle
from edge.cli import eval as command
from edge.errors import ConfigError, SinkError, SourceError
from edge.masks import extents, packed
from edge.types import Instances

H, W = 60, 80
BOXES = [(5, 5, 25, 35), (30, 10, 70, 50)]


def run(*arguments):
    result = CliRunner().invoke(command.app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def rectangles(*boxes):
    dense = np.zeros((len(boxes), H, W), np.uint8)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        dense[k, y1:y2, x1:x2] = 1
    return packed(dense)


class FakeSegmenter:
    """Finds the first true object, and something of a class that the truth does not have."""

    class_names = ("dog", "person")
    longest_px = 320
    session = SimpleNamespace(file=SimpleNamespace(path=Path("m.onnx")), provider="cpu")

    def segment(self, image):
        assert image.shape == (H, W, 3)
        masks = rectangles(BOXES[0], (0, 0, 9, 9))
        boxes = extents(masks).astype(np.float32)
        return Instances(boxes, np.array([0.9, 0.8], np.float32), np.array([1, 0], np.int32), masks)


@pytest.fixture
def truth(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((H, W, 3), np.uint8))
    annotations = [
        {
            "id": k + 1,
            "image_id": 7,
            "category_id": 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
        }
        for k, (x1, y1, x2, y2) in enumerate(BOXES)
    ]
    dataset = {
        "images": [{"id": 7, "file_name": "a.png", "width": W, "height": H, "exhaustive": True}],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}],
        "annotations": annotations,
    }
    path = tmp_path / "val.json"
    path.write_text(json.dumps(dataset))
    return path


@pytest.fixture
def fake_model(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "opened_segmenter", lambda *a: asked.append(a) or FakeSegmenter())
    return asked


def results(*boxes):
    runs = rle.encoded(rectangles(*boxes))
    return [
        {
            "image_id": 7,
            "category_id": 1,
            "score": 0.9,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "segmentation": runs[k],
        }
        for k, (x1, y1, x2, y2) in enumerate(boxes)
    ]


def test_masks_of_a_model(truth, fake_model, tmp_path):
    kept, numbers = tmp_path / "new" / "kept.json", tmp_path / "out.json"
    text = run(
        "masks", "--truth", truth, "--model", "m", "--threads", 2, "--input-size", 320,
        "--json", numbers, "--save-predictions", kept, "--overlays", tmp_path / "shown",
    )  # fmt: skip
    assert fake_model == [("m", "cpu", 2, 320)]
    assert "person" in text
    assert "Note: classes the model does not have, left out: car." in text
    found = json.loads(numbers.read_text())
    assert found["total"]["recall"] == 0.5
    assert found["total"]["mean_mask_iou"] == 1.0
    assert found["pictures"] == {"7": round(1 / 1.5, 6)}
    setting = {"model": "m.onnx", "provider": "cpu", "input_size": 320, "limit": 0}
    assert found["setting"] == setting
    (shown,) = (tmp_path / "shown").iterdir()
    assert shown.name == "worst-00-a.jpg"
    assert cv2.imread(str(shown)).shape == (H + 20, 2 * W + 4, 3)
    (prediction,) = json.loads(kept.read_text())
    assert (prediction["category_id"], prediction["bbox"]) == (1, [5.0, 5.0, 20.0, 30.0])
    again = json.loads(run("masks", "--truth", truth, "--predictions", kept, "--json", "-"))
    assert again["total"]["mask_ap"] == found["total"]["mask_ap"]


def test_masks_of_given_predictions_as_json_only(truth, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(results(*BOXES)))
    found = json.loads(run("masks", "--truth", truth, "--predictions", path, "--json", "-"))
    assert found["total"]["mask_ap"] == 1.0
    assert list(found["per_class"]) == ["person", "car"]
    assert found["per_class"]["car"]["mask_ap"] is None
    found = json.loads(
        run("masks", "--truth", truth, "--predictions", path, "--json", "-", "--boxes-only")
    )
    assert (found["total"]["box_ap"], found["total"]["mask_ap"]) == (1.0, None)


def test_masks_json_alone_has_the_published_keys(truth, fake_model, tmp_path):
    options = ["masks", "--truth", truth, "--images", tmp_path]
    found = json.loads(run(*options, "--json"))
    assert found == json.loads(run(*options, "--json", "-"))
    assert fake_model == [(None, "cpu", None, None)] * 2  # the default model
    keys = {"mask_ap", "mask_ap50", "box_ap", "mean_mask_iou", "mean_dice", "boundary_iou"}
    assert keys <= set(found["per_class"]["person"]) == set(found["mean"]) == set(found["total"])
    assert found["per_class"]["person"]["mean_dice"] == 1.0
    assert found["confusion"] == {
        "classes": ["person"], "matrix": [[1]], "missed": [1], "false": [0],
    }  # fmt: skip
    assert list(found["by_size"]) == ["small", "medium", "large"]
    assert json.loads(run("masks", "--json", "--truth", truth)) == found


def test_masks_refuses_what_it_cannot_do(truth, fake_model, tmp_path):
    with pytest.raises(ConfigError, match="expected either --model or --predictions, got both"):
        run("masks", "--truth", truth, "--model", "m", "--predictions", truth)
    with pytest.raises(ConfigError, match="expected --overlays without --boxes-only"):
        run("masks", "--truth", truth, "--model", "m", "--boxes-only", "--overlays", tmp_path)
    with pytest.raises(ConfigError, match="expected a readable file"):
        run("masks", "--truth", tmp_path / "none.json", "--model", "m")
    with pytest.raises(SourceError, match="expected a picture, got none; --images names"):
        run("masks", "--truth", truth, "--model", "m", "--images", tmp_path / "none")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(SourceError, match="expected 60 x 80 as in the truth, got 9 x 9"):
        run("masks", "--truth", truth, "--model", "m")
    bare = tmp_path / "b.json"
    bare.write_text("{")
    with pytest.raises(ConfigError, match="expected JSON"):
        run("masks", "--truth", bare, "--model", "m")


MOT = "1,1,0,0,10,20,1\n2,1,0,0,10,20,1\n"


def test_tracks_of_boxes(tmp_path):
    truth, tracks = tmp_path / "gt.txt", tmp_path / "t.txt"
    truth.write_text(MOT)
    tracks.write_text("0,5,0,0,10,20,1\n1,5,0,0,10,20,1\n1,6,40,0,10,20,.9\n")
    options = ["--truth", truth, "--tracks", tracks, "--frame-offset", 1]
    found = json.loads(run("tracks", *options, "--json", "-"))
    assert (found["all"]["recall"], found["all"]["tracked_boxes"]) == (1.0, 3)
    found = json.loads(run("tracks", *options, "--ignore-region", "40,0,60,30", "--json", "-"))
    assert (found["all"]["hota"], found["all"]["tracked_boxes"]) == (1.0, 2)
    assert list(found["sequences"]) == [tmp_path.name]  # a file gt.txt is named by its folder
    assert "HOTA" in run("tracks", *options)


def test_tracks_on_truth_with_flag_0(tmp_path):
    truth, tracks = tmp_path / "a.txt", tmp_path / "t.txt"
    truth.write_text(MOT + "2,9,50,0,10,20,0\n")
    tracks.write_text("1,5,0,0,10,20,1\n2,5,0,0,10,20,1\n2,6,50,0,10,20,.9\n")
    options = ["--truth", truth, "--tracks", tracks, "--json", "-"]
    assert json.loads(run("tracks", *options))["all"]["precision"] == 1.0
    strict = json.loads(run("tracks", *options, "--count-flagged"))
    assert strict["all"]["precision"] == 0.666667
    assert list(strict["sequences"]) == ["a"]


def test_tracks_of_masks_in_folders(tmp_path):
    for folder in ("truth", "tracks"):
        (tmp_path / folder).mkdir()
        for name in ("0001.txt", "0002.txt"):
            (tmp_path / folder / name).write_text("0 2001 2 2 2 13\n1 2001 2 2 2 13\n")
    options = ["--truth", tmp_path / "truth", "--tracks", tmp_path / "tracks", "--format", "mots"]
    found = json.loads(run("tracks", *options, "--json", "-"))
    assert list(found) == ["person", "sequences"]
    assert (found["person"]["smotsa"], found["person"]["truth_ids"]) == (1.0, 2)
    assert list(found["sequences"]) == ["0001", "0002"]
    assert found["sequences"]["0002"]["person"]["truth_ids"] == 1
    assert json.loads(run("tracks", *options[:4], "--json", "-")) == found  # the format is seen
    text = run("tracks", *options)
    assert "sMOTSA" in text
    assert "0002" in text
    (tmp_path / "tracks" / "0002.txt").unlink()
    with pytest.raises(ConfigError, match=r"got none for 0002\.txt"):
        run("tracks", *options)


def test_tracks_refuses_what_it_cannot_do(tmp_path):
    truth = tmp_path / "gt.txt"
    truth.write_text(MOT)
    both = ["--truth", truth, "--tracks", truth]
    with pytest.raises(ConfigError, match="--format: expected mots or mot, got 'x'"):
        run("tracks", *both, "--format", "x")
    truth.write_text("0 1 1 2 2 13\n0 2 2 2 2 13\n")
    with pytest.raises(ConfigError, match="share no pixel, got 3 shared in frame 0"):
        run("tracks", *both)
    truth.write_text(MOT)
    with pytest.raises(ConfigError, match="--ignore-region: expected x1,y1,x2,y2, got '1,2'"):
        run("tracks", *both, "--ignore-region", "1,2")
    truth.write_text("")
    with pytest.raises(ConfigError, match="expected objects to compare with, got none"):
        run("tracks", *both)


def event(direction, media_s):
    return {
        "type": "line_crossed",
        "rule": {"id": "door", "direction": direction},
        "time": {"media_s": media_s, "frame": 0},
        "object": {"class": "person", "track_id": 1},
        "count": {"delta": 1},
    }


def test_counts_against_totals(tmp_path):
    truth, events = tmp_path / "truth.json", tmp_path / "events.jsonl"
    truth.write_text('{"door": {"in": 2, "out": 2}}')
    events.write_text("\n".join(json.dumps(event(d, 1.0)) for d in ("in", "in", "in", "out")))
    text = run("counts", "--truth", truth, "--events", events)
    assert "directional error 50.0 %, bias +0.0 %" in text
    found = json.loads(run("counts", "--truth", truth, "--events", events, "--json", "-"))
    assert (found["directional_error"], found["bias"]) == (0.5, 0.0)


def test_counts_against_true_tracks(tmp_path):
    truth, events = tmp_path / "gt.txt", tmp_path / "events.jsonl"
    truth.write_text("1,1,55,20,10,40,1\n11,1,35,20,10,40,1\n")
    options = ["--truth-tracks", truth, "--line", "door=.5,0,.5,1", "--size", "100x100"]
    options += ["--fps", 10]
    assert json.loads(run("counts", *options, "--json", "-")) == {
        "truth": {"door": {"in": 1, "out": 0}}
    }
    assert "True crossings" in run("counts", *options)
    events.write_text("\n".join(json.dumps(event("in", t)) for t in (1.2, 9.0)))
    found = json.loads(run("counts", *options, "--events", events, "--json", "-"))
    assert (found["directional_error"], found["bias"]) == (1.0, 1.0)
    assert found["events"][-1] == {
        "line": "all", "matched": 1, "missed": 0, "spurious": 1, "time_error_s": 0.7,
        "precision": 0.5, "recall": 1.0, "f1": 0.666667,
    }  # fmt: skip
    assert "0.70 s" in run("counts", *options, "--events", events)


def test_counts_refuses_what_it_cannot_do(tmp_path):
    truth = tmp_path / "gt.txt"
    truth.write_text(MOT)
    with pytest.raises(ConfigError, match="expected either --truth or --truth-tracks"):
        run("counts")
    with pytest.raises(ConfigError, match="expected --events beside --truth"):
        run("counts", "--truth", truth)
    with pytest.raises(ConfigError, match="--size: expected WxH in pixels, as 768x576, got '7'"):
        run("counts", "--truth-tracks", truth, "--size", "7")
    with pytest.raises(ConfigError, match="expected --line and --fps beside it"):
        run("counts", "--truth-tracks", truth, "--size", "7x8", "--fps", 10)
    with pytest.raises(SinkError, match="expected a place to write"):
        run(
            "counts", "--truth-tracks", truth, "--size", "7x8", "--fps", 10,
            "--line", "a=0,0,1,1", "--json", truth / "x.json",
        )  # fmt: skip
