"""What mmdet and mmdeploy make of a picture: reference of compare_query_families.

Runs with these packages, without edgecount: builds a model with random weights from a seed, whose
heads are scaled so that instances come out, exports it through mmdeploy, runs the file with
onnxruntime, and writes what mmdeploy's own code makes of the outputs. mmcv's compiled operations
are not needed but for two, which torchvision has, too: so its package without them, mmcv-lite, is
enough.

    mmdet_reference.py rtmdet|mmdet-maskrcnn FOLDER PICTURE...
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import onnxruntime
import torch
import torchvision
from torch import Tensor, nn

CLASSES, MOST, MIN_SCORE = 3, 8, 0.3
SIDE_PX, SHORT_PX, LONG_PX = 256, 800, 1333
RTMDET = "rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py"
MASKRCNN = "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"


class Compiled(types.ModuleType):
    """Stands in for mmcv's compiled operations."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return {"nms": self.suppressed, "roi_align_forward": self.aligned}.get(name, self.absent)

    @staticmethod
    def suppressed(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
        assert offset == 0
        return torchvision.ops.nms(boxes, scores, iou_threshold)

    @staticmethod
    def aligned(x: Tensor, rois: Tensor, output: Tensor, *_: Tensor, **how: float) -> None:
        size = how["aligned_height"], how["aligned_width"]
        scale, ratio = how["spatial_scale"], how["sampling_ratio"]
        output.copy_(torchvision.ops.roi_align(x, rois, size, scale, ratio, how["aligned"]))

    @staticmethod
    def absent(*_: object, **__: object) -> None:
        raise NotImplementedError("an operation of mmcv that is not compiled")


def config_of(family: str) -> object:
    """The package's own config, smaller and without weights to download."""
    import mmdet
    from mmengine import Config

    folder = Path(mmdet.__file__).parent / ".mim" / "configs"
    config = Config.fromfile(folder / (RTMDET if family == "rtmdet" else MASKRCNN))
    config.model.backbone.init_cfg = None
    if family == "rtmdet":
        config.model.bbox_head.num_classes = CLASSES
        config.model.test_cfg.max_per_img = MOST
        for step in config.test_pipeline:
            for key in {"scale", "size"} & step.keys():
                step[key] = (SIDE_PX, SIDE_PX)
        config.test_dataloader.dataset.pipeline = config.test_pipeline
        return config
    config.model.backbone.depth = 18
    config.model.neck.in_channels = [64, 128, 256, 512]
    for head in (config.model.roi_head.bbox_head, config.model.roi_head.mask_head):
        head.num_classes = CLASSES
    config.model.test_cfg.rcnn.max_per_img = MOST
    config.model.test_cfg.rpn.max_per_img = 100
    return config


def deployment(family: str) -> dict:
    """The config of mmdeploy, as its files for onnxruntime say it."""
    post = {
        "score_threshold": 0.05,
        "confidence_threshold": 0.005,
        "iou_threshold": 0.5,
        "max_output_boxes_per_class": 200,
        "pre_top_k": 5000,
        "keep_top_k": 100,
        "background_label_id": -1,
        "export_postprocess_mask": family == "rtmdet",
    }
    axes = {"input": {0: "batch", 2: "height", 3: "width"}}
    return {
        "onnx_config": {
            "type": "onnx",
            "export_params": True,
            "keep_initializers_as_inputs": False,
            "opset_version": 11 if family == "rtmdet" else 16,
            "save_file": "end2end.onnx",
            "input_names": ["input"],
            "output_names": ["dets", "labels", "masks"],
            "input_shape": None,
            "optimize": False,
            **({} if family == "rtmdet" else {"dynamic_axes": axes}),
        },
        "codebase_config": {
            "type": "mmdet",
            "task": "ObjectDetection",
            "model_type": "end2end",
            "post_processing": post,
        },
        "backend_config": {"type": "onnxruntime"},
    }


def rescaled(
    net: nn.Module, layers: dict[nn.Module, tuple[float | None, float]], x: Tensor
) -> None:
    """Change last layers so that what they give for a picture has another mean and spread."""
    for layer, (mean, std) in layers.items():
        given: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _, __, out, given=given: given.append(out))
        with torch.no_grad():
            predicted(net, x)
            hook.remove()
            values = torch.cat([out.flatten() for out in given])
            gain = std / values.std()
            layer.weight *= gain
            shift = 0 if mean is None else mean - values.mean() * gain
            layer.bias.copy_(layer.bias * gain + shift)


def predicted(net: nn.Module, x: Tensor) -> object:
    from mmdet.structures import DetDataSample

    h, w = x.shape[2:]
    said = {"img_shape": (h, w), "ori_shape": (h, w), "scale_factor": (1.0, 1.0)}
    said["batch_input_shape"] = h, w
    return net.predict(x, [DetDataSample(metainfo=said) for _ in x])


