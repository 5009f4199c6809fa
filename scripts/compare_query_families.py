"""Our reading of RF-DETR-Seg, D-FINE-seg, RTMDet-Ins and Mask R-CNN beside that of their packages.

Makes virtual environments of their own under --venv, once (6 GB each, with torch; OpenMMLab's needs
Python 3.8 to 3.11), where the packages build their models with random weights and say what they
make of pictures of the sample clip; edgecount then reads the same outputs. Prints the differences,
and ends with 1 if they are too large. With --record it writes the golden files that
tests/segment/test_golden_queries.py checks.
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

from edge import masks as mask_ops
from edge import rle
from edge.segment import Limits, Segmenter, Session
from edge.segment.families import recognised
from edge.types import Instances, Masks

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "tests" / "data" / "people.mp4"
GOLDEN = ROOT / "tests" / "segment" / "golden"
FRAMES = (100, 400)
PACKAGES = [
    *("torch==2.14.1", "torchvision==0.29.1", "rfdetr==1.11.2", "dfine-seg==0.6.2"),
    *("onnx", "onnxruntime", "onnxscript", "onnxconverter-common", "onnxsim"),
]
OPENMMLAB = [
    *("torch==2.1.2", "torchvision==0.16.2", "mmengine==0.10.7", "mmdet==3.3.0", "mmdeploy==1.3.1"),
    *("mmcv-lite==2.1.0", "onnx<1.17", "onnxruntime<1.20", "numpy<2", "pandas<3"),
    *("opencv-python<4.12", "setuptools<80"),
]
PROGRAMS = {  # what says what a family's package makes of pictures, and where it runs
    **dict.fromkeys(("rfdetr", "rfdetr-three", "dfine", "torchvision"), "query_reference.py"),
    **dict.fromkeys(("rtmdet", "mmdet-maskrcnn"), "mmdet_reference.py"),
}
MOST_RECORDED = {"query_reference.py": 2, "mmdet_reference.py": 3}  # pictures in golden files
LIMITS = Limits(min_score=0.3, nms_iou=0.7, every_class=True)
WORST_BOX_PX, WORST_IOU, WORST_SCORE = 0.5, 0.99, 1e-5
WORST_GREY = 1.01  # of 255: rounding of the resized picture to whole numbers


def environment(folder: Path, family: str) -> Path:
    """The interpreter of a family's virtual environment, made if it is not there."""
    is_openmmlab = PROGRAMS[family] == "mmdet_reference.py"
    folder = folder / ("openmmlab" if is_openmmlab else "others")
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        packages = OPENMMLAB if is_openmmlab else PACKAGES
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        ready.touch()
    return python


def pictures(folder: Path) -> list[Path]:
    """Frames of the sample clip, as files; the last of a size that does not divide evenly."""
    paths = []
    with av.open(str(CLIP)) as clip:
        for k, frame in enumerate(clip.decode(video=0)):
            if k in FRAMES:
                paths.append(folder / f"{k}.png")
                cv2.imwrite(str(paths[-1]), frame.to_ndarray(format="bgr24"))
    uneven = cv2.resize(cv2.imread(str(paths[0]))[100:442], (960, 428))
    paths.append(folder / "uneven.png")
    cv2.imwrite(str(paths[-1]), uneven)
    return paths


def masks_of(said: dict[str, np.ndarray]) -> Masks:
    """The reference's masks."""
    h, w = said["hw"].tolist()
    bits = np.unpackbits(said["masks"], axis=1, count=h * w) if len(said["masks"]) else 0
    return mask_ops.packed(np.reshape(bits, (-1, h, w)).astype(bool))


def differences(ours: Instances, said: dict[str, np.ndarray], labels: np.ndarray) -> dict:
    """How far our instances are from the reference's, pair by pair in their order."""
    theirs = masks_of(said)
    shown = np.flatnonzero(mask_ops.area(theirs))  # no mask, no instance
    if len(ours) != len(shown):
        sys.exit(f"expected {len(shown)} instances, got {len(ours)}")
    its = np.arange(len(ours))
    if np.array_equal(ours.scores, said["scores"][shown]):  # equal ones may come in any order
        its = by_score_and_place(ours.scores, ours.boxes)
        shown = shown[by_score_and_place(said["scores"][shown], said["boxes"][shown])]
    iou = []
    for k, j in zip(its.tolist(), shown.tolist(), strict=True):
        both = mask_ops.intersection(ours.masks, k, theirs, j)
        iou.append(both / (mask_ops.area(ours.masks)[k] + mask_ops.area(theirs)[j] - both))
    return {
        "instances": len(ours),
        "box": float(np.abs(ours.boxes[its] - said["boxes"][shown]).max(initial=0)),
        "score": float(np.abs(ours.scores[its] - said["scores"][shown]).max(initial=0)),
        "classes": int(np.count_nonzero(ours.class_ids[its] != labels[shown])),
        "iou": float(min(iou, default=1)),
    }


