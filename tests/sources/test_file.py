from __future__ import annotations

import struct
import threading
import wave
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from edge.errors import SourceError
from edge.sources.faults import Faults
from edge.sources.file import VideoFile
from edge.sources.orientation import oriented
from edge.sources.stream import AvPicture

SAMPLE = Path(__file__).parent.parent / "data" / "people.mp4"
FORMATS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mov", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("a.ts", "libx264", "yuv420p"),
    ("a.flv", "libx264", "yuv420p"),
    ("a.webm", "libvpx-vp9", "yuv420p"),
    ("a.avi", "mjpeg", "yuvj420p"),
]


def noise(k: int) -> np.ndarray:
    return np.random.default_rng(k).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def greys(frames) -> list[int]:
    """Which grey step of `make_video` each picture shows."""
    return [round((float(f.image.mean()) - 30) / 20) for f in frames]


def test_sample_clip():
    with VideoFile(SAMPLE) as video:
        assert (video.width, video.height, video.fps) == (768, 576, 10.0)
        assert (video.frame_count, video.duration_s) == (795, 79.5)
        count = 0
        for k, frame in enumerate(video):
            assert (frame.stamp.frame, frame.stamp.media_s) == (k, k / 10)
            assert frame.image.shape == (576, 768, 3)
            assert frame.image.flags.c_contiguous
            count += 1
        assert count == 795
        assert video.warnings == Faults()


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), FORMATS)
def test_formats(make_video, name, codec, pix_fmt):
    with VideoFile(make_video(name, codec=codec, pix_fmt=pix_fmt)) as video:
        frames = list(video)
        assert (video.width, video.height) == (64, 48)
        assert (video.fps, video.frame_count, video.duration_s) == (10.0, 30, 3.0)
        assert [f.stamp.media_s for f in frames] == [k / 10 for k in range(30)]
        assert greys(frames) == [k % 10 for k in range(30)]
        assert video.warnings == Faults()


def test_reordered_frames_come_in_display_order(make_video):
    path = make_video(options={"preset": "medium", "bf": "3"})
    with av.open(str(path)) as container:
        order = [p.pts for p in container.demux(video=0) if p.pts is not None]
    assert order != sorted(order)  # there are B-frames
    with VideoFile(path) as video:
        frames = list(video)
    assert greys(frames) == [k % 10 for k in range(30)]
    assert [f.stamp.media_s for f in frames] == [k / 10 for k in range(30)]


def test_variable_frame_rate(make_video):
    pts = [0, 1, 5, 6, 60, 61, 200]
    with VideoFile(make_video(pts=pts)) as video:
        assert [f.stamp.media_s for f in video] == [p / 10 for p in pts]


def test_ntsc_times_are_exact(make_video):
    with VideoFile(make_video(tick=Fraction(1001, 30000))) as video:
        assert [f.stamp.media_s for f in video] == [
            float(k * Fraction(1001, 30000)) for k in range(30)
        ]


def test_late_start_is_subtracted(make_video):
    with VideoFile(make_video("late.mkv", pts=range(500, 530))) as video:
        assert [f.stamp.media_s for f in video] == [k / 10 for k in range(30)]


def test_a_stream_without_times_gets_the_usual_interval(make_video):
    with VideoFile(make_video("raw.h264")) as video:
        assert [f.stamp.media_s for f in video] == [k / 25 for k in range(30)]
        assert video.warnings.missing_times == 30


@pytest.mark.parametrize(
    ("size", "codec", "pix_fmt"),
    [
        ((1, 1), "ffv1", "yuv444p"),
        ((65, 49), "ffv1", "yuv444p"),
        ((48, 96), "libx264", "yuv420p"),  # portrait
        ((64, 48), "libx264", "yuv420p10le"),
        ((64, 48), "ffv1", "gray"),
        ((64, 48), "ffv1", "bgr0"),
    ],
)
def test_sizes_and_pixel_formats(make_video, size, codec, pix_fmt):
    with VideoFile(make_video("odd.mkv", size=size, codec=codec, pix_fmt=pix_fmt)) as video:
        frames = list(video)
        assert (video.width, video.height) == size
        assert frames[0].image.shape == (size[1], size[0], 3)
        assert greys(frames) == [k % 10 for k in range(30)]


