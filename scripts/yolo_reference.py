"""What the package ultralytics makes of a picture: reference of scripts/compare_families.py.

Runs with that package, without edgecount: builds a model with random weights from a seed, whose
last layers are scaled so that instances come out, exports it, runs the file with onnxruntime, and
writes what the package's own code makes of input and outputs; of all of them, and of the few
hundred cells, in few digits, that a golden file keeps. YOLOv5 is another package's: see
yolov5_reference.py.

    yolo_reference.py NAME FOLDER PICTURE...
"""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import onnx
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
NMS = {"nms": True, "conf": 0.05, "iou": NMS_IOU}
MODELS = {  # architecture, and how it is exported
    "yolov8": ("yolov8n-seg.yaml", {}),
    "yolo11": ("yolo11n-seg.yaml", {}),
    "yolo12": ("yolo12n-seg.yaml", {}),
    "yolo26": ("yolo26n-seg.yaml", {}),
    "yolo26-nms": ("yolo26n-seg.yaml", NMS),
    "yolo26-end2end": ("yolo26n-seg.yaml", {"nms": False}),  # the others have no such head
    "yolov8-nms": ("yolov8n-seg.yaml", NMS),
    "yolo11-nms": ("yolo11n-seg.yaml", {**NMS, "dynamic": True}),
    "yolo11-wide": ("yolo11n-seg.yaml", {"imgsz": [160, SIDE_PX]}),
    "yolo11-dynamic": ("yolo11n-seg.yaml", {"dynamic": True}),
    "yolo11-pair": ("yolo11n-seg.yaml", {"batch": 2}),
    "yolo11-half": ("yolo11n-seg.yaml", {}),
}
# Mean and spread of what the last layers give: bins or sides of boxes, classes, coefficients.
SPREADS = {"cv2": (None, 2.0), "cv3": (-4.0, 1.6), "cv4": (0.0, 1.0)}
SIDES = (2.5, 0.8)  # of heads without bins, in strides


def tensor_of(name: str, image: np.ndarray) -> Tensor:
    """The package's own preparation; a model of any size gets as little padding as can be."""
    _, options = MODELS[name]
    hw = tuple(options.get("imgsz", (SIDE_PX, SIDE_PX)))
    placed = LetterBox(hw, auto=options.get("dynamic", False))(image=image)
    planes = np.ascontiguousarray(placed[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def small(picture: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """A piece of a picture, and how the package prepares it; no piece shrinks to half or less."""
    h, w = SMALL_HW[k % len(SMALL_HW)]
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
    path = Path(model.export(format="onnx", simplify=True, **{"imgsz": SIDE_PX, **options}))
    if name.endswith("-half"):  # as half=True did with a GPU; without one it keeps inputs as are
        from onnxruntime.transformers.float16 import convert_float_to_float16

        onnx.save(convert_float_to_float16(onnx.load(path)), path)
    return path


def run(session: onnxruntime.InferenceSession, x: np.ndarray) -> list[np.ndarray]:
    """A model's outputs for one picture; where it takes two, its mirror image is the other."""
    [given] = session.get_inputs()
    dtype = np.float16 if given.type == "tensor(float16)" else np.float32
    batch = np.concatenate([x, x[..., ::-1]]) if given.shape[0] == 2 else x
    return [output[:1] for output in session.run(None, {given.name: batch.astype(dtype)})]


def few(outputs: list[np.ndarray], is_ready: bool) -> list[np.ndarray]:
    """The best cells, in few digits; scores in all, so that their order is told.

    Prototypes are smoothed, as those of trained models are, and rounded to few steps.
    """
    cells = outputs[0].transpose(0, 2, 1) if is_ready else outputs[0]
    scores = slice(4, 5) if is_ready else slice(4, 4 + len(CLASSES))
    best = cells[0, scores].max(0)
    # Boxes turned inside out, which random weights give, have no mask, but would count.
    sides = cells[0, 2:4] - cells[0, :2] if is_ready else cells[0, 2:4]
    best[(sides <= 0).any(0)] = -1
    kept = strongest_cells(cells, best, scores)
    return [kept.transpose(0, 2, 1).copy() if is_ready else kept, smoothed(outputs[1])]


def strongest_cells(cells: np.ndarray, best: np.ndarray, scores: slice) -> np.ndarray:
    """The best of cells (1, n, A), in few digits but for their scores."""
    index = np.sort(np.argsort(-best, kind="stable")[:MOST_KEPT])
    few = cells[..., index].astype(np.float16).astype(np.float32)
    few[:, scores] = cells[:, scores][..., index]
    return few


def smoothed(planes: np.ndarray) -> np.ndarray:
    """Prototypes (1, k, h, w) in few steps."""
    blurred = cv2.GaussianBlur(planes[0].transpose(1, 2, 0), (0, 0), BLUR_CELLS)
    planes = np.ascontiguousarray(blurred.transpose(2, 0, 1))[None]
    step = np.float32(2.0 ** np.floor(np.log2(np.abs(planes).max() / 15)))
    return np.rint(planes / step) * step


def said(
    outputs: list[np.ndarray],
    is_ready: bool,
    input_hw: tuple[int, int],
    hw: tuple[int, int],
    most: int,
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
    boxes = ops.scale_boxes(input_hw, rows[:, :4].clone(), hw)
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
    if name == "yolov5":
        import yolov5_reference as package
    else:
        package = sys.modules[__name__]
    inputs = [package.tensor_of(name, picture) for picture in pictures]
    squares = [package.tensor_of("yolov8", picture) for picture in pictures[:3]]
    path = package.exported(name, Path(folder), torch.cat(squares))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for k, (picture, x) in enumerate(zip(pictures, inputs, strict=True)):
        given = run(session, x.numpy())
        whole = [output.astype(np.float32) for output in given]
        is_ready = whole[0].shape[2] == 6 + whole[1].shape[1]
        reduced = package.few(whole, is_ready)
        for kind, outputs, most in (("", whole, MOST), ("-few", reduced, MOST_OF_FEW)):
            np.savez(
                Path(folder) / f"{k}{kind}.npz",
                **{f"output{i}": o.astype(given[i].dtype) for i, o in enumerate(outputs)},
                **package.said(outputs, is_ready, x.shape[2:], picture.shape[:2], most),
                step=np.abs(outputs[1][outputs[1] != 0]).min(),
                names=np.array(names),
                **small(picture, k),
                hw=np.array(picture.shape[:2]),
                input=x.numpy(),
                path=np.array(str(path)),
            )


if __name__ == "__main__":
    main()
