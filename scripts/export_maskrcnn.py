"""Export torchvision's Mask R-CNN (BSD-3-Clause, weights likewise) to ONNX for `edge models add`.

It runs in an environment of its own, without edgecount (5 GB, with torch):

    python3 -m venv venv-maskrcnn
    venv-maskrcnn/bin/pip install torch==2.14.1 torchvision==0.29.2 onnx
    venv-maskrcnn/bin/python scripts/export_maskrcnn.py

The weights, trained on COCO, are downloaded by torchvision from its authors. The graph scales
pictures itself: `--shortest 480` makes it about three times as fast as its 800 pixels, and less
sharp. `--weights none` makes a model of random weights, to try the way.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

OPSET = 17
NAME = "maskrcnn-resnet50-fpn"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", choices=("coco", "none"), default="coco")
    parser.add_argument("--shortest", type=int, default=800, metavar="PX", help="shortest side")
    parser.add_argument("--most", type=int, default=100, metavar="N", help="instances a picture")
    parser.add_argument("--out", type=Path, metavar="FILE.onnx", help="default: NAME.onnx here")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    name = NAME if args.weights == "coco" else f"{NAME}-trial"
    out = args.out or Path(f"{name}.onnx")

    import onnx
    import torch
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    torch.manual_seed(1)
    model = maskrcnn_resnet50_fpn(
        weights="DEFAULT" if args.weights == "coco" else None,
        weights_backbone=None,
        min_size=args.shortest,
        max_size=round(args.shortest * 1333 / 800),
        box_detections_per_img=args.most,
        # Without weights all scores are alike, 1/91: some instances are wanted all the same.
        box_score_thresh=0.05 if args.weights == "coco" else 0.0,
    ).eval()
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    torch.onnx.export(
        model,
        ([torch.rand(3, 480, 640)],),
        str(out),
        opset_version=OPSET,
        input_names=["image"],
        output_names=["boxes", "labels", "scores", "masks"],
        dynamic_axes={
            "image": {1: "height", 2: "width"},
            "boxes": {0: "n"},
            "labels": {0: "n"},
            "scores": {0: "n"},
            "masks": {0: "n", 2: "height", 3: "width"},
        },
        dynamo=False,
    )
    exported = onnx.load(out)
    onnx.helper.set_model_props(
        exported,
        {"license": "BSD-3-Clause", "description": f"torchvision {NAME}, {args.weights}"},
    )
    onnx.checker.check_model(exported)
    onnx.save(exported, out)
    print(f"edge models add {out} --name {name}")


if __name__ == "__main__":
    main()
