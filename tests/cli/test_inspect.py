"""`edge inspect` from its arguments to its files."""

import json

import cv2
import numpy as np
import pytest

from edge import rle
from edge.masks import unpacked

SIDE = 16


@pytest.fixture
def photo(tmp_path):
    """A bright square on black, 64 x 48 as the tiny model wants it."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[16:32, 20:36] = 255
    path = tmp_path / "photos" / "door.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), image)
    return path


def coco(*boxes, name="door.png"):
    return {
        "images": [{"id": 1, "file_name": name, "height": 48, "width": 64}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {
                "id": k + 1, "image_id": 1, "category_id": 1, "iscrowd": 0,
                "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
                "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
            }
            for k, (x1, y1, x2, y2) in enumerate(boxes)
        ],
    }  # fmt: skip


def test_a_picture_gives_five_files(edge, square_model, photo, tmp_path):
    out = tmp_path / "new" / "out"
    result = edge("inspect", photo, "--model", square_model, "--provider", "cpu", "--out", out)
    assert (result.code, result.out) == (0, "")
    assert "door.png: 1 instances" in result.err
    assert "Neighbours melted into one?" in result.err
    names = {
        "door.json",
        "door-instances.png",
        "door-overlay.png",
        "door-card.html",
        "door-card.png",
    }
    assert {p.name for p in out.iterdir()} == names
    data = json.loads((out / "door.json").read_text())
    assert set(data["files"].values()) == names
    assert (data["source"], data["size"], data["truth"]) == ("door.png", [48, 64], None)
    [instance] = data["instances"]
    assert (instance["id"], instance["class"]) == (1, "person")
    assert "mask" not in instance
    canvas = cv2.imread(str(out / "door-instances.png"), cv2.IMREAD_UNCHANGED)
    assert (canvas.dtype, canvas.shape) == (np.uint16, (48, 64))
    assert np.count_nonzero(canvas == 1) == instance["area_px"] > 150
    assert cv2.imread(str(out / "door-overlay.png")).shape == (48, 64, 3)
    assert (out / "door-card.html").read_text().startswith("<!doctype html>")
    assert cv2.imread(str(out / "door-card.png")).shape[1] == 1600


def test_json_and_pixels_on_standard_output(edge, square_model, photo, tmp_path):
    options = ["--model", square_model, "--out", tmp_path, "--pixels", "--quiet"]
    bare = edge("inspect", "--json", photo, *options)
    assert bare == edge("inspect", photo, *options, "--json", "-")
    assert (bare.code, bare.err) == (0, "")
    [instance] = json.loads(bare.out)["instances"]
    mask = unpacked(rle.decoded([instance["mask"]], 48, 64))[0]
    canvas = cv2.imread(str(tmp_path / "door-instances.png"), cv2.IMREAD_UNCHANGED)
    assert (mask == canvas).all()


def test_against_coco_truth(edge, square_model, photo, tmp_path):
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(coco((20, 16, 36, 32), (50, 4, 60, 14))))
    options = ["--model", square_model, "--out", tmp_path, "--truth", truth, "--json"]
    result = edge("inspect", photo, *options)
    data = json.loads(result.out)
    assert data["instances"][0]["truth"]["iou"] > 0.9
    assert data["truth"]["missed"] == [2]
    assert data["truth"]["per_class"]["person"]["matched"] == 1
    checks = {c["name"]: c for c in data["checks"]}
    assert checks["missed_instances"]["is_found"] is True
    assert checks["false_instances"]["is_found"] is False
    assert "IoU" in result.err


def test_against_an_instance_map_of_its_own(edge, square_model, photo, tmp_path):
    options = ["--model", square_model, "--out", tmp_path, "--json"]
    edge("inspect", photo, *options)
    result = edge("inspect", photo, *options, "--truth", tmp_path / "door-instances.png")
    data = json.loads(result.out)
    assert data["truth"]["per_class"]["all"] == {
        "truth": 1, "matched": 1, "iou": 1.0, "dice": 1.0, "boundary_iou": 1.0,
    }  # fmt: skip
    assert data["instances"][0]["truth"]["class"] is None


def test_a_frame_of_a_video(edge, square_model, scene, tmp_path):
    options = ["--model", square_model, "--out", tmp_path, "--json", "--quiet"]
    video = scene(frames=20)
    data = json.loads(edge("inspect", video, *options, "--at", 0.95).out)
    assert (data["frame"], data["time_s"]) == (10, 1.0)
    assert (tmp_path / "scene-1.000s-card.png").is_file()
    assert json.loads(edge("inspect", video, *options).out)["frame"] == 0
    late = edge("inspect", video, *options, "--at", 9)
    assert late.code == 2
    assert f"--at: expected at most 1.900 s, where {video} ends, got 9" in late.err


def test_a_folder_and_names_that_differ_in_their_ending_only(edge, square_model, photo, tmp_path):
    black = np.zeros((48, 64, 3), np.uint8)
    cv2.imwrite(str(photo.parent / "door.jpg"), black)
    cv2.imwrite(str(photo.parent / "empty.png"), black)
    result = edge("inspect", photo.parent, "--model", square_model, "--out", tmp_path, "--json")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [(d["source"], len(d["instances"])) for d in lines] == [
        ("door.jpg", 0), ("door.png", 1), ("empty.png", 0),
    ]  # fmt: skip
    for name in ("door.jpg-card.png", "door.png-card.png", "empty-card.html"):
        assert (tmp_path / name).is_file()


def test_what_it_refuses(edge, square_model, photo, tmp_path):
    def refused(*arguments, out=tmp_path):
        result = edge("inspect", *arguments, "--model", square_model, "--out", out)
        return result.code, result.err.replace("\n", " ")

    text = photo.with_suffix(".txt")
    text.write_text("no video")
    broken = photo.with_name("broken.png")
    broken.write_text("no picture")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(coco(name="other.png")))
    for arguments, code, message in (
        ([photo, "--at", 3], 2, "--at: expected a video, got pictures"),
        ([photo, "--json", "x.json"], 2, "--json: expected - or nothing, got 'x.json'"),
        ([photo.parent, "--truth", "map.png"], 2, "expected COCO JSON for a folder"),
        ([photo, "--truth", wrong], 2, "expected one picture with the file_name door.png, got 0"),
        ([photo, "--truth", tmp_path / "no.json"], 2, "expected a readable file"),
        ([tmp_path / "none.jpg"], 3, "expected a picture, got no such file"),
        ([broken], 3, "expected a picture, got a file that is none"),
        ([text], 3, "expected a video file"),
        ([tmp_path / "none.mp4"], 3, "none.mp4"),
    ):
        found = refused(*arguments)
        assert found[0] == code, found
        assert message in found[1]
    code, message = refused(photo, out=photo / "below")
    assert (code, "expected a place to write" in message) == (5, True)
    result = edge("inspect", photo, "--model", tmp_path / "no.onnx", "--out", tmp_path)
    assert result.code == 4
