"""What the packages of other model families make of a picture: reference of compare_query_families.

Runs with the packages rfdetr, dfine-seg or torchvision, without edgecount: builds a model with
random weights from a seed, whose heads are scaled so that instances come out, exports it, runs
the file with onnxruntime, and writes what the package's own code makes of input and outputs.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

MIN_SCORE = 0.3
D_FINE_IOU = 0.7  # of its own suppression
Reference = dict[str, np.ndarray]
Post = Callable[[list[np.ndarray], tuple[int, int]], dict[str, Tensor]]


def calibrated(model: nn.Module, forward: Callable[[], object]) -> None:
    """Give batch normalisation the statistics of a picture, so that features do not vanish."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 0.5
        norm.train()
    with torch.no_grad():
        for _ in range(8):
            forward()
    model.eval()


def rescaled(layer: nn.Module, values: Tensor, mean: float | None, std: float) -> None:
    """Change a last layer so that its `values` would have another spread."""
    gain = std / float(values.std())
    with torch.no_grad():
        layer.weight *= gain
        if layer.bias is not None:
            shift = 0 if mean is None else mean - float(values.mean()) * gain
            layer.bias.copy_(layer.bias * gain + shift)


def rfdetr(classes: int, folder: Path, image: np.ndarray) -> tuple[Path, Callable, Post]:
    """RF-DETR-Seg-Nano; 90 classes have COCO's numbers, fewer have a background behind them."""
    from PIL import Image
    from rfdetr import RFDETRSegNano
    from rfdetr.export._runtime.preprocess import preprocess_to_nchw
    from rfdetr.models.postprocess import PostProcess

    model = RFDETRSegNano(pretrain_weights=None, num_classes=classes, device="cpu")
    net, side = model.model.model, model.model.resolution

    def prepared(image: np.ndarray) -> np.ndarray:
        return preprocess_to_nchw(Image.fromarray(image[..., ::-1].copy()), side, side)

    net.eval()
    with torch.no_grad():
        logits = net(torch.from_numpy(prepared(image)))["pred_logits"]
    rescaled(net.class_embed, logits, -2.0, 1.5)
    path = model.export(output_dir=str(folder), verbose=False)

    def post(outputs: list[np.ndarray], hw: tuple[int, int]) -> dict[str, Tensor]:
        dets, labels, masks = map(torch.from_numpy, outputs)
        slots = labels.shape[2] if labels.shape[2] == 91 else labels.shape[2] - 1
        its = {"pred_boxes": dets, "pred_logits": labels[..., :slots], "pred_masks": masks}
        [found] = PostProcess(dets.shape[1])(its, torch.tensor([hw]), MIN_SCORE)
        return found | {"masks": found["masks"][:, 0]}

    return Path(path), prepared, post


def dfine(folder: Path, image: np.ndarray) -> tuple[Path, Callable, Post]:
    """D-FINE-seg N, 320 x 320, with its exported post-processing."""
    from dfine_seg.dl.export import DFINEPostProcessor, ExportWrapper, export_to_onnx
    from dfine_seg.infer.onnx_model import ONNXModel
    from dfine_seg.model.dfine import build_model

    net = build_model("n", 3, enable_mask_head=True, device="cpu", img_size=(320, 320)).eval()
    own = ONNXModel.__new__(ONNXModel)  # its pre- and post-processing, without opening a file
    own.input_size, own.channels, own.np_dtype = (320, 320), 3, np.float32
    own.keep_ratio = own.rect = own.sem_seg = False
    own.conf_thresh, own.conf_threshs, own.labels_to_use = MIN_SCORE, None, []
    own.has_masks = own.apply_nms = own.binarize_masks = True
    own.nms_iou_thresh, own.mask_threshold = D_FINE_IOU, 0.5

    def prepared(image: np.ndarray) -> np.ndarray:
        return own._prepare_inputs(image)[0]

    x = torch.from_numpy(prepared(image))
    calibrated(net, lambda: net(x))
    with torch.no_grad():
        found = net(x)
    rescaled(net.decoder.dec_score_head[-1], found["pred_logits"], -2.0, 1.5)
    rescaled(net.decoder.mask_head.layers[-1], torch.logit(found["pred_masks"]), None, 3.0)
    graph = ExportWrapper(net, DFINEPostProcessor(3)).eval()
    names = ["labels", "boxes", "scores", "masks"]
    path = export_to_onnx(graph, folder / "dfine", x, 1, False, False, "input", names)

    def post(outputs: list[np.ndarray], hw: tuple[int, int]) -> dict[str, Tensor]:
        [found] = own._postprocess([o.copy() for o in outputs], [own.input_size], [hw])
        return found

    return Path(path), prepared, post


