from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SourceError
from edge.sources import ImageFolder, VideoFile, masked, open_source
from edge.sources.folder import natural_key


def write(path, value: int = 100, size: tuple[int, int] = (40, 30)) -> None:
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), value, np.uint8))


def test_pictures_in_natural_order(tmp_path):
    for k, name in enumerate(["a2.png", "a10.bmp", "a1.PNG", "b.webp", "c.jpg", "d.jpeg"]):
        write(tmp_path / name, 10 * k)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "sub.png").mkdir()
    with ImageFolder(tmp_path, fps=4) as folder:
        frames = list(folder)
        assert (folder.width, folder.height, folder.fps) == (40, 30, 4)
        assert (folder.frame_count, folder.duration_s) == (6, 1.5)
    assert [round(f.image.mean() / 10) for f in frames] == [2, 0, 1, 3, 4, 5]
    assert [f.stamp.media_s for f in frames] == [k / 4 for k in range(6)]


def test_unreadable_pictures_are_skipped_and_counted(tmp_path):
    (tmp_path / "0.png").write_text("no picture")
    (tmp_path / "2.png").touch()
    for name in ("1.png", "3.png"):
        write(tmp_path / name)
    with ImageFolder(tmp_path) as folder:
        assert [f.stamp.frame for f in folder] == [1, 3]
        assert folder.warnings.broken_frames == 2


def test_another_size_is_an_error_that_names_the_picture(tmp_path):
    write(tmp_path / "1.png")
    write(tmp_path / "2.png", size=(41, 30))
    with (
        ImageFolder(tmp_path) as folder,
        pytest.raises(SourceError, match=r"2\.png: expected 40 x 30 .* got 41 x 30"),
    ):
        list(folder)


def test_grey_and_transparent_pictures_become_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.full((30, 40), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((30, 40, 4), 9, np.uint8))
    cv2.imwrite(str(tmp_path / "3.png"), np.full((30, 40, 3), 257 * 11, np.uint16))
    with ImageFolder(tmp_path) as folder:
        assert [int(f.image[0, 0, 0]) for f in folder] == [7, 9, 11]


def test_folders_without_pictures(tmp_path):
    with pytest.raises(SourceError, match=r"expected pictures .*, got a folder without any"):
        ImageFolder(tmp_path)
    with pytest.raises(SourceError, match="got no such folder"):
        ImageFolder(tmp_path / "none")
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(SourceError, match="got 1 files of which none is one"):
        ImageFolder(tmp_path)
    with pytest.raises(SourceError, match="got a file"):
        ImageFolder(tmp_path / "a.png")
    with pytest.raises(SourceError, match="expected a rate above 0"):
        ImageFolder(tmp_path, fps=0)


def test_content_key_does_not_depend_on_the_place(tmp_path):
    keys = []
    for name, value in (("one", 5), ("two", 5), ("three", 6)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "1.png", value)
        keys.append(ImageFolder(tmp_path / name).content_key)
    assert keys[0] == keys[1] != keys[2]


def test_closing_early(tmp_path):
    for k in range(20):
        write(tmp_path / f"{k}.png")
    before = threading.active_count()
    folder = ImageFolder(tmp_path)
    next(folder)
    folder.close()
    folder.close()
    assert threading.active_count() <= before
    assert list(folder) == []


@given(st.text("ab019-. Ä٣", max_size=8), st.text("ab019-. Ä٣", max_size=8))
def test_natural_keys_compare(a, b):
    assert (natural_key(a) < natural_key(b)) or (natural_key(a) >= natural_key(b))


# open_source


def test_open_source_chooses_by_what_is_there(tmp_path, make_video):
    write(tmp_path / "1.png")
    with open_source(str(tmp_path)) as source:
        assert isinstance(source, ImageFolder)
    with open_source(str(make_video())) as source:
        assert isinstance(source, VideoFile)
    with pytest.raises(SourceError, match="expected a video file, got no such file"):
        open_source(str(tmp_path / "none.mp4"))


@pytest.mark.parametrize(
    "text",
    ["0", "12", "rtsp://cam/1", "RTSP://u:p@cam/1", "gst:v4l2src ! appsink", "http://cam/a.mjpg"],
)
def test_live_cameras_are_refused_for_now(text):
    with pytest.raises(
        SourceError, match="expected a file or a folder of pictures, got a live camera"
    ):
        open_source(text)


@given(
    st.text("abcXYZ019!$%:@/&=?;", min_size=3, max_size=12),
    st.sampled_from(["rtsp", "rtsps", "http"]),
)
def test_no_password_in_messages(password, scheme):
    secret = f"<{password}>"
    text = masked(f"gst: {scheme}://admin:{secret}@10.0.0.1:554/ch1?a=b ! fakesink")
    assert secret not in text
    assert "admin" not in text
    assert "10.0.0.1:554/ch1?a=*** ! fakesink" in text
