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
from edge.segment import Limits, Prepared, Segmenter, Session
from edge.segment.families import recognised
from edge.segment.preparation import Canvas

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "tests" / "data" / "people.mp4"
GOLDEN = ROOT / "tests" / "segment" / "golden"
PACKAGES = [
    *("torch==2.14.1", "torchvision==0.29.1", "ultralytics==8.4.190"),
    *("onnx", "onnxslim", "onnxruntime"),
    *("opencv-python-headless", "pandas", "requests", "scipy", "seaborn", "setuptools<80", "tqdm"),
]
ALONE = "yolov5==7.0.14"  # it asks for many more packages, which its models and masks do not need
RECORDED = {  # pictures that golden files keep
    "yolov8": (0, 1, 2),
    "yolo11": (0,),
    "yolo12": (2,),
    "yolo26": (0, 2),
    "yolo26-nms": (0,),
    "yolo26-end2end": (2,),
    "yolov8-nms": (3,),
    "yolo11-nms": (4,),
    "yolo11-wide": (3,),
    "yolo11-dynamic": (4,),
    "yolo11-pair": (3,),
    "yolo11-half": (4,),
    "yolov5": (0, 1),
}
# YOLOv5's own post-processing is exact only where a picture becomes whole cells of prototypes: it
# cuts off parts of them, and takes one factor for both axes and fractions of pixels of padding,
# which is not how it prepared the picture (docs/models.md).
COMPARED = {"yolov5": (0, 1)}
LIMITS = Limits(min_score=0.25, nms_iou=0.65)
MOST_OF_FEW = 20
WORST_BOX_PX, WORST_IOU, WORST_SCORE = 0.5, 0.99, 1e-6
WORST_GREY = 1.01  # of 255: rounding of the resized picture to whole numbers
WORST_RUN = 2e-3  # of the largest output: other releases of onnxruntime, halves


def environment(folder: Path) -> Path:
    """The interpreter of the virtual environment, made if it is not there."""
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-q"]
        subprocess.run([*install, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", ALONE], check=True)
        (folder / "ready").touch()
    return python


def pictures(folder: Path) -> list[Path]:
    """Pictures of the sample clip.

    A frame as it is, a part of another made large, a narrow part, whose padding is odd, and two of
    sizes that do not become whole pixels of the input.
    """
    frames = []
    with av.open(str(CLIP)) as clip:
        for k, frame in enumerate(clip.decode(video=0)):
            if k in (100, 400):
                frames.append(frame.to_ndarray(format="bgr24"))
    large = cv2.resize(frames[1][:432], (1920, 1080))
    uneven = frames[0][100:527, 100:740], cv2.resize(frames[0][100:442], (1920, 856))
    shown = frames[0], large, frames[1][:, 300:633], *uneven
    paths = [folder / f"{k}.png" for k in range(len(shown))]
    for path, picture in zip(paths, shown, strict=True):
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
    prepared = ("picture", "prepared") if path.stem.rpartition("-")[0] == "yolov8" else ()
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
            if k not in COMPARED.get(name, range(len(paths))):
                continue
            for kind, most in (("", LIMITS.most), ("-few", MOST_OF_FEW)):
                said = dict(np.load(folder / f"{k}{kind}.npz"))
                segmenter = segmenter or Segmenter(
                    Session(Path(str(said["path"])), "cpu", 2), LIMITS
                )
                far = read(said, segmenter, most)
                grey = greys_off(segmenter, cv2.imread(str(path)), said["input"])
                print(
                    f"{name + kind:22}{segmenter.reading.family:14}{far['instances']:>10}"
                    f"{far['box']:>9.4f}{far['score']:>9.1e}{far['iou']:>9.4f}"
                    f"{grey[0]:>8.2f}{grey[1]:>8.2f}{grey[2]:>8.2f}",
                    flush=True,
                )
                is_well &= grey[2] <= WORST_GREY
                is_well &= far["score"] <= WORST_SCORE and not far["classes"]
                is_well &= far["box"] <= WORST_BOX_PX and far["iou"] >= WORST_IOU
                if not kind:
                    is_well &= runs_alike(segmenter, said)
            if is_recorded and k in RECORDED[name]:
                record(GOLDEN / f"{name}-{k}.npz", said, segmenter)
    return is_well


def runs_alike(segmenter: Segmenter, said: dict[str, np.ndarray]) -> bool:
    """Whether our session gives the reference's outputs for its input."""
    x = said["input"].astype(segmenter.session.file.input_dtype)
    box = segmenter.prepare(np.zeros((*said["hw"].tolist(), 3), np.uint8)).box
    ours = segmenter.infer(Prepared(x, box))
    theirs = [said[f"output{k}"] for k in range(len(ours))]
    off = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True)]
    if max(off) > WORST_RUN:
        print(f"outputs differ by {max(off):.1e} of the largest")
    return max(off) <= WORST_RUN


def greys_off(segmenter: Segmenter, image: np.ndarray, theirs: np.ndarray) -> list[float]:
    """Differences of the prepared pictures, of 255: mean, largest, largest if we do not average."""
    ours = segmenter.prepare(image)
    how = replace(segmenter.reading.preparation, averages=False)
    skipping = Canvas(ours.box, how).fill(image)
    off = [np.abs(tensor - theirs) * 255 for tensor in (ours.tensor, skipping)]
    return [float(off[0].mean()), float(off[0].max()), float(off[1].max())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help=", ".join(RECORDED))
    parser.add_argument("--venv", type=Path, default=ROOT / "out" / "venv-families")
    parser.add_argument("--record", action="store_true", help="write the golden files")
    asked = parser.parse_args()
    python = environment(asked.venv)
    print(f"{'model':22}{'read as':14}{'instances':>10}{'box px':>9}{'score':>9}{'IoU':>9}"
          f"{'input mean, max, not averaged':>29}")  # fmt: skip
    well = [compared(name, python, asked.record) for name in asked.models or RECORDED]
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
