"""What the package yolov5 makes of a picture: the part of yolo_reference.py for YOLOv5-seg.

The package (AGPL-3.0: a tool of the comparison only) is the last of that repository on PyPI.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
import yolov5
from torch import Tensor
from yolo_reference import (
    CLASSES,
    MIN_SCORE,
    NMS_IOU,
    SIDE_PX,
    calibrated,
    smoothed,
    strongest_cells,
)
from yolov5.models.yolo import SegmentationModel
from yolov5.utils.augmentations import letterbox
from yolov5.utils.general import non_max_suppression, scale_boxes
from yolov5.utils.segment.general import process_mask_native

YAML = Path(yolov5.__file__).parent / "models" / "segment" / "yolov5n-seg.yaml"
# Mean and spread of what the last layers give, for each kind of channel. The package interpolates
# probabilities of pixels instead of their logits: near 0 that is the same.
SPREADS = {
    "box": (0.0, 0.8),
    "objectness": (-2.5, 1.8),
    "classes": (0.0, 1.5),
    "coefficients": (0.0, 0.01),
}


def tensor_of(_: str, image: np.ndarray) -> Tensor:
    """The package's own preparation."""
    placed = letterbox(image, (SIDE_PX, SIDE_PX), auto=False)[0]
    planes = np.ascontiguousarray(placed[..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def exported(name: str, folder: Path, x: Tensor) -> Path:
    """The ONNX file of a model: the graph, names and metadata that the package's export.py gives.

    Its own function asks torch for an exporter that torch does not have any more.
    """
    torch.manual_seed(26)
    net = SegmentationModel(str(YAML), nc=len(CLASSES)).eval()
    calibrated(net, x)
    rescaled(net, x)
    net.model[-1].export = True
    path = folder / f"{name}.onnx"
    torch.onnx.export(
        net,
        (x[:1],),
        str(path),
        opset_version=17,
        input_names=["images"],
        output_names=["output0", "output1"],
        dynamo=False,
    )
    graph = onnx.load(path)
    said = {"stride": str(int(max(net.stride))), "names": str(CLASSES)}
    onnx.helper.set_model_props(graph, said)
    onnx.save(graph, path)
    return path


def rescaled(net: SegmentationModel, x: Tensor) -> None:
    """Change the last layers so that what they give for a picture has another mean and spread."""
    head = net.model[-1]
    given: dict[object, Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda layer, _, out: given.__setitem__(layer, out))
        for layer in head.m
    ]
    with torch.no_grad():
        net(x)
        for hook in hooks:
            hook.remove()
        for layer in head.m:
            values = given[layer].unflatten(1, (head.na, head.no))
            weight = layer.weight.view(head.na, head.no, -1)
            bias = layer.bias.view(head.na, head.no)
            begin = 0
            kinds = {"box": 4, "objectness": 1, "classes": len(CLASSES), "coefficients": head.nm}
            for kind, count in kinds.items():
                mean, std = SPREADS[kind]
                part = slice(begin, begin + count)
                gain = std / values[:, :, part].std()
                weight[:, part] *= gain
                bias[:, part] = bias[:, part] * gain + mean - values[:, :, part].mean() * gain
                begin += count


def few(outputs: list[np.ndarray], _: bool) -> list[np.ndarray]:
    """The best cells, in few digits; scores in all, so that their order is told."""
    cells = outputs[0].transpose(0, 2, 1)
    best = cells[0, 4] * cells[0, 5 : 5 + len(CLASSES)].max(0)
    kept = strongest_cells(cells, best, slice(4, 5 + len(CLASSES)))
    return [kept.transpose(0, 2, 1).copy(), smoothed(outputs[1])]


def said(
    outputs: list[np.ndarray],
    _: bool,
    input_hw: tuple[int, int],
    hw: tuple[int, int],
    most: int,
) -> dict[str, np.ndarray]:
    """Boxes, scores, labels and masks, by the package's own code."""
    planes = torch.from_numpy(outputs[1][0])
    [rows] = non_max_suppression(
        torch.from_numpy(outputs[0]), MIN_SCORE, NMS_IOU, max_det=most, nm=len(planes)
    )
    boxes = scale_boxes(input_hw, rows[:, :4].clone(), hw)
    masks = process_mask_native(planes, rows[:, 6:], boxes, hw).numpy().astype(bool)
    return {
        "boxes": boxes.numpy(),
        "scores": rows[:, 4].numpy(),
        "labels": rows[:, 5].numpy().astype(np.int32),
        "masks": np.packbits(masks.reshape(len(masks), hw[0] * hw[1]), axis=1),
    }
