"""What the package ultralytics makes of a picture: reference of scripts/compare_families.py.

Runs with that package, without edgecount: builds a model with random weights from a seed, whose
last layers are scaled so that instances come out, exports it, runs the file with onnxruntime, and
writes what the package's own code makes of input and outputs; of all of them, and of the few
hundred cells, in few digits, that a golden file keeps.

    yolo_reference.py NAME FOLDER PICTURE...
"""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from ultralytics import YOLO
from ultralytics.data.augment import LetterBox
from ultralytics.nn.tasks import SegmentationModel
from ultralytics.utils import nms, ops

SIDE_PX = 256
CLASSES = {0: "person", 1: "car", 2: "dog"}
MIN_SCORE, NMS_IOU, MOST, MOST_OF_FEW = 0.25, 0.65, 300, 20
SMALL_HW = ((50, 70), (40, 31), (64, 101))
BLUR_CELLS = 1.2
MOST_KEPT = 250  # cells or rows of a golden file
MODELS = {  # architecture, and how it is exported
    "yolov8": ("yolov8n-seg.yaml", {}),
    "yolo11": ("yolo11n-seg.yaml", {}),
    "yolo12": ("yolo12n-seg.yaml", {}),
    "yolo26": ("yolo26n-seg.yaml", {}),
    "yolo26-nms": ("yolo26n-seg.yaml", {"nms": True, "conf": 0.05, "iou": NMS_IOU}),
    "yolo26-end2end": ("yolo26n-seg.yaml", {"nms": False}),
}
# Mean and spread of what the last layers give: bins or sides of boxes, classes, coefficients.
SPREADS = {"cv2": (None, 2.0), "cv3": (-4.0, 1.6), "cv4": (0.0, 1.0)}
SIDES = (2.5, 0.8)  # of heads without bins, in strides


def tensor_of(image: np.ndarray) -> Tensor:
    """The package's own preparation."""
    placed = LetterBox((SIDE_PX, SIDE_PX), auto=False)(image=image)
    planes = np.ascontiguousarray(placed[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def small(picture: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """A piece of a picture, and how the package prepares it; no piece shrinks to half or less."""
    h, w = SMALL_HW[k]
    piece = picture[-h:, -w:].copy()
    return {"picture": piece, "prepared": LetterBox((64, 64), auto=False)(image=piece)}


def calibrated(net: SegmentationModel, x: Tensor) -> None:
    """Give batch normalisation the statistics of pictures, so that features do not vanish."""
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 0.5
        norm.train()
    with torch.no_grad():
        for _ in range(8):
            net(x)
    net.eval()


def rescaled(net: SegmentationModel, x: Tensor) -> None:
    """Change the last layers so that what they give for pictures has another mean and spread."""
    head, given = net.model[-1], {}
    for prefix in ("", "one2one_"):
        for name, (mean, std) in SPREADS.items():
            if name == "cv2" and head.reg_max == 1:
                mean, std = SIDES
            for branch in getattr(head, prefix + name, None) or []:
                last = branch[-1]
                hook = last.register_forward_hook(
                    lambda layer, _, out: given.__setitem__(layer, out)
                )
                with torch.no_grad():
                    net(x)
                    hook.remove()
                    if last not in given:
                        continue
                    values = given[last]
                    gain = std / values.std()
                    last.weight *= gain
                    shift = 0 if mean is None else mean - values.mean() * gain
                    last.bias.copy_(last.bias * gain + shift)


def exported(name: str, folder: Path, x: Tensor) -> Path:
    """The ONNX file of a model."""
    yaml, options = MODELS[name]
    torch.manual_seed(26)
    model = YOLO(yaml)
    net = SegmentationModel(yaml, nc=len(CLASSES), verbose=False).eval()
    net.names, net.args, net.task = dict(CLASSES), model.model.args, "segment"
    calibrated(net, x)
    rescaled(net, x)
    model.model = deepcopy(net)
    model.model.pt_path = str(folder / f"{name}.pt")
    return Path(model.export(format="onnx", imgsz=SIDE_PX, simplify=True, **options))


def few(outputs: list[np.ndarray], is_ready: bool) -> list[np.ndarray]:
    """The best cells, in few digits; scores in all, so that their order is told.

    Prototypes are smoothed, as those of trained models are, and rounded to few steps.
    """
    cells, planes = outputs[0].copy(), outputs[1]
    scores = slice(4, 5) if is_ready else slice(4, 4 + len(CLASSES))
    if is_ready:
        cells = cells.transpose(0, 2, 1)
    best = cells[0, scores].max(0)
    # Boxes turned inside out, which random weights give, have no mask, but would count.
    sides = cells[0, 2:4] - cells[0, :2] if is_ready else cells[0, 2:4]
    best[(sides <= 0).any(0)] = -1
    index = np.sort(np.argsort(-best, kind="stable")[:MOST_KEPT])
    cells = cells[..., index]
    kept = cells[:, scores].copy()
    cells = cells.astype(np.float16).astype(np.float32)
    cells[:, scores] = kept
    blurred = cv2.GaussianBlur(planes[0].transpose(1, 2, 0), (0, 0), BLUR_CELLS)
    planes = np.ascontiguousarray(blurred.transpose(2, 0, 1))[None]
    step = np.float32(2.0 ** np.floor(np.log2(np.abs(planes).max() / 15)))
    planes = np.rint(planes / step) * step
    return [cells.transpose(0, 2, 1).copy() if is_ready else cells, planes]


def said(
    outputs: list[np.ndarray], is_ready: bool, hw: tuple[int, int], most: int
) -> dict[str, np.ndarray]:
    """Boxes, scores, labels and masks, by the package's own code."""
    rows = nms.non_max_suppression(
        torch.from_numpy(outputs[0]),
        MIN_SCORE,
        NMS_IOU,
        max_det=most,
        nc=len(CLASSES),
        end2end=is_ready,
    )[0]
    boxes = ops.scale_boxes((SIDE_PX, SIDE_PX), rows[:, :4].clone(), hw)
    planes = torch.from_numpy(outputs[1][0])
    masks = ops.process_mask_native(planes, rows[:, 6:], boxes, hw).numpy()
    return {
        "boxes": boxes.numpy(),
        "scores": rows[:, 4].numpy(),
        "labels": rows[:, 5].numpy().astype(np.int32),
        "masks": np.packbits(masks.reshape(len(masks), hw[0] * hw[1]), axis=1),
    }


def main() -> None:
    name, folder, *paths = sys.argv[1:]
    pictures = [cv2.imread(path) for path in paths]
    inputs = [tensor_of(picture) for picture in pictures]
    path = exported(name, Path(folder), torch.cat(inputs))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for k, (picture, x) in enumerate(zip(pictures, inputs, strict=True)):
        whole = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        is_ready = whole[0].shape[2] == 6 + whole[1].shape[1]
        reduced = few(whole, is_ready)
        for kind, outputs, most in (("", whole, MOST), ("-few", reduced, MOST_OF_FEW)):
            np.savez(
                Path(folder) / f"{k}{kind}.npz",
                **{f"output{i}": output for i, output in enumerate(outputs)},
                **said(outputs, is_ready, picture.shape[:2], most),
                step=np.abs(outputs[1][outputs[1] != 0]).min(),
                names=np.array(names),
                **small(picture, k),
                hw=np.array(picture.shape[:2]),
                input=x.numpy(),
                path=np.array(str(path)),
            )


if __name__ == "__main__":
    main()