def trained(config: object, family: str, x: Tensor, folder: Path) -> Path:
    """A checkpoint of random weights that find something."""
    from mmdet.registry import MODELS
    from mmengine.model import revert_sync_batchnorm

    net = revert_sync_batchnorm(MODELS.build(config.model)).eval()
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 0.5
        norm.train()
    with torch.no_grad():
        for _ in range(8):
            net.extract_feat(x)
            if family == "rtmdet":
                net.bbox_head(net.extract_feat(x))
    net.eval()
    if family == "rtmdet":
        head = net.bbox_head
        layers = {layer: (-3.0, 1.0) for layer in head.rtm_cls}
        layers |= {layer: (2.0, 0.5) for layer in head.rtm_reg}
        layers |= {layer: (0.0, 0.4) for layer in head.rtm_kernel}
    else:
        head = net.roi_head
        layers = {
            net.rpn_head.rpn_cls: (0.0, 2.0),
            net.rpn_head.rpn_reg: (0.0, 0.3),
            head.bbox_head.fc_cls: (0.0, 2.0),
            head.bbox_head.fc_reg: (0.0, 0.5),
            head.mask_head.conv_logits: (0.5, 1.0),
        }
    rescaled(net, layers, x)
    path = folder / f"{family}.pth"
    torch.save({"state_dict": net.state_dict(), "meta": {}}, path)
    return path


def prepared(config: object, family: str, image: np.ndarray) -> tuple[Tensor, dict]:
    """The input as mmdet's own pipeline makes it, and what it says of it."""
    from mmcv.transforms import Compose
    from mmdet.registry import MODELS, TRANSFORMS

    steps = [s for s in config.test_pipeline if s["type"] in ("Resize", "Pad")]
    say = {"type": "PackDetInputs", "meta_keys": ("ori_shape", "img_shape", "scale_factor")}
    run = Compose([TRANSFORMS.build(step) for step in (*steps, say)])
    hw = image.shape[:2]
    packed = run({"img": image, "img_shape": hw, "ori_shape": hw})
    data = {"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]}
    its = MODELS.build(config.model.data_preprocessor)(data, False)
    return its["inputs"], its["data_samples"][0].metainfo


def post(config: object, family: str, outputs: list[np.ndarray], said: dict) -> dict:
    """Boxes, scores, labels and masks, by mmdeploy's own code.

    It takes the nearest pixels of RTMDet-Ins' masks; between pixels, as mmdet itself does with its
    logits, they are interpolated here. Boxes may lie beyond the picture: they are cut there.
    """
    from mmdeploy.codebase.mmdet.deploy.object_detection_model import End2EndModel
    from mmdet.structures import DetDataSample
    from mmengine import Config

    own = End2EndModel.__new__(End2EndModel)
    nn.Module.__init__(own)
    own.model_cfg, own.deploy_cfg, own.device = config, Config(deployment(family)), "cpu"
    sample = DetDataSample(metainfo=said)
    dets, labels, masks = (torch.from_numpy(output.copy()) for output in outputs)
    between = partial(nn.functional.interpolate, mode="bilinear", align_corners=False)
    with mock.patch("torch.nn.functional.interpolate", between):
        own.postprocessing_results(dets, labels, masks, [sample])
    found = sample.pred_instances
    keep = found.scores >= MIN_SCORE
    pixels = found.masks[keep].numpy().astype(bool)
    h, w = said["ori_shape"]
    return {
        "boxes": np.clip(found.bboxes[keep].numpy(), 0, [w, h, w, h]),
        "scores": found.scores[keep].numpy(),
        "labels": found.labels[keep].numpy(),
        "masks": np.packbits(pixels.reshape(len(pixels), h * w), axis=1),
    }


def exported(config: object, family: str, image: np.ndarray, weights: Path, folder: Path) -> Path:
    """The ONNX file of a model."""
    from mmdeploy.apis import torch2onnx
    from mmdet.models.task_modules.prior_generators import MlvlPointGenerator
    from mmengine import Config

    # mmdeploy calls it without a device, and its default, cuda, is not everybody's.
    MlvlPointGenerator.single_level_grid_priors.__defaults__ = (torch.float32, "cpu", False)
    said = Config(deployment(family))
    torch2onnx(image, str(folder), f"{family}.onnx", said, config, str(weights), "cpu")
    return folder / f"{family}.onnx"


def few(outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Outputs with masks in few steps, for a small file."""
    dets, labels, masks = outputs
    steps = np.round(masks * 15).astype(np.uint8) * np.uint8(17)
    return [dets, labels, steps / np.float32(255)]


def main() -> None:
    family, folder, pictures = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    warnings.simplefilter("ignore")
    sys.modules["mmcv._ext"] = Compiled("mmcv._ext")
    sys.modules["mmcv._ext"].__spec__ = ModuleSpec("mmcv._ext", None)
    from mmdet.utils import register_all_modules

    register_all_modules()
    torch.manual_seed(0)
    images = [cv2.imread(picture) for picture in pictures]
    config = config_of(family)
    first, *others = [prepared(config, family, image)[0] for image in images]
    alike = [nn.functional.interpolate(other, first.shape[2:]) for other in others]
    x = torch.cat([first, *alike])
    weights = trained(config, family, x, folder)
    path = exported(config, family, images[0], weights, folder)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    for k, image in enumerate(images):
        tensor, said = prepared(config, family, image)
        outputs = session.run(None, {"input": tensor.numpy()})
        more = {
            "hw": np.array(image.shape[:2]),
            "names": np.array(names),
            "path": np.array(str(path)),
        }
        for kind, its in (("", outputs), ("-few", few(outputs))):
            np.savez(
                folder / f"{k}{kind}.npz",
                **post(config, family, its, said),
                **{f"output{i}": output for i, output in enumerate(its)},
                input=tensor.numpy(),
                **more,
            )


if __name__ == "__main__":
    main()
