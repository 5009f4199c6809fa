from __future__ import annotations

import logging
import os
import stat
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import masks as mask_ops
from edge.errors import ShapeError, SinkError
from edge.sinks import evidence
from edge.sinks.evidence import EvidenceFolder
from edge.sinks.evidence_picture import LONGEST_PX, evidence_picture
from edge.types import U8, Bool, Instances

CAR, PERSON = 0, 7
DAY = "2026-11-23"
DAY_S = 86_400.0


def noise(height: int, width: int, seed: int = 0) -> U8:
    """A picture in which every pixel differs from its neighbours."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def ellipse(height: int, width: int, box: tuple[int, int, int, int]) -> Bool:
    x1, y1, x2, y2 = box
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(
        mask, ((x1 + x2) // 2, (y1 + y2) // 2), ((x2 - x1) // 2, (y2 - y1) // 2), 0, 0, 360, 1, -1
    )
    return mask > 0


def seen(height: int, width: int, *things: tuple[int, tuple[int, int, int, int]]) -> Instances:
    """Instances of (class, box), each an ellipse in its box."""
    dense = np.array([ellipse(height, width, box) for _, box in things], bool)
    masks = mask_ops.packed(dense.reshape(-1, height, width))
    n = len(things)
    boxes = np.array([box for _, box in things], np.float32).reshape(n, 4)
    class_ids = np.array([kind for kind, _ in things], np.int32)
    return Instances(boxes, np.full(n, 0.9, np.float32), class_ids, masks)


def event_id(k: int) -> str:
    return f"{k:032x}"


@pytest.fixture
def made(tmp_path):
    """Makes folders of evidence, and closes them."""
    folders = []

    def make(folder=tmp_path, keep_s=DAY_S, max_bytes=10**9, **more) -> EvidenceFolder:
        folders.append(EvidenceFolder(folder, keep_s, max_bytes, **more))
        return folders[-1]

    yield make
    assert all([folder.close(10) for folder in folders])  # every one, whatever the first says
    assert not [t for t in threading.enumerate() if t.name == "edge-evidence"]


def save(folder: EvidenceFolder, k: int = 1, day: str = DAY, seed: int = 0) -> str | None:
    things = seen(120, 160, (PERSON, (60, 20, 100, 110)))
    box = (60.0, 20.0, 100.0, 110.0)
    return folder.save(event_id(k), day, noise(120, 160, seed), box, things, {PERSON})


def pictures(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def wait_until(is_so) -> None:
    for _ in range(2000):
        if is_so():
            return
        time.sleep(0.005)
    raise AssertionError("never became so")


class TestPicture:
    @pytest.mark.parametrize("blur", [True, False])
    def test_surroundings_are_shown_and_people_hidden(self, blur):
        image = noise(200, 300)
        things = seen(200, 300, (PERSON, (100, 40, 140, 160)), (CAR, (150, 60, 170, 90)))
        picture = evidence_picture(image, (100, 40, 140, 160), things, [PERSON], blur)
        raw = image[16:185, 76:165]  # a margin of 24 px around the box
        assert picture.shape == raw.shape
        person = ellipse(200, 300, (100, 40, 140, 160))[16:185, 76:165]
        is_raw = (picture == raw).all(2)
        if not blur:
            assert is_raw.all()
            return
        assert not is_raw[person].any()  # not one raw pixel
        around = cv2.dilate(person.astype(np.uint8), np.ones((15, 15))) > 0
        assert is_raw[~around].all()  # the rest, the car in it, is as it was
        colours = np.unique(picture[person], axis=0)
        assert len(colours) <= 14 * 5  # blocks, not detail
        assert not np.shares_memory(picture, image)

    def test_everybody_in_the_picture_is_hidden_also_those_at_its_edge(self):
        image = noise(200, 300)
        people = [(100, 40, 140, 160), (130, 50, 170, 170), (70, 60, 90, 120)]
        things = seen(200, 300, *[(PERSON, box) for box in people], (CAR, (60, 20, 200, 190)))
        picture = evidence_picture(image, (100, 40, 140, 160), things, {PERSON})
        raw = image[16:185, 76:165]
        for box in people:
            person = ellipse(200, 300, box)[16:185, 76:165]
            assert person.any()
            assert not (picture == raw).all(2)[person].any()

    def test_a_large_picture_is_scaled_and_hidden_before_it_is(self):
        image = np.zeros((1080, 1920, 3), np.uint8)
        image[:, 500:1300] = np.tile(np.repeat(np.array([0, 255], np.uint8), 4), 100)[None, :, None]
        things = seen(1080, 1920, (PERSON, (700, 100, 1100, 1000)))
        picture = evidence_picture(image, (700, 100, 1100, 1000), things, {PERSON})
        assert max(picture.shape) == LONGEST_PX
        scale = LONGEST_PX / 1080
        mask = ellipse(1080, 1920, (700, 100, 1100, 1000))[:, 520:1281].astype(np.uint8)
        small = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        assert 0.5 < scale < 0.6
        inside = picture[small].astype(int)  # stripes of 4 px, about 2 px here, are one grey
        assert inside.min() > 60
        assert inside.max() < 195

    def test_someone_of_whom_only_the_head_is_there_is_as_unrecognisable(self):
        image = noise(400, 400)
        things = seen(400, 400, (PERSON, (100, 100, 300, 340)))
        picture = evidence_picture(image, (100, 100, 300, 340), things, {PERSON})
        row = picture[picture.shape[0] // 2, 60:240]
        changes = np.count_nonzero((np.diff(row.astype(int), axis=0) != 0).any(1))
        assert changes <= 4  # four blocks wide

    def test_without_an_instance_at_the_box_all_of_it_is_hidden(self):
        image = noise(200, 300)
        for things in (seen(200, 300), seen(200, 300, (CAR, (0, 0, 60, 60)))):
            picture = evidence_picture(image, (100, 40, 140, 160), things, {PERSON})
            assert not (picture == image[16:185, 76:165]).all(2)[24:144, 24:64].any()

    def test_a_person_without_a_mask_is_hidden_by_its_box(self):
        things = seen(200, 300, (PERSON, (100, 40, 140, 160)))
        bare = Instances(
            things.boxes,
            things.scores,
            things.class_ids,
            mask_ops.packed(np.zeros((1, 200, 300), bool)),
        )
        image = noise(200, 300)
        picture = evidence_picture(image, (100, 40, 140, 160), bare, {PERSON})
        assert not (picture == image[16:185, 76:165]).all(2)[24:144, 24:64].any()

    @pytest.mark.parametrize(
        "box",
        [
            (10, 10, 10, 50),
            (50, 50, 10, 60),
            (400, 10, 450, 50),
            (-50, -50, -1, -1),
            (float("nan"), 0, 10, 10),
            (0, 0, float("inf"), 10),
        ],
    )
    def test_a_box_that_is_nowhere(self, box):
        assert evidence_picture(noise(200, 300), box, seen(200, 300), {PERSON}) is None

    def test_masks_of_another_size(self):
        with pytest.raises(ShapeError, match="expected masks on 200 x 300, got 100 x 150"):
            evidence_picture(noise(200, 300), (0, 0, 9, 9), seen(100, 150), {PERSON})

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_no_raw_pixel_of_a_person_remains(self, data):
        height, width = data.draw(st.integers(20, 90)), data.draw(st.integers(20, 90))
        corner = st.tuples(st.integers(0, width - 5), st.integers(0, height - 5))
        boxes = []
        for _ in range(data.draw(st.integers(1, 3))):
            x, y = data.draw(corner)
            w, h = data.draw(st.integers(4, width)), data.draw(st.integers(4, height))
            boxes.append((x, y, min(width, x + w), min(height, y + h)))
        image = noise(height, width, data.draw(st.integers(0, 999)))
        # Extremes only: no mean of a block of them equals one but by being all the same.
        image = np.where(image < 128, 0, 255).astype(np.uint8)
        things = seen(height, width, *[(PERSON, box) for box in boxes])
        float_box = tuple(float(v) for v in boxes[0])
        picture = evidence_picture(image, float_box, things, {PERSON})
        margin = 0.2 * max(float_box[2] - float_box[0], float_box[3] - float_box[1])
        x, y = max(0, int(float_box[0] - margin)), max(0, int(float_box[1] - margin))
        shown = picture.shape[:2]
        raw = image[y : y + shown[0], x : x + shown[1]]
        people = mask_ops.unpacked(things.masks).any(0)[y : y + shown[0], x : x + shown[1]]
        same = (picture == raw).all(2)[people]
        # Blocks of 4 x 4 and more; at a border a block may be a few pixels, and these alike.
        assert same.sum() <= max(2, 0.02 * people.sum())


class TestFolder:
    def test_a_picture_is_written_whole_under_its_name(self, made, tmp_path):
        folder = made(tmp_path / "new" / "evidence")
        assert save(folder) == f"{DAY}/{event_id(1)}.jpg"
        assert folder.close(10)
        assert pictures(tmp_path / "new" / "evidence") == [f"{DAY}/{event_id(1)}.jpg"]
        path = tmp_path / "new" / "evidence" / DAY / f"{event_id(1)}.jpg"
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
        assert (folder.saved, folder.dropped, folder.size_bytes) == (1, 0, path.stat().st_size)
        written = cv2.imread(str(path)).astype(float)
        # People stay hidden through the encoder: what is left has nothing of the noise.
        raw = noise(120, 160)[2:120, 42:119].astype(float)
        assert written.shape == raw.shape
        person = ellipse(120, 160, (60, 20, 100, 110))[2:120, 42:119]
        likeness = np.corrcoef(written[person].ravel(), raw[person].ravel())[0, 1]
        outside = np.corrcoef(written[~person].ravel(), raw[~person].ravel())[0, 1]
        assert likeness < 0.35 < outside

    def test_people_are_shown_only_when_asked(self, made, tmp_path):
        folder = made(blur=False)
        path = tmp_path / str(save(folder))
        folder.close(10)
        written = cv2.imread(str(path)).astype(float)
        raw = noise(120, 160)[2:120, 42:119].astype(float)
        person = ellipse(120, 160, (60, 20, 100, 110))[2:120, 42:119]
        assert np.corrcoef(written[person].ravel(), raw[person].ravel())[0, 1] > 0.35

    def test_the_same_event_again_replaces_its_picture(self, made, tmp_path):
        folder = made()
        assert save(folder, seed=1) == save(folder, seed=2)
        folder.close(10)
        [name] = pictures(tmp_path)
        assert folder.size_bytes == (tmp_path / name).stat().st_size

    def test_the_oldest_go_when_it_is_too_much(self, made, tmp_path):
        one = made(tmp_path / "one")
        save(one)
        one.close(10)
        folder = made(tmp_path / "many", max_bytes=int(3.5 * one.size_bytes))
        for k in range(8):
            wait_until(lambda: not folder._queue.full())
            save(folder, k, day=f"2026-11-0{1 + k // 4}")
        folder.close(10)
        left = made(tmp_path / "many", max_bytes=int(3.5 * one.size_bytes))
        left.close(10)
        assert pictures(tmp_path / "many") == [f"2026-11-02/{event_id(k)}.jpg" for k in (5, 6, 7)]
        assert not (tmp_path / "many" / "2026-11-01").exists()
        assert left.size_bytes <= 3.5 * one.size_bytes

    def test_old_ones_go_also_of_earlier_runs(self, made, tmp_path):
        first = made()
        for k in range(3):
            save(first, k)
        first.close(10)
        now_s = time.time()
        for k, age_s in enumerate((5.0 * DAY_S, 0.5 * DAY_S, -900.0 * DAY_S)):
            path = tmp_path / DAY / f"{event_id(k)}.jpg"
            os.utime(path, (now_s - age_s, now_s - age_s))
        made(clock=lambda: now_s).close(10)
        assert pictures(tmp_path) == [f"{DAY}/{event_id(k)}.jpg" for k in (1, 2)]
        # One from a clock that was far ahead counts as new, and goes when it is a day old.
        later = made(clock=lambda: now_s)
        later._clock = lambda: now_s + 2 * DAY_S
        save(later, 9)
        wait_until(lambda: later.saved == 1)
        later.close(10)
        assert pictures(tmp_path) == [f"{DAY}/{event_id(9)}.jpg"]

    def test_files_of_others_are_left_alone(self, made, tmp_path):
        others = ["notes.txt", "2026/holiday.jpg", "2026/IMG_0001.jpg", f"{DAY}/.keep", "a.b/c.jpg"]
        for name in others:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"x" * 1000)
            os.utime(tmp_path / name, (0, 0))
        (tmp_path / DAY / f".{event_id(3)}.part").write_bytes(b"half")
        folder = made(keep_s=1.0, max_bytes=1)
        save(folder)
        folder.close(10)
        made(keep_s=1.0, max_bytes=1).close(10)
        assert pictures(tmp_path) == sorted(others)

    def test_a_folder_that_fails_is_said_and_costs_no_more(self, made, tmp_path, caplog):
        (tmp_path / DAY).write_text("in the way")
        folder = made()
        with caplog.at_level(logging.WARNING):
            assert save(folder) is not None
            wait_until(lambda: folder.dropped == 1)
            wait_until(lambda: folder._paused_until_s > 0)
            assert save(folder, 2) is None
            assert save(folder, 3, day="2026-11-24") is None
        assert "expected to write pictures, got File exists" in caplog.text
        folder._paused_until_s = 0.0
        assert save(folder, 4, day="2026-11-24") is not None
        folder.close(10)
        assert (folder.saved, folder.dropped) == (1, 3)

    def test_a_full_disk_leaves_no_half_picture(self, made, tmp_path, monkeypatch, caplog):
        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(evidence.os, "fsync", full)
        folder = made()
        with caplog.at_level(logging.WARNING):
            save(folder)
            folder.close(10)
        assert "got No space left on device" in caplog.text
        assert pictures(tmp_path) == []
        assert (folder.saved, folder.dropped, folder.size_bytes) == (0, 1, 0)

    def test_too_many_at_a_time_are_counted(self, made, monkeypatch, caplog):
        go = threading.Event()
        write = EvidenceFolder._write

        def slow(self, job) -> None:
            go.wait(10)
            write(self, job)

        monkeypatch.setattr(EvidenceFolder, "_write", slow)
        folder = made()
        promised = [save(folder, k) for k in range(30)]
        go.set()
        folder.close(10)
        assert folder.saved == sum(path is not None for path in promised)
        assert folder.saved + folder.dropped == 30
        assert 16 <= folder.saved <= 17

    @pytest.mark.parametrize(
        ("name", "day"),
        [("../../x", DAY), ("A" * 32, DAY), ("", DAY), (event_id(1), ".."), (event_id(1), "a/b")],
    )
    def test_names_stay_within_the_folder(self, made, tmp_path, name, day, caplog):
        folder = made(tmp_path / "in")
        things = seen(50, 50, (PERSON, (10, 10, 20, 40)))
        with caplog.at_level(logging.WARNING):
            box = (10.0, 10.0, 20.0, 40.0)
            assert folder.save(name, day, noise(50, 50), box, things, {PERSON}) is None
        folder.close(10)
        assert pictures(tmp_path) == []
        assert folder.dropped == 1
        assert "expected a day and a hexadecimal id" in caplog.text

    def test_errors_never_reach_the_caller(self, made, caplog):
        folder = made()
        with caplog.at_level(logging.WARNING):
            assert save(folder) is not None
            wrong = seen(10, 10)
            assert folder.save(event_id(2), DAY, noise(50, 50), (0, 0, 9, 9), wrong, {1}) is None
            assert folder.save(event_id(2), DAY, None, (0, 0, 9, 9), wrong, {1}) is None
        assert "expected masks on 50 x 50, got 10 x 10" in caplog.text
        assert "expected a picture, got AttributeError" in caplog.text

    def test_after_closing_nothing_is_promised(self, made):
        folder = made()
        assert folder.close(10)
        assert save(folder) is None
        assert folder.close(0)

    def test_a_folder_that_cannot_be(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(SinkError, match="expected a folder for evidence, got"):
            EvidenceFolder(tmp_path / "file" / "in", DAY_S, 1000)
        with pytest.raises(SinkError, match="expected a folder for evidence, got"):
            EvidenceFolder(tmp_path / "file", DAY_S, 1000)


def test_only_pictures_that_were_made_are_given_out(made, tmp_path):
    (tmp_path / DAY).mkdir()
    earlier = tmp_path / DAY / f"{event_id(7)}.jpg"
    earlier.write_bytes(b"earlier")
    folder = made()
    assert save(folder, 1) == f"{DAY}/{event_id(1)}.jpg"
    assert folder.close(10)
    assert folder.picture(DAY, f"{event_id(1)}.jpg")[:2] == b"\xff\xd8"
    assert folder.picture(DAY, f"{event_id(7)}.jpg") == b"earlier"
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    (tmp_path / DAY / f"{event_id(2)}.jpg").write_bytes(b"laid there by somebody since")
    for day, name in (
        (DAY, f"{event_id(2)}.jpg"),
        (DAY, "../secret.jpg"),
        ("..", "secret.jpg"),
        (".", "secret.jpg"),
        ("", "/etc/passwd"),
        (DAY, f"{event_id(1)}.jpg\0"),
        (f"{DAY}/../{DAY}", f"{event_id(1)}.jpg"),
    ):
        assert folder.picture(day, name) is None, (day, name)
    earlier.unlink()
    earlier.symlink_to(secret)
    assert folder.picture(DAY, f"{event_id(7)}.jpg") is None
    earlier.unlink()
    assert folder.picture(DAY, f"{event_id(7)}.jpg") is None