def test_ten_thousand_frames(make_video):
    blank = np.zeros((48, 64, 3), np.uint8)
    path = make_video(pts=range(10_000), codec="mpeg4", picture=lambda k: blank)
    with VideoFile(path) as video:
        assert video.frame_count == 10_000
        for k, frame in enumerate(video):
            assert (frame.stamp.frame, frame.stamp.media_s) == (k, k / 10)
        assert k == 9_999


# Rotation


def corners(k: int) -> np.ndarray:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return image


def with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into the track header of an MP4."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (v << 16 for v in matrix)
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_rotation_as_opencv_has_it(make_video, matrix):
    path = with_matrix(make_video(picture=corners), matrix)
    capture = cv2.VideoCapture(str(path))
    _, expected = capture.read()
    capture.release()
    with VideoFile(path) as video:
        image = next(video).image
        assert (video.height, video.width) == expected.shape[:2]
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected).max() <= 3


@pytest.mark.parametrize(
    "matrix", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0), (0, 1, -1, 0)]
)
def test_mirrored_pictures(make_video, matrix):
    with VideoFile(with_matrix(make_video(picture=corners), matrix)) as video:
        image = next(video).image
    (a, b), (c, d) = np.array(matrix).reshape(2, 2)
    flat = corners(0)
    for y, x in ((12, 16), (12, 48), (36, 16), (36, 48)):
        shown_x, shown_y = (a * x + c * y) % image.shape[1], (b * x + d * y) % image.shape[0]
        assert np.abs(image[shown_y, shown_x].astype(int) - flat[y, x]).max() < 20


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, 1, 1, 0)])
def test_pictures_of_a_camera_are_turned_likewise(make_video, matrix):
    path = with_matrix(make_video(picture=corners), matrix)
    with VideoFile(path) as video, av.open(str(path)) as container:
        tables = VideoReformatter(), VideoReformatter()
        picture = AvPicture(next(container.decode(video=0)), tables, 0.0, None, None)
        assert picture.size == (video.width, video.height)
        assert (picture.image() == next(video).image).all()


def test_four_quarter_turns_are_none():
    image, turn = noise(0), np.array([[0, 65536], [-65536, 0]], np.int32)
    turned = image
    for _ in range(4):
        turned = oriented(turned, turn)
    assert (turned == image).all()
    assert (oriented(image, turn) == cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)).all()


# Broken recordings


def test_broken_in_the_middle_costs_those_frames(make_video):
    path = make_video(picture=noise)
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + b"\xff" * 400 + data[middle + 400 :])
    with VideoFile(path) as video:
        frames = list(video)
        assert 25 <= len(frames) < 30
        assert video.warnings.broken_frames == 30 - len(frames)
        assert not video.warnings.truncated
    assert (frames[-1].stamp.frame, frames[-1].stamp.media_s) == (29, 2.9)


def test_a_packet_that_does_not_decode_leaves_a_gap_in_the_numbers(make_video):
    path = make_video("a.avi", codec="mjpeg", pix_fmt="yuvj420p")
    data = path.read_bytes()
    at = [i for i in range(len(data)) if data.startswith(b"\xff\xd8\xff", i)][15]
    size = int.from_bytes(data[at - 4 : at], "little")
    path.write_bytes(data[:at] + bytes(size) + data[at + size :])
    with VideoFile(path) as video:
        stamps = [f.stamp for f in video]
        assert video.warnings.broken_frames == 30 - len(stamps) > 0
    assert all(s.media_s == s.frame / 10 for s in stamps)


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), [f for f in FORMATS if f[0] != "a.mov"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_cut_off_recordings_give_what_there_is(make_video, name, codec, pix_fmt, share):
    front = {"movflags": "+faststart"} if name == "a.mp4" else {}
    path = make_video(name, codec=codec, pix_fmt=pix_fmt, picture=noise, container_options=front)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with VideoFile(path) as video:
        stamps = [f.stamp for f in video]
        assert 5 <= len(stamps) < 30
        assert all(s.media_s == s.frame / 10 for s in stamps)
        headed = name not in ("a.ts", "a.flv")  # these two do not know how long they should be
        assert video.warnings.truncated == headed


def test_longer_sound_is_no_truncation(tmp_path):
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 16, 16, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=8000)
        for k in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="bgr24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            container.mux(video.encode(frame))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 40_000), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    with VideoFile(path) as source:
        assert len(list(source)) == 10
        assert source.warnings == Faults()