def torchvision(folder: Path, image: np.ndarray) -> tuple[Path, Callable, Post]:
    """Mask R-CNN on a small backbone, two classes and the background."""
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.backbone_utils import mobilenet_backbone
    from torchvision.transforms.functional import to_tensor

    backbone = mobilenet_backbone(
        backbone_name="mobilenet_v3_small",
        weights=None,
        fpn=True,
        trainable_layers=6,
        norm_layer=nn.BatchNorm2d,
    )
    net = MaskRCNN(
        backbone,
        num_classes=3,
        rpn_anchor_generator=AnchorGenerator(((32, 64, 128),) * 3, ((0.5, 1.0, 2.0),) * 3),
        min_size=320,
        max_size=480,
        box_score_thresh=0.2,
        box_detections_per_img=40,
    ).eval()

    def prepared(image: np.ndarray) -> np.ndarray:
        return to_tensor(image[..., ::-1].copy()).numpy()

    x = torch.from_numpy(prepared(image))
    calibrated(net, lambda: net([x]))
    seen: dict[str, Tensor] = {}
    layers = {
        "classes": net.roi_heads.box_predictor.cls_score,
        "deltas": net.roi_heads.box_predictor.bbox_pred,
        "objects": net.rpn.head.cls_logits,
        "masks": net.roi_heads.mask_predictor.mask_fcn_logits,
    }
    for name, layer in layers.items():
        hook = layer.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
        with torch.no_grad():
            net([x])
        hook.remove()
        rescaled(layer, seen[name], 0.0, 0.5 if name == "deltas" else 2.0)
    path = folder / "torchvision.onnx"
    torch.onnx.export(
        net,
        ([x],),
        str(path),
        opset_version=17,
        input_names=["image"],
        output_names=["boxes", "labels", "scores", "masks"],
        dynamic_axes={"image": {1: "height", 2: "width"}},
        dynamo=False,
    )

    def post(outputs: list[np.ndarray], hw: tuple[int, int]) -> dict[str, Tensor]:
        boxes, labels, scores, masks = map(torch.from_numpy, outputs)
        keep = scores >= MIN_SCORE  # all else is in the graph
        found = {"boxes": boxes, "labels": labels, "scores": scores, "masks": masks[:, 0] > 0.5}
        return {name: value[keep] for name, value in found.items()}

    return path, prepared, post


BUILDERS = {
    "rfdetr": lambda *args: rfdetr(90, *args),
    "rfdetr-three": lambda *args: rfdetr(3, *args),
    "dfine": dfine,
    "torchvision": torchvision,
}


def reduced(names: list[str], outputs: list[np.ndarray], most: int) -> list[np.ndarray]:
    """The first rows alone, with masks in few digits, for a small file."""
    small = []
    for name, output in zip(names, outputs, strict=True):
        rows = output[:, :most] if output.shape[0] == 1 else output[:most]
        if name == "masks" and rows.min() >= 0:
            rows = np.round(rows * 255).astype(np.uint8).astype(np.float32) / np.float32(255)
        elif name == "masks":
            rows = rows.astype(np.float16).astype(np.float32)
        small.append(np.ascontiguousarray(rows))
    return small


def save(target: Path, outputs: list[np.ndarray], found: dict[str, Tensor], **more: object) -> None:
    """Write outputs and reference."""
    masks = found["masks"].numpy().astype(bool)
    np.savez(
        target,
        boxes=found["boxes"].numpy(),
        scores=found["scores"].numpy(),
        labels=found["labels"].numpy(),
        masks=np.packbits(masks.reshape(len(masks), -1), axis=1),
        **{f"output{k}": output for k, output in enumerate(outputs)},
        **more,
    )


def main() -> None:
    """Arguments: a family, a folder that gets the results, and pictures."""
    family, folder, pictures = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    images = [cv2.imread(picture) for picture in pictures]
    path, prepared, post = BUILDERS[family](folder, images[0])
    session = onnxruntime.InferenceSession(str(path))
    [given] = session.get_inputs()
    names = [o.name for o in session.get_outputs()]
    for k, image in enumerate(images):
        tensor, hw = prepared(image), image.shape[:2]
        outputs = session.run(None, {given.name: tensor})
        more = {"hw": np.array(hw), "names": np.array(names), "path": np.array(str(path))}
        save(folder / f"{k}.npz", outputs, post(outputs, hw), input=tensor, **more)
        few = reduced(names, outputs, 12)
        save(folder / f"{k}-few.npz", few, post(few, hw), **more)


if __name__ == "__main__":
    main()
