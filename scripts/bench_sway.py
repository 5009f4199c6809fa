"""What `edge run --camera-motion` gains: the sample clip, swayed, with and without it.

TRUTH.txt is the MOT15 truth of PETS09-S2L1. The pictures go SWAY_PX aside (.9 Hz) and a third of
that up and down (.53 Hz); tracks are moved back by as much before they are compared.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np

CLIP = Path(__file__).resolve().parent.parent / "tests" / "data" / "people.mp4"
EDGE = [sys.executable, "-m", "edge"]
IGNORED = "0,0,165,150"  # people and a post here are not in the truth


def swayed(target: Path, sway_px: float) -> list[tuple[float, float]]:
    """Write the swayed clip; how far each frame has gone, x and y pixels."""
    ways = []
    with av.open(str(CLIP)) as source, av.open(str(target), "w") as clip:
        stream = clip.add_stream("libx264", rate=10, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for k, frame in enumerate(source.decode(video=0)):
            x = round(float(sway_px * np.sin(2 * np.pi * 0.09 * k)), 2)
            y = round(float(sway_px / 3 * np.sin(2 * np.pi * 0.053 * k)), 2)
            ways.append((x, y))
            move = np.array([[1, 0, x], [0, 1, y]])
            image = frame.to_ndarray(format="bgr24")
            moved = cv2.warpAffine(image, move, (768, 576), borderMode=cv2.BORDER_REFLECT)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="bgr24")))
        clip.mux(stream.encode())
    return ways


def moved_back(path: Path, ways: list[tuple[float, float]]) -> int:
    """Take the sway out of a file of boxes; the number of identities in it."""
    lines, ids = [], set()
    for line in path.read_text().splitlines():
        row = line.split(",")
        x, y = ways[int(row[0]) - 1]
        row[2], row[3] = f"{float(row[2]) - x:.2f}", f"{float(row[3]) - y:.2f}"
        lines.append(",".join(row) + "\n")
        ids.add(row[1])
    path.write_text("".join(lines))
    return len(ids)


def main(truth: str, sway_px: float) -> None:
    with TemporaryDirectory() as folder:
        clip, tracks = Path(folder) / "swayed.mp4", Path(folder) / "tracks.mot.txt"
        ways = swayed(clip, sway_px)
        for options in ([], ["--camera-motion"]):
            quiet = ["--quiet", "--events", f"{folder}/events.jsonl", "--classes", "person"]
            subprocess.run(
                [*EDGE, "run", clip, *quiet, "--save-tracks", tracks, *options], check=True
            )
            ids = moved_back(tracks, ways)
            print(f"sway {sway_px:g} px, {' '.join(options) or 'as it is'}: {ids} ids", flush=True)
            judged = ["--truth", truth, "--tracks", tracks, "--ignore-region", IGNORED]
            subprocess.run([*EDGE, "eval", "tracks", *judged], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="scripts/bench_sway", description=__doc__)
    parser.add_argument("truth", metavar="TRUTH.txt")
    parser.add_argument("sway_px", type=float, nargs="?", default=12.0, metavar="SWAY_PX")
    given = parser.parse_args()
    main(given.truth, given.sway_px)