def test_a_change_of_size_is_scaled_back(make_video):
    both = [make_video(n, size=s).read_bytes() for n, s in (("a.ts", (64, 48)), ("b.ts", (96, 80)))]
    path = make_video("a.ts")
    path.write_bytes(b"".join(both))
    with VideoFile(path) as video:
        frames = list(video)
        assert {f.image.shape for f in frames} == {(48, 64, 3)}
        assert len(frames) > 50
        assert video.warnings.resized_frames > 20
        assert video.warnings.time_jumps == 1


class FailingContainer:
    """A container whose disk fails after some packets."""

    def __init__(self, container, error: Exception) -> None:
        self._container, self._error = container, error

    def __getattr__(self, name: str):
        return getattr(self._container, name)

    def demux(self):
        for k, packet in enumerate(self._container.demux()):
            if k == 10:
                raise self._error
            yield packet


@pytest.mark.parametrize(
    ("error", "expected", "text"),
    [
        (FFmpegError(5, "Input/output error"), SourceError, "got Input/output error"),
        (RuntimeError("bug"), RuntimeError, "bug"),
    ],
)
def test_the_reading_threads_error_reaches_the_consumer(
    make_video, monkeypatch, error, expected, text
):
    path, real = make_video(), av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: FailingContainer(real(*a, **k), error))
    with VideoFile(path) as video, pytest.raises(expected, match=text):
        list(video)


# What is no video


def refused(path: Path, got: str) -> None:
    with pytest.raises(SourceError) as caught:
        VideoFile(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected a video file, got {got}"), message
    assert "\n" not in message


def test_missing_folder_and_empty(tmp_path):
    refused(tmp_path / "none.mp4", "no such file")
    refused(Path("clips/none.mp4"), f"no such file in {Path.cwd() / 'clips'}")
    refused(tmp_path, "a folder")
    refused(Path("/dev/null"), "a device or pipe")
    (tmp_path / "zero.mp4").touch()
    refused(tmp_path / "zero.mp4", "an empty file")


def test_no_permission(make_video, monkeypatch):
    path = make_video()

    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # the super-user may open everything
    refused(path, "permission denied")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes.avi", "a:b.mp4"])
def test_text(tmp_path, name):
    path = tmp_path / name
    path.write_text("This is a shopping list.\n" * 200)
    refused(path, "a text file" if name == "notes.txt" else "something that is none")


@pytest.mark.parametrize("kind", [".jpg", ".png", ".bmp", ".webp"])
def test_a_picture_in_disguise(tmp_path, kind):
    _, data = cv2.imencode(kind, noise(0))
    (tmp_path / "clip.mp4").write_bytes(data.tobytes())
    refused(tmp_path / "clip.mp4", "a single picture")


def test_a_playlist_does_not_reach_the_network(tmp_path):
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    refused(path, "something that is none")


def test_sound_only(tmp_path):
    path = tmp_path / "song.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    refused(path, "sound only")


def test_an_interrupted_mp4_without_index(make_video):
    path = make_video(picture=noise)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(SourceError, match="expected a video file, got "):
        VideoFile(path)


# Identity and life


def test_content_key_is_of_the_content(make_video, tmp_path):
    first = make_video("first.mp4")
    again = tmp_path / "again.mp4"
    again.write_bytes(first.read_bytes())
    other = make_video("other.mp4", pts=range(29))
    keys = []
    for path in (first, again, other):
        with VideoFile(path) as video:
            keys.append(video.content_key)
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) == 64


@pytest.mark.parametrize("taken", [0, 1, 10, 30])
def test_closing_at_any_time_ends_the_thread(make_video, taken):
    before = threading.active_count()
    video = VideoFile(make_video())
    for _ in range(taken):
        next(video)
    video.close()
    video.close()
    assert threading.active_count() <= before
    assert list(video) == []


def test_open_files_do_not_accumulate(make_video):
    path = make_video()
    count = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with VideoFile(path) as video:
            next(video)
    assert len(list(Path("/proc/self/fd").iterdir())) <= count


def test_relative_path_with_a_colon(make_video, monkeypatch, tmp_path):
    make_video("file:clip.mp4")
    monkeypatch.chdir(tmp_path)
    with VideoFile("file:clip.mp4") as video:
        assert len(list(video)) == 30
