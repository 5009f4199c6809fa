"""Our reading of YOLO-seg exports beside that of their own package, ultralytics.

Makes a virtual environment of its own under --venv, once (6 GB, with torch), where that package
(AGPL-3.0: a tool of this comparison only) builds its models with random weights, exports them, and
says what it makes of pictures of the sample clip; edgecount then reads the same outputs. Prints
the differences, and ends with 1 if they are too large. With --record it writes the golden files
that tests/segment/test_golden_families.py checks. `scripts/compare_query_families` does the same
for the families without prototypes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
from compare_query_families import differences, masks_of

from edge import rle
from edge.segment import Limits, Segmenter, Session
from edge.segment.families import recognised

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "tests" / "data" / "people.mp4"
GOLDEN = ROOT / "tests" / "segment" / "golden"
PACKAGES = ["ultralytics==8.4.190", "onnx", "onnxslim", "onnxruntime"]
RECORDED = {  # pictures that golden files keep
    "yolov8": (0, 1, 2),
    "yolo11": (0,),
    "yolo12": (2,),
    "yolo26": (0, 2),
    "yolo26-nms": (0,),
    "yolo26-end2end": (2,),
}
LIMITS = Limits(min_score=0.25, nms_iou=0.65)
MOST_OF_FEW = 20
WORST_BOX_PX, WORST_IOU, WORST_SCORE = 0.5, 0.99, 1e-6


def environment(folder: Path) -> Path:
    """The interpreter of the virtual environment, made if it is not there."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
        (folder / "ready").touch()
    return python


def pictures(folder: Path) -> list[Path]:
    """A frame as it is, a part of another made large, and a narrow part, whose padding is odd."""
    frames = []
    with av.open(str(CLIP)) as clip:
        for k, frame in enumerate(clip.decode(video=0)):
            if k in (100, 400):
                frames.append(frame.to_ndarray(format="bgr24"))
    large = cv2.resize(frames[1][:432], (1920, 1080))
    paths = [folder / f"{k}.png" for k in range(3)]
    for path, picture in zip(paths, (frames[0], large, frames[1][:, 300:633]), strict=True):
        cv2.imwrite(str(path), picture)
    return paths


def read(said: dict[str, np.ndarray], segmenter: Segmenter, most: int) -> dict:
    """How far we are from the package with its outputs."""
    outputs = [said[f"output{k}"] for k in range(len(said["names"]))]
    box = segmenter.prepare(np.zeros((*said["hw"].tolist(), 3), np.uint8)).box
    reading = recognised(segmenter.session.file, outputs)
    ours, _ = reading.decode(outputs, box, replace(LIMITS, most=most))
    return differences(ours, said, said["labels"])


def record(path: Path, said: dict[str, np.ndarray], segmenter: Segmenter) -> None:
    """Write a golden file: outputs in few digits, prototypes as whole steps."""
    cells, planes = said["output0"], said["output1"]
    steps = np.rint(planes / said["step"]).astype(np.int8)
    if not np.array_equal(steps * said["step"], planes):
        sys.exit(f"{path}: expected prototypes in whole steps")
    runs = [str(run["counts"]).encode() for run in rle.encoded(masks_of(said))]
    metadata = segmenter.session.file.metadata
    # How pictures are prepared does not depend on the model.
    prepared = ("picture", "prepared") if path.stem.startswith("yolov8") else ()
    np.savez_compressed(
        path,
        cells=cells,
        planes=steps,
        **{
            name: said[name]
            for name in ("step", "names", "hw", "boxes", "scores", "labels", *prepared)
        },
        masks=np.array(runs),
        input_hw=np.array(said["input"].shape[-2:]),
        metadata=np.array([[key, metadata.get(key, "")] for key in ("names", "end2end", "stride")]),
    )


def compared(name: str, python: Path, is_recorded: bool) -> bool:
    """Print two lines a picture, of all and of what golden files have; whether all is well."""
    is_well = True
    with TemporaryDirectory() as place:
        folder = Path(place)
        paths = pictures(folder)
        program = [str(python), str(ROOT / "scripts" / "yolo_reference.py"), name, place]
        offline = {**os.environ, "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
        ran = subprocess.run(
            [*program, *map(str, paths)], capture_output=True, text=True, cwd=place, env=offline
        )
        if ran.returncode:
            sys.exit(f"{name}: the reference failed:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
        segmenter = None
        for k, path in enumerate(paths):
            for kind, most in (("", LIMITS.most), ("-few", MOST_OF_FEW)):
                said = dict(np.load(folder / f"{k}{kind}.npz"))
                segmenter = segmenter or Segmenter(
                    Session(Path(str(said["path"])), "cpu", 2), LIMITS
                )
                far = read(said, segmenter, most)
                print(
                    f"{name + kind:22}{segmenter.reading.family:14}{far['instances']:>10}"
                    f"{far['box']:>9.4f}{far['score']:>9.1e}{far['iou']:>9.4f}"
                    f"{greys_off(segmenter, path, said['input'])}",
                    flush=True,
                )
                is_well &= far["box"] <= WORST_BOX_PX and far["iou"] >= WORST_IOU
                is_well &= far["score"] <= WORST_SCORE and not far["classes"]
            if is_recorded and k in RECORDED[name]:
                record(GOLDEN / f"{name}-{k}.npz", said, segmenter)
    return is_well


def greys_off(segmenter: Segmenter, path: Path, theirs: np.ndarray) -> str:
    """Mean and largest difference of the prepared pictures, of 255."""
    off = np.abs(segmenter.prepare(cv2.imread(str(path))).tensor - theirs) * 255
    return f"{off.mean():>8.2f}{off.max():>8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help=", ".join(RECORDED))
    parser.add_argument("--venv", type=Path, default=ROOT / "out" / "venv-families")
    parser.add_argument("--record", action="store_true", help="write the golden files")
    asked = parser.parse_args()
    python = environment(asked.venv)
    print(f"{'model':22}{'read as':14}{'instances':>10}{'box px':>9}{'score':>9}{'IoU':>9}"
          f"{'input mean, max':>16}")  # fmt: skip
    well = [compared(name, python, asked.record) for name in asked.models or RECORDED]
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