def by_score_and_place(scores: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """An order of instances in which equal scores do not matter."""
    return np.lexsort((*boxes.T.round(1), -scores))


def read(said: dict[str, np.ndarray], segmenter: Segmenter, family: str) -> dict:
    """How far we are from the reference with its outputs."""
    outputs = [said[f"output{k}"] for k in range(len(said["names"]))]
    hw = tuple(said["hw"].tolist())
    box = segmenter.prepare(np.zeros((*hw, 3), np.uint8)).box
    names = ("person", "car") if family == "torchvision" else None
    reading = recognised(segmenter.session.file, outputs, None, names)
    limits = LIMITS if family != "dfine" else Limits(min_score=0.3, nms_iou=0.7)
    ours, _ = reading.decode(outputs, box, limits)
    return differences(ours, said, said["labels"] - (names is not None))


def record(family: str, k: int, said: dict[str, np.ndarray]) -> None:
    """Write a golden file."""
    GOLDEN.mkdir(exist_ok=True)
    small = {}
    for i, name in enumerate(said["names"].tolist()):
        output = said[f"output{i}"]
        if name == "masks":
            steps = np.round(output * 255).astype(np.uint8)
            is_probability = np.array_equal(steps / np.float32(255), output)
            output = steps if is_probability else output.astype(np.float16)
        small[f"output{i}"] = output
    runs = [str(run["counts"]).encode() for run in rle.encoded(masks_of(said))]
    np.savez_compressed(
        GOLDEN / f"{family}-{k}.npz",
        **small,
        **{name: said[name] for name in ("names", "hw", "boxes", "scores", "labels")},
        masks=np.array(runs),
        input_hw=said["input_hw"],
    )


def compared(family: str, python: Path, is_recorded: bool) -> bool:
    """Print two lines a picture, of all and of what golden files have; whether all is well."""
    is_well = True
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths = pictures(folder)
        program = [str(python), str(ROOT / "scripts" / PROGRAMS[family]), family, name]
        subprocess.run(
            [*program, *map(str, paths)], check=True, stdout=subprocess.DEVNULL, cwd=name
        )
        for k, path in enumerate(paths):
            whole, few = (dict(np.load(folder / f"{k}{kind}.npz")) for kind in ("", "-few"))
            segmenter = Segmenter(Session(Path(str(whole["path"])), "cpu", 2), LIMITS)
            tensor = segmenter.prepare(cv2.imread(str(path))).tensor
            theirs = whole["input"].reshape(tensor.shape)
            off = np.abs(tensor - theirs).max() * max(segmenter.reading.preparation.std)
            few["input_hw"] = np.array(tensor.shape[-2:])
            if is_recorded and k < MOST_RECORDED[PROGRAMS[family]]:
                record(family, k, few)
            for said in (whole, few):
                far = read(said, segmenter, family)
                print(
                    f"{family:14}{far['instances']:>10}{far['box']:>9.4f}{far['score']:>9.1e}"
                    f"{far['iou']:>9.4f}{off:>8.2f}"
                )
                is_well &= far["box"] <= WORST_BOX_PX and far["iou"] >= WORST_IOU
                is_well &= far["score"] <= WORST_SCORE and not far["classes"]
            is_well &= off <= WORST_GREY
    return is_well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help=", ".join(PROGRAMS))
    parser.add_argument("--venv", type=Path, default=ROOT / "out" / "venv-query-families")
    parser.add_argument("--record", action="store_true", help="write the golden files")
    asked = parser.parse_args()
    print(f"{'family':14}{'instances':>10}{'box px':>9}{'score':>9}{'IoU':>9}{'input':>8}")
    well = [
        compared(family, environment(asked.venv, family), asked.record)
        for family in asked.families or PROGRAMS
    ]
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
