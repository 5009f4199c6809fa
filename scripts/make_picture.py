"""Make docs/images/people.jpg: a frame of the sample clip as `edge run --save-video` draws it.

scripts/make_picture [--at SECONDS] [--out FILE.jpg]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

from edge.sources import open_source

ROOT = Path(__file__).resolve().parent.parent
RULES = (
    "--line=left=.3255,0,.3255,1",
    "--line=right=.651,0,.651,1",
    "--zone=path=.35,.3,.62,.3,.62,.9,.35,.9",
)
QUALITY = 85


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--at", type=float, default=24.0, help="seconds; default 24")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/people.jpg")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "counted.mp4"
        clip = ROOT / "tests/data/people.mp4"
        frames = str(round(asked.at * 10) + 1)  # the clip has 10 a second
        count = [sys.executable, "-m", "edge", "run", clip, "--classes", "person", *RULES]
        writes = ["--save-video", video, "--max-frames", frames, "--quiet"]
        subprocess.run([*count, *writes], check=True, stdout=subprocess.DEVNULL)
        with open_source(str(video)) as drawn:
            for frame in drawn:
                image = frame.image
    cv2.imwrite(str(asked.out), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(f"{asked.out}: {image.shape[1]} x {image.shape[0]}, {asked.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
