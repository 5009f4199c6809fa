r"""Export RTMDet-Ins (OpenMMLab, code and weights Apache-2.0) to ONNX for `edge models add`.

It runs in an environment of its own, without edgecount (6 GB; Python 3.8 to 3.11, for which its
authors build mmcv):

    python3.11 -m venv venv-rtmdet
    venv-rtmdet/bin/pip install torch==2.1.2 torchvision==0.16.2 'numpy<2' 'setuptools<80' \
        'opencv-python<4.12' mmengine==0.10.7 mmdet==3.3.0 mmdeploy==1.3.1 'onnx<1.17' openmim
    venv-rtmdet/bin/mim install mmcv==2.1.0
    venv-rtmdet/bin/python scripts/export_rtmdet_ins.py --size tiny

The weights, trained on COCO, are downloaded by openmim from their authors. `--weights FILE` takes
a checkpoint of your own with `--config`, `--weights none` makes a model of random weights.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

OPSET = 11  # what mmdeploy's rewritten functions are made for
CONFIG = "rtmdet-ins_{}_8xb32-300e_coco"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=("tiny", "s", "m", "l"), default="tiny")
    parser.add_argument("--weights", default="coco", metavar="coco|none|FILE", help="default: coco")
    parser.add_argument("--config", type=Path, help="mmdet's config of FILE; default: COCO's")
    parser.add_argument(
        "--most", type=int, default=50, metavar="N", help="masks a picture, 1.6 MB each"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.onnx", help="default: NAME.onnx here")
    return parser.parse_args()


def deployment() -> dict:
    """What mmdeploy's instance-seg_rtmdet-ins_onnxruntime_static-640x640 says."""
    post = {
        "score_threshold": 0.05,
        "confidence_threshold": 0.005,
        "iou_threshold": 0.5,
        "max_output_boxes_per_class": 200,
        "pre_top_k": 5000,
        "keep_top_k": 100,
        "background_label_id": -1,
        "export_postprocess_mask": True,
    }
    return {
        "onnx_config": {
            "type": "onnx",
            "export_params": True,
            "keep_initializers_as_inputs": False,
            "opset_version": OPSET,
            "save_file": "end2end.onnx",
            "input_names": ["input"],
            "output_names": ["dets", "labels", "masks"],
            "input_shape": None,
            "optimize": True,
        },
        "codebase_config": {
            "type": "mmdet",
            "task": "ObjectDetection",
            "model_type": "end2end",
            "post_processing": post,
        },
        "backend_config": {"type": "onnxruntime"},
    }


def main() -> None:
    args = arguments()
    name = f"rtmdet-ins-{args.size}"
    if args.weights != "coco":
        name = f"{name}-{'trial' if args.weights == 'none' else Path(args.weights).stem}"
    out = args.out or Path(f"{name}.onnx")

    import mmdet
    import numpy as np
    import onnx
    import torch
    from mmdeploy.apis import torch2onnx
    from mmdet.models.task_modules.prior_generators import MlvlPointGenerator
    from mmengine import Config

    wanted = CONFIG.format(args.size)
    file = None if args.weights == "none" else args.weights
    if args.weights == "coco":
        from mim import download

        [got] = download("mmdet", [wanted], dest_root=str(out.resolve().parent))
        file = str(out.resolve().parent / got)
    folder = Path(mmdet.__file__).parent / ".mim" / "configs" / "rtmdet"
    config = Config.fromfile(args.config or folder / f"{wanted}.py")
    config.model.test_cfg.max_per_img = args.most
    if file is None:
        config.model.backbone.init_cfg = None  # else it would be downloaded
    # mmdeploy calls it without a device, and its default, cuda, is not everybody's.
    MlvlPointGenerator.single_level_grid_priors.__defaults__ = (torch.float32, "cpu", False)
    warnings.filterwarnings("ignore")  # of tracing, by the hundred
    picture = np.zeros((480, 640, 3), np.uint8)
    where = str(out.resolve().parent)
    torch2onnx(picture, where, out.name, Config(deployment()), config, file, "cpu")
    exported = onnx.load(out)
    said = {
        "license": "see its weights" if args.config else "Apache-2.0",
        "description": f"RTMDet-Ins {args.size}, {args.weights}",
    }
    onnx.helper.set_model_props(exported, said)
    onnx.save(exported, out)
    print(f"edge models add {out} --name {name}")


if __name__ == "__main__":
    main()
